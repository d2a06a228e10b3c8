"""What outlives an attempt at a job: what its legs found, as bytes, so that nothing is computed twice.

Words and evidence are kept when their leg ends, before the other leg does. A job that is begun again takes them instead
of computing; a job that is over is clustered again from them, for another number of speakers, without any network.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final, Literal, Protocol, TypeVar, runtime_checkable

from diarist.model.codec import dump, load
from diarist.model.errors import InputError
from diarist.model.options import Options
from diarist.model.progress import Progress, ignore
from diarist.model.transcript import Diarization, ModelInfo, Transcript, Transcription

if TYPE_CHECKING:
    from diarist.audio.audio import Audio
    from diarist.pipelines.base import Naming, Source
    from diarist.transcription.base import Heard

Part = Literal["transcription", "diarization", "evidence"]
"""``"transcription"`` and ``"diarization"`` are JSON; ``"evidence"`` is a diarizer's own, about 50 kB for each minute.

A diarizer that gives evidence has it kept, another its diarization. Both hold voices, which are biometric data: they
must go when the job goes."""

Leg = TypeVar("Leg", Transcription, Diarization)

SAME_LENGTH: Final = 0.001
"""Seconds by which the lengths of one recording may differ: an engine may round its own."""


class Kept(Protocol):
    """Where the parts of one job are kept: one recording, the same options, the same models. Called from any thread."""

    def get(self, part: Part) -> bytes | None:
        """What an earlier attempt kept; None if nothing. What is damaged, or another model's, is computed again."""

    def keep(self, part: Part, data: bytes) -> None:
        """Keep a part. What this raises stops the job."""


@runtime_checkable
class Resumable(Protocol):
    """A pipeline that goes on where an earlier attempt ended; ``isinstance`` tells. Those of remote places do not."""

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
        """Transcribe as `diarist.pipelines.base.Pipeline.atranscribe` does, and keep what each leg finds.

        Words that were kept are told to ``heard`` all at once.
        """

    def recluster(
        self, transcription: bytes, evidence: bytes, options: Options = Options(), *, naming: Naming | None = None
    ) -> Transcript:
        """Find the speakers again, for another number of them: what a whole run would give, but for its timings.

        Takes milliseconds for a meeting, and computes in this thread.

        Args:
            transcription: the part of that name.
            evidence: the part of that name.
            options: how many speakers there may be; the rest was decided when the words were found.
            naming: gives known speakers their names.

        Raises:
            InputError: this pipeline's diarizer cannot (``"cannot_recluster"``), the evidence is damaged or another
                model's (``"bad_evidence"``), or the words are damaged (``"not_json"``, ``"bad_document"``).
        """


def write_part(found: Transcription | Diarization) -> bytes:
    """Write what a leg found as the part of that name."""
    return json.dumps(dump(found), ensure_ascii=False).encode()


def read_part(noun: type[Leg], data: bytes) -> Leg:
    """Read what `write_part` wrote. It may have been damaged since.

    Raises:
        InputError: it is not JSON, or no such noun.
    """
    try:
        value = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise InputError("not_json", f"Not a valid {noun.__name__}: it is not JSON.", http_status=422) from error
    return load(noun, value)


def find_part(kept: Kept | None, part: Part, noun: type[Leg], model: ModelInfo, seconds: float) -> Leg | None:
    """What an earlier attempt kept of a leg, if it is whole, of this model and of a recording of this length."""
    data = None if kept is None else kept.get(part)
    if data is None:
        return None
    try:
        found = read_part(noun, data)
    except InputError:
        return None
    return found if found.model == model and abs(found.duration - seconds) < SAME_LENGTH else None
