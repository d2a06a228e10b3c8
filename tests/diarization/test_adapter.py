"""What adapters for other engines share."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from diarist.diarization.adapter import name_speakers, refuse_speaker_counts, to_turns, within
from diarist.model.errors import InputError
from diarist.model.options import Options

times = st.floats(-3, 15)
segments = st.lists(st.tuples(times, times, st.integers(0, 7)))


@given(segments)
def test_turns_lie_within_the_recording_and_speakers_are_named_as_they_come(found):
    kept = within(found, 10)
    turns = to_turns(kept, name_speakers(kept))
    assert all(0 <= turn.start < turn.end <= 10 for turn in turns)
    assert len(turns) == sum(round(min(end, 10), 3) > round(max(0, start), 3) for start, end, _ in found)
    speakers = list(dict.fromkeys(turn.speaker for turn in turns))
    assert speakers == [f"SPEAKER_{number:02d}" for number in range(len(speakers))]


def test_speakers_without_a_name_have_no_turns():
    assert to_turns([(0, 1, "a"), (1, 2, "b")], {"b": "SPEAKER_00"})[0].start == 1


@pytest.mark.parametrize("hint", ["num_speakers", "min_speakers", "max_speakers"])
def test_a_number_of_speakers_is_refused_by_name(hint):
    with pytest.raises(InputError, match=f"Engine cannot honour {hint}"):
        refuse_speaker_counts(Options(**{hint: 2}), "Engine")
    refuse_speaker_counts(Options(), "Engine")
