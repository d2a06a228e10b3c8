"""From a model name to a ready engine, and which model ``auto`` means on this machine."""

from __future__ import annotations

import importlib
import importlib.util
import logging
import os
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from diarist.cpu_count import cpu_count
from diarist.diarization.base import Diarizer
from diarist.model.errors import Cancelled, InputError
from diarist.model.progress import Progress, ignore
from diarist.pipelines.local import LocalPipeline
from diarist.transcription.base import Transcriber
from diarist.weights.catalog import CATALOG, find

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
        better: the catalog entries of a better one; none where this is the best there is.
    """

    name: str
    weights: tuple[str, ...]
    reason: str
    better: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Known:
    name: str
    weights: tuple[str, ...]
    languages: frozenset[str] | None = None  # None: any
    gpu_weights: tuple[str, ...] | None = None  # None: the same as on a CPU

    def needs(self, *, gpu: bool) -> tuple[str, ...]:
        return self.gpu_weights if gpu and self.gpu_weights else self.weights

    def speaks(self, language: str | None) -> bool:
        return self.languages is None or language is None or language in self.languages


# Best first. Word error rates on the Open ASR leaderboard, 2026-08: Parakeet v2 6.05 %, v3 6.32 %, large-v3 7.44 %.
TRANSCRIBERS = (
    _Known("parakeet-tdt-0.6b-v2", ("parakeet-tdt-0.6b-v2-onnx",), ENGLISH, ("parakeet-tdt-0.6b-v2",)),
    _Known("parakeet-tdt-0.6b-v3", ("parakeet-tdt-0.6b-v3-onnx",), PARAKEET_V3_LANGUAGES, ("parakeet-tdt-0.6b-v3",)),
    _Known("whisper-large-v3-turbo", ("whisper-large-v3-turbo",)),
    _Known("whisper-large-v3", ("whisper-large-v3",)),
    _Known("whisper-medium", ("whisper-medium",)),
    _Known("whisper-small", ("whisper-small",)),
    _Known("whisper-base", ("whisper-base",)),
    _Known("whisper-tiny.en", ("whisper-tiny.en",), ENGLISH),
)
_log = logging.getLogger(__name__)
EMBEDDED_TRANSCRIBER = "whisper-base"
EMBEDDED_DIARIZER = "embedded"
DIARIZERS = (
    _Known("community-1", ("community-1",)),
    _Known("3.1", ("segmentation-3.0", "wespeaker-voxceleb-resnet34-LM")),
    _Known("embedded", ("segmentation-3.0", "campplus")),
)
# Other engines, as "engine:model": modules of diarist.diarization, each an extra. ``auto`` never takes one.
OTHER_DIARIZERS = ("pyannote", "nemotron", "speakrs")


def auto_transcriber(
    language: str | None, present: Callable[[str], bool] | None = None, *, gpu: bool = False
) -> Choice:
    """Choose the best transcription model that is already here and knows the language; never a large download.

    Args:
        language: ISO 639 code, or None where it is not known; then models of many languages go before those of one
            that are about as good.
        present: whether the catalog entry of that name is on this machine.
        gpu: whether it will run on a GPU, which reads other files.
    """
    known = [model for model in TRANSCRIBERS if model.speaks(language)]
    if language is None:
        known.sort(key=lambda model: (not model.name.startswith("parakeet"), model.languages == ENGLISH))
    return _best(known, EMBEDDED_TRANSCRIBER, present or _is_here, gpu)


def auto_diarizer(present: Callable[[str], bool] | None = None) -> Choice:
    """Choose the best diarization model that is already here; never a large or gated download."""
    present = present or _is_here
    choice = _best(DIARIZERS, EMBEDDED_DIARIZER, present, False)
    if choice.name == EMBEDDED_DIARIZER and present("speaker-diarization-3.1"):
        lacking = [name for known in DIARIZERS if known.name == "3.1" for name in known.weights if not present(name)]
        _log.warning(
            "speaker-diarization-3.1 is here, but holds parameters only; %s is not, so speakers are found by %s. "
            "Images with WEIGHTS=open have it; elsewhere: diarist models pull %s",
            *(" and ".join(lacking), choice.name, " ".join(lacking)),
        )
    return choice


def _best(known: Sequence[_Known], embedded: str, present: Callable[[str], bool], gpu: bool) -> Choice:
    def here(model: _Known) -> bool:
        return all(present(name) for name in model.needs(gpu=gpu))

    model = next((model for model in known if here(model)), None) or next(m for m in known if m.name == embedded)
    best = known[0]
    return Choice(
        model.name,
        model.needs(gpu=gpu),
        "best one here" if here(model) else "none is here, and this one is small",
        () if model is best else best.needs(gpu=gpu),
    )


def uses_gpu(device: str) -> bool:
    """Whether transcription would run on a GPU: one is there, torch can use it, and ``device`` allows it."""
    if device == "cpu" or importlib.util.find_spec("torch") is None:
        return False
    import ctranslate2

    return bool(ctranslate2.get_cuda_device_count())


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
        diarizer: a diarization model's name or folder, ``"auto"``, another engine's model as ``"engine:model"`` (see
            `OTHER_DIARIZERS`), or None for a pipeline that never diarizes.
        language: what will be spoken, if known; ``auto`` takes a model that knows it.
        device: ``"auto"``, ``"cpu"`` or ``"cuda"``.
        threads: CPU threads for both engines together, all cores if not given; with one, they run in turn.
        progress: told about downloads.
        note: told, in one line, what ``auto`` took and how to get better.

    Raises:
        InputError: no such model or device.
        WeightsError: weights are missing and could not be fetched.
    """
    device = "cuda" if device.lower() == "gpu" else device.lower()
    if device not in DEVICES:
        raise InputError("bad_device", f"There is no device {device!r}.", f"Choose from {', '.join(DEVICES)}.")
    model, diarizer = transcriber_name(model, language), diarizer and diarizer_name(diarizer)
    threads = threads or cpu_count()
    for_words, for_speakers = share_threads(threads) if diarizer else (threads, 0)
    taken: dict[str, Choice] = {}
    if model == "auto":
        taken["words"] = auto_transcriber(language, gpu=uses_gpu(device))
        model = taken["words"].name
    if diarizer == "auto":
        taken["speakers"] = auto_diarizer()
        diarizer = taken["speakers"].name
    if taken:
        note(_told(taken))
    stop = threading.Event()

    def report(stage: str, done: float) -> None:
        if stop.is_set():
            raise Cancelled
        progress(stage, done)

    with ThreadPoolExecutor(2, "diarist-load") as pool:
        words = pool.submit(_load_transcriber, model, device, for_words, report)
        speakers = pool.submit(_load_diarizer, diarizer, device, for_speakers, report) if diarizer else None
        try:
            return LocalPipeline(words.result(), speakers.result() if speakers else None, together=threads != 1)
        except BaseException:
            stop.set()
            raise


