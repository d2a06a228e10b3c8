"""Speed from two lengths, by numbers and not by the clock."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from diarist.model.errors import EngineError, InputError
from diarist.planning.measure import fit
from diarist.planning.profiles import load_profile, save_profile


@given(st.floats(0.001, 2), st.floats(0, 10), st.floats(121, 3600))
def test_a_straight_line_is_found_again(slope, fixed, long):
    found = fit((60, slope * 60 + fixed), (long, slope * long + fixed))
    assert found == pytest.approx((slope, fixed), rel=1e-6, abs=1e-6)


@pytest.mark.parametrize(("short", "long"), [(3.0, 3.0), (3.0, 2.0), (1.0, 5.0)])
def test_times_that_cannot_be_are_refused(short, long):
    with pytest.raises(EngineError, match="make no sense"):
        fit((60, short), (120, long))


@pytest.mark.parametrize(("per_second", "per_request"), [(0.0, 1.0), (-0.1, 1.0), (0.1, -1.0)])
def test_a_profile_that_cannot_be_true_is_refused(tmp_path, per_second, per_request):
    good = load_profile("rtx-4090")
    speed = msgspec.to_builtins(good.both)
    speed["per_audio_second"]["value"], speed["per_request"]["value"] = per_second, per_request
    file = tmp_path / "bad.json"
    save_profile(msgspec.convert(msgspec.to_builtins(good) | {"both": speed}, type(good)), file)
    with pytest.raises(InputError, match="cannot be true"):
        load_profile(str(file))
