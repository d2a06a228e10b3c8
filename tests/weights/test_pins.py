"""Pins are kept in one small file, and forgotten only by asking for it."""

import pytest

from diarist.model.errors import WeightsError
from diarist.weights.catalog import find_model
from diarist.weights.locate import Places, locate
from diarist.weights.pins import Pin, forget, hold, read
from diarist.weights.remove import remove

PIN = Pin("0123456789abcdef0123456789abcdef01234567", {"model.bin": "a" * 64})
REPO = "Systran/faster-whisper-small"


def test_what_is_held_is_read(tmp_path):
    assert read(tmp_path) == {}
    hold(tmp_path, REPO, PIN)
    hold(tmp_path, "another/one", PIN)
    assert read(tmp_path) == {REPO: PIN, "another/one": PIN}


def test_more_files_of_the_same_commit_are_added_and_none_is_changed(tmp_path):
    hold(tmp_path, REPO, PIN)
    hold(tmp_path, REPO, Pin(PIN.revision, {"model.bin": "b" * 64, "config.json": "c" * 64}))
    assert read(tmp_path)[REPO].files == {"model.bin": "a" * 64, "config.json": "c" * 64}


def test_removing_the_model_forgets_it_even_if_its_files_are_gone(tmp_path):
    hold(tmp_path, REPO, PIN)
    hold(tmp_path, "another/one", PIN)
    assert remove("whisper-small", Places(cache=tmp_path, hub_cache=tmp_path / "hub")) == []
    assert read(tmp_path) == {"another/one": PIN}
    assert not forget(tmp_path, find_model("whisper-small").repos)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[]",
        b"\xff",
        b'{"schema": "diarist.pins/2"}',
        b'{"pins": {"a/b": {"revision": "../../x"}}}',
        b'{"pins": {"a/b": {"revision": 1}}}',
    ],
)
def test_a_damaged_file_is_said_and_trusts_nothing_anew(tmp_path, content):
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "pins.json").write_bytes(content)
    with pytest.raises(WeightsError, match=r"pins\.json"):
        read(tmp_path)
    with pytest.raises(WeightsError, match=r"pins\.json"):
        locate("whisper-small", Places(cache=tmp_path, hub_cache=tmp_path / "hub"))
