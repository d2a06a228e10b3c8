"""The embedded models on real speech."""

from __future__ import annotations

import wave
from pathlib import Path

import numpy as np
import pytest

from diarist.audio.audio import Audio
from diarist.diarization.clustering import Bounds
from diarist.diarization.evidence import Evidence
from diarist.diarization.pipeline import load_diarizer
from diarist.diarization.segmentation import POWERSET
from diarist.model import codec
from diarist.model.errors import Cancelled, EngineError, InputError
from diarist.model.options import Options
from diarist.model.transcript import Diarization
from diarist.weights.fetch import ensure

pytestmark = pytest.mark.models


@pytest.fixture(scope="module")
def diarizer():
    return load_diarizer("embedded", threads=2)


@pytest.fixture(scope="module")
def telephone() -> Audio:
    """A real call between two people, 30 s."""
    return read(ensure("sample-telephone") / "sample.wav")


@pytest.fixture(scope="module")
def reader() -> Audio:
    """One person reading, 44 s."""
    return read(next(ensure("sample-reader").glob("*.wav")))


def read(path: Path) -> Audio:
    with wave.open(str(path)) as file:
        rate = file.getframerate()
        samples = np.frombuffer(file.readframes(file.getnframes()), np.int16).reshape(-1, file.getnchannels())[:, 0]
    if rate != 16_000:
        places = np.arange(0, len(samples) - 1, rate / 16_000)
        samples = np.interp(places, np.arange(len(samples)), samples).astype(np.int16)
    return Audio(samples.astype(np.float32) / 32768)


class TestOnAMachineWithoutGpu:
    """With ONNX Runtime for CUDA, which names its provider whether or not there is a GPU."""

    @pytest.fixture(autouse=True)
    def runtime_for_cuda(self, monkeypatch):
        names = ["CUDAExecutionProvider", "CPUExecutionProvider"]
        monkeypatch.setattr("onnxruntime.get_available_providers", lambda: names)
        monkeypatch.setattr("diarist.gpu.gpu_count", lambda: 0)

    def test_auto_takes_the_cpu(self):
        assert "cuda" not in load_diarizer("embedded").model.engine

    def test_cuda_is_refused(self):
        with pytest.raises(InputError, match="no NVIDIA GPU"):
            load_diarizer("embedded", device="cuda")

    @pytest.mark.filterwarnings("ignore:Specified provider")
    def test_a_driver_without_cudas_libraries_is_an_error_and_not_the_cpu_in_silence(self, monkeypatch):
        monkeypatch.setattr("diarist.gpu.gpu_count", lambda: 1)
        with pytest.raises(EngineError, match="cannot load CUDA"):
            load_diarizer("embedded")


def test_two_people_on_the_telephone(diarizer, telephone):
    result = diarizer.diarize(telephone)
    assert result.speakers == ("SPEAKER_00", "SPEAKER_01")
    assert [turn.speaker for turn in result.exclusive][:1] == ["SPEAKER_00"]
    for embedding in result.embeddings.values():
        assert np.linalg.norm(embedding) == pytest.approx(1)
    assert all(0 < turn.confidence <= 1 for turn in result.turns)
    assert codec.load(Diarization, codec.dump(result)) == result


def test_one_reader_stays_one_speaker(diarizer, reader):
    assert diarizer.diarize(reader).speakers == ("SPEAKER_00",)


class TestWhatTheEmbeddedPairTakesForOneVoice:
    """By how far apart embeddings lie, from 0 to 2."""

    @staticmethod
    def embeddings(distance, together, first, second=0):
        """Chunks in which two voices speak, then those with the first alone, then with the second alone."""
        chunks = together + first + second
        half = np.arcsin(distance / 2)
        voices = np.zeros((2, 512), np.float32)
        voices[:, 0], voices[:, 1] = np.cos(half), [np.sin(half), -np.sin(half)]
        found = np.full((chunks, 3, 512), np.nan, np.float32)
        found[: together + first, 0] = voices[0]
        found[:together, 1] = found[together + first :, 1] = voices[1]
        found += np.random.default_rng(0).normal(0, 0.02 / 512**0.5, found.shape).astype(np.float32)
        classes = np.ones((chunks, 589), np.uint8)
        classes[:together, 300:] = classes[together + first :] = 2
        return found, classes

    @pytest.mark.parametrize(("distance", "speakers"), [(0.5, 1), (0.7, 1), (0.8, 2), (1.2, 2)])
    def test_voices_that_are_never_heard_together(self, diarizer, distance, speakers):
        found = diarizer.clustering(*self.embeddings(distance, 0, 30, 30), Bounds())
        assert len(found.centroids) == speakers

    @pytest.mark.parametrize(("distance", "speakers"), [(0.8, 1), (0.85, 1), (0.95, 2), (1.2, 2)])
    def test_a_voice_that_speaks_little_and_only_beside_the_other(self, diarizer, distance, speakers):
        found = diarizer.clustering(*self.embeddings(distance, 3, 60), Bounds())
        assert len(found.centroids) == speakers

    @pytest.mark.parametrize(("seconds", "speakers"), [(0.5, 1), (1.4, 1), (1.6, 2), (3, 2)])
    def test_a_second_voice_that_sounds_like_the_first_and_is_heard_under_it(self, diarizer, seconds, speakers):
        embeddings, classes = self.embeddings(0.0, 1, 0)
        classes[:] = 1
        classes[0, 100 : 100 + round(seconds * 16_000 / 270)] = 4  # both at once
        activity = POWERSET[classes] * np.uint8(255)
        evidence = Evidence("embedded", 160_000, 16_000, 0, classes, activity, embeddings)
        assert len(diarizer.cluster(evidence).speakers) == speakers


def test_silence_has_no_turns(diarizer):
    for seconds in (0, 0.01, 3, 30):
        result = diarizer.diarize(Audio(np.zeros(int(seconds * 16_000), np.float32)))
        assert result.turns == result.exclusive == ()


@pytest.mark.parametrize("wanted", [1, 2, 3])
def test_the_number_of_speakers_can_be_told(diarizer, telephone, wanted):
    assert len(diarizer.diarize(telephone, Options(num_speakers=wanted)).speakers) == wanted


def test_a_hint_that_the_audio_cannot_meet_is_reported(diarizer, telephone):
    result = diarizer.diarize(telephone, Options(min_speakers=60))
    assert 1 <= len(result.speakers) < 60
    assert "at least 60" in result.warnings[0]


def test_the_result_does_not_depend_on_threads_or_chance(diarizer, telephone):
    first = diarizer.diarize(telephone)
    again = load_diarizer("embedded", threads=1).diarize(telephone)
    assert (first.turns, first.scores, first.embeddings) == (again.turns, again.scores, again.embeddings)


def test_progress_rises_to_the_end_and_can_cancel(diarizer, telephone):
    reports = []
    diarizer.diarize(telephone, progress=lambda stage, done: reports.append((stage, done)))
    assert {stage for stage, _ in reports} == {"diarization"}
    shares = [done for _, done in reports]
    assert shares == sorted(shares)
    assert (shares[0], shares[-1]) == (0, 1)

    def cancel(stage: str, done: float) -> None:
        raise Cancelled

    with pytest.raises(Cancelled):
        diarizer.diarize(telephone, progress=cancel)


def test_an_unknown_model_or_device_is_refused():
    with pytest.raises(InputError):
        load_diarizer("nobody")
    with pytest.raises(InputError):
        load_diarizer(device="abacus")
