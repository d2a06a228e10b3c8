"""The whole job, wherever it runs: a recording in, a transcript out."""

from __future__ import annotations

import dataclasses
import math
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from typing import TYPE_CHECKING, Any, TypeVar

from diarist.attribution import attribute
from diarist.model.errors import Cancelled, DiaristError, InputError
from diarist.model.options import Options
from diarist.model.progress import Progress, ignore
from diarist.model.transcript import Diarization, Transcript, Transcription

if TYPE_CHECKING:  # a process whose engines are elsewhere runs this without numpy
    from diarist.audio.audio import Audio
    from diarist.diarization.base import Diarizer
    from diarist.transcription.base import Transcriber
from diarist.pipelines.base import Naming

N = TypeVar("N", Transcription, Diarization)


class LocalPipeline:
    """Runs both engines in this process.

    Args:
        transcriber: finds the words.
        diarizer: finds the speakers; None where no recording will be diarized.
        naming: gives known speakers their names; None numbers all of them.
        together: run both at the same time; else one after the other, for who allows one CPU only.
    """

    def __init__(
        self,
        transcriber: Transcriber,
        diarizer: Diarizer | None,
        naming: Naming | None = None,
        *,
        together: bool = True,
    ) -> None:
        self.transcriber = transcriber
        self.diarizer = diarizer
        self.naming = naming
        self.together = together

    def transcribe(self, audio: Audio, options: Options = Options(), progress: Progress = ignore) -> Transcript:
        """See `Pipeline.transcribe`."""
        diarizer = self.diarizer
        if options.diarize and diarizer is None:
            raise InputError("no_diarizer", "This pipeline has no diarizer.", "Ask for diarize=False, or load one.")
        return run_legs(
            lambda report: self.transcriber.transcribe(audio, options, report),
            (lambda report: diarizer.diarize(audio, options, report)) if diarizer and options.diarize else None,
            options,
            progress,
            audio.warnings,
            self.naming,
            together=self.together,
            peak=lambda: audio.peak,
        )


def run_legs(
    transcribe: Callable[[Progress], Transcription],
    diarize: Callable[[Progress], Diarization] | None,
    options: Options = Options(),
    progress: Progress = ignore,
    warnings: tuple[str, ...] = (),
    naming: Naming | None = None,
    *,
    together: bool = True,
    peak: Callable[[], float] | None = None,
) -> Transcript:
    """Run transcription and diarization, wherever they are, and attribute words to speakers.

    A failed leg stops the other at its next progress report. A failed diarization is not a failed transcript: the words
    come back without speakers and with a warning, unless ``options.on_diarization_failure`` is ``"fail"`` or the input
    was at fault.

    Args:
        transcribe: finds the words.
        diarize: finds the speakers; None where they are not wanted.
        options: what was asked.
        progress: told what the legs report; may raise `Cancelled`.
        warnings: what is known to be wrong with the recording, e.g. `Audio.warnings`; they lead the transcript's.
        naming: gives known speakers their names; None numbers all of them.
        together: at the same time; else transcription first.
        peak: gives the largest magnitude of the recording's samples, where they are here; told where no word is found.

    Raises:
        DiaristError: what the transcription leg (or, as above, the diarization leg) raised.
    """
    began = time.perf_counter()
    stop = threading.Event()

    def report(stage: str, done: float) -> None:
        if stop.is_set():
            raise Cancelled
        progress(stage, done)

    def degradable(error: BaseException | None) -> bool:
        return (
            isinstance(error, DiaristError)
            and not isinstance(error, (Cancelled, InputError))
            and options.on_diarization_failure == "warn"
        )

    seconds: dict[str, float] = {}

    def leg(stage: str, work: Callable[[Progress], N]) -> N:
        result = work(report)
        seconds[stage] = round(time.perf_counter() - began, 3)
        return result

    with ThreadPoolExecutor(2 if together else 1, "diarist-leg") as pool:
        words = pool.submit(leg, "transcription", transcribe)
        turns = pool.submit(leg, "diarization", diarize) if diarize else None
        pending: set[Future[Any]] = {words} if turns is None else {words, turns}
        try:
            while pending:
                done, pending = wait(pending, return_when=FIRST_COMPLETED)
                for finished in done:
                    error = finished.exception()
                    if error is not None and not (finished is turns and degradable(error)):
                        raise error
        except BaseException:
            stop.set()
            raise

    failure = turns.exception() if turns else None
    diarization = turns.result() if turns and failure is None else None
    names: Mapping[str, str] = {}
    try:
        names = naming(diarization) if naming and diarization else {}
    except InputError as error:
        # The words are worth more than the names.
        warnings = (*warnings, f"Speakers were not named: {error}")
    transcript = attribute(words.result(), diarization, names=names)
    warnings = (*warnings, *transcript.warnings)
    if isinstance(failure, DiaristError):
        warnings = (*warnings, f"Diarization failed, so words carry no speaker: {failure}")
    if not transcript.segments:
        warnings = (*warnings, _why_empty(peak() if peak else None, bool(transcript.turns)))
    seconds["total"] = round(time.perf_counter() - began, 3)
    return dataclasses.replace(transcript, warnings=warnings, timings={**transcript.timings, **seconds})


def _why_empty(peak: float | None, voices: bool) -> str:
    """Say in one line why a transcript has no words. ``peak`` is a magnitude, 1 is full scale."""
    if peak == 0:
        return "There are no words: the recording is silent."
    level = "" if peak is None else f" (peak level {20 * math.log10(peak):.0f} dBFS)"
    if voices:
        return f"There are no words: voices were heard, but no words were made out{level}."
    return f"There are no words: no speech was found{level}."
