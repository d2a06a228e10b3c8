"""diarist: who said what, and when.

    from diarist import transcribe

    transcript = transcribe("meeting.mp3")
    for segment in transcript.segments:
        print(segment.speaker, segment.text)

Importing this package loads no engine: heavy libraries are imported where an engine is built.
"""

from __future__ import annotations

import importlib
import os
from typing import TYPE_CHECKING, Any

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

if TYPE_CHECKING:
    from diarist.api import transcribe
    from diarist.attribution import attribute
    from diarist.audio.audio import Audio
    from diarist.audio.decode import decode
    from diarist.audio.recording import Recording
    from diarist.diarization.base import Diarizer
    from diarist.engines import Engine, load
    from diarist.formats import render
    from diarist.pipelines.base import Pipeline
    from diarist.pipelines.local import LocalPipeline
    from diarist.places import open_place
    from diarist.transcription.base import Transcriber

__version__ = "0.1.0"

# Whoever transcribes in private tells nobody. ONNX Runtime otherwise keeps an identifier of the device, from the moment
# it is imported, and sends events to its maker.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

_LAZY = {
    "transcribe": "diarist.api",
    "attribute": "diarist.attribution",
    "Audio": "diarist.audio.audio",
    "Recording": "diarist.audio.recording",
    "decode": "diarist.audio.decode",
    "open_place": "diarist.places",
    "Diarizer": "diarist.diarization.base",
    "Engine": "diarist.engines",
    "load": "diarist.engines",
    "render": "diarist.formats",
    "LocalPipeline": "diarist.pipelines.local",
    "Pipeline": "diarist.pipelines.base",
    "Transcriber": "diarist.transcription.base",
}

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
    "decode",
    "load",
    "open_place",
    "render",
    "transcribe",
]


def __dir__() -> list[str]:
    return sorted(__all__)


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        return getattr(importlib.import_module(_LAZY[name]), name)
    raise AttributeError(f"module 'diarist' has no attribute {name!r}")
