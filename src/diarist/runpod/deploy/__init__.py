"""Putting endpoints on RunPod, and keeping them right."""
