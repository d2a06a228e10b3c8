"""Who a speaker is: naming the speakers of a recording whose voices are known.

A voice is the mean direction of a speaker's embeddings; two are alike by their cosine. A name is given only above a
threshold at which no stranger of the evaluation voices was named (``benchmarks/voices.py``); everyone else stays
``SPEAKER_NN``. What all voices of a band share is taken out of an embedding first: on the telephone it makes strangers
more alike than one person's recordings are.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Final

from diarist.model.errors import InputError
from diarist.model.timeline import total
from diarist.model.transcript import Diarization

THRESHOLDS: Final[Mapping[str, float]] = {"embedded": 0.6, "community-1": 0.68}
"""Least likeness at which a speaker is taken for a known voice, by diarization model (``benchmarks/voices.py``).

The highest stranger: ``embedded`` 0.57 where one of the two is in full band; ``community-1``, of which telephone voices
are not told apart, 0.62 on the telephone and 0.45 else."""


TELEPHONE_ADDS: Final = 0.1
"""What two voices on the telephone need besides: strangers are more alike in what the band leaves of a voice."""


MIN_CLIP_SECONDS: Final = 1.5
"""Speech a voice needs to be known by, and a speaker needs to be named; with less, fewer than half are found."""


MIN_TELEPHONE_SECONDS: Final = 8.0
"""Speech a voice needs to be known by if it is heard on the telephone."""


MAX_OTHER_SHARE: Final = 0.1
"""Share of a clip's speech that may be another voice's: more, and it is not clear whose clip it is."""


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

    def __repr__(self) -> str:
        return f"<Voice of {self.name!r}: {self.seconds:.1f} s, {self.model}>"


def cosine(a: Sequence[float], b: Sequence[float]) -> float:
    """How alike two embeddings are, from -1 to 1."""
    return sum(x * y for x, y in zip(a, b, strict=True)) / (math.hypot(*a) * math.hypot(*b) or 1.0)


def identify(diarization: Diarization, voices: Sequence[Voice], threshold: float | None = None) -> dict[str, str]:
    """Name the speakers that are known voices.

    Each voice names one speaker at most, the most alike first.

    Args:
        diarization: with one embedding per speaker.
        voices: known voices; those of other models cannot be compared and are passed over.
        threshold: least cosine, whatever the lengths; None takes the calibrated ones of the model.

    Returns:
        Names by the diarization's labels; strangers are absent.

    Raises:
        InputError: voices are known, but none by this model; or no threshold is calibrated for it and none was given.
    """
    model = diarization.model.name
    comparable = [voice for voice in voices if voice.model == model]
    if not comparable:
        if voices:
            raise InputError("other_model", f"No known voice was made with the model {model!r}.", "Add them again.")
        return {}
    if threshold is None and model not in THRESHOLDS:
        raise InputError("no_threshold", f"Voices of the model {model!r} have no calibrated threshold.", "Give one.")
    for voice in comparable:
        for embedding in diarization.embeddings.values():
            check_length(voice, len(embedding))
    heard = seconds_heard(diarization)
    sides = {label: side(model, e, heard[label]) for label, e in diarization.embeddings.items()}
    known = [(voice.name, side(model, voice.embedding, voice.seconds)) for voice in comparable]
    margins = sorted(
        ((margin(mine, voice, threshold), label, name) for label, mine in sides.items() for name, voice in known),
        reverse=True,
    )
    names: dict[str, str] = {}
    for over, label, name in margins:
        if over >= 0 and label not in names and name not in names.values():
            names[label] = name
    return names


@dataclass(frozen=True, slots=True)
class Side:
    """One of two voices that are compared.

    Attributes:
        model: the diarization model that made its embedding.
        own: the embedding without what all voices of a band share.
        seconds: the speech that it was made from.
        telephone: whether it was heard in telephone band.
    """

    model: str
    own: tuple[float, ...]
    seconds: float
    telephone: bool


def side(model: str, embedding: Sequence[float], seconds: float) -> Side:
    """Prepare an embedding for `margin`.

    Args:
        model: the diarization model that made it.
        embedding: of any length but zero.
        seconds: the speech that it was made from.
    """
    own, along = list(embedding), []
    length = math.hypot(*embedding) or 1.0
    for shared in _shared(model, len(embedding)):
        along.append(sum(x * y for x, y in zip(embedding, shared, strict=True)) / length)
        own = [x - along[-1] * length * y for x, y in zip(own, shared, strict=True)]
    return Side(model, tuple(own), seconds, bool(along) and along[0] > _TELEPHONE_FROM)


def margin(one: Side, other: Side, threshold: float | None = None) -> float:
    """By how much two voices are more alike than one person's must be; negative for two people.

    Args:
        one: by the same model as the other.
        other: see there.
        threshold: least cosine, whatever their lengths and bands; None takes `least_cosine`.
    """
    return cosine(one.own, other.own) - (least_cosine(one, other) if threshold is None else threshold)


def least_cosine(one: Side, other: Side) -> float:
    """Least cosine of their own parts at which two voices are taken for one.

    Strangers are no more alike in 2 s than in 30 s. The same person is less, so length decides whether it is worth
    comparing, and not where.

    Returns:
        More than 1 where no likeness would do: too little speech, or a model without a calibrated threshold.
    """
    if one.model not in THRESHOLDS or min(one.seconds, other.seconds) < MIN_CLIP_SECONDS:
        return _NEVER
    return THRESHOLDS[one.model] + TELEPHONE_ADDS * (one.telephone and other.telephone)


@cache
def _shared(model: str, numbers: int) -> tuple[tuple[float, ...], ...]:
    """Unit vectors of so many numbers, at right angles: from full to telephone band, and what voices share besides."""
    known = json.loads(resources.files(__package__).joinpath("bands.json").read_text())
    return tuple(tuple(vector) for vector in known.get(model, ()) if len(vector) == numbers)


_NEVER: Final = 2.0
_TELEPHONE_FROM: Final = 0.2


def seconds_heard(diarization: Diarization) -> dict[str, float]:
    """Seconds that each speaker with an embedding talks."""
    return {s: total(t for t in diarization.turns if t.speaker == s) for s in diarization.embeddings}


def check_length(voice: Voice, numbers: int) -> None:
    """Make sure that a voice can be compared with an embedding of so many numbers.

    Raises:
        InputError: it has another length.
    """
    if len(voice.embedding) != numbers:
        raise InputError(
            "bad_voices",
            f"The voice {voice.name!r} has {len(voice.embedding)} numbers; those of {voice.model!r} have {numbers}.",
            f"Remove it and add it again: diarist voices remove {voice.name!r}",
        )


def voice_of(diarization: Diarization, name: str, consent: str, added: str) -> Voice:
    """Make a voice of a diarized clip of one person.

    Raises:
        InputError: the clip has too little speech, or more than one voice; or the model gives no voices to compare.
    """
    if diarization.turns and not diarization.embeddings:
        raise InputError(
            "no_embeddings", f"{diarization.model.name} gives no voices to compare.", "Take --diarizer embedded."
        )
    spoken = seconds_heard(diarization)
    main = max(spoken, key=spoken.__getitem__, default=None)
    telephone = main is not None and side(diarization.model.name, diarization.embeddings[main], 0).telephone
    least = MIN_TELEPHONE_SECONDS if telephone else MIN_CLIP_SECONDS
    if main is None or spoken[main] < least:
        heard = spoken[main] if main else 0.0
        kind = "telephone speech" if telephone else "speech"
        raise InputError(
            "clip_too_short",
            f"The clip has {heard:.1f} s of {kind}; {least:g} s are needed.",
            "Ten seconds of one person talking alone are best.",
        )
    others = sum(spoken.values()) - spoken[main]
    if others > MAX_OTHER_SHARE * spoken[main]:
        raise InputError(
            "clip_has_others", f"The clip has {len(spoken)} voices.", "Cut it to a part where one person talks alone."
        )
    return Voice(
        name=name,
        embedding=tuple(round(value, 6) for value in diarization.embeddings[main]),
        model=diarization.model.name,
        seconds=round(spoken[main], 1),
        consent=consent,
        added=added,
    )
