"""What crosses a wire comes back equal."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from diarist.model.codec import dump, load
from diarist.model.errors import InputError
from diarist.model.transcript import Diarization, ModelInfo, Segment, SpeakerScores, Transcript, Turn, Word

INFO = ModelInfo("diarization", "test", None, "none 0")
PROBABILITY = st.none() | st.floats(0, 1)
TIMES = st.tuples(st.floats(0, 36_000), st.floats(0, 36_000)).map(sorted)
WORDS = st.builds(
    lambda t, *rest: Word(*t, *rest), TIMES, st.text(max_size=8), PROBABILITY, st.none() | st.text(max_size=4),
    PROBABILITY,
    st.booleans(),
)  # fmt: skip


@given(st.lists(WORDS, max_size=5).map(tuple))
def test_a_transcript_survives_json(words):
    segment = Segment(0, 40_000, None, "x", words)
    transcript = Transcript(
        duration=40_000.0, language=None, speakers=(), segments=(segment,), turns=(Turn(0, 1, "A"),), models=(INFO,)
    )
    assert load(Transcript, json.loads(json.dumps(dump(transcript), allow_nan=False))) == transcript


@given(st.binary(max_size=64))
def test_scores_survive_json(values):
    diarization = Diarization(
        turns=(Turn(0, 1, "A", 0.5),), exclusive=(), duration=1.0, model=INFO, embeddings={"A": (0.6, 0.8)},
        scores=SpeakerScores(0.03, 0.016875, ("A",), values),
    )  # fmt: skip
    assert load(Diarization, json.loads(json.dumps(dump(diarization)))) == diarization


def test_unknown_values_are_null_not_missing():
    assert dump(Word(0, 1, "hi")) == {
        "start": 0.0, "end": 1.0, "text": "hi", "confidence": None, "speaker": None, "speaker_confidence": None,
        "overlap": False, "spaced": None,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("document", "field"),
    [
        ({"start": 0, "end": 1}, "text"),
        ({"start": "0", "end": 1, "text": ""}, "$.start"),
        ({"start": 2, "end": 1, "text": ""}, "start <= end"),
        ({"start": 0, "end": 1, "text": "", "confidence": 2}, "confidence"),
    ],
)
def test_a_bad_document_names_the_field(document, field):
    with pytest.raises(InputError, match="Not a valid Word") as caught:
        load(Word, document)
    assert field in caught.value.message
