"""Samples without a head: told from recordings that have one, read whole, and bounded as any recording."""

import io
import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from diarist.audio.audio import Audio
from diarist.audio.transport import encode_flac, encode_opus
from diarist.server.bare import is_bare, samples


def test_recordings_that_have_a_head_are_told(wav):
    audio = Audio(np.zeros(16_000, np.float32))
    for data in (
        wav(),
        encode_flac(audio),
        encode_opus(audio, 24_000),
        b"\x00\x00\x00\x20ftypM4A ....",
        b"ID3\x03.....",
    ):
        assert not is_bare(io.BytesIO(data))


@pytest.mark.parametrize("loud", [1, 2, 5, 50, 500, 3000])
def test_samples_are_samples_however_quiet(loud):
    rng = random.Random(loud)
    for _ in range(200):
        data = np.array([rng.gauss(0, loud) for _ in range(16)]).astype("<i2").tobytes()
        assert is_bare(io.BytesIO(data))
    assert is_bare(io.BytesIO(bytes(32_000)))


@given(st.lists(st.integers(-32768, 32767), max_size=50))
def test_every_sample_is_read(values):
    data = np.array(values, "<i2").tobytes()
    for tail in (b"", b"\x01"):
        assert (samples(io.BytesIO(data + tail)).samples * 32768).astype(int).tolist() == values


ADDRESS = "/asr?encode=false&output=txt"


def test_they_are_transcribed_and_a_recording_in_their_place_is_too(start, scripted, wav):
    client = start(scripted)
    for data in (wav(), wav()[44:], b"\x00\x00\x01\x00" * 16_000):  # the last looks like a picture
        answer = client.post(ADDRESS, files={"audio_file": data})
        assert answer.text == "Hello\nthere.\nGood\nmorning.\n", answer.text


def test_what_is_said_not_to_be_samples_is_not_taken_for_them(start, scripted, wav):
    answer = start(scripted).post("/asr", files={"audio_file": wav()[44:]})
    assert answer.json()["error"]["code"] == "audio_not_recognised"
    assert answer.json()["error"]["param"] == "audio_file"


def test_too_many_of_them_are_refused_and_not_cut(start, scripted):
    client = start(scripted, max_seconds=60)
    answer = client.post(ADDRESS, files={"audio_file": bytes(32_000 * 61)})
    assert (answer.status_code, answer.json()["error"]["code"]) == (413, "audio_too_long")
    assert client.post(ADDRESS, files={"audio_file": bytes(32_000 * 59)}).status_code == 200
