"""What a transcription engine is."""

from __future__ import annotations

from typing import Protocol

from diarist.audio.audio import Audio
from diarist.model.options import Options
from diarist.model.progress import Progress, ignore
from diarist.model.transcript import ModelInfo, Transcription


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
