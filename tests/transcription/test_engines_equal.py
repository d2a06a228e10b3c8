"""Both engines give the same tokens, times and confidences for the same weights. Needs the extras."""

import importlib.util
from dataclasses import asdict

import numpy as np
import pytest

if importlib.util.find_spec("torch") is None or importlib.util.find_spec("onnxscript") is None:
    pytest.skip("the extras gpu and convert are not installed", allow_module_level=True)

from diarist.model.errors import WeightsError
from diarist.model.options import Options
from diarist.model.timeline import Span
from diarist.transcription import tdt
from diarist.transcription.checkpoints import read_network
from diarist.transcription.convert import convert, export
from diarist.transcription.features import batch
from diarist.transcription.parakeet import load_parakeet
from diarist.transcription.parakeet_onnx import OnnxBackend
from diarist.transcription.parakeet_torch import TorchBackend, make_network

from . import tiny

pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture(scope="module")
def nemo(tmp_path_factory):
    return tiny.nemo(tmp_path_factory.mktemp("nemo") / "tiny.nemo")


@pytest.fixture(scope="module")
def graphs(nemo, tmp_path_factory):
    folder = tmp_path_factory.mktemp("onnx")
    export(nemo, folder)
    return folder


@pytest.fixture(scope="module")
def both(nemo, graphs):
    checkpoint = read_network(nemo)
    return TorchBackend(checkpoint, "cpu"), OnnxBackend(graphs, checkpoint.vocabulary.blank, 1)


@pytest.fixture(scope="module")
def sounds():
    rng = np.random.default_rng(3)
    time = np.arange(16_000 * 12) / 16_000
    whole = (rng.normal(0, 0.1, len(time)) * (np.sin(2 * time) > 0)).astype(np.float32)
    return [whole, whole[:50_000], whole[7:99_999], whole[3_000:170_000]]


def decoded(backend, windows):
    return tdt.decode_tokens(backend, *backend.encode(*batch(windows)))


def equal(a, b):
    assert [[(t.id, t.frame, t.duration) for t in row] for row in a] == [
        [(t.id, t.frame, t.duration) for t in row] for row in b
    ]
    confidences = [[t.probability for row in side for t in row] for side in (a, b)]
    assert np.allclose(*confidences, atol=1e-4)


def test_torch_and_onnx_runtime_agree_on_every_token(both, sounds):
    torch_tokens, onnx_tokens = (decoded(backend, sounds) for backend in both)
    assert all(len(row) > 10 for row in torch_tokens)
    equal(torch_tokens, onnx_tokens)


@pytest.mark.parametrize("which", [0, 1])
def test_a_batch_gives_what_each_window_alone_gives(both, sounds, which):
    together = decoded(both[which], sounds)
    equal(together, [decoded(both[which], [one])[0] for one in sounds])


def test_words_agree_too(nemo, graphs, sounds):
    engines = [load_parakeet(str(nemo), device="cpu"), load_parakeet(str(graphs))]
    found = []
    for engine in engines:
        with engine.weights.use() as backend:
            found.append(engine.recognise(backend, sounds[:1], [Span(0, 12)], Options(hotwords=("the",)))[0])
    assert [(w.start, w.end, w.text) for w in found[0]] == [(w.start, w.end, w.text) for w in found[1]]


def test_transformers_layout_gives_what_the_nemo_file_gives(nemo, sounds, tmp_path):
    checkpoint = read_network(nemo)
    tiny.transformers(tmp_path, checkpoint)
    found = read_network(tmp_path / "model.safetensors")
    assert found.vocabulary.pieces == checkpoint.vocabulary.pieces
    assert found.architecture == checkpoint.architecture
    equal(decoded(TorchBackend(found, "cpu"), sounds), decoded(TorchBackend(checkpoint, "cpu"), sounds))
    (tmp_path / "model.safetensors").write_bytes((tmp_path / "model.safetensors").read_bytes()[:5000])
    with pytest.raises(WeightsError, match="not a readable"):
        read_network(tmp_path / "model.safetensors")


