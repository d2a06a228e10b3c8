"""Learning a voice from a clip, if it is one person's."""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING, Final

import numpy as np

from diarist.audio.audio import SAMPLE_RATE, Audio
from diarist.model.errors import InputError
from diarist.model.options import Options
from diarist.model.timeline import union
from diarist.speakers.identify import Voice, cosine, side, voice_of

if TYPE_CHECKING:
    from diarist.diarization.base import Diarizer

PART_SECONDS: Final = 4.0
"""Speech of one part of a clip that is compared with the others, at least."""

MOST_PARTS: Final = 4

LEAST_ALIKE: Final = 0.3
"""Least likeness of two parts of one person's clip; strangers' parts are below it 99 times of 100 in full band."""


def learn(audio: Audio, diarizer: Diarizer, name: str, consent: str, added: str) -> Voice:
    """Make a voice of a clip of one person.

    Besides what `voice_of` refuses, a clip is refused whose parts do not sound like one person: a diarizer can take two
    similar voices for one, on the telephone above all, but hardly a part of each for the same voice.

    Args:
        audio: the clip.
        diarizer: one that gives embeddings.
        name: whose voice it is.
        consent: how the person agreed.
        added: the day, ``YYYY-MM-DD``.

    Raises:
        InputError: the clip has too little speech, or more than one voice; or the model gives no voices to compare.
    """
    found = diarizer.diarize(audio, Options())
    voice = voice_of(found, name, consent, added)
    parts = min(MOST_PARTS, int(voice.seconds / PART_SECONDS))
    if parts < 2:
        return voice
    pieces = [audio.samples[int(turn.start * SAMPLE_RATE) : int(turn.end * SAMPLE_RATE)] for turn in union(found.turns)]
    heard = []
    for part in np.array_split(np.concatenate(pieces), parts):
        alone = diarizer.diarize(Audio(part), Options(num_speakers=1))
        heard += [side(voice.model, embedding, PART_SECONDS).own for embedding in alone.embeddings.values()][:1]
    if any(cosine(first, second) < LEAST_ALIKE for first, second in combinations(heard, 2)):
        raise InputError(
            "clip_has_others",
            "The clip does not sound like one voice from beginning to end.",
            "Cut it to a part where one person talks alone.",
        )
    return voice
