"""Both engines in this process."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ParamSpec

from diarist.audio.recording import as_recording
from diarist.model.errors import DiaristError, EngineError, InputError
from diarist.model.options import Options
from diarist.model.progress import Progress, ignore
from diarist.model.transcript import Diarization, Transcript, Transcription
from diarist.pipelines.base import Naming, Pipeline, Source
from diarist.pipelines.bridge import in_thread
from diarist.pipelines.kept import SAME_LENGTH, Kept, find_part, read_part, write_part
from diarist.pipelines.legs import join_legs, misplaced, run_legs

if TYPE_CHECKING:
    from diarist.audio.audio import Audio
    from diarist.diarization.base import Diarizer, ReclusteringDiarizer
    from diarist.transcription.base import Heard, Transcriber

P = ParamSpec("P")


class LocalPipeline(Pipeline):
    """Runs both engines in this process.

    Args:
        transcriber: finds the words.
        diarizer: finds the speakers; None where no recording will be diarized.
        together: run both at the same time; else one after the other, for who allows one CPU only.
    """

    def __init__(self, transcriber: Transcriber, diarizer: Diarizer | None, *, together: bool = True) -> None:
        self.transcriber = transcriber
        self.diarizer = diarizer
        self.together = together

    async def atranscribe(
        self,
        recording: Source | Audio,
        options: Options = Options(),
        progress: Progress = ignore,
        *,
        naming: Naming | None = None,
        heard: Heard | None = None,
        kept: Kept | None = None,
    ) -> Transcript:
        """See `Pipeline.transcribe`, and `diarist.pipelines.kept.Resumable` for ``kept``."""
        diarizer = self.diarizer
        if options.diarize and diarizer is None:
            raise InputError("no_diarizer", "This pipeline has no diarizer.", "Ask for diarize=False, or load one.")
        given = as_recording(recording)
        from diarist.audio.decode import decode

        audio = await in_thread(lambda report: decode(given, progress=report), progress)
        return await run_legs(
            lambda: in_thread(lambda told: _hear_once(self.transcriber, audio, options, told, heard, kept), progress),
            (lambda: in_thread(lambda told: _tell_apart_once(diarizer, audio, options, told, kept), progress))
            if diarizer and options.diarize
            else None,
            options,
            naming=naming,
            together=self.together,
        )

    def recluster(
        self, transcription: bytes, evidence: bytes, options: Options = Options(), *, naming: Naming | None = None
    ) -> Transcript:
        """See `diarist.pipelines.kept.Resumable`."""
        began = time.perf_counter()
        from diarist.diarization.base import ReclusteringDiarizer

        if not isinstance(self.diarizer, ReclusteringDiarizer):
            name = self.diarizer.model.name if self.diarizer else "no diarizer"
            raise InputError(
                "cannot_recluster",
                f"This pipeline has {name}, which cannot find the speakers again without the recording.",
                "Transcribe the recording again with another number of speakers.",
            )
        words = read_part(Transcription, transcription)
        with engine_failures(self.diarizer.model.name):
            turns = self.diarizer.cluster(self.diarizer.unpack(evidence), options)
        if abs(turns.duration - words.duration) > SAME_LENGTH:
            raise InputError(
                "bad_evidence",
                f"The evidence is of {turns.duration:.1f} s, the words are of {words.duration:.1f} s.",
                "Take both of one job.",
            )
        return join_legs(words, turns, naming, began=began)


def hear(
    transcriber: Transcriber,
    audio: Audio,
    options: Options = Options(),
    progress: Progress = ignore,
    heard: Heard | None = None,
) -> Transcription:
    """Find the words, and say with them what is known of the recording: what was wrong with it, and how loud it is.

    It reports once before the engine computes.

    Raises:
        EngineError: the engine failed, whatever it raised.
    """
    from diarist.transcription.base import transcribe_aloud, unheard

    progress("transcription", 0.0)
    with engine_failures(transcriber.model.name) as ours:
        words = transcribe_aloud(transcriber, audio, options, ours(progress), ours(heard or unheard))
    return replace(words, warnings=(*audio.warnings, *words.warnings), peak=audio.peak)


def tell_apart(
    diarizer: Diarizer, audio: Audio, options: Options = Options(), progress: Progress = ignore
) -> Diarization:
    """Find the turns, and say with them what was wrong with the recording.

    It reports once before the engine computes.

    Raises:
        EngineError: the engine failed, whatever it raised.
    """
    progress("diarization", 0.0)
    with engine_failures(diarizer.model.name) as ours:
        turns = diarizer.diarize(audio, options, ours(progress))
    return replace(turns, warnings=(*audio.warnings, *turns.warnings))


def _hear_once(
    transcriber: Transcriber,
    audio: Audio,
    options: Options,
    progress: Progress,
    heard: Heard | None,
    kept: Kept | None,
) -> Transcription:
    """Find the words as `hear` does and keep them, or take those that were kept."""
    found = find_part(kept, "transcription", Transcription, transcriber.model, audio.duration)
    if found is None or misplaced(found):
        found = hear(transcriber, audio, options, progress, heard)
        if kept is not None:
            kept.keep("transcription", write_part(found))
        return found
    if heard and found.words:
        heard(found.words)
    progress("transcription", 1.0)
    return found


def _tell_apart_once(
    diarizer: Diarizer, audio: Audio, options: Options, progress: Progress, kept: Kept | None
) -> Diarization:
    """Find the turns as `tell_apart` does and keep them, or the evidence for them, or take what was kept."""
    from diarist.diarization.base import ReclusteringDiarizer

    if kept is None:
        return tell_apart(diarizer, audio, options, progress)
    if isinstance(diarizer, ReclusteringDiarizer):
        found = _clustered(diarizer, audio, options, kept)
        if found is None:
            progress("diarization", 0.0)
            with engine_failures(diarizer.model.name) as ours:
                evidence = diarizer.evidence(audio, ours(progress))
                packed = diarizer.pack(evidence)
            kept.keep("evidence", packed)
            with engine_failures(diarizer.model.name):
                found = diarizer.cluster(evidence, options)
        found = replace(found, warnings=(*audio.warnings, *found.warnings))
    else:
        found = find_part(kept, "diarization", Diarization, diarizer.model, audio.duration)
        if found is None:
            found = tell_apart(diarizer, audio, options, progress)
            kept.keep("diarization", write_part(found))
    progress("diarization", 1.0)
    return found


def _clustered(diarizer: ReclusteringDiarizer[Any], audio: Audio, options: Options, kept: Kept) -> Diarization | None:
    """The turns in evidence that was kept; None where there is none of this model and recording."""
    data = kept.get("evidence")
    if data is None:
        return None
    try:
        with engine_failures(diarizer.model.name):
            found = diarizer.cluster(diarizer.unpack(data), options)
    except (InputError, EngineError):
        return None
    return found if abs(found.duration - audio.duration) < SAME_LENGTH else None


@contextmanager
def engine_failures(name: str) -> Iterator[Callable[[Callable[P, None]], Callable[P, None]]]:
    """Say of whatever an engine raises that the engine failed, as its callers expect; the accident is its cause.

    What the caller's own functions raise is the caller's: the block wraps those that it hands to the engine.
    """
    raised: list[Exception] = []

    def ours(function: Callable[P, None]) -> Callable[P, None]:
        def noting(*arguments: P.args, **named: P.kwargs) -> None:
            try:
                function(*arguments, **named)
            except Exception as error:
                raised.append(error)
                raise

        return noting

    try:
        yield ours
    except DiaristError:
        raise
    except Exception as error:
        if error in raised:
            raise
        said = " ".join(str(error).split())[:200]
        raise EngineError(
            "engine_failed",
            f"{name} failed: {type(error).__name__}{f': {said}' if said else ''}",
            "Try again; if it fails again, report it with the recording's length and kind.",
        ) from error