def test_our_network_is_transformers_own(nemo, sounds):
    """Same names, and the same encoder output, as ``ParakeetForTDT``, padding and all."""
    import torch

    if importlib.util.find_spec("transformers") is None:
        pytest.skip("transformers is not installed")
    from transformers import ParakeetForTDT, ParakeetTDTConfig

    checkpoint = read_network(nemo)
    ours = make_network(checkpoint.architecture, checkpoint.vocabulary.blank)
    predictor = ("predictor_hidden", "predictor_layers", "durations")
    sizes = {name: size for name, size in asdict(checkpoint.architecture).items() if name not in predictor}
    theirs = ParakeetForTDT(
        ParakeetTDTConfig(
            vocab_size=checkpoint.vocabulary.blank + 1, decoder_hidden_size=32, num_decoder_layers=2,
            durations=list(checkpoint.architecture.durations), encoder_config=sizes,
            blank_token_id=checkpoint.vocabulary.blank, pad_token_id=0,
        )
    ).eval()  # fmt: skip
    assert set(ours.state_dict()) == set(theirs.state_dict())
    theirs.load_state_dict({name: torch.tensor(np.array(t)) for name, t in checkpoint.tensors.items()})
    features, lengths = batch(sounds)
    mask = torch.arange(features.shape[2])[None] < torch.from_numpy(lengths)[:, None]
    with torch.inference_mode():
        wanted = theirs.get_audio_features(
            torch.from_numpy(features).transpose(1, 2), attention_mask=mask
        ).pooler_output
    encoded, counts = TorchBackend(checkpoint, "cpu").encode(features, lengths)
    for row, count in enumerate(counts):
        assert torch.allclose(encoded[row, :count], wanted[row, :count], atol=1e-4)


def test_nemo_finds_the_same_tokens_at_the_same_frames(nemo, both, sounds):
    """NeMo 3, with its own features, network and batched greedy decoder. Runs where NeMo is installed."""
    if importlib.util.find_spec("nemo") is None:
        pytest.skip("NeMo is not installed")
    from nemo.collections.asr.models import ASRModel

    model = ASRModel.restore_from(str(nemo), map_location="cpu")
    theirs = model.transcribe(sounds, batch_size=len(sounds), return_hypotheses=True, verbose=False)
    ours = decoded(both[0], sounds)
    assert sum(map(len, ours)) > 100
    assert [[token.id for token in row] for row in ours] == [one.y_sequence.tolist() for one in theirs]
    assert [[token.frame for token in row] for row in ours] == [[int(at) for at in one.timestamp] for one in theirs]


@pytest.mark.parametrize("change", ["missing", "extra", "size"])
def test_weights_that_do_not_fit_are_refused_before_inference(tmp_path, change):
    tensors = tiny.random_tensors(tiny.SMALL)
    if change == "missing":
        del tensors["joint.enc.weight"]
    elif change == "extra":
        tensors["encoder.surprise"] = np.zeros(3, np.float32)
    else:
        tensors["encoder.layers.0.self_attn.linear_q.weight"] = np.zeros((32, 31), np.float32)
    with pytest.raises(WeightsError, match="do not fit"):
        load_parakeet(str(tiny.nemo(tmp_path / "m.nemo", tensors=tensors)), device="cpu")


def test_a_conversion_says_how_far_it_is_from_the_original(nemo, tmp_path, sounds):
    notes = []
    found = convert(nemo, tmp_path / "out", sounds[0], notes.append)
    assert found.cosine_mean > 0.999
    assert found.tokens > 10
    assert (tmp_path / "out" / "fidelity.json").is_file()
    assert not list((tmp_path / "out").glob(".convert-*"))
    engine = load_parakeet(str(tmp_path / "out"))
    assert engine.model.engine.endswith("int8mm")
    assert "exporting the network" in notes


def test_memory_trouble_in_torch_asks_for_a_smaller_batch(both, sounds, monkeypatch):
    import torch

    from diarist.transcription.windows import OutOfMemory

    def fail(*args, **kwargs):
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(both[0]._network.encoder, "forward", fail)
    with pytest.raises(OutOfMemory):
        both[0].encode(*batch(sounds[:1]))
