"""Where models are looked for, and which place wins."""

import dataclasses
import logging
from pathlib import Path

import pytest

from diarist.model.errors import InputError
from diarist.weights.catalog import find_model
from diarist.weights.locate import IMAGE_DIR, RUNPOD_STORE, RUNPOD_VOLUME, Places, locate, places

COMMIT = "0123456789abcdef0123456789abcdef01234567"
OTHER = "f" * 40


def put(folder: Path, *paths: str) -> Path:
    """Write small files, as a model whose sizes the catalog does not know."""
    for path in paths:
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(b"weights")
    return folder


def put_model(folder: Path, name: str) -> Path:
    """Write files (without content) of the sizes that the catalog knows."""
    for file in find_model(name).files:
        path = folder / file.path
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("wb") as writer:
            writer.truncate(file.size or 7)
    return folder


def put_snapshot(hub: Path, repo: str, *paths: str, commit: str = COMMIT, ref: str | None = COMMIT) -> Path:
    """Write a hub cache as the hub's client does: blobs, and links to them."""
    root = hub / repo
    snapshot = root / "snapshots" / commit
    for number, path in enumerate(paths):
        blob = root / "blobs" / f"{number}{commit}"
        blob.parent.mkdir(parents=True, exist_ok=True)
        blob.write_bytes(b"weights")
        (snapshot / path).parent.mkdir(parents=True, exist_ok=True)
        (snapshot / path).symlink_to(blob)
    if ref:
        (root / "refs").mkdir(exist_ok=True)
        (root / "refs" / "main").write_text(ref)
    return snapshot


NEMO = "parakeet-tdt-0.6b-v2.nemo"


class TestOrder:
    @pytest.fixture
    def everywhere(self, tmp_path: Path) -> Places:
        where = Places(
            explicit=tmp_path / "explicit",
            runpod_volume=tmp_path / "volume",
            runpod_store=tmp_path / "store",
            hub_cache=tmp_path / "hub",
            cache=tmp_path / "cache",
            image=tmp_path / "image",
        )
        put(tmp_path / "explicit" / "parakeet-tdt-0.6b-v2", NEMO)
        put_snapshot(tmp_path / "volume", "models--nvidia--parakeet-tdt-0.6b-v2", NEMO)
        put(tmp_path / "store" / "nvidia" / "parakeet-tdt-0.6b-v2" / "main", NEMO)
        put_snapshot(tmp_path / "hub", "models--nvidia--parakeet-tdt-0.6b-v2", NEMO)
        put(tmp_path / "cache" / "models" / "parakeet-tdt-0.6b-v2", NEMO)
        put(tmp_path / "image" / "parakeet-tdt-0.6b-v2", NEMO)
        return where

    def test_each_place_wins_over_those_after_it(self, everywhere: Places):
        won = []
        for field in ("explicit", "runpod_volume", "runpod_store", "hub_cache", "cache", "image"):
            found = locate("parakeet-tdt-0.6b-v2", everywhere)
            assert found
            won.append(found.place)
            gone = None if field != "cache" else Path("nowhere")
            everywhere = dataclasses.replace(everywhere, **{field: gone})
        assert won == ["explicit", "runpod-volume", "runpod-store", "hub-cache", "cache", "image"]
        assert locate("parakeet-tdt-0.6b-v2", everywhere) is None


class TestExplicitFolder:
    def test_holds_models_by_name_by_repository_or_by_organisation(self, tmp_path: Path, where: Places):
        where = dataclasses.replace(where, explicit=tmp_path / "m")
        folders = ("whisper-small", "faster-whisper-small", "Systran/faster-whisper-small")
        for name in folders:
            folder = put_model(tmp_path / "m" / name, "whisper-small")
            found = locate("whisper-small", where)
            assert found
            assert found.path == folder
            for file in folder.iterdir():
                file.unlink()

    def test_may_hold_the_files_themselves_where_they_tell_whose_they_are(self, tmp_path: Path, where: Places):
        folder = put(tmp_path / "anything", NEMO)
        found = locate("parakeet-tdt-0.6b-v2", dataclasses.replace(where, explicit=folder))
        assert found
        assert found.path == folder

    def test_known_sizes_tell_whose_loose_files_they_are(self, tmp_path: Path, where: Places):
        where = dataclasses.replace(where, explicit=put_model(tmp_path / "anything", "whisper-tiny.en"))
        assert locate("whisper-tiny.en", where)
        assert locate("whisper-base", where) is None
        assert locate("whisper-small", where) is None  # its sizes are not known, and model.bin could be anyone's

    def test_its_own_name_tells_whose_loose_files_they_are(self, tmp_path: Path, where: Places):
        where = dataclasses.replace(where, explicit=put_model(tmp_path / "Faster-Whisper-Small", "whisper-small"))
        assert locate("whisper-small", where)
        assert locate("whisper-medium", where) is None

    def test_may_be_a_hub_cache(self, tmp_path: Path, where: Places):
        snapshot = put_snapshot(tmp_path / "m", "models--nvidia--parakeet-tdt-0.6b-v2", NEMO)
        found = locate("parakeet-tdt-0.6b-v2", dataclasses.replace(where, explicit=tmp_path / "m"))
        assert found
        assert found.path == snapshot

    def test_a_folder_with_missing_files_is_passed_over_aloud(
        self, tmp_path: Path, where: Places, caplog: pytest.LogCaptureFixture
    ):
        put(tmp_path / "m" / "whisper-small", "config.json")
        with caplog.at_level(logging.WARNING):
            assert locate("whisper-small", dataclasses.replace(where, explicit=tmp_path / "m")) is None
        assert "lacks files of whisper-small" in caplog.text


