"""An ask is kept as JSON and read back; the work that it means has a name."""

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from diarist.model.errors import InputError
from diarist.model.options import Options
from diarist.server.ask import Ask, Clip, ask_from, identity, work_of

text = st.text(st.characters(exclude_categories=("Cs",)), max_size=20)
options = st.builds(
    Options,
    language=st.sampled_from([None, "en", "de-AT"]),
    diarize=st.just(True),
    max_speakers=st.none() | st.integers(1, 64),
    on_diarization_failure=st.sampled_from(["warn", "fail"]),
    hotwords=st.lists(st.sampled_from(["Anna", "Ben Smith", "京都"]), max_size=3).map(tuple),
    task=st.sampled_from(["transcribe", "translate"]),
    temperature=st.none() | st.floats(0, 1),
)
asks = st.builds(
    Ask,
    options=options,
    response_format=st.sampled_from(["json", "diarized_json", "asr_json"]),
    stream=st.booleans(),
    granularities=st.frozensets(st.sampled_from(["word", "segment"])),
    logprobs=st.booleans(),
    known=st.lists(st.builds(Clip, name=text, sha256=text, data=st.binary(max_size=20), path=text), max_size=2).map(
        tuple
    ),
    channels=st.sampled_from([None, "separate"]),
    url=st.none() | text,
    model=text,
    text_speakers=st.booleans(),
    ignored=st.lists(text, max_size=2).map(tuple),
    pcm=st.booleans(),
)


@given(asks)
def test_an_ask_comes_back_from_json_as_it_was(ask):
    written = json.dumps(identity(ask))
    assert ask_from(json.loads(written)) == ask
    assert json.dumps(identity(ask_from(json.loads(written)))) == written


def test_the_same_ask_is_written_the_same_every_time():
    both = (frozenset({"word", "segment"}), frozenset({"segment", "word"}))
    assert len({json.dumps(identity(Ask(options=Options(), granularities=each))) for each in both}) == 1


@pytest.mark.parametrize("damaged", [{}, {"options": {"num_speakers": 0}}, {"options": {}, "known": [{}]}])
def test_what_is_no_ask_is_refused(damaged):
    with pytest.raises(InputError):
        ask_from(damaged)


ANNA = Clip(name="Anna", sha256="a" * 64, path="/state/one.part")
ASK = Ask(options=Options(language="en"), model="whisper-base", known=(ANNA,))


@pytest.mark.parametrize(
    "other",
    [
        replace(ASK, response_format="srt"),
        replace(ASK, stream=True, text_speakers=True, granularities=frozenset({"word"}), ignored=("prompt",)),
        replace(ASK, known=(replace(ANNA, path="/state/two.part"),)),
    ],
)
def test_the_way_an_answer_is_written_does_not_change_the_work(other):
    assert work_of(other) == work_of(ASK)


@pytest.mark.parametrize(
    "other",
    [
        replace(ASK, options=Options(language="de")),
        replace(ASK, model="parakeet"),
        replace(ASK, known=()),
        replace(ASK, known=(replace(ANNA, name="Ben"),)),
        replace(ASK, known=(replace(ANNA, sha256="b" * 64),)),
        replace(ASK, channels="separate"),
        replace(ASK, url="https://example.org/a"),
        replace(ASK, pcm=True),
    ],
)
def test_what_changes_the_transcript_changes_the_work(other):
    assert work_of(other) != work_of(ASK)


def test_a_voice_is_in_no_log():
    assert "RIFF" not in repr(replace(ASK, known=(replace(ANNA, data=b"RIFF"),)))
