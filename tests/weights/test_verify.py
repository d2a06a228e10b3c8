"""Digests of what is on this machine."""

import hashlib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from diarist.model.errors import WeightsError
from diarist.weights.catalog import ModelEntry
from diarist.weights.locate import Places
from diarist.weights.verify import matches, verify


@pytest.fixture
def toy(make_model: Any, where: Places) -> Path:
    entry: ModelEntry = make_model("toy", {"model.bin": b"weights", "config.json": b"{}"}, {"toy": []})
    folder = where.folder(entry)
    folder.mkdir(parents=True)
    (folder / "model.bin").write_bytes(b"weights")
    (folder / "config.json").write_bytes(b"{}")
    return folder


def test_good_files(toy: Path, where: Places):
    result = verify("toy", where=where)
    assert (result.good, result.damaged, result.unknown) == (("model.bin", "config.json"), (), ())
    assert result.located.path == toy


def test_one_changed_byte_is_seen(toy: Path, where: Places):
    (toy / "model.bin").write_bytes(b"weightz")
    assert verify("toy", where=where).damaged == ("model.bin",)


def test_progress(toy: Path, where: Places):
    seen: list[tuple[str, float]] = []
    verify("toy", progress=lambda stage, done: seen.append((stage, done)), where=where)
    assert seen == [("verify toy", 0.0), ("verify toy", 0.5), ("verify toy", 1.0)]


def test_a_model_that_is_not_here(where: Places):
    with pytest.raises(WeightsError, match="diarist models pull silero-vad") as error:
        verify("silero-vad", where=where)
    assert error.value.code == "weights_missing"


class TestHubCache:
    """There, files are links to blobs that are named by their digests."""

    @pytest.fixture
    def snapshot(self, where: Places) -> Path:
        assert where.hub_cache
        repo = where.hub_cache / "models--pyannote--wespeaker-voxceleb-resnet34-LM"
        snapshot = repo / "snapshots" / ("0" * 40)
        snapshot.mkdir(parents=True)
        (repo / "blobs").mkdir()
        large = repo / "blobs" / hashlib.sha256(b"weights").hexdigest()
        large.write_bytes(b"weights")
        # git's own name for a file that says "hello\n"
        small = repo / "blobs" / "ce013625030ba8dba906f756967f9e9ca394464a"
        small.write_bytes(b"hello\n")
        (snapshot / "pytorch_model.bin").symlink_to(large)
        (snapshot / "config.yaml").symlink_to(small)
        return snapshot

    def test_their_names_are_checked(self, snapshot: Path, where: Places):
        result = verify("wespeaker-voxceleb-resnet34-LM", where=where)
        assert result.good == ("pytorch_model.bin", "config.yaml")

    @pytest.mark.parametrize("path", ["pytorch_model.bin", "config.yaml"])
    def test_damage_is_seen(self, snapshot: Path, where: Places, path: str):
        (snapshot / path).write_bytes(b"damaged")
        assert verify("wespeaker-voxceleb-resnet34-LM", where=where).damaged == (path,)

    def test_copies_without_links_have_no_known_digest(self, snapshot: Path, where: Places):
        (snapshot / "pytorch_model.bin").unlink()
        (snapshot / "pytorch_model.bin").write_bytes(b"weights")
        assert verify("wespeaker-voxceleb-resnet34-LM", where=where).unknown == ("pytorch_model.bin",)


@given(content=st.binary(max_size=200))
def test_digests_agree_with_git(tmp_path_factory: pytest.TempPathFactory, content: bytes):
    path = tmp_path_factory.mktemp("blob") / "file"
    path.write_bytes(content)
    git_id = hashlib.sha1(b"blob " + str(len(content)).encode() + b"\0" + content).hexdigest()
    assert matches(path, git_id)
    assert matches(path, hashlib.sha256(content).hexdigest())
    path.write_bytes(content + b"x")
    assert not matches(path, git_id)
