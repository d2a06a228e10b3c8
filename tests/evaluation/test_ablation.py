"""The ablation's shortcuts give what the real thing gives, and its rules do what they say."""

import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from diarist.evaluation.annotation import Annotation
from diarist.evaluation.measures import score
from diarist.evaluation.text import Token, normaliser
from diarist.model.transcript import Diarization, ModelInfo, Segment, Turn, Word


@pytest.fixture(scope="module")
def ablation():
    folder = str(Path(__file__).parents[2] / "benchmarks" / "attribution")
    sys.path.insert(0, folder)
    import ablation

    yield ablation
    sys.path.remove(folder)


SPOKEN = st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from("xyz")), min_size=1, max_size=12)


@given(SPOKEN, SPOKEN)
def test_its_cpwer_is_meetevals(ablation, said, heard):
    sides = []
    for words in (said, heard):
        timed = [Word(n, n + 1, text, speaker=speaker) for n, (text, speaker) in enumerate(words)]
        sides.append(Annotation(utterances=tuple(Segment(w.start, w.end, w.speaker, w.text, (w,)) for w in timed)))
    mine = ablation.cpwer([Token(t, 0, 1, s) for t, s in said], heard)
    assert mine == score(*sides, normaliser("none"))["cpwer"]


def diarized(*turns):
    model = ModelInfo("diarization", "test", None, "none")
    return Diarization(turns=turns, exclusive=turns, duration=60, model=model)


TURNS = diarized(Turn(0, 1.0, "x"), Turn(1.0, 3, "y"))
WORDS = [Word(n * 0.5, n * 0.5 + 0.5, text) for n, text in enumerate(["How", "are", "you?", "Fine,", "thanks."])]


def test_baselines_disagree_where_their_descriptions_do(ablation):
    found = {name: "".join(label or "-" for label in rule(WORDS, TURNS)) for name, rule in ablation.BASELINES.items()}
    assert found["WhisperX"] == found["pyannote tutorial"] == "xxyyy"
    assert found["segment stamp"] == "xxxyy"
    assert found["whisper-diarization"] == "xxxyy"
    assert found["shipped"] == "SPEAKER_00" * 3 + "SPEAKER_01" * 2


def test_a_word_outside_all_turns(ablation):
    late = [*WORDS, Word(3.3, 3.6, "Bye")]
    found = {name: rule(late, TURNS)[-1] for name, rule in ablation.BASELINES.items()}
    assert found["WhisperX"] is None
    assert found["pyannote tutorial"] is None
    assert found["shipped"] == "SPEAKER_01"
