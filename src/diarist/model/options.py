"""What a caller may ask of one transcription."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from diarist.model.errors import InputError
from diarist.model.voice import Voice

MAX_SPEAKERS = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What to do with one recording. Refuses contradictions when made.

    Attributes:
        language: ISO 639 code of the speech, e.g. ``"en"``; None lets the engine decide.
        diarize: whether to find speakers.
        num_speakers: the exact number of speakers, where known.
        min_speakers: at least this many.
        max_speakers: at most this many.
        voices: known voices, by which speakers are named; strangers stay ``SPEAKER_NN``.
        on_diarization_failure: whether a failed diarization gives words without speakers and a warning, or an error.

    Raises:
        InputError: a value is out of range, or the speaker counts contradict each other.
    """

    language: str | None = None
    diarize: bool = True
    num_speakers: int | None = None
    min_speakers: int | None = None
    max_speakers: int | None = None
    voices: tuple[Voice, ...] = ()
    on_diarization_failure: Literal["warn", "fail"] = "warn"

    def __post_init__(self) -> None:
        if self.language is not None and not re.fullmatch(r"[a-z]{2,3}", self.language):
            raise InputError(
                "bad_language", f"language must be an ISO 639 code, not {self.language!r}.", "Try 'en', 'de' or 'fr'."
            )
        for name in ("num_speakers", "min_speakers", "max_speakers"):
            value = getattr(self, name)
            if value is not None and not 1 <= value <= MAX_SPEAKERS:
                raise InputError("bad_speakers", f"{name} must be from 1 to {MAX_SPEAKERS}, not {value}.")
        if self.num_speakers is not None and (self.min_speakers is not None or self.max_speakers is not None):
            raise InputError("bad_speakers", "num_speakers cannot be combined with min_speakers or max_speakers.")
        if self.min_speakers is not None and self.max_speakers is not None and self.min_speakers > self.max_speakers:
            raise InputError(
                "bad_speakers", f"min_speakers ({self.min_speakers}) is more than max_speakers ({self.max_speakers})."
            )
        if not self.diarize and (self.num_speakers or self.min_speakers or self.max_speakers):
            raise InputError("bad_speakers", "Speaker counts make no sense without diarization.")
