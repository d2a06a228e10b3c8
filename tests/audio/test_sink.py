"""Holes between time stamps become silence; jitter and broken time stamps do not."""

from fractions import Fraction

import av
import numpy as np
import pytest

from diarist.audio.resample import Heap
from diarist.audio.sink import Part, Sink

RATE = 16_000


def filled(*starts):
    """Write frames of 0.1 s with these time stamps; return the seconds of silence put between them."""
    part = Part(channel=None, track=None, start=0.0, stop=1.0, max_seconds=1e9)
    sink = Sink("talk.mka", part, starts[0], num_bytes=1 << 30, storage=Heap)
    for start in starts:
        frame = av.AudioFrame.from_ndarray(np.full((1, RATE // 10), 0.1, np.float32), format="flt", layout="mono")
        frame.sample_rate, frame.pts, frame.time_base = RATE, round(start * RATE), Fraction(1, RATE)
        sink.write(frame)
    return round(sink.filled, 3)


@pytest.mark.parametrize(("jump", "silence"), [(0.05, 0), (0.09, 0), (0.11, 0.11), (0.5, 0.5)])
def test_a_jump_up_to_a_tenth_of_a_second_is_jitter(jump, silence):
    assert filled(0, 0.1, 0.2 + jump) == silence


@pytest.mark.parametrize(("jump", "silence"), [(3500, 3500), (3700, 0)])
def test_a_jump_of_more_than_an_hour_is_a_broken_time_stamp(jump, silence):
    assert filled(0, 0.1, 0.2 + jump) == silence


@pytest.mark.parametrize(("back", "silence"), [(0.5, 0), (0.9, 0), (1.1, 0.5), (4, 0.5)])
def test_time_stamps_that_fall_back_by_more_than_a_second_start_over(back, silence):
    """After that, a hole is one again; after less, it is the way back."""
    assert filled(5, 5.1, 5.2 - back, 5.3 - back, 5.9 - back) == silence
