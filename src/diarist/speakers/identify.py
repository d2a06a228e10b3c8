"""Who a speaker is: naming the speakers of a recording whose voices are known.

A voice is the mean direction of a speaker's embeddings; two are alike by their cosine. A name is given only above a
threshold at which no stranger of the evaluation voices was named (``benchmarks/voices.py``); everyone else stays
``SPEAKER_NN``.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from diarist.model.errors import InputError
from diarist.model.timeline import total
from diarist.model.transcript import Diarization

THRESHOLDS: Final[Mapping[str, float]] = {"embedded": 0.6, "community-1": 0.6}
"""Least cosine at which a speaker is taken for a known voice, by diarization model.

Highest of over 400 comparisons with strangers, and lowest of 14 with the same person in another recording
(``benchmarks/voices.py``): ``embedded`` 0.56 and 0.64, ``community-1`` 0.45 and 0.71."""


MIN_CLIP_SECONDS: Final = 3.0
"""Speech a clip needs for a voice to be known by it."""


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
        threshold: least cosine; None takes the calibrated one of the model.

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
    least = THRESHOLDS.get(model) if threshold is None else threshold
    if least is None:
        raise InputError("no_threshold", f"Voices of the model {model!r} have no calibrated threshold.", "Give one.")
    for voice in comparable:
        for embedding in diarization.embeddings.values():
            check_length(voice, len(embedding))
    scores = sorted(
        (
            (cosine(e, voice.embedding), label, voice.name)
            for label, e in diarization.embeddings.items()
            for voice in comparable
        ),
        reverse=True,
    )
    names: dict[str, str] = {}
    for score, label, name in scores:
        if score >= least and label not in names and name not in names.values():
            names[label] = name
    return names


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
    spoken = {s: total(t for t in diarization.turns if t.speaker == s) for s in diarization.embeddings}
    main = max(spoken, key=spoken.__getitem__, default=None)
    if main is None or spoken[main] < MIN_CLIP_SECONDS:
        heard = spoken[main] if main else 0.0
        raise InputError(
            "clip_too_short",
            f"The clip has {heard:.1f} s of speech; {MIN_CLIP_SECONDS:g} s are needed.",
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
