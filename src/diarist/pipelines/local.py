"""Both engines in this process."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, ParamSpec

from diarist.audio.recording import as_recording
from diarist.model.errors import DiaristError, EngineError, InputError
from diarist.model.options import Options
from diarist.model.progress import Progress, ignore
from diarist.model.transcript import Diarization, Transcript, Transcription
from diarist.pipelines.base import Naming, Pipeline, Source
from diarist.pipelines.bridge import in_thread
from diarist.pipelines.legs import run_legs

if TYPE_CHECKING:
    from diarist.audio.audio import Audio
    from diarist.diarization.base import Diarizer
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
    ) -> Transcript:
        """See `Pipeline.transcribe`."""
        diarizer = self.diarizer
        if options.diarize and diarizer is None:
            raise InputError("no_diarizer", "This pipeline has no diarizer.", "Ask for diarize=False, or load one.")
        given = as_recording(recording)
        from diarist.audio.decode import decode

        audio = await in_thread(lambda report: decode(given, progress=report), progress)
        return await run_legs(
            lambda: in_thread(lambda report: hear(self.transcriber, audio, options, report, heard), progress),
            (lambda: in_thread(lambda report: tell_apart(diarizer, audio, options, report), progress))
            if diarizer and options.diarize
            else None,
            options,
            naming=naming,
            together=self.together,
        )


def hear(
    transcriber: Transcriber,
    audio: Audio,
    options: Options = Options(),
    progress: Progress = ignore,
    heard: Heard | None = None,
) -> Transcription:
    """Find the words, and say with them what is known of the recording: what was wrong with it, and how loud it is.

    Raises:
        EngineError: the engine failed, whatever it raised.
    """
    from diarist.transcription.base import transcribe_aloud, unheard

    with _engine(transcriber.model.name) as ours:
        words = transcribe_aloud(transcriber, audio, options, ours(progress), ours(heard or unheard))
    return replace(words, warnings=(*audio.warnings, *words.warnings), peak=audio.peak)


def tell_apart(
    diarizer: Diarizer, audio: Audio, options: Options = Options(), progress: Progress = ignore
) -> Diarization:
    """Find the turns, and say with them what was wrong with the recording.

    Raises:
        EngineError: the engine failed, whatever it raised.
    """
    with _engine(diarizer.model.name) as ours:
        turns = diarizer.diarize(audio, options, ours(progress))
    return replace(turns, warnings=(*audio.warnings, *turns.warnings))


@contextmanager
def _engine(name: str) -> Iterator[Callable[[Callable[P, None]], Callable[P, None]]]:
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
