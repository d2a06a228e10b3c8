"""The adapter for speakrs, where that is installed; ``DIARIST_SPEAKRS_MODELS`` names a folder with its files."""

from __future__ import annotations

import importlib.util
import os
import wave

import numpy as np
import pytest

from diarist.audio.audio import Audio
from diarist.diarization.speakrs import load_speakrs
from diarist.engines import open_diarizer
from diarist.model.errors import EngineError, InputError, WeightsError
from diarist.model.options import Options
from diarist.weights.fetch import ensure

installed = importlib.util.find_spec("speakrs") is not None
needs_models = pytest.mark.skipif(
    not installed or "DIARIST_SPEAKRS_MODELS" not in os.environ, reason="needs speakrs and its files"
)


@pytest.mark.skipif(installed, reason="speakrs is installed")
def test_without_speakrs_the_way_out_is_named():
    with pytest.raises(EngineError, match=r"pip install .*speakrs=="):
        load_speakrs("anywhere")


@pytest.mark.skipif(not installed, reason="needs speakrs")
def test_a_folder_without_its_files_is_named_in_one_line(tmp_path):
    with pytest.raises(WeightsError, match=f"cannot load {tmp_path}"):
        load_speakrs(str(tmp_path))


@needs_models
@pytest.mark.models
def test_two_people_on_the_telephone():
    diarizer = open_diarizer(f"speakrs:{os.environ['DIARIST_SPEAKRS_MODELS']}", device="cpu", threads=2)
    with wave.open(str(ensure("sample-telephone") / "sample.wav")) as file:
        samples = np.frombuffer(file.readframes(file.getnframes()), np.int16).astype(np.float32) / 32768
        audio = Audio(samples)
    result = diarizer.diarize(audio)
    assert result.speakers == ("SPEAKER_00", "SPEAKER_01")
    assert {turn.speaker for turn in result.exclusive} == set(result.speakers)
    assert all(a.end <= b.start for a, b in zip(result.exclusive, result.exclusive[1:], strict=False))
    assert max(turn.end for turn in result.turns) <= result.duration
    with pytest.raises(InputError, match="cannot honour num_speakers"):
        diarizer.diarize(audio, Options(num_speakers=2))


@needs_models
def test_silence_has_no_turns():
    diarizer = load_speakrs(os.environ["DIARIST_SPEAKRS_MODELS"])
    for seconds in (0, 0.01, 12):
        assert diarizer.diarize(Audio(np.zeros(round(16_000 * seconds), np.float32))).turns == ()
