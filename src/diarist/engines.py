"""From a model name to a ready engine, and which model ``auto`` means on this machine."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from diarist.diarization.base import Diarizer
from diarist.model.errors import InputError
from diarist.model.progress import Progress, ignore
from diarist.pipeline import LocalPipeline
from diarist.transcription.base import Transcriber

# The 25 languages of Parakeet v3, from its model card.
PARAKEET_V3_LANGUAGES = frozenset(
    "bg cs da de el en es et fi fr hr hu it lt lv mt nl pl pt ro ru sk sl sv uk".split()  # noqa: SIM905
)
DEVICES = ("auto", "cpu", "cuda")
ENGLISH = frozenset({"en"})


@dataclass(frozen=True, slots=True)
class Choice:
    """The engine that will run, and why.

    Attributes:
        name: the model's name.
        weights: the catalog entries it needs.
        reason: why this one, in a few words.
        better: the command that gets a better one; None where this is the best there is.
    """

    name: str
    weights: tuple[str, ...]
    reason: str
    better: str | None = None


@dataclass(frozen=True, slots=True)
class _Known:
    name: str
    weights: tuple[str, ...]
    languages: frozenset[str] | None = None  # None: any


# Best first. Word error rates on the Open ASR leaderboard, 2026-08: Parakeet v2 6.05 %, v3 6.32 %, large-v3 7.44 %.
TRANSCRIBERS = (
    _Known("parakeet-tdt-0.6b-v2", ("parakeet-tdt-0.6b-v2-onnx",), ENGLISH),
    _Known("parakeet-tdt-0.6b-v3", ("parakeet-tdt-0.6b-v3-onnx",), PARAKEET_V3_LANGUAGES),
    _Known("whisper-large-v3-turbo", ("whisper-large-v3-turbo",)),
    _Known("whisper-small", ("whisper-small",)),
    _Known("whisper-base", ("whisper-base",)),
    _Known("whisper-tiny.en", ("whisper-tiny.en",), ENGLISH),
)
EMBEDDED_ENGLISH = "whisper-tiny.en"
EMBEDDED_MULTILINGUAL = "whisper-base"
DIARIZERS = (
    _Known("community-1", ("community-1",)),
    _Known("embedded", ("segmentation-3.0", "campplus")),
)


def auto_transcriber(language: str | None, present: Callable[[str], bool] | None = None) -> Choice:
    """Choose the best transcription model that is already here and knows the language; never a large download.

    Args:
        language: ISO 639-1 code, or None where it is not known; then it is taken to be English, as the embedded default
            and the best models are.
        present: whether the catalog entry of that name is on this machine.
    """
    spoken = language or "en"
    present = present or _is_here
    known = [model for model in TRANSCRIBERS if model.languages is None or spoken in model.languages]
    embedded = EMBEDDED_ENGLISH if spoken == "en" else EMBEDDED_MULTILINGUAL
    return _best(known, embedded, present, f"for {spoken}")


def auto_diarizer(present: Callable[[str], bool] | None = None) -> Choice:
    """Choose the best diarization model that is already here; never a large or gated download."""
    return _best(DIARIZERS, "embedded", present or _is_here, "")


def _best(known: Sequence[_Known], embedded: str, present: Callable[[str], bool], suffix: str) -> Choice:
    first = known[0]
    for model in known:
        if all(present(name) for name in model.weights) or model.name == embedded:
            better = None if model is first else f"diarist models pull {' '.join(first.weights)}"
            here = all(present(name) for name in model.weights)
            reason = " ".join(filter(None, ["best one here" if here else "smallest download", suffix]))
            return Choice(model.name, model.weights, reason, better)
    raise AssertionError("the embedded model is always among the known ones")


def _is_here(name: str) -> bool:
    from diarist.weights.locate import locate

    return locate(name) is not None


def load(
    model: str = "auto",
    diarizer: str | None = "auto",
    *,
    language: str | None = None,
    device: str = "auto",
    threads: int | None = None,
    progress: Progress = ignore,
    note: Callable[[str], None] = lambda _: None,
) -> LocalPipeline:
    """Load both engines, at the same time, fetching small weights that are missing.

    Args:
        model: a transcription model's name, a folder of weights, or ``"auto"``.
        diarizer: a diarization model's name, ``"auto"``, or None for a pipeline that never diarizes.
        language: what will be spoken, if known; ``auto`` takes a model that knows it.
        device: ``"auto"``, ``"cpu"`` or ``"cuda"``.
        threads: CPU threads for both engines together; all cores if not given.
        progress: told about downloads.
        note: told, in one line, what ``auto`` took and how to get better.

    Raises:
        InputError: no such model or device.
        WeightsError: weights are missing and could not be fetched.
    """
    if device not in DEVICES:
        raise InputError("bad_device", f"There is no device {device!r}.", f"Choose from {', '.join(DEVICES)}.")
    threads = threads or os.cpu_count() or 1
    if model == "auto":
        choice = auto_transcriber(language)
        model = choice.name
        note(f"words: {choice.name}" + (f" (better: {choice.better})" if choice.better else ""))
    if diarizer == "auto":
        choice = auto_diarizer()
        diarizer = choice.name
        note(f"speakers: {choice.name}" + (f" (better: {choice.better})" if choice.better else ""))
    with ThreadPoolExecutor(2, "diarist-load") as pool:
        words = pool.submit(_load_transcriber, model, device, threads, progress)
        speakers = pool.submit(_load_diarizer, diarizer, device, threads, progress) if diarizer else None
        return LocalPipeline(words.result(), speakers.result() if speakers else None)


def _load_transcriber(name: str, device: str, threads: int, progress: Progress) -> Transcriber:
    from diarist.transcription.whisper import load_whisper

    return load_whisper(name, device=device, threads=threads, progress=progress)


def _load_diarizer(name: str, device: str, threads: int, progress: Progress) -> Diarizer:
    from diarist.diarization.pipeline import load_diarizer

    return load_diarizer(name, device=device, threads=threads, progress=progress)
