"""The decoder, on networks whose answers are written down."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from diarist.transcription.tdt import Token, decode_tokens

BLANK = 3


class Written:
    """Scores are a function of the utterance, the frame and how many tokens were emitted."""

    blank = BLANK
    durations = (0, 1, 2, 3)

    def __init__(self, answer):
        self.answer = answer

    def begin(self, encoded, count):
        return [(row, 0) for row in (encoded if encoded is not None else range(count))]

    def joint(self, frames, prediction):
        scores = np.zeros((len(frames), BLANK + 1 + 4), np.float32)
        for index, (frame, (row, emitted)) in enumerate(zip(frames.tolist(), prediction, strict=True)):
            token, step = self.answer(row, frame, emitted)
            scores[index, token] = 5
            scores[index, BLANK + 1 + step] = 5
        return scores

    def advance(self, prediction, tokens, rows):
        return [(row, n + bool(moved)) for (row, n), moved in zip(prediction, rows, strict=True)]


def run(answer, lengths, **more):
    return decode_tokens(Written(answer), None, np.array(lengths), **more)


def test_tokens_carry_frame_duration_and_probability():
    (tokens,) = run(lambda row, frame, n: (frame % 3, 2), [5])
    share = float(np.exp(5) / (np.exp(5) + BLANK))
    assert tokens == [Token(f % 3, f, 2, pytest.approx(share, abs=1e-6)) for f in (0, 2, 4)]


def test_a_blank_of_no_duration_goes_on_by_one():
    assert run(lambda row, frame, n: (BLANK, 0), [7]) == [[]]


def test_several_tokens_may_share_a_frame():
    (tokens,) = run(lambda row, frame, n: (0, 0) if n % 2 == 0 else (1, 2), [4])
    assert [(t.id, t.frame) for t in tokens] == [(0, 0), (1, 0), (0, 2), (1, 2)]


def test_a_network_that_never_goes_on_is_pushed_on():
    (tokens,) = run(lambda row, frame, n: (0, 0), [3])
    assert [t.frame for t in tokens] == [0] * 10 + [1] * 10 + [2] * 10
    assert [t.duration for t in tokens[9::10]] == [1, 1, 1]


def test_no_frames_give_no_tokens():
    assert run(lambda row, frame, n: (0, 1), [0, 2])[0] == []


def random_answer(seed):
    def answer(row, frame, emitted):
        rng = np.random.default_rng([seed, row, frame, emitted])
        return int(rng.integers(BLANK + 1)), int(rng.integers(4))

    return answer


@given(st.integers(0, 1000), st.lists(st.integers(0, 30), min_size=1, max_size=5))
def test_a_batch_gives_what_each_utterance_alone_gives(seed, lengths):
    network = Written(random_answer(seed))
    together = decode_tokens(network, None, np.array(lengths))
    alone = [decode_tokens(network, [row], np.array([length]))[0] for row, length in enumerate(lengths)]
    assert together == alone


@given(st.integers(0, 1000), st.integers(0, 60))
def test_times_only_go_forward_and_stay_inside(seed, length):
    (tokens,) = run(random_answer(seed), [length])
    frames = [t.frame for t in tokens]
    assert frames == sorted(frames)
    assert all(0 <= f < length for f in frames)
    assert all(b.frame >= a.frame + a.duration for a, b in itertools.pairwise(tokens))


class OnlyBias:
    def apply(self, scores):
        changed = scores.copy()
        changed[:, 2] += 100
        return changed

    def emitted(self, tokens, rows):
        assert set(tokens[rows]) == {2}


def test_a_bias_changes_the_choice_but_not_the_confidence():
    (tokens,) = run(lambda row, frame, n: (0, 1), [2], bias=OnlyBias())
    assert [t.id for t in tokens] == [2, 2]
    assert tokens[0].probability == pytest.approx(1 / (np.exp(5) + 3), abs=1e-6)
