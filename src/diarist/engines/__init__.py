"""From a model's name to a ready engine: diarist's own and those of other packages, and what ``auto`` means here."""

from diarist.engines.auto import Choice, auto_diarizer, auto_transcriber, sizes
from diarist.engines.loading import load, names, open_diarizer, open_transcriber, share_threads
from diarist.engines.registry import Engine

__all__ = [
    "Choice",
    "Engine",
    "auto_diarizer",
    "auto_transcriber",
    "load",
    "names",
    "open_diarizer",
    "open_transcriber",
    "share_threads",
    "sizes",
]
