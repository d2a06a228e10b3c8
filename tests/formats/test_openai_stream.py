"""The events of a stream, read strictly by the types of the installed client."""

import itertools
import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai.types.audio import TranscriptionDiarizedSegment, TranscriptionStreamEvent, TranscriptionVerbose
from pydantic import TypeAdapter

from diarist.attribution import attribute
from diarist.audio.audio import Audio
from diarist.audio.decode import decode
from diarist.engines import load
from diarist.formats.answers import Shape, answer
from diarist.formats.openai import NotMeasuredError
from diarist.formats.openai_stream import Events
from diarist.model.options import Options
from diarist.model.transcript import Diarization, ModelInfo, Transcription, Turn, Word
from diarist.weights.fetch import ensure

READ = TypeAdapter(TranscriptionStreamEvent)
WORDS = (
    Word(0.0, 0.4, "Hello,", 0.9),
    Word(0.5, 0.9, "Ben.", 0.8),
    Word(2.0, 2.4, "Hi.", 0.9),
    Word(2.5, 2.9, "Nice", 0.7),
    Word(3.0, 3.4, "day!", 0.9),
)


def transcript(words=WORDS, language="en", names=None):
    turns = (Turn(0, 1.5, "x"), Turn(1.5, 60, "y"))
    told = Transcription(
        words=tuple(words), language=language, duration=60, model=ModelInfo("transcription", "t", None, "e")
    )
    who = Diarization(turns=turns, exclusive=turns, duration=60, model=ModelInfo("diarization", "d", None, "e"))
    return attribute(told, who, names=names or {})


def checked(events):
    """The events as the client reads them, over the wire; nothing in them is unknown to it or null."""
    found = []
    for event in events:
        read = READ.validate_json(json.dumps(event), strict=True)
        assert read.model_extra == {}
        assert read.to_dict() == event
        found.append(read)
    return found


def streamed(shape, windows, result):
    events = Events(shape, result.language)
    return checked([*(event for window in windows for event in events.heard(window)), *events.done(result)])


@pytest.mark.parametrize("name", ["json", "text"])
def test_a_delta_comes_for_each_window_of_words_and_the_whole_text_at_the_end(name):
    events = streamed(Shape(response_format=name), [WORDS[:2], WORDS[2:3], (), WORDS[3:]], transcript())
    assert [getattr(event, "delta", None) for event in events] == ["Hello, Ben.", " Hi.", " Nice day!", None]
    assert events[-1].type == "transcript.text.done"
    assert events[-1].text == "Hello, Ben. Hi. Nice day!"
    assert events[-1].usage is None  # the API counts tokens there


def test_what_was_not_told_before_comes_at_the_end():
    events = streamed(Shape(), [], transcript())
    assert [event.type for event in events] == ["transcript.text.delta", "transcript.text.done"]
    assert events[0].delta == events[1].text
    events = streamed(Shape(), [WORDS[:3]], transcript())
    assert [event.delta for event in events[:-1]] == ["Hello, Ben. Hi.", " Nice day!"]


def test_segments_and_their_deltas_come_once_it_is_known_who_spoke():
    shape = Shape(response_format="diarized_json", text_speakers=True, known=frozenset({"A"}))
    events = streamed(shape, [WORDS], transcript(names={"y": "Ben"}))
    assert [event.type.removeprefix("transcript.text.") for event in events] == ["delta", "segment"] * 3 + ["done"]
    assert [event.segment_id for event in events[:-1:2]] == [event.id for event in events[1::2]]
    assert [event.speaker for event in events[1::2]] == ["B", "Ben", "Ben"]
    assert [event.delta for event in events[:-1:2]] == ["B: Hello, Ben.", "\nBen: Hi.", " Nice day!"]
    for event in events[1::2]:
        TranscriptionDiarizedSegment.model_validate(event.to_dict(), strict=True)


def test_a_stream_of_diarized_json_tells_what_the_document_does():
    for text_speakers in (True, False):
        shape = Shape(response_format="diarized_json", text_speakers=text_speakers)
        events = streamed(shape, [], transcript())
        document = answer(transcript(), shape)
        assert [event.to_dict() for event in events if event.type == "transcript.text.segment"] == document["segments"]
        assert events[-1].text == document["text"]


def test_log_probabilities_come_with_each_delta_and_all_at_the_end():
    events = streamed(Shape(logprobs=True), [WORDS[:2], WORDS[2:]], transcript())
    assert [[entry.token for entry in event.logprobs] for event in events[:-1]] == [
        ["Hello,", " Ben."],
        [" Hi.", " Nice", " day!"],
    ]
    assert [entry.token for entry in events[-1].logprobs] == ["Hello,", " Ben.", " Hi.", " Nice", " day!"]
    with pytest.raises(NotMeasuredError):
        Events(Shape(logprobs=True)).heard([Word(0, 1, "Hm")])


spoken = st.lists(
    st.tuples(st.sampled_from(["Yes.", "no", "42", "你好", "で", "…", "Well,"]), st.sampled_from([None, True, False])),
    max_size=12,
)


@given(spoken, st.lists(st.integers(0, 12), max_size=4), st.booleans(), st.sampled_from(["json", "diarized_json"]))
def test_the_deltas_put_together_are_the_text(said, cuts, text_speakers, name):
    words = [Word(n, n + 0.5, text, 0.5, spaced=spaced) for n, (text, spaced) in enumerate(said)]
    edges = [0, *sorted(min(cut, len(words)) for cut in cuts)]
    windows = [words[a:b] for a, b in itertools.pairwise(edges)]
    result = transcript(words, "zh")
    *deltas, done = streamed(Shape(response_format=name, text_speakers=text_speakers), windows, result)
    assert "".join(event.delta for event in deltas if event.type == "transcript.text.delta") == done.text


@pytest.mark.models
def test_a_real_call_is_told_while_it_is_heard_and_with_its_speakers_at_the_end():
    call = Audio(np.tile(decode(ensure("sample-telephone") / "sample.wav").samples, 2))
    plain, diarized = Events(Shape(logprobs=True)), Events(Shape(response_format="diarized_json", text_speakers=True))
    told = []
    result = load("whisper-tiny.en", "embedded").transcribe(
        call, Options(), heard=lambda words: told.append([plain.heard(words), diarized.heard(words)])
    )
    deltas = checked(event for both in told for events in both for event in events)
    *rest, done = checked(plain.done(result))
    assert len(deltas) > 1
    assert not rest
    assert "".join(event.delta for event in deltas) == done.text == result.text
    assert [entry.to_dict() for event in deltas for entry in event.logprobs] == [e.to_dict() for e in done.logprobs]
    segments = [event for event in checked(diarized.done(result)) if event.type == "transcript.text.segment"]
    assert {event.speaker for event in segments} == {"A", "B"}
    document = answer(result, Shape(response_format="verbose_json", words=True, segments=True))
    TranscriptionVerbose.model_validate_json(json.dumps(document), strict=True)
