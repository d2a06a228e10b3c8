"""Our graphs compute what the original networks compute; see golden.py for how the references were made."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import numpy as np
import onnxruntime
import pytest

from diarist.diarization import graphs
from diarist.diarization.features import fbank
from diarist.diarization.pipeline import _segmenter
from diarist.diarization.segmentation import NUM_FRAMES, Grid
from diarist.weights.checkpoint import read_checkpoint, state_dict
from diarist.weights.fetch import ensure

spec = importlib.util.spec_from_file_location("golden", Path(__file__).with_name("golden.py"))
golden = importlib.util.module_from_spec(spec)
spec.loader.exec_module(golden)


@pytest.fixture(scope="module")
def expected() -> dict[str, np.ndarray]:
    with np.load(golden.PATH) as arrays:
        return dict(arrays)


def session(model: bytes) -> onnxruntime.InferenceSession:
    return onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])


def centred(features: np.ndarray) -> np.ndarray:
    return (features - features.mean(axis=0))[None]


def resnet34(expected, ranges=None) -> np.ndarray:
    made = golden.weights(json.loads(str(expected["shapes"])))
    state = {f"resnet.{name}": value for name, value in made.items()}
    frames = session(graphs.resnet34(state, ranges)).run(None, {"fbank": centred(fbank(golden.signal(10)))})[0][0]
    masks = golden.masks(3, NUM_FRAMES)[:, np.arange(frames.shape[1]) * NUM_FRAMES // frames.shape[1]]
    pool = session(graphs.pooling(*graphs.resnet34_head(state)))
    return pool.run(None, {"frames": frames, "weights": masks})[0]


def test_features_are_kaldi_s(expected):
    np.testing.assert_allclose(centred(fbank(golden.signal(10)))[0, ::25], expected["fbank"], atol=2e-3)


def test_fbank_of_too_little_sound_is_empty():
    assert fbank(np.zeros(399, np.float32)).shape == (0, 80)


def test_wespeaker_s_trunk_and_masked_pooling(expected):
    np.testing.assert_allclose(resnet34(expected)[1:], expected["resnet34"][1:], rtol=1e-3, atol=1e-3)


def test_a_mask_of_one_frame_or_none_gives_a_number(expected):
    # The network's frame rate may skip the one frame; what counts is that nothing divides by zero.
    assert np.isfinite(resnet34(expected)).all()


def test_the_8_bit_trunk_points_the_same_way(expected):
    state = {f"resnet.{k}": v for k, v in golden.weights(json.loads(str(expected["shapes"]))).items()}
    exposed = session(graphs.resnet34(state, expose=True))
    names = [output.name for output in exposed.get_outputs() if output.name != "frames"]
    values = exposed.run(names, {"fbank": centred(fbank(golden.signal(10)))})
    ranges = {name: (float(v.min()), float(v.max())) for name, v in zip(names, values, strict=True)}
    whole, rough = resnet34(expected)[1:], resnet34(expected, ranges)[1:]
    cosine = (whole * rough).sum(axis=1) / np.linalg.norm(whole, axis=1) / np.linalg.norm(rough, axis=1)
    assert cosine.min() > 0.99


@pytest.mark.models
def test_segmentation_shared_between_chunks_is_segmentation_of_each_chunk(expected):
    segmenter = _segmenter(ensure("segmentation-3.0") / "pytorch_model.bin", ["CPUExecutionProvider"])
    samples = golden.signal(10)
    alone = segmenter.log_probs(samples, 0, Grid(len(samples)), 0, 1)[0]
    np.testing.assert_allclose(alone[::10], expected["log_probs"], atol=2e-3)
    assert (alone.argmax(axis=1) == expected["classes"]).mean() > 0.995
    # The same ten seconds as the third of five chunks.
    rng = np.random.default_rng(2)
    around = np.float32(np.concatenate([0.2 * rng.standard_normal(32_000), samples, 0.2 * rng.standard_normal(32_000)]))
    third = segmenter.log_probs(around, 0, Grid(len(around)), 0, 5)[2]
    np.testing.assert_allclose(third, alone, atol=2e-3)


@pytest.mark.models
def test_campplus(expected):
    state = state_dict(read_checkpoint(ensure("campplus") / "campplus_cn_en_common.pt"))
    features = centred(fbank(golden.signal(10)))
    context, stretch = graphs.context_of(-(-features.shape[1] // 2))
    inputs = {"fbank": features, "context": context, "stretch": stretch}
    frames = session(graphs.campplus(state)).run(None, inputs)[0][0]
    pool = session(graphs.pooling(*graphs.campplus_head(state)))
    voice = pool.run(None, {"frames": frames, "weights": np.ones((1, frames.shape[1]), np.float32)})[0][0]
    np.testing.assert_allclose(voice, expected["campplus"], atol=5e-3)
