"""Where voice begins and ends, from its probability in each frame of 32 ms."""

import numpy as np
import pytest

from diarist.transcription.vad import voice_regions

FRAME = 0.032


def regions(*runs, **options):
    """Regions of runs of (frames, probability of voice), as frames."""
    probability = np.concatenate([np.full(frames, value, np.float32) for frames, value in runs])
    return [(round(r.start / FRAME, 2), round(r.end / FRAME, 2)) for r in voice_regions(probability, **options)]


@pytest.mark.parametrize(("probability", "found"), [(0.45, []), (0.55, [(50, 100)])])
def test_voice_begins_at_one_half(probability, found):
    assert regions((50, 0.0), (50, probability), (50, 0.0), pad=0) == found


@pytest.mark.parametrize(("probability", "end"), [(0.38, 100), (0.32, 50)])
def test_and_ends_below_a_third_or_so(probability, end):
    assert regions((50, 0.9), (50, probability), (50, 0.0), pad=0) == [(0, end)]


@pytest.mark.parametrize(("frames", "number"), [(3, 0), (4, 1)])
def test_what_is_shorter_than_a_tenth_of_a_second_is_noise(frames, number):
    assert len(regions((50, 0.0), (frames, 0.9), (50, 0.0))) == number


@pytest.mark.parametrize(("frames", "found"), [(9, [(0, 109)]), (10, [(0, 50), (60, 110)])])
def test_a_pause_of_three_tenths_of_a_second_ends_nothing(frames, found):
    assert regions((50, 0.9), (frames, 0.0), (50, 0.9), pad=0) == found


def test_a_region_reaches_two_tenths_of_a_second_beyond_the_voice_and_not_beyond_the_recording():
    assert regions((50, 0.0), (50, 0.9), (50, 0.0)) == [(43.75, 106.25)]
    assert regions((3, 0.0), (50, 0.9), (3, 0.0)) == [(0, 56)]
