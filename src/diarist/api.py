"""`transcribe`: the whole job in one call."""

from __future__ import annotations

from os import PathLike
from typing import BinaryIO

from diarist.audio.decode import decode
from diarist.audio.recording import CLI_KINDS, as_source, parse_source
from diarist.engines import load
from diarist.model.options import Options
from diarist.model.progress import Progress, ignore
from diarist.model.transcript import Transcript


def transcribe(
    source: str | PathLike[str] | bytes | BinaryIO,
    *,
    language: str | None = None,
    diarize: bool = True,
    num_speakers: int | None = None,
    min_speakers: int | None = None,
    max_speakers: int | None = None,
    model: str = "auto",
    diarizer: str = "auto",
    device: str = "auto",
    threads: int | None = None,
    progress: Progress = ignore,
) -> Transcript:
    """Turn one recording into a transcript that says who said what, and when.

    To transcribe many recordings, load the engines once: ``pipeline = diarist.load()``, then
    ``pipeline.transcribe(diarist.decode(path))`` for each.

    Args:
        source: path, https URL, bytes, or an open binary file; any container or codec, video too.
        language: code or English name of the speech's language; detected if not given and the model knows several.
        diarize: whether to find speakers.
        num_speakers: the exact number of speakers, where known.
        min_speakers: at least this many.
        max_speakers: at most this many.
        model: transcription model; ``"auto"`` takes the best one already on this machine.
        diarizer: diarization model; ``"auto"`` likewise.
        device: ``"auto"``, ``"cpu"`` or ``"cuda"``.
        threads: CPU threads for both engines together, all cores if not given; with one, they run in turn.
        progress: called with a stage's name and how much of it is done; may raise `Cancelled` to stop.

    Returns:
        The transcript; see its ``segments``, ``words``, ``turns`` and ``warnings``.

    Raises:
        InputError: the recording cannot be read, or an option makes no sense.
        WeightsError: a model is missing and could not be fetched.
        EngineError: a model failed.
        Cancelled: ``progress`` said so.
    """
    options = Options(
        language=language,
        diarize=diarize,
        num_speakers=num_speakers,
        min_speakers=min_speakers,
        max_speakers=max_speakers,
    )
    recording = parse_source(source, CLI_KINDS) if isinstance(source, str) else as_source(source)
    pipeline = load(
        model,
        diarizer if diarize else None,
        language=options.language,
        device=device,
        threads=threads,
        progress=progress,
    )
    return pipeline.transcribe(decode(recording, progress=progress), options, progress)
