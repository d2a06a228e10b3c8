"""`transcribe`: the whole job in one call."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

from diarist.audio.recording import as_recording
from diarist.model.errors import InputError
from diarist.model.options import Options
from diarist.model.progress import Progress, ignore
from diarist.model.transcript import Transcript
from diarist.pipelines.base import Naming, Source
from diarist.places import Wanted, open_place

if TYPE_CHECKING:
    from diarist.audio.audio import Audio
    from diarist.diarization.base import Diarizer
    from diarist.transcription.base import Transcriber


def transcribe(
    source: Source | Audio,
    *,
    language: str | None = None,
    diarize: bool = True,
    num_speakers: int | None = None,
    min_speakers: int | None = None,
    max_speakers: int | None = None,
    on_diarization_failure: Literal["warn", "fail"] = "warn",
    hotwords: Sequence[str] = (),
    task: Literal["transcribe", "translate"] = "transcribe",
    temperature: float | None = None,
    channels: Literal["mix", "separate"] = "mix",
    start: float = 0.0,
    stop: float | None = None,
    track: int | None = None,
    naming: Naming | None = None,
    model: str | Transcriber = "auto",
    diarizer: str | Diarizer = "auto",
    device: str = "auto",
    threads: int | None = None,
    on: str = "local",
    audio_store: str | None = None,
    progress: Progress = ignore,
) -> Transcript:
    """Turn one recording into a transcript that says who said what, and when.

    To transcribe many recordings, load the engines once: ``pipeline = diarist.load()``, then
    ``pipeline.transcribe(path)`` for each.

    Args:
        source: path, https URL, data URL, bytes, an open binary file, or samples; video too.
        language: code or English name of the speech's language; detected if not given and the model knows several.
        diarize: whether to find speakers.
        num_speakers: the exact number of speakers, where known.
        min_speakers: at least this many.
        max_speakers: at most this many.
        on_diarization_failure: whether a failed diarization gives words without speakers and a warning, or an error.
        hotwords: words and phrases that are likely to be said.
        task: ``"translate"`` writes English, where the model can.
        temperature: how much chance plays in decoding, 0 to 1; None and 0 mean none.
        channels: ``"separate"`` takes each channel for a party of its own, as in many calls.
        start: seconds to leave out at the recording's start; the transcript's times stay those of the recording.
        stop: the second to stop at; None for the end.
        track: number of the audio track, from 1; None takes the default.
        naming: gives known speakers their names; see `diarist.speakers.identify`.
        model: transcription model, or an engine; ``"auto"`` takes the best one already on this machine.
        diarizer: diarization model, or an engine; ``"auto"`` likewise.
        device: ``"auto"``, ``"cpu"`` or ``"cuda"``.
        threads: CPU threads for both engines together, all cores if not given; with one, they run in turn.
        on: where the engines are: ``"local"``, ``"runpod:single"``, ``"runpod:split"`` or ``"runpod:orchestrator"``.
        audio_store: ``s3://BUCKET/PREFIX`` through which the recording goes there; None sends it along.
        progress: called with a stage's name and how much of it is done; may raise `Cancelled` to stop.

    Returns:
        The transcript; see its ``segments``, ``words``, ``turns`` and ``warnings``.

    Raises:
        InputError: the recording cannot be read, or an option makes no sense.
        WeightsError: a model is missing and could not be fetched.
        EngineError: a model failed.
        EndpointError: a remote endpoint failed.
        Cancelled: ``progress`` said so.
    """
    options = Options(
        language=language,
        diarize=diarize,
        num_speakers=num_speakers,
        min_speakers=min_speakers,
        max_speakers=max_speakers,
        on_diarization_failure=on_diarization_failure,
        hotwords=tuple(hotwords),
        task=task,
        temperature=temperature,
    )
    if channels not in ("mix", "separate"):
        raise InputError("bad_channels", f"There is no {channels!r} for channels.", "Choose 'mix' or 'separate'.")
    recording = as_recording(source).part(start, stop, track)
    wanted = Wanted(
        model=model,
        diarizer=diarizer if diarize else None,
        language=options.language,
        device=device,
        threads=threads,
        audio_store=audio_store,
    )
    pipeline = open_place(on, wanted, progress=progress)
    if channels == "mix":
        return pipeline.transcribe(recording, options, progress, naming=naming).shifted(start)
    from diarist.pipelines.channels import transcribe_channels

    return transcribe_channels(recording, pipeline, options, progress, naming=naming).shifted(start)
