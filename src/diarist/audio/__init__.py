"""From anything that holds sound to mono 16 kHz samples."""
