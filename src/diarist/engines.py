"""From a model name to a ready engine, and which model ``auto`` means on this machine."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from diarist.diarization.base import Diarizer
from diarist.model.errors import InputError
from diarist.model.progress import Progress, ignore
from diarist.pipeline import LocalPipeline
from diarist.transcription.base import Transcriber

# The 25 languages of Parakeet v3, from its model card.
PARAKEET_V3_LANGUAGES = frozenset("bg cs da de el en es et fi fr hr hu it lt lv mt nl pl pt ro ru sk sl sv uk".split())
ENGLISH = frozenset({"en"})


@dataclass(frozen=True, slots=True)
class Choice:
    """What ``auto`` took, and why.

    Attributes:
        name: the model's name in the catalog.
        reason: why this one, in a few words.
        better: how to get a better one; None where this is the best there is.
    """

    name: str
    reason: str
    better: str | None


@dataclass(frozen=True, slots=True)
class _Candidate:
    name: str
    languages: frozenset[str] | None  # None: any


# Best first. Word error rates: Open ASR leaderboard, 2026-08 (v2 6.05 %, v3 6.32 %, large-v3-turbo 7.8 %).
TRANSCRIBERS = (
    _Candidate("parakeet-tdt-0.6b-v2", ENGLISH),
    _Candidate("parakeet-tdt-0.6b-v2-onnx", ENGLISH),
    _Candidate("parakeet-tdt-0.6b-v3", PARAKEET_V3_LANGUAGES),
    _Candidate("parakeet-tdt-0.6b-v3-onnx", PARAKEET_V3_LANGUAGES),
    _Candidate("whisper-large-v3-turbo", None),
    _Candidate("whisper-large-v3", None),
    _Candidate("whisper-medium", None),
    _Candidate("whisper-small", None),
    _Candidate("whisper-base", None),
    _Candidate("whisper-tiny.en", ENGLISH),
)
EMBEDDED_ENGLISH = "whisper-tiny.en"
EMBEDDED_MULTILINGUAL = "whisper-base"
DIARIZERS = ("community-1", "3.1", "embedded")
