"""From the fields of a request, by whatever client, to what it asks."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from diarist.server.ask import Ask, Clip, ask_from, identity, work_of
from diarist.server.models import Models

__all__ = ["Ask", "Clip", "File", "ask_from", "flattened", "identity", "read_asr", "read_detect_language", "read_diarization", "read_transcription", "read_translation", "work_of"]

Pairs = Sequence[tuple[str, str]]


class File(Protocol):
    """A file part of a form, on disk; `diarist.server.uploads.Upload` is one."""

    @property
    def field(self) -> str: ...
    @property
    def path(self) -> Path: ...
    @property
    def num_bytes(self) -> int: ...
    @property
    def sha256(self) -> str: ...


def read_transcription(fields: Pairs, files: Iterable[File], *, models: Models) -> Ask:
    """``POST /v1/audio/transcriptions`` and ``/v1/jobs``."""
    raise NotImplementedError


def read_translation(fields: Pairs, files: Iterable[File], *, models: Models) -> Ask:
    """``POST /v1/audio/translations``."""
    raise NotImplementedError


def read_diarization(fields: Pairs, files: Iterable[File], *, models: Models) -> Ask:
    """``POST /v1/audio/diarizations``."""
    raise NotImplementedError


def read_asr(query: Pairs, files: Iterable[File], *, models: Models) -> Ask:
    """``POST /asr``: the query, followed by what the form says."""
    raise NotImplementedError


def read_detect_language(query: Pairs, files: Iterable[File], *, models: Models) -> Ask:
    """``POST /detect-language``."""
    raise NotImplementedError


def flattened(document: Mapping[str, Any]) -> list[tuple[str, str]]:
    """The fields of a JSON body, as a form would have them."""
    raise NotImplementedError
