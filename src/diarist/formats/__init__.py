"""Renderings of a transcript, one module per family."""