def _told(taken: Mapping[str, Choice]) -> str:
    line = ", ".join(f"{what}: {choice.name}" for what, choice in taken.items())
    better = [name for choice in taken.values() for name in choice.better]
    return f"{line}; better: diarist models pull {' '.join(better)} ({sizes(better)})" if better else line


def sizes(names: Sequence[str]) -> str:
    """How much there is to fetch for each of some models of the catalog."""
    return ", ".join(CATALOG[name].download or "size not known" for name in names)


def transcriber_name(name: str, language: str | None = None) -> str:
    """The transcription model that is meant, refused before anything is loaded or fetched if there is none.

    Args:
        name: as `diarist.weights.catalog.find` takes it, a path, or ``"auto"``.
        language: what will be spoken, if known.

    Raises:
        InputError: no such model, it is for something else, or it does not know the language.
    """
    if name.lower() == "auto" or os.path.exists(Path(name).expanduser()):  # noqa: PTH110  # Path.exists may raise
        return name if name.lower() != "auto" else "auto"
    entry = find(name)
    if entry.task != "transcription":
        raise InputError(
            "unknown_model", f"{entry.name} is for {entry.task}, not transcription.", "See: diarist models list"
        )
    known = next((model for model in TRANSCRIBERS if model.name == entry.name), None)
    if known is not None and not known.speaks(language):
        raise InputError(
            "bad_language",
            f"{entry.name} does not know the language {language!r}.",
            "Leave the model out, and one that knows it is taken; or choose whisper-base.",
        )
    return entry.name


def diarizer_name(name: str) -> str:
    """The diarization model that is meant, refused before anything is loaded or fetched if there is none.

    Args:
        name: one of `DIARIZERS`, in any case, with or without ``pyannote/speaker-diarization-`` before it; a folder;
            ``"engine:model"``; or ``"auto"``.

    Raises:
        InputError: no such model.
    """
    engine, colon, model = name.partition(":")
    if os.path.exists(Path(name).expanduser()) or (engine in OTHER_DIARIZERS and model):  # noqa: PTH110
        return name
    plain = name.strip().lower().removeprefix("pyannote/").removeprefix("speaker-diarization-")
    if plain in {"auto", *(known.name for known in DIARIZERS)}:
        return plain
    raise InputError(
        "unknown_model",
        f"There is no diarizer {name!r}." if colon else f"There is no diarization model {name!r}.",
        "Use 'embedded', 'community-1', '3.1', a folder with community-1's files, or "
        f"{', '.join(f'{other}:MODEL' for other in OTHER_DIARIZERS)}.",
    )


def share_threads(threads: int) -> tuple[int, int]:
    """How many threads words and speakers get, where both are found at the same time: about two to one, as their work.

    All threads for each of them took 30 % longer on two cores, and 36 % more CPU time (`docs/results.md`).
    """
    speakers = max(1, threads // 3)
    return max(1, threads - speakers), speakers


def _load_transcriber(name: str, device: str, threads: int, progress: Progress) -> Transcriber:
    folder = Path(name).expanduser()
    if name.startswith("parakeet") or folder.suffix == ".nemo" or any(folder.glob("encoder-model*.onnx")):
        from diarist.transcription.parakeet import load_parakeet

        return load_parakeet(name, device=device, threads=threads, progress=progress)
    from diarist.transcription.whisper import load_whisper

    return load_whisper(name, device=device, threads=threads, progress=progress)


def _load_diarizer(name: str, device: str, threads: int, progress: Progress) -> Diarizer:
    engine, colon, model = name.partition(":")
    if not colon or Path(name).exists():
        from diarist.diarization.pipeline import load_diarizer

        return load_diarizer(name, device=device, threads=threads, progress=progress)
    if engine not in OTHER_DIARIZERS or not model:
        raise InputError(
            "unknown_model",
            f"There is no diarizer {name!r}.",
            f"Use {', '.join(f'{other}:MODEL' for other in OTHER_DIARIZERS)}, or one of diarist's own without a colon.",
        )
    adapter = importlib.import_module(f"diarist.diarization.{engine}")
    loaded: Diarizer = getattr(adapter, f"load_{engine}")(model, device=device, threads=threads)
    return loaded
