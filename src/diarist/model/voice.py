"""`Voice`: how a known person sounds."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Voice:
    """A known voice.

    Attributes:
        name: whose it is.
        embedding: unit vector.
        model: the diarization model that made it; voices of different models cannot be compared.
        seconds: how much speech it was made from.
        consent: how the person agreed to be recognised.
        added: the day it was added, ``YYYY-MM-DD``.
    """

    name: str
    embedding: tuple[float, ...]
    model: str
    seconds: float
    consent: str
    added: str