class TestRunPodVolume:
    def test_lower_cased_folders_are_found(self, tmp_path: Path, where: Places):
        name = "models--systran--faster-whisper-small"
        files = ("model.bin", "config.json", "tokenizer.json", "vocabulary.txt")
        snapshot = put_snapshot(tmp_path / "v", name, *files)
        found = locate("whisper-small", dataclasses.replace(where, runpod_volume=tmp_path / "v"))
        assert found
        assert (found.path, found.place, found.revision) == (snapshot, "runpod-volume", COMMIT)

    def test_a_config_without_weights_is_not_a_model(self, tmp_path: Path, where: Places):
        put_snapshot(tmp_path / "v", "models--pyannote--speaker-diarization-community-1", "config.yaml")
        assert locate("community-1", dataclasses.replace(where, runpod_volume=tmp_path / "v")) is None

    def test_the_revision_that_main_points_at_is_preferred(self, tmp_path: Path, where: Places):
        repo = "models--nvidia--parakeet-tdt-0.6b-v2"
        put_snapshot(tmp_path / "v", repo, NEMO, commit=COMMIT, ref=None)
        wanted = put_snapshot(tmp_path / "v", repo, NEMO, commit=OTHER, ref=OTHER)
        found = locate("parakeet-tdt-0.6b-v2", dataclasses.replace(where, runpod_volume=tmp_path / "v"))
        assert found
        assert found.path == wanted

    def test_without_a_reference_any_complete_snapshot_will_do(self, tmp_path: Path, where: Places):
        repo = "models--nvidia--parakeet-tdt-0.6b-v2"
        put_snapshot(tmp_path / "v", repo, "README.md", commit=COMMIT, ref=None)
        complete = put_snapshot(tmp_path / "v", repo, NEMO, commit=OTHER, ref=None)
        found = locate("parakeet-tdt-0.6b-v2", dataclasses.replace(where, runpod_volume=tmp_path / "v"))
        assert found
        assert found.path == complete

    def test_a_dangling_link_is_not_a_file(self, tmp_path: Path, where: Places):
        snapshot = put_snapshot(tmp_path / "v", "models--nvidia--parakeet-tdt-0.6b-v2", NEMO)
        (snapshot / NEMO).resolve().unlink()
        assert locate("parakeet-tdt-0.6b-v2", dataclasses.replace(where, runpod_volume=tmp_path / "v")) is None


class TestRunPodStore:
    REPO = Path("NVIDIA") / "parakeet-tdt-0.6b-v2"

    def test_files_lie_in_a_folder_named_by_the_revision(self, tmp_path: Path, where: Places):
        folder = put(tmp_path / "s" / self.REPO / COMMIT, NEMO)
        found = locate("parakeet-tdt-0.6b-v2", dataclasses.replace(where, runpod_store=tmp_path / "s"))
        assert found
        assert (found.path, found.place, found.revision) == (folder, "runpod-store", COMMIT)

    def test_or_deeper_beside_a_lone_config(self, tmp_path: Path, where: Places):
        put(tmp_path / "s" / self.REPO / COMMIT, "config.json")
        folder = put(tmp_path / "s" / self.REPO / COMMIT / "snapshots" / COMMIT, NEMO)
        found = locate("parakeet-tdt-0.6b-v2", dataclasses.replace(where, runpod_store=tmp_path / "s"))
        assert found
        assert found.path == folder

    def test_the_revision_the_platform_names_is_preferred(self, tmp_path: Path, where: Places):
        put(tmp_path / "s" / self.REPO / COMMIT, NEMO)
        wanted = put(tmp_path / "s" / self.REPO / OTHER, NEMO)
        where = dataclasses.replace(where, runpod_store=tmp_path / "s", runpod_revision=OTHER)
        found = locate("parakeet-tdt-0.6b-v2", where)
        assert found
        assert found.path == wanted


