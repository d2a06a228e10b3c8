"""One recording on several processes of this machine."""

from __future__ import annotations

import importlib.util
import threading
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from diarist.audio.decode import decode
from diarist.audio.recording import as_recording
from diarist.cluster.local import Processes
from diarist.cluster.plan import CHUNKS, Unit, checked, units
from diarist.cluster.run import Pool, Task, results, run
from diarist.cluster.stitch import stitch
from diarist.cluster.unit import Found, Work, compute, partwise, windowed
from diarist.cpu_count import cpu_count
from diarist.engines import load
from diarist.model.options import Options
from diarist.model.progress import Progress, ignore
from diarist.model.transcript import Transcript
from diarist.pipelines.base import Naming, Source
from diarist.pipelines.local import LocalPipeline, engine_failures

if TYPE_CHECKING:
    from diarist.audio.audio import Audio

_VOICE_SHARE = 0.05  # of all progress: finding the voice, and cutting


def fan_out(
    recording: Source | Audio,
    options: Options = Options(),
    *,
    workers: int,
    chunks: int = CHUNKS,
    model: str = "auto",
    diarizer: str = "auto",
    device: str = "auto",
    threads: int | None = None,
    naming: Naming | None = None,
    progress: Progress = ignore,
) -> Transcript:
    """Transcribe one recording on several processes: the transcript is that of one, to the last digit, on CPUs.

    It is decoded once, here; each process gets the samples of one part after the other. On GPUs, where windows share
    batches, words are the same and the last digits of confidences may differ.

    Args:
        recording: what there is.
        options: what was asked.
        workers: how many processes.
        chunks: seconds of the recording in each part, as `diarist.cluster.plan.checked` takes them. The result does
            not depend on it.
        model: transcription model, by a name that the workers know.
        diarizer: diarization model, likewise.
        device: ``"auto"``, ``"cpu"`` or ``"cuda"``.
        threads: CPU threads for all workers together; all cores if not given.
        naming: gives known speakers their names.
        progress: called as ``progress("parts", done)``, and for downloads and decoding; may raise `Cancelled`.

    Raises:
        InputError: the recording cannot be read, an option makes no sense, or a model takes whole recordings only.
        WeightsError: a model is missing and could not be fetched.
        EngineError: a model failed, or workers end for want of memory.
    """
    checked(chunks)
    share = max(1, (threads or cpu_count()) // max(1, workers))
    named: dict[str, Any] = {"language": options.language, "device": device}
    names = (model, diarizer if options.diarize else None)
    # First here: what must be fetched is fetched once.
    pipeline = load(*names, threads=threads, progress=progress, **named)
    with Processes(partial(start_worker, *names, threads=share, **named), workers) as pool:
        return spread(recording, options, pool, pipeline, chunks=chunks, naming=naming, progress=progress)


def spread(
    recording: Source | Audio,
    options: Options,
    pool: Pool[Any],
    pipeline: LocalPipeline,
    *,
    chunks: int = CHUNKS,
    naming: Naming | None = None,
    progress: Progress = ignore,
) -> Transcript:
    """Transcribe one recording with a pool whose workers are `start_worker`'s.

    Args:
        recording: what there is.
        options: what was asked.
        pool: who computes the units.
        pipeline: engines as the workers have; here, they find the voice and the language, and put together.
        chunks: of a unit.
        naming: gives known speakers their names.
        progress: as for `fan_out`.

    Raises:
        DiaristError: as `fan_out`.
    """
    transcriber = partwise(pipeline.transcriber)
    audio = decode(as_recording(recording), progress=progress)
    progress("parts", 0.0)
    with engine_failures(transcriber.model.name) as ours:
        outline = transcriber.outline(
            audio,
            options,
            ours(lambda _, done: progress("parts", _VOICE_SHARE * done)),  # type: ignore[arg-type]
        )
    portions = windowed(pipeline.diarizer).windows(len(audio.samples), chunks) if options.diarize else ()
    cut = units(outline, portions, chunks)
    all_seconds = sum(unit.seconds for unit in cut) or 1.0

    def task(unit: Unit) -> Task:
        return Task(
            str(unit.number), lambda: Work(unit, unit.cut(audio), options), cost=unit.seconds, size=unit.num_bytes
        )

    found: list[Found] = []
    done = 0.0
    for each in results(run((task(unit) for unit in cut), pool)):
        found.append(each)
        done += cut[each.number].seconds / all_seconds
        progress("parts", _VOICE_SHARE + (1 - _VOICE_SHARE) * min(1.0, done))
    return stitch(found, outline, pipeline, options, warnings=audio.warnings, peak=audio.peak, naming=naming)


def start_worker(
    model: str, diarizer: str | None, *, language: str | None, device: str, threads: int
) -> Callable[[Work], Found]:
    """Load a worker's engines; gives what computes a unit with them."""
    # faster-whisper makes progress bars that nobody sees, with a lock between processes. A worker that is ended leaves
    # it behind, and Python would say so when the program ends.
    if importlib.util.find_spec("tqdm"):
        importlib.import_module("tqdm").tqdm.set_lock(threading.RLock())
    return partial(compute, pipeline=load(model, diarizer, language=language, device=device, threads=threads))
