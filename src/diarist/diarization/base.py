"""What a diarization engine is, and one that can find the speakers again without hearing the recording again."""

from __future__ import annotations

from typing import Protocol, TypeVar, runtime_checkable

from diarist.audio.audio import Audio
from diarist.model.options import Options
from diarist.model.progress import Progress, ignore
from diarist.model.transcript import Diarization, ModelInfo

V = TypeVar("V")
"""An engine's evidence: what its networks found in one recording, as plain arrays."""


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


@runtime_checkable
class ReclusteringDiarizer(Diarizer, Protocol[V]):
    """A diarizer in two steps: the networks, which take nearly all of the time, and what finds the speakers after them.

    ``diarize(audio, options)`` is ``cluster(evidence(audio), options)``, its timings aside. Whoever keeps the evidence
    may ask again for another number of speakers, and waits for no network. ``isinstance`` tells whether a diarizer can.
    """

    def evidence(self, audio: Audio, progress: Progress = ignore) -> V:
        """Run the networks; what they find does not depend on how many speakers are asked for.

        Args:
            audio: mono, 16 kHz.
            progress: called as ``progress("diarization", done)``; may raise `Cancelled`.

        Raises:
            EngineError: the model failed.
        """

    def cluster(self, evidence: V, options: Options = Options()) -> Diarization:
        """Find the speakers and their turns, as `Diarizer.diarize` would.

        Args:
            evidence: of a whole recording, by this model. It is not changed.
            options: how many speakers there may be.

        Raises:
            InputError: the evidence is another model's, or not of a whole recording.
        """

    def pack(self, evidence: V) -> bytes:
        """Write evidence as bytes, so that it outlives the process; without loss."""

    def unpack(self, data: bytes) -> V:
        """Read what `pack` wrote. It may have been damaged since.

        Raises:
            InputError: it is something else, or another version's that cannot be read.
        """
