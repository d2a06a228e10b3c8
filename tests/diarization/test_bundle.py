"""community-1 and 3.1, loaded as their repositories lay them out; with made-up voices, as the real ones are gated."""

from __future__ import annotations

import importlib.util
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from diarist.audio.audio import Audio
from diarist.audio.decode import decode
from diarist.diarization.pipeline import load_diarizer
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
