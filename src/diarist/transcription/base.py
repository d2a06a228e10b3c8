"""What a transcription engine is, and how its words are had as they come."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from typing import Protocol

from diarist.audio.audio import Audio
from diarist.model.options import Options
from diarist.model.progress import Progress, ignore
from diarist.model.transcript import ModelInfo, Transcription, Word

Heard = Callable[[Sequence[Word]], None]
"""Told words as soon as they are final: at least one at a time, in order, each once, and none is changed or taken back
later. All that it was told, one after the other, are the `Transcription.words` of the result.

It is called from the thread that transcribes, which waits for it; it may raise `Cancelled` to stop the work."""


def unheard(words: Sequence[Word]) -> None:
    """Tell nobody."""


class Transcriber(Protocol):
    """Turns a recording into timed words. Implement it to bring your own engine."""

    @property
    def model(self) -> ModelInfo:
        """What will be named in the transcript."""

    def transcribe(self, audio: Audio, options: Options = Options(), progress: Progress = ignore) -> Transcription:
        """Recognise the words of a recording.

        Args:
            audio: mono, 16 kHz.
            options: what was asked; the engine honours or refuses what concerns it.
            progress: called as ``progress("transcription", done)``; may raise `Cancelled`.

        Raises:
            InputError: the engine cannot do what ``options`` ask.
            EngineError: the model failed.
        """


class StreamingTranscriber(Transcriber, Protocol):
    """A transcriber that hands over words while it works: ``transcribe`` takes one argument more, named ``heard``."""

    def transcribe(
        self, audio: Audio, options: Options = Options(), progress: Progress = ignore, heard: Heard = unheard
    ) -> Transcription:
        """Recognise the words of a recording; see `Transcriber.transcribe`.

        Args:
            audio: mono, 16 kHz.
            options: what was asked.
            progress: called as ``progress("transcription", done)``.
            heard: told words as they are final, as `Heard` says. The result does not depend on whether it is given.
        """


def transcribe_aloud(
    transcriber: Transcriber | StreamingTranscriber,
    audio: Audio,
    options: Options = Options(),
    progress: Progress = ignore,
    heard: Heard = unheard,
) -> Transcription:
    """Transcribe with any engine and be told the words as they come: all at the end, if it is no streaming one.

    Args:
        transcriber: the engine.
        audio: mono, 16 kHz.
        options: what was asked.
        progress: as for `Transcriber.transcribe`.
        heard: told the words, as `Heard` says.

    Raises:
        DiaristError: as `Transcriber.transcribe`.
    """
    if _streams(transcriber):
        return transcriber.transcribe(audio, options, progress, heard=heard)  # type: ignore[call-arg]
    found = transcriber.transcribe(audio, options, progress)
    if found.words:
        heard(found.words)
    return found


def _streams(transcriber: Transcriber | StreamingTranscriber) -> bool:
    try:
        return "heard" in inspect.signature(transcriber.transcribe).parameters
    except (TypeError, ValueError):  # something callable that Python cannot look into
        return False
