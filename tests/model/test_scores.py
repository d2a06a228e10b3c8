"""Speaker scores travel small, whole, and within bounds."""

import base64
import json
import tracemalloc
import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from diarist.model.codec import dump, load
from diarist.model.errors import InputError
from diarist.model.transcript import Diarization, ModelInfo, SpeakerScores

INFO = ModelInfo("diarization", "test", None, "none 0")


def diarization(values, *speakers):
    scores = SpeakerScores(0.03, 0.016875, speakers, values)
    return Diarization(turns=(), exclusive=(), duration=1.0, model=INFO, scores=scores)


def meeting(hours, speakers, seed=1):
    """Scores as they are in a meeting: one speaker at a time, the edges of turns soft, the others nearly silent."""
    random = np.random.default_rng(seed)
    frames = int(hours * 3600 / 0.016875)
    values = np.zeros((frames, speakers), np.uint8)
    at = 0
    while at < frames:
        length = int(random.integers(60, 900))
        talk = random.integers(200, 256, min(length, frames - at)) // 4 * 4
        talk[:20] = np.linspace(0, 255, 20)[: len(talk)]
        values[at : at + len(talk), random.integers(speakers)] = talk
        at += length
    return values.tobytes()


@given(st.integers(1, 5), st.data())
def test_scores_of_any_kind_come_back_equal(columns, data):
    frames = data.draw(st.integers(0, 40))
    noun = diarization(data.draw(st.binary(min_size=frames * columns, max_size=frames * columns)), *"ABCDE"[:columns])
    assert load(Diarization, json.loads(json.dumps(dump(noun)))) == noun


@pytest.mark.parametrize(("values", "speakers"), [(b"", ()), (b"", ("A",)), (b"123", ("A", "B")), (b"1", ())])
def test_scores_of_an_odd_shape_come_back_equal_too(values, speakers):
    noun = diarization(values, *speakers)
    assert load(Diarization, json.loads(json.dumps(dump(noun)))) == noun


@pytest.mark.parametrize("speakers", [8, 21])
def test_four_hours_fit_what_a_platform_returns(speakers):
    noun = diarization(meeting(4, speakers), *(f"S{number}" for number in range(speakers)))
    text = json.dumps(dump(noun))
    assert len(text) < 4_000_000 < len(noun.scores.values)
    assert load(Diarization, json.loads(text)) == noun


def test_scores_as_older_workers_send_them_are_still_read():
    noun = diarization(b"\x00\x01\xff\xfe", "A", "B")
    older = {**dump(noun), "scores": {"start": 0.03, "step": 0.016875, "speakers": ["A", "B"], "values": "AAH//g=="}}
    assert load(Diarization, older) == noun


def sent(data, frames=100, speakers=("A", "B"), **others):
    scores = {"start": 0.0, "step": 0.1, "speakers": list(speakers), "frames": frames, "deltas": data, **others}
    return {**dump(diarization(b"", "A")), "scores": scores}


def deflated(data):
    return base64.b64encode(zlib.compress(data)).decode()


BAD = {
    "too few": sent(deflated(bytes(199))),
    "too many": sent(deflated(bytes(201))),
    "far too many": sent(deflated(bytes(50_000_000))),
    "cut off": sent(deflated(bytes(200))[:12]),
    "followed by more": sent(base64.b64encode(zlib.compress(bytes(200)) + b"more").decode()),
    "not deflated": sent(base64.b64encode(bytes(200)).decode()),
    "not base64": sent("é" * 8),
    "no text": sent(7),
    "no frames": sent(deflated(b""), frames=0),
    "frames below none": sent(deflated(bytes(200)), frames=-100),
    "half a frame": sent(deflated(bytes(200)), frames=100.5),
    "more frames than any recording": sent(deflated(bytes(200)), frames=1 << 60),
    "no speakers": sent(deflated(bytes(200)), speakers=()),
    "no object": [1],
    "scores that are none": sent("") | {"scores": [1]},
    "both ways": sent(deflated(bytes(200)), values=5) | {"duration": "x"},
}


@pytest.mark.parametrize("document", BAD.values(), ids=BAD)
def test_what_does_not_fit_is_refused_before_it_takes_memory(document):
    tracemalloc.start()
    try:
        with pytest.raises(InputError, match="Not a valid Diarization"):
            load(Diarization, document)
        assert tracemalloc.get_traced_memory()[1] < 1_000_000
    finally:
        tracemalloc.stop()
