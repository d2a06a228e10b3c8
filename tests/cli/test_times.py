"""Times as people type them."""

import pytest

from diarist.cli.times import parse_time
from diarist.model.errors import InputError


@pytest.mark.parametrize(
    ("text", "seconds"), [("90", 90), ("1:30", 90), ("0:01:30.5", 90.5), ("2:00:00", 7200), ("75:00", 4500)]
)
def test_seconds_minutes_and_hours_are_read(text, seconds):
    assert parse_time(text, "--start") == seconds


@pytest.mark.parametrize("text", ["", "-1", "1:60", "1:2:3:4", "a", "nan", "1e3"])
def test_other_text_is_refused(text):
    with pytest.raises(InputError, match="--stop") as caught:
        parse_time(text, "--stop")
    assert caught.value.code == "bad_time"
    assert "0:01:30.5" in caught.value.hint
