"""Clips of known length of many voices, in full and in telephone band, for `voices.py`.

A voice is a folder of one person's sounds, or a person of a recording with a reference. What is cut for learning a
voice is never used for trying it: another recording of the person where there is one, else the other half.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from conversations import RATE, Float, telephone

from diarist.audio.decode import decode
from diarist.evaluation.annotation import read_annotation
from diarist.model.timeline import Span, union
from diarist.model.transcript import Turn

LENGTHS = (1, 2, 3, 5, 10, 30)
CLIPS = {1: 2, 2: 2, 3: 2, 5: 2, 10: 2, 30: 1}  # at most, of each length, for each use
LEAST = 4  # seconds of a voice for each use
MOST = 120  # files of a voice
SOUNDS = {".flac", ".mp3", ".ogg", ".opus", ".wav"}


@dataclass(frozen=True, eq=False)
class Clip:
    """A cut of one voice.

    Attributes:
        person: whose voice.
        learn: whether it is for learning the voice; else it is for trying it.
        phone: whether it is in telephone band.
        seconds: its length.
        samples: at 16 kHz.
    """

    person: str
    learn: bool
    phone: bool
    seconds: int
    samples: Float


def alone(turns: tuple[Turn, ...], person: str) -> list[Span]:
    """Where only this person talks."""
    others = [Span(t.start, t.end) for t in turns if t.speaker != person]
    found = []
    for span in union(t for t in turns if t.speaker == person):
        cursor = span.start
        for other in union(others):
            if other.start < span.end and other.end > cursor:
                if other.start > cursor:
                    found.append(Span(cursor, other.start))
                cursor = max(cursor, other.end)
        if cursor < span.end:
            found.append(Span(cursor, span.end))
    return [span for span in found if span.duration > 0.5]


def voices(recordings: Path, folders: Path | None) -> dict[str, list[Float]]:
    """For each person, one array for each recording of theirs: what they say alone, without pauses."""
    found: defaultdict[str, list[Float]] = defaultdict(list)
    for folder in sorted(path.parent for path in recordings.glob("*/ref.rttm")):
        turns = read_annotation(folder)[folder.name].turns or ()
        samples = decode(next(folder.glob("audio.*"))).samples
        for person in sorted({turn.speaker for turn in turns}):
            pieces = [samples[int(s.start * RATE) : int(s.end * RATE)] for s in alone(turns, person)]
            found[person].append(_speech(pieces))
    for folder in sorted(folders.iterdir()) if folders else ():
        sounds = sorted(file for file in folder.rglob("*") if file.suffix in SOUNDS)
        if sounds:
            found[folder.name].append(_speech([decode(sound).samples for sound in sounds[:MOST]]))
    return {person: [sound for sound in sounds if len(sound) >= LEAST * RATE] for person, sounds in found.items()}


def clips(found: dict[str, list[Float]]) -> Iterator[Clip]:
    """Cut every voice with enough speech for both uses."""
    for person, sounds in sorted(found.items()):
        if len(sounds) == 1:
            half = len(sounds[0]) // 2
            sounds = [sounds[0][:half], sounds[0][half:]]
        if len(sounds) < 2 or min(map(len, sounds)) < LEAST * RATE:
            continue
        for learn, sources in ((True, sounds[:1]), (False, sounds[1:])):
            for seconds in LENGTHS:
                size = seconds * RATE
                cuts = [
                    source[start : start + size]
                    for source in sources
                    for start in range(0, len(source) - size + 1, size)
                ]
                # spread over all there is, not only its beginning
                chosen = np.unique(np.linspace(0, len(cuts) - 1, min(CLIPS[seconds], len(cuts))).astype(int))
                for number in chosen if cuts else ():
                    yield Clip(person, learn, False, seconds, cuts[number])
                    yield Clip(person, learn, True, seconds, telephone(cuts[number]))


def _speech(pieces: list[Float]) -> Float:
    """What is louder than a hundredth of the loud parts' power, with 0.1 s around it, at one level."""
    kept = []
    for piece in pieces:
        count = len(piece) // 400
        if not count:
            continue
        power = np.mean(piece[: count * 400].reshape(count, 400) ** 2, axis=1)
        loud = power > 0.01 * np.quantile(power, 0.9)
        near = np.convolve(loud, np.ones(9))[4:-4] > 0.5
        sound = piece[: count * 400][np.repeat(near, 400)]
        kept.append(sound / max(1e-4, float(np.sqrt(np.mean(sound**2)))) * 0.06)
    return np.concatenate(kept).astype(np.float32) if kept else np.zeros(0, np.float32)
