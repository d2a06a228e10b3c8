"""Engines that turn a recording into timed words."""
