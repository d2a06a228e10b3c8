"""Clips to hear who is who, cut from real speech."""

import json
import shutil
import wave

import pytest

from diarist.model import codec
from diarist.model.transcript import Transcript, Turn

pytestmark = pytest.mark.models


@pytest.fixture(scope="module")
def folder(diarist, call, tmp_path_factory):
    """A recording with its transcript beside it."""
    folder = tmp_path_factory.mktemp("samples")
    shutil.copy(call, folder / "call.wav")
    done = diarist("transcribe", folder / "call.wav", "-f", "json", "-o", folder)
    assert done.returncode == 0, done.stderr
    return folder


def test_each_speaker_gets_clips_that_are_cut_from_the_recording(diarist, folder):
    import numpy as np

    from diarist.audio.decode import decode

    done = diarist("samples", folder / "call.json")
    assert done.returncode == 0, done.stderr
    clips = sorted((folder / "call-samples").iterdir())
    assert {clip.name.rpartition("-")[0] for clip in clips} == {"SPEAKER_00", "SPEAKER_01"}
    assert len(clips) <= 6
    whole = decode(folder / "call.wav").samples
    for clip in clips:
        assert str(clip) in done.stdout
        with wave.open(str(clip)) as sound:
            assert 1 <= sound.getnframes() / sound.getframerate() <= 8
        samples = decode(clip).samples
        starts = np.flatnonzero(np.abs(whole[: len(whole) - len(samples)] - samples[0]) < 1e-6)
        assert any(np.array_equal(whole[s : s + len(samples)], samples) for s in starts)
    assert "diarist rename" in done.stderr


def test_a_recording_elsewhere_is_named(diarist, folder, call, tmp_path):
    alone = shutil.copy(folder / "call.json", tmp_path / "alone.json")
    refused = diarist("samples", alone)
    assert refused.returncode == 2
    assert "--recording" in refused.stderr
    done = diarist("samples", alone, "--recording", call, "-o", tmp_path / "clips")
    assert done.returncode == 0, done.stderr
    assert list((tmp_path / "clips").iterdir())


def test_a_speaker_gets_three_clips_of_eight_seconds(diarist, tmp_path):
    talk = Transcript(duration=40, language=None, speakers=("A",), segments=(), turns=(Turn(0, 40, "A"),), models=())
    (tmp_path / "talk.json").write_text(json.dumps(codec.dump(talk)))
    with wave.open(str(tmp_path / "talk.wav"), "wb") as sound:
        sound.setparams((1, 2, 8000, 0, "NONE", ""))
        sound.writeframes(bytes(2 * 8000 * 40))
    done = diarist("samples", tmp_path / "talk.json")
    assert done.returncode == 0, done.stderr
    clips = sorted((tmp_path / "talk-samples").iterdir())
    assert [clip.name for clip in clips] == ["A-1.wav", "A-2.wav", "A-3.wav"]
    for clip in clips:
        with wave.open(str(clip)) as sound:
            assert sound.getnframes() / sound.getframerate() == 8


def test_another_recording_is_refused(diarist, folder, tmp_path):
    with wave.open(str(tmp_path / "other.wav"), "wb") as other:
        other.setparams((1, 2, 8000, 0, "NONE", ""))
        other.writeframes(bytes(2 * 8000 * 5))
    done = diarist("samples", folder / "call.json", "--recording", tmp_path / "other.wav")
    assert done.returncode == 2
    assert "other.wav is 5.0 s long" in done.stderr


def test_two_recordings_of_one_name_are_not_guessed_between(diarist, folder, tmp_path):
    for name in ("call.json", "call.wav"):
        shutil.copy(folder / name, tmp_path / name)
    shutil.copy(folder / "call.wav", tmp_path / "call.mp3")
    done = diarist("samples", tmp_path / "call.json")
    assert done.returncode == 2
    assert "call.mp3, call.wav" in done.stderr
