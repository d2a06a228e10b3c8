"""How sure a name is by length of speech: the clips of `voices_clips.py`, each heard once, and every pair tried."""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Container, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import numpy as np
from voices_clips import LENGTHS, Clip

from diarist.audio.audio import Audio
from diarist.diarization.base import Diarizer
from diarist.model.errors import InputError
from diarist.model.transcript import Diarization, ModelInfo, Turn
from diarist.speakers.identify import (
    MAX_OTHER_SHARE,
    MIN_CLIP_SECONDS,
    Side,
    cosine,
    margin,
    seconds_heard,
    side,
    voice_of,
)

BANDS = {"full band": (False, False), "telephone": (True, True), "one of each": (False, True)}
HEARD = 5  # seconds and more of the recording's speaker, on whom clips of every length are tried


@dataclass(frozen=True, eq=False)
class Heard:
    """A clip as the diarizer heard it.

    Attributes:
        clip: the clip.
        voice: its main speaker; None if nobody speaks.
        accepted: whether it can be learnt as one person's voice.
        vector: the main speaker's embedding, as the diarizer gave it.
        alone: whether hardly anybody else was heard.
    """

    clip: Clip
    voice: Side | None
    accepted: bool
    vector: tuple[float, ...] = ()
    alone: bool = False


def listen(clips: Sequence[Clip], diarizer: Diarizer, keep: Path | None) -> list[Heard]:
    """Diarize each clip, unless the file `keep` has what was found in it."""
    kept = json.loads(keep.read_text()) if keep and keep.exists() else {}
    heard = []
    for number, clip in enumerate(clips, 1):
        key = f"{diarizer.model.name} {hashlib.sha256(clip.samples.tobytes()).hexdigest()}"
        if key not in kept:
            found = diarizer.diarize(Audio(clip.samples))
            spoken = seconds_heard(found)
            kept[key] = [(seconds, found.embeddings[label]) for label, seconds in spoken.items()]
            if number % 100 == 0:
                print(f"{number} of {len(clips)} clips heard", file=sys.stderr)
        heard.append(_heard(clip, kept[key], diarizer.model))
    if keep:
        keep.write_text(json.dumps(kept))
    return heard


def _heard(clip: Clip, speakers: list[tuple[float, list[float]]], model: ModelInfo) -> Heard:
    if not speakers:
        return Heard(clip, None, accepted=False)
    turns = tuple(Turn(0, seconds, str(number)) for number, (seconds, _) in enumerate(speakers))
    vectors = {str(number): tuple(vector) for number, (_, vector) in enumerate(speakers)}
    found = Diarization(turns=turns, exclusive=(), duration=clip.seconds, model=model, embeddings=vectors)
    seconds, vector = max(speakers)
    voice = side(model.name, vector, seconds)
    alone = sum(spoken for spoken, _ in speakers) - seconds <= MAX_OTHER_SHARE * seconds
    try:
        voice_of(found, clip.person, "evaluation", "1970-01-01")
    except InputError:
        return Heard(clip, voice, False, tuple(vector), alone)
    return Heard(clip, voice, True, tuple(vector), alone)


def comparable(first: str, second: str) -> bool:
    """Whether two names are surely two people: a language that two packages read may be read by one person."""
    return first == second or "-" not in first or "-" not in second or _language(first) != _language(second)


def _language(name: str) -> str:
    return name.split("-", 1)[1]


def halves(heard: Sequence[Heard]) -> dict[str, list[Heard]]:
    """Every second voice by name: what thresholds were chosen on, and what they are judged by."""
    people = sorted({h.clip.person for h in heard})
    return {
        "tuning": [h for h in heard if h.clip.person in people[::2]],
        "score": [h for h in heard if h.clip.person in people[1::2]],
    }


