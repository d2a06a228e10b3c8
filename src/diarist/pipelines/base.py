"""What a pipeline is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Protocol

from diarist.model.options import Options
from diarist.model.progress import Progress, ignore
from diarist.model.transcript import Diarization, Transcript

if TYPE_CHECKING:  # a process whose engines are elsewhere runs this without numpy
    from diarist.audio.audio import Audio


Naming = Callable[[Diarization], Mapping[str, str]]
"""Gives names by the diarization's labels to those speakers it knows; see `diarist.speakers.identify`."""


class Pipeline(Protocol):
    """Turns a recording into a transcript; local engines and remote endpoints look the same from here."""

    def transcribe(self, audio: Audio, options: Options = Options(), progress: Progress = ignore) -> Transcript:
        """Transcribe and diarize a recording.

        Args:
            audio: mono, 16 kHz; see `diarist.audio.decode.decode`.
            options: what was asked.
            progress: called from any thread with a stage's name and how much of it is done; may raise `Cancelled`.

        Raises:
            DiaristError: the work cannot be done; see its code and hint.
        """
