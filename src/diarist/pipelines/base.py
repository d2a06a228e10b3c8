"""What a pipeline is: the whole job, wherever its engines are."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, BinaryIO, ClassVar

from diarist.audio.recording import Recording
from diarist.model.options import Options
from diarist.model.progress import Progress, ignore
from diarist.model.transcript import Diarization, Transcript
from diarist.pipelines.bridge import wait_for

if TYPE_CHECKING:
    from diarist.audio.audio import Audio
    from diarist.transcription.base import Heard

Naming = Callable[[Diarization], Mapping[str, str]]
"""Gives names by the diarization's labels to those speakers it knows; see `diarist.speakers.identify.identify`."""

Source = Recording | str | os.PathLike[str] | bytes | BinaryIO
"""What `diarist.audio.recording.as_recording` takes."""


class Pipeline(ABC):
    """Turns a recording into a transcript; local engines and remote endpoints look the same from here.

    To bring a place of your own, write `atranscribe`; the synchronous face comes with it.

    Attributes:
        knows_voices: whether it returns what ``naming`` needs, an embedding for each speaker.
    """

    knows_voices: ClassVar[bool] = True

    @abstractmethod
    async def atranscribe(
        self,
        recording: Source | Audio,
        options: Options = Options(),
        progress: Progress = ignore,
        *,
        naming: Naming | None = None,
        heard: Heard | None = None,
    ) -> Transcript:
        """Transcribe and diarize a recording from asynchronous code (asyncio); cancel the task to stop it.

        Arguments, result and errors are those of `transcribe`.
        """

    def transcribe(
        self,
        recording: Source | Audio,
        options: Options = Options(),
        progress: Progress = ignore,
        *,
        naming: Naming | None = None,
        heard: Heard | None = None,
    ) -> Transcript:
        """Transcribe and diarize a recording.

        Args:
            recording: what there is: a path, URL, bytes, file, samples, or a `Recording` of them.
            options: what was asked.
            progress: called from any thread with a stage's name and how much of it is done; may raise `Cancelled`.
            naming: gives known speakers their names; None numbers all of them.
            heard: told the words as soon as they are final, without speakers, from any thread; all at once, and at the
                end, where the engine or the place cannot do better.

        Raises:
            DiaristError: the work cannot be done; see its code and hint.
        """
        return wait_for(lambda: self.atranscribe(recording, options, progress, naming=naming, heard=heard))
