"""Both engines, or one of them, ready to run."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from diarist.cpu_count import cpu_count
from diarist.diarization.base import Diarizer
from diarist.engines.auto import Choice, auto_diarizer, auto_transcriber, speaks, told
from diarist.engines.own import DIARIZERS, TRANSCRIBERS
from diarist.engines.registry import Found
from diarist.gpu import check_device, torch_uses_gpu
from diarist.model.errors import Cancelled, InputError
from diarist.model.progress import Progress, ignore
from diarist.pipelines.local import LocalPipeline
from diarist.transcription.base import Transcriber

Note = Callable[[str], None]


def load(
    model: str | Transcriber = "auto",
    diarizer: str | Diarizer | None = "auto",
    *,
    language: str | None = None,
    device: str = "auto",
    threads: int | None = None,
    progress: Progress = ignore,
    note: Note = lambda _: None,
) -> LocalPipeline:
    """Load both engines, at the same time, fetching small weights that are missing.

    Args:
        model: a transcription model as ``ENGINE:MODEL`` or by a name that only one engine has, the path of its files,
            ``"auto"``, or a transcriber that is ready.
        diarizer: a diarization model, likewise; None for a pipeline that never diarizes.
        language: what will be spoken, if known; ``auto`` takes a model that knows it.
        device: ``"auto"``, ``"cpu"`` or ``"cuda"``.
        threads: CPU threads for both engines together, all cores if not given; with one, they run in turn.
        progress: told about downloads.
        note: told, in one line, what ``auto`` took and how to get better.

    Raises:
        InputError: no such model or device.
        WeightsError: weights are missing and could not be fetched.
        EngineError: a model is of a package that cannot be imported.
    """
    device = check_device(device)
    taken: dict[str, Choice] = {}
    words = _find_transcriber(model, language, device, taken) if isinstance(model, str) else model
    speakers = _find_diarizer(diarizer, taken) if isinstance(diarizer, str) else diarizer
    if taken:
        note(told(taken))
    threads = threads or cpu_count()
    for_words, for_speakers = share_threads(threads) if speakers is not None else (threads, 0)
    stop = threading.Event()

    def report(stage: str, done: float) -> None:
        if stop.is_set():
            raise Cancelled
        progress(stage, done)

    def ready_words() -> Transcriber:
        return words.open(device=device, threads=for_words, progress=report) if isinstance(words, Found) else words

    def ready_speakers() -> Diarizer | None:
        if isinstance(speakers, Found):
            return speakers.open(device=device, threads=for_speakers, progress=report)
        return speakers

    with ThreadPoolExecutor(2, "diarist-load") as pool:
        transcribes, diarizes = pool.submit(ready_words), pool.submit(ready_speakers)
        try:
            return LocalPipeline(transcribes.result(), diarizes.result(), together=threads != 1)
        except BaseException:
            stop.set()
            raise


def names(
    model: str = "auto", diarizer: str | None = "auto", *, language: str | None = None, device: str = "auto"
) -> tuple[str, str | None]:
    """What two models are called in full, as ``ENGINE:MODEL``, and which ``auto`` takes; none is loaded or fetched.

    Arguments and errors are those of `load`.
    """
    taken: dict[str, Choice] = {}
    words = _find_transcriber(model, language, check_device(device), taken)
    speakers = None if diarizer is None else _find_diarizer(diarizer, taken)
    return f"{words.engine}:{words.model}", None if speakers is None else f"{speakers.engine}:{speakers.model}"


def open_transcriber(
    name: str = "auto",
    *,
    language: str | None = None,
    device: str = "auto",
    threads: int | None = None,
    progress: Progress = ignore,
    note: Note = lambda _: None,
) -> Transcriber:
    """Load a transcription engine alone; arguments and errors as those of `load`."""
    device, taken = check_device(device), dict[str, Choice]()
    found = _find_transcriber(name, language, device, taken)
    if taken:
        note(told(taken))
    return found.open(device=device, threads=threads or cpu_count(), progress=progress)


def open_diarizer(
    name: str = "auto",
    *,
    device: str = "auto",
    threads: int | None = None,
    progress: Progress = ignore,
    note: Note = lambda _: None,
) -> Diarizer:
    """Load a diarization engine alone; arguments and errors as those of `load`."""
    device, taken = check_device(device), dict[str, Choice]()
    found = _find_diarizer(name, taken)
    if taken:
        note(told(taken))
    return found.open(device=device, threads=threads or cpu_count(), progress=progress)


def share_threads(threads: int) -> tuple[int, int]:
    """How many threads words and speakers get, where both are found at the same time: about two to one, as their work.

    All threads for each of them took 30 % longer on two cores, and 36 % more CPU time (`docs/results.md`).
    """
    speakers = max(1, threads // 3)
    return max(1, threads - speakers), speakers


def _find_transcriber(name: str, language: str | None, device: str, taken: dict[str, Choice]) -> Found[Transcriber]:
    """The transcription model that is meant, refused before anything is loaded or fetched if there is none."""
    if name.strip().lower() == "auto":
        taken["words"] = auto_transcriber(language, gpu=torch_uses_gpu(device))
        name = taken["words"].name
    found = TRANSCRIBERS.find(name)
    if found.package is None and not speaks(found.model, language):
        raise InputError(
            "bad_language",
            f"{found.model} does not know the language {language!r}.",
            "Leave the model out, and one that knows it is taken; or choose whisper-base.",
        )
    return found


def _find_diarizer(name: str, taken: dict[str, Choice]) -> Found[Diarizer]:
    """The diarization model that is meant, likewise."""
    if name.strip().lower() == "auto":
        taken["speakers"] = auto_diarizer()
        name = taken["speakers"].name
    return DIARIZERS.find(name)
