"""What a transcription engine is, and how its words are had as they come."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from diarist.audio.audio import Audio
from diarist.model.options import Options
from diarist.model.progress import Progress, ignore
from diarist.model.transcript import ModelInfo, Transcription, Word

if TYPE_CHECKING:
    from diarist.transcription.outline import Outline

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


@runtime_checkable
class PartwiseTranscriber(Transcriber, Protocol):
    """A transcriber in three steps, so that one recording can be heard by many: outline, parts, and all together.

    ``transcribe(audio, options)`` is, timings aside, ``gather(whole, hear(audio, whole, 0, options), options)`` where
    ``whole`` is ``outline(audio, options)``, however its windows are shared out. ``isinstance`` tells whether a
    transcriber can. (On a GPU, where windows share batches, the last digits of confidences may differ.)
    """

    def outline(self, audio: Audio, options: Options = Options(), progress: Progress = ignore) -> Outline:
        """Find the voice and the windows of a recording, and its language if its sound tells that.

        Args:
            audio: mono, 16 kHz.
            options: what was asked.
            progress: called as ``progress("transcription", done)``; may raise `Cancelled`.

        Raises:
            InputError: the engine cannot do what ``options`` ask.
            EngineError: the model failed.
        """

    def hear(
        self, audio: Audio, part: Outline, origin: int = 0, options: Options = Options(), progress: Progress = ignore
    ) -> list[list[Word]]:
        """Recognise the words of each window of a part, with their times in the recording.

        Args:
            audio: samples that hold all that the part's windows hear.
            part: of the outline.
            origin: the recording's sample at which ``audio`` begins.
            options: as for `outline`.
            progress: called as ``progress("transcription", done)``; may raise `Cancelled`.

        Raises:
            EngineError: the model failed.
        """

    def gather(self, outline: Outline, found: Iterable[Sequence[Word]], options: Options = Options()) -> Transcription:
        """Make the words of all windows those of the recording.

        Args:
            outline: of the whole recording.
            found: the words of each window, in order.
            options: as for `outline`.
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