def shared_directions(heard: Sequence[Heard]) -> list[list[float]]:
    """What all voices share: from full to telephone band, and besides; as ``speakers/bands.json`` holds it."""

    def mean(phone: bool) -> np.ndarray:
        people = sorted({h.clip.person for h in heard})
        clips = [
            [h.vector for h in heard if h.alone and h.clip.person == person and h.clip.phone == phone]
            for person in people
        ]
        return np.mean([np.mean(vectors, axis=0) for vectors in clips if vectors], axis=0)

    full, phone = mean(False), mean(True)
    across = (phone - full) / np.linalg.norm(phone - full)
    besides = full - (full @ across) * across
    besides /= np.linalg.norm(besides)
    return [[round(float(value), 4) for value in direction] for direction in (across, besides)]


def by_length(heard: Sequence[Heard]) -> dict[str, object]:
    """For each band and length of the learnt clip: how known voices and strangers fare."""
    return {
        band: {
            f"{seconds} s": {
                f"tried on {HEARD} s and more": _trials(heard, seconds, range(HEARD, 99), bands),
                "tried on as much": _trials(heard, seconds, (seconds,), bands),
            }
            for seconds in LENGTHS
        }
        for band, bands in BANDS.items()
    }


def all_trials(heard: Sequence[Heard]) -> dict[str, float | int | None]:
    """Every learnt clip against every tried one, whatever their lengths and bands."""
    found = _score([h for h in heard if h.clip.learn], [h for h in heard if not h.clip.learn])
    return {**found, "plain cosine of strangers on the telephone, at most": _plain(heard)}


def _plain(heard: Sequence[Heard]) -> float | None:
    """How alike telephone strangers are whose embeddings are compared as the diarizer gave them."""
    clips = [h for h in heard if h.alone and h.clip.phone and h.voice and h.voice.seconds >= MIN_CLIP_SECONDS]
    return max(
        (
            round(cosine(a.vector, b.vector), 3)
            for a, b in product([h for h in clips if h.clip.learn], [h for h in clips if not h.clip.learn])
            if a.clip.person != b.clip.person and comparable(a.clip.person, b.clip.person)
        ),
        default=None,
    )


def _trials(
    heard: Sequence[Heard], learn: int, hear: Container[int], bands: tuple[bool, bool]
) -> dict[str, float | int | None]:
    known = [h for h in heard if h.clip.learn and h.clip.seconds == learn and h.clip.phone == bands[0]]
    tried = [h for h in heard if not h.clip.learn and h.clip.seconds in hear and h.clip.phone == bands[1]]
    return _score(known, tried)


def _score(known: Sequence[Heard], tried: Sequence[Heard]) -> dict[str, float | int | None]:
    """A learnt clip that is refused finds nobody and counts as such; no stranger is tried on it."""
    same, other, found, named, pairs = [], [], 0, 0, set()
    for a, b in product(known, tried):
        one = a.clip.person == b.clip.person
        if one and "-" in a.clip.person:
            continue  # nobody says that one person read all of it
        if not one and not comparable(a.clip.person, b.clip.person):
            continue
        usable = a.accepted and a.voice and b.voice
        score = cosine(a.voice.own, b.voice.own) if usable else -1.0
        accepted = usable and margin(a.voice, b.voice) >= 0
        if one:
            same.append(score)
            found += accepted
        elif usable:
            other.append(score)
            named += accepted
            pairs.add(frozenset((a.clip.person, b.clip.person)))
    return {
        "known": len(same),
        "found": found,
        "strangers": len(other),
        "pairs of voices": len(pairs),
        "strangers named": named,
        "highest stranger": round(max(other), 3) if other else None,
        "equal error rate": equal_error_rate(same, other)[0] if same and other else None,
    }


def equal_error_rate(same: Sequence[float], other: Sequence[float]) -> tuple[float, float]:
    """(rate, threshold) at which strangers are accepted as often as known voices are rejected."""
    mine, others = np.sort(same), np.sort(other)
    thresholds = np.unique(np.concatenate([mine, others]))
    rejected = np.searchsorted(mine, thresholds) / len(mine)
    accepted = 1 - np.searchsorted(others, thresholds) / len(others)
    best = int(np.argmin(np.abs(rejected - accepted)))
    return round(float(rejected[best] + accepted[best]) / 2, 4), round(float(thresholds[best]), 3)
