"""The adapter for Nemotron-3-Diarization, on a tiny network with random weights. ``make parity`` has what it needs."""

import importlib.util
import json

import numpy as np
import pytest

from diarist.audio.audio import Audio
from diarist.diarization.nemotron import load_nemotron
from diarist.engines import open_diarizer
from diarist.model.errors import EngineError, InputError, WeightsError
from diarist.model.options import Options

installed = all(importlib.util.find_spec(name) for name in ("torch", "transformers"))
needs_it = pytest.mark.skipif(not installed, reason="the extra nemotron is not installed")
pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A checkpoint of the published layout, whose network is small and has random weights."""
    import torch
    from transformers import (
        Nemotron3DiarizationConfig,
        Nemotron3DiarizationForAudioFrameClassification,
        Nemotron3DiarizationProcessor,
        NemotronAsrStreamingFeatureExtractor,
    )

    torch.manual_seed(1)
    encoder = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4}
    config = Nemotron3DiarizationConfig(
        audio_config=encoder, head_config={"hidden_size": 16, "audio_hidden_size": 32}, initializer_range=0.5
    )
    path = tmp_path_factory.mktemp("nemotron")
    Nemotron3DiarizationForAudioFrameClassification(config).save_pretrained(path)
    Nemotron3DiarizationProcessor(NemotronAsrStreamingFeatureExtractor(feature_size=128)).save_pretrained(path)
    return path


@pytest.fixture(scope="module")
def audio():
    time = np.arange(16_000 * 30 + 77) / 16_000  # more than one of the network's chunks of 27 s
    noise = np.random.default_rng(3).normal(0, 0.1, len(time)) * (np.sin(2 * time) > 0)
    return Audio(noise.astype(np.float32))


@pytest.fixture(scope="module")
def diarizer(folder):
    return load_nemotron(str(folder), device="cpu", threads=1)


@pytest.mark.skipif(installed, reason="the extra nemotron is installed")
def test_without_the_extra_the_way_out_is_named():
    with pytest.raises(EngineError, match=r"pip install .*transformers=="):
        load_nemotron()


@needs_it
def test_turns_are_where_the_network_is_more_sure_than_not(diarizer, folder, audio):
    import torch
    from transformers import Nemotron3DiarizationForAudioFrameClassification, Nemotron3DiarizationProcessor

    found = diarizer.diarize(audio)
    processor = Nemotron3DiarizationProcessor.from_pretrained(folder)
    network = Nemotron3DiarizationForAudioFrameClassification.from_pretrained(folder)
    with torch.inference_mode():
        wanted = network(**processor(audio.samples, sampling_rate=16_000)).logits[0].sigmoid().numpy()
    columns = [column for column in range(8) if (wanted[:3000, column] > 0.5).any()]
    assert len(found.speakers) == len(columns) > 1
    assert set(found.speakers) == {f"SPEAKER_{i:02d}" for i in range(len(columns))}
    for when in np.arange(0.005, 30, 0.27):
        speaking = {turn.speaker for turn in found.turns if turn.start <= when < turn.end}
        assert len(speaking) == (wanted[int(when * 100)] > 0.5).sum()
        alone = [turn for turn in found.exclusive if turn.start <= when < turn.end]
        assert len(alone) == bool(speaking)
        assert all(turn.speaker in speaking for turn in alone)


@needs_it
def test_scores_are_the_probabilities_of_the_speakers_that_have_turns(diarizer, audio):
    found = diarizer.diarize(audio)
    scores = found.scores
    values = np.frombuffer(scores.values, np.uint8).reshape(-1, len(scores.speakers)) / 255
    assert scores.speakers == found.speakers
    assert len(values) * scores.step == pytest.approx(found.duration, abs=0.02)
    for turn in found.turns:
        frames = slice(round(turn.start / scores.step), max(round(turn.end / scores.step), 1))
        mean = values[frames, scores.speakers.index(turn.speaker)].mean()
        assert turn.confidence == pytest.approx(mean, abs=0.01)
        assert turn.confidence > 0.5
    assert found.embeddings == {}


@needs_it
@pytest.mark.parametrize("seconds", [0, 0.001, 0.02, 0.5])
def test_short_recordings_end_in_time(diarizer, seconds):
    found = diarizer.diarize(Audio(np.zeros(round(16_000 * seconds), np.float32)))
    assert all(turn.end <= seconds for turn in (*found.turns, *found.exclusive))


@needs_it
@pytest.mark.parametrize("hint", ["num_speakers", "min_speakers", "max_speakers"])
def test_a_number_of_speakers_is_refused_by_name(diarizer, audio, hint):
    with pytest.raises(InputError, match=f"cannot honour {hint}"):
        diarizer.diarize(audio, Options(**{hint: 2}))


@needs_it
def test_the_command_line_name_reaches_it(folder):
    found = open_diarizer(f"nemotron:{folder}", device="cpu", threads=1)
    assert found.model.name == folder.name
    assert found.model.engine.startswith("transformers 5")


@needs_it
@pytest.mark.parametrize("change", ["no folder", "another network", "no weights", "other tensors"])
def test_what_cannot_be_loaded_is_named_in_one_line(folder, tmp_path, change):
    if change == "another network":
        (tmp_path / "config.json").write_text(json.dumps({"model_type": "parakeet_tdt"}))
    elif change == "no weights":
        for file in folder.glob("*.json"):
            (tmp_path / file.name).write_bytes(file.read_bytes())
    elif change == "other tensors":
        from safetensors.torch import load_file, save_file

        for file in folder.glob("*.json"):
            (tmp_path / file.name).write_bytes(file.read_bytes())
        tensors = load_file(folder / "model.safetensors")
        tensors["classifier.surprise"] = tensors.pop("silence_embeds")
        save_file(tensors, tmp_path / "model.safetensors", {"format": "pt"})
    name = tmp_path / "nowhere" if change == "no folder" else tmp_path
    with pytest.raises(WeightsError, match="cannot load"):
        load_nemotron(str(name), device="cpu")
