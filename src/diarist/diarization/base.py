"""What a diarization engine is."""

from __future__ import annotations

from typing import Protocol

from diarist.audio.audio import Audio
from diarist.model.options import Options
from diarist.model.progress import Progress, ignore
from diarist.model.transcript import Diarization, ModelInfo


class Diarizer(Protocol):
    """Finds who speaks when. Implement it to bring your own engine."""

    @property
    def model(self) -> ModelInfo:
        """What will be named in the transcript."""

    def diarize(self, audio: Audio, options: Options = Options(), progress: Progress = ignore) -> Diarization:
        """Find the speakers' turns.

        Args:
            audio: mono, 16 kHz.
            options: ``num_speakers``, ``min_speakers`` and ``max_speakers`` are honoured as far as the audio
                has speech.
            progress: called as ``progress("diarization", done)``; may raise `Cancelled`.

        Raises:
            EngineError: the model failed.
        """
