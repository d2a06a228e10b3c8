"""diarist: who said what, and when.

    from diarist import transcribe

    transcript = transcribe("meeting.mp3")
    for segment in transcript.segments:
        print(segment.speaker, segment.text)

Importing this package imports nothing else: each name is fetched when it is first used, and heavy libraries where an
engine is built.
"""

from __future__ import annotations

import importlib
import os
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from diarist.api import transcribe
    from diarist.attribution import attribute
    from diarist.audio.audio import Audio
    from diarist.audio.decode import decode
    from diarist.audio.recording import Recording
    from diarist.diarization.base import Diarizer
    from diarist.engines import Engine, load
    from diarist.formats import render
    from diarist.model.errors import (
        Cancelled,
        DiaristError,
        EndpointError,
        EngineError,
        InputError,
        WeightsError,
    )
    from diarist.model.options import Options
    from diarist.model.progress import Progress
    from diarist.model.timeline import Span
    from diarist.model.transcript import (
        Diarization,
        ModelInfo,
        Segment,
        SpeakerScores,
        Transcript,
        Transcription,
        Turn,
        Word,
    )
    from diarist.pipelines.base import Pipeline
    from diarist.pipelines.local import LocalPipeline
    from diarist.places import open_place
    from diarist.server.client import connect
    from diarist.transcription.base import Transcriber

__version__ = "0.1.0"

# Whoever transcribes in private tells nobody. ONNX Runtime otherwise keeps an identifier of the device, from the moment
# it is imported, and sends events to its maker.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

_HOMES = {
    "diarist.api": ("transcribe",),
    "diarist.attribution": ("attribute",),
    "diarist.audio.audio": ("Audio",),
    "diarist.audio.decode": ("decode",),
    "diarist.audio.recording": ("Recording",),
    "diarist.diarization.base": ("Diarizer",),
    "diarist.engines": ("Engine", "load"),
    "diarist.formats": ("render",),
    "diarist.model.errors": (
        "Cancelled", "DiaristError", "EndpointError", "EngineError", "InputError", "WeightsError",
    ),
    "diarist.model.options": ("Options",),
    "diarist.model.progress": ("Progress",),
    "diarist.model.timeline": ("Span",),
    "diarist.model.transcript": (
        "Diarization", "ModelInfo", "Segment", "SpeakerScores", "Transcript", "Transcription", "Turn", "Word",
    ),
    "diarist.pipelines.base": ("Pipeline",),
    "diarist.pipelines.local": ("LocalPipeline",),
    "diarist.places": ("open_place",),
    "diarist.server.client": ("connect",),
    "diarist.transcription.base": ("Transcriber",),
}  # fmt: skip

__all__ = [
    "Audio",
    "Cancelled",
    "DiaristError",
    "Diarization",
    "Diarizer",
    "EndpointError",
    "Engine",
    "EngineError",
    "InputError",
    "LocalPipeline",
    "ModelInfo",
    "Options",
    "Pipeline",
    "Progress",
    "Recording",
    "Segment",
    "Span",
    "SpeakerScores",
    "Transcriber",
    "Transcript",
    "Transcription",
    "Turn",
    "WeightsError",
    "Word",
    "__version__",
    "attribute",
    "connect",
    "decode",
    "load",
    "open_place",
    "render",
    "transcribe",
]


def __dir__() -> list[str]:
    return sorted(__all__)


def __getattr__(name: str) -> Any:
    home = next((module for module, names in _HOMES.items() if name in names), None)
    if home is None:
        raise AttributeError(f"module 'diarist' has no attribute {name!r}")
    # Kept, so that it is looked for once.
    return globals().setdefault(name, getattr(importlib.import_module(home), name))
