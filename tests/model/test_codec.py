"""What crosses a wire comes back equal."""

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from diarist.model.codec import digest, dump, load, read
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


def said(text="hello", **more):
    segment = Segment(0, 1, "A", text, (Word(0, 1, text, 0.5, "A"),))
    values = {"duration": 1.0, "language": "en", "speakers": ("A",), "segments": (segment,), "turns": (), "models": ()}
    return Transcript(**values | more)


def test_two_runs_that_found_the_same_have_one_digest():
    slow = said(timings={"total": 9.5}, place={"where": "runpod:split", "audio": "flac"})
    assert slow.digest == said(timings={"total": 0.1}).digest
    assert load(Transcript, json.loads(json.dumps(dump(slow)))).digest == slow.digest


@pytest.mark.parametrize(
    "other",
    [said("hallo"), said(duration=1.001), said(language=None), said(warnings=("cut short",)), said(models=(INFO,))],
)
def test_whatever_else_differs_gives_another_digest(other):
    assert other.digest != said().digest


def test_other_nouns_have_digests_too():
    silent = Diarization(turns=(), exclusive=(), duration=1.0, model=INFO, timings={"networks": 2.0})
    assert digest(silent) == digest(replace(silent, timings={}))
    assert digest(silent) != digest(replace(silent, turns=(Turn(0, 1, "A"),)))


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


DOCUMENT = {"start": 0.0, "end": 1.0, "speaker": "Ada"}


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32-le"])
def test_a_document_is_read_in_any_of_json_s_encodings(encoding):
    assert read(Turn, json.dumps(DOCUMENT).encode(encoding)) == Turn(0, 1, "Ada")


@pytest.mark.parametrize(
    ("document", "code"),
    [
        (b"", "not_json"),
        (b"\xff\xfe\x00", "not_json"),
        (b'{"extra":' * 100_000, "not_json"),
        (b"[" * 100_000, "bad_document"),
        (b'{"start": 0, "end": NaN, "speaker": "A"}', "not_json"),
        (b'{"start": 0, "end": 1e999, "speaker": "A"}', "bad_document"),
        (b'{"start": 0, "end": %s, "speaker": "A"}' % (b"9" * 5000), "bad_document"),
        (b'{"start": 0, "end": 1, "speaker": "\\ud800"}', "not_json"),
        (b'{"start": 0, "end": 1, "speaker": []}', "bad_document"),
    ],
)
def test_what_is_no_such_document_is_refused(document, code):
    with pytest.raises(InputError) as caught:
        read(Turn, document)
    assert caught.value.code == code


def test_half_a_character_is_refused_wherever_it_comes_from():
    with pytest.raises(InputError, match="half a character"):
        load(Turn, {**DOCUMENT, "speaker": "\ud800"})


def test_a_refusal_is_one_short_line_that_quotes_nothing():
    info = {"task": "secret\n" * 9000, "name": "", "revision": None, "engine": ""}
    for refuse in (lambda: load(ModelInfo, info), lambda: read(ModelInfo, json.dumps(info).encode())):
        with pytest.raises(InputError, match=r"enum value - at `\$\.task`") as caught:
            refuse()
        assert "secret" not in caught.value.message
