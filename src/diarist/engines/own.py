"""The engines that diarist brings itself. One line in a table here adds another."""

from __future__ import annotations

import os
import pkgutil
from functools import partial
from pathlib import Path
from typing import Any, Final

from diarist.diarization.base import Diarizer
from diarist.engines.registry import Load, OwnEngine, Registry
from diarist.model.errors import InputError
from diarist.model.progress import Progress
from diarist.transcription.base import Transcriber
from diarist.weights.catalog import CATALOG, find_model


def _at(loader: str) -> Load[Any]:
    """A loader by where it is, ``"module:name"``; imported when it is called, since engines are heavy."""

    def load(model: str, /, *, device: str, threads: int, progress: Progress) -> Any:
        return pkgutil.resolve_name(loader)(model, device=device, threads=threads, progress=progress)

    return load


def _transcription_model(name: str) -> tuple[str, str]:
    """Engine and model of what `diarist.weights.catalog.find_model` takes."""
    entry = find_model(name)
    if entry.task != "transcription":
        raise InputError(
            "unknown_model", f"{entry.name} is for {entry.task}, not transcription.", "See: diarist models list"
        )
    return _READ_BY[entry.engine], entry.name


def _of_engine(engine: str, model: str) -> str:
    """The catalog's name for a model of one engine: ``base`` of ``whisper``, ``v3`` of ``parakeet``, or in full."""
    try:
        owner, name = _transcription_model(f"{engine}-{model}")
    except InputError:
        owner, name = _transcription_model(model)
    if owner != engine:
        raise InputError("unknown_model", f"{name} is a model of {owner}, not of {engine}.", f"Say {owner}:{name}.")
    return name


def _diarization_model(name: str) -> tuple[str, str]:
    """Engine and model of one of our own names, in any case, with or without what pyannote puts before it."""
    plain = name.strip().lower().removeprefix("pyannote/").removeprefix("speaker-diarization-")
    if plain not in DIARIZERS.own["diarist"].models:
        others = ", ".join(f"{engine}:MODEL" for engine, own in DIARIZERS.own.items() if not own.models)
        raise InputError("unknown_model", f"There is no diarization model {name!r}.", f"{_USE} or {others}.")
    return "diarist", plain


def _name_or_folder(model: str) -> str:
    """What engines that find their models by themselves are given."""
    return os.path.expanduser(model)  # noqa: PTH111  # Path's raises where nobody has such a home


def _is_parakeet(path: Path) -> bool:
    """Whether a file or folder is Parakeet's: an ONNX conversion, or a checkpoint, NVIDIA's or in safetensors."""
    if path.is_file():
        return path.suffix == ".nemo"
    patterns = ("encoder-model*.onnx", "*.nemo", "model.safetensors")
    return not (path / "model.bin").is_file() and any(any(path.glob(pattern)) for pattern in patterns)


def _named(engine: str) -> tuple[str, ...]:
    return tuple(entry.name for entry in CATALOG.values() if _READ_BY.get(entry.engine) == engine)


_READ_BY: Final = {"faster-whisper": "whisper", "parakeet": "parakeet", "parakeet-onnx": "parakeet"}
"""By what the catalog says of a transcription model's files: the engine."""

_USE: Final = "Use 'embedded', 'community-1', '3.1', a folder with community-1's files,"

TRANSCRIBERS: Final[Registry[Transcriber]] = Registry(
    "transcription",
    "diarist.transcribers",
    {
        "whisper": OwnEngine(
            _at("diarist.transcription.whisper:load_whisper"), _named("whisper"), partial(_of_engine, "whisper")
        ),
        "parakeet": OwnEngine(
            _at("diarist.transcription.parakeet:load_parakeet"),
            _named("parakeet"),
            partial(_of_engine, "parakeet"),
            _is_parakeet,
        ),
    },
    _transcription_model,
    "See: diarist models list.",
)

DIARIZERS: Final[Registry[Diarizer]] = Registry(
    "diarization",
    "diarist.diarizers",
    {
        "diarist": OwnEngine(
            _at("diarist.diarization.pipeline:load_diarizer"),
            ("embedded", "community-1", "3.1"),
            lambda model: _diarization_model(model)[1],
        ),
        "pyannote": OwnEngine(_at("diarist.diarization.pyannote:load_pyannote"), called=_name_or_folder),
        "nemotron": OwnEngine(_at("diarist.diarization.nemotron:load_nemotron"), called=_name_or_folder),
        "speakrs": OwnEngine(_at("diarist.diarization.speakrs:load_speakrs"), called=_name_or_folder),
    },
    _diarization_model,
    f"{_USE} or ENGINE:MODEL.",
)