class TestFiles:
    def test_another_complete_set_is_as_good(self, tmp_path: Path, where: Places):
        put_snapshot(tmp_path / "hub", "models--nvidia--parakeet-tdt-0.6b-v3", "model.safetensors", "config.json")
        assert locate("parakeet-tdt-0.6b-v3", where)

    @pytest.mark.parametrize("size", [0, 1_289_602])
    def test_empty_or_truncated_files_are_not_a_model(self, where: Places, size: int):
        folder = where.folder(find_model("silero-vad"))
        folder.mkdir(parents=True)
        with (folder / "silero_vad_16k_op15.onnx").open("wb") as writer:
            writer.truncate(size)
        assert locate("silero-vad", where) is None

    def test_what_the_catalog_pins_has_the_same_revision_wherever_it_lies(self, tmp_path: Path, where: Places):
        put_model(where.folder(find_model("whisper-tiny.en")), "whisper-tiny.en")
        ours = locate("whisper-tiny.en", where)
        put_model(
            tmp_path / "hub" / "models--Systran--faster-whisper-tiny.en" / "snapshots" / COMMIT, "whisper-tiny.en"
        )
        hubs = locate("whisper-tiny.en", where)
        assert ours
        assert hubs
        assert (ours.place, hubs.place) == ("cache", "hub-cache")
        assert ours.revision == hubs.revision == find_model("whisper-tiny.en").revision

    def test_models_baked_with_a_hub_cache_in_the_image_are_found(self, tmp_path: Path, where: Places):
        snapshot = put_snapshot(tmp_path / "image", "models--nvidia--parakeet-tdt-0.6b-v2", NEMO)
        found = locate("parakeet-tdt-0.6b-v2", dataclasses.replace(where, image=tmp_path / "image"))
        assert found
        assert (found.path, found.place) == (snapshot, "image")

    def test_an_unknown_name_is_refused(self, where: Places):
        with pytest.raises(InputError):
            locate("no-such-model", where)


class TestEnvironment:
    def test_plain(self):
        where = places({"HOME": "/home/u"})
        assert where.explicit is None
        assert (where.runpod_volume, where.runpod_store, where.image) == (RUNPOD_VOLUME, RUNPOD_STORE, IMAGE_DIR)
        assert where.hub_cache == Path("/home/u/.cache/huggingface/hub")
        assert where.cache.name == "diarist"

    def test_everything_can_be_moved(self):
        where = places(
            {
                "DIARIST_MODEL_DIR": "/a",
                "MODEL_DIR": "/never",
                "DIARIST_CACHE": "/b",
                "HF_HOME": "/c",
                "DIARIST_IMAGE_DIR": "/d",
                "MODEL_REVISION": "r",
            }
        )
        assert where.explicit == Path("/a")
        assert where.cache == Path("/b")
        assert where.hub_cache == Path("/c/hub")
        assert where.image == Path("/d")
        assert where.runpod_revision == "r"

    def test_other_names_of_the_same(self):
        where = places({"MODEL_DIR": "/a", "HF_HUB_CACHE": "/e", "HF_HOME": "/c"})
        assert (where.explicit, where.hub_cache) == (Path("/a"), Path("/e"))
        assert places({"XDG_CACHE_HOME": "/x"}).hub_cache == Path("/x/huggingface/hub")


@pytest.mark.parametrize("ref", [b"\xff\xfe", b"../" * 300, b"a\0b", b"x" * 100_000, b""])
def test_a_reference_that_names_no_commit_is_passed_over(tmp_path, ref):
    snapshot = put_snapshot(tmp_path, "models--nvidia--parakeet-tdt-0.6b-v2", NEMO)
    (tmp_path / "models--nvidia--parakeet-tdt-0.6b-v2" / "refs" / "main").write_bytes(ref)
    found = locate("parakeet-tdt-0.6b-v2", Places(cache=tmp_path / "cache", hub_cache=tmp_path))
    assert found is not None
    assert found.path == snapshot


@pytest.mark.parametrize("lies", ["main", "main/snapshots/main"])
def test_the_configuration_of_3_1_is_found_in_the_model_store(tmp_path: Path, where: Places, lies: str):
    folder = put(tmp_path / "s" / "pyannote" / "speaker-diarization-3.1" / lies, "config.yaml", "README.md")
    found = locate("speaker-diarization-3.1", dataclasses.replace(where, runpod_store=tmp_path / "s"))
    assert found
    assert (found.path, found.place) == (folder, "runpod-store")
