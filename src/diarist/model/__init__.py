"""Nouns: frozen dataclasses without I/O or heavy imports."""
