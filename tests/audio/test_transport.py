"""FLAC carries every bit; Opus carries an hour in one request."""

import os
import threading

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from diarist.audio.audio import Audio
from diarist.audio.decode import decode
from diarist.audio.recording import as_recording
from diarist.audio.transport import encode_flac, encode_opus, pack, pack_recording
from diarist.model.errors import InputError


def noise(num_samples, seed=0, low=-32768, high=32768):
    values = np.random.default_rng(seed).integers(low, high, num_samples)
    return Audio((values / 32768).astype(np.float32))


@settings(max_examples=40, deadline=None)
@given(num_samples=st.integers(1, 150_000), seed=st.integers(0, 2**32 - 1))
def test_flac_round_trip_is_bit_equal(num_samples, seed):
    audio = noise(num_samples, seed)
    np.testing.assert_array_equal(decode(encode_flac(audio)).samples, audio.samples)


def test_what_was_decoded_survives_flac_bit_by_bit(encode, tone):
    audio = decode(encode("mp3", "libmp3lame", tone(1.0, 44_100, channels=2), 44_100))
    np.testing.assert_array_equal(decode(encode_flac(audio)).samples, audio.samples)


@settings(max_examples=15, deadline=None)
@given(num_samples=st.integers(1, 60_000), bitrate=st.sampled_from([12_000, 16_000, 24_000, 48_000]))
def test_opus_keeps_the_length(num_samples, bitrate):
    assert len(decode(encode_opus(noise(num_samples, high=100, low=-100), bitrate)).samples) == num_samples


def test_opus_keeps_the_sound_in_place(tone):
    audio = Audio(tone(2.0)[:, 0])
    decoded = decode(encode_opus(audio, 24_000)).samples
    lag = np.argmax(np.correlate(decoded[8000:8400], audio.samples[8000 - 18 : 8400 + 18], "valid")) - 18
    assert abs(lag) <= 1
    assert np.corrcoef(decoded[1000:-1000], audio.samples[1000:-1000])[0, 1] > 0.98


class TestPack:
    def test_flac_while_it_fits(self):
        audio = noise(16_000)
        flac = encode_flac(audio)
        assert pack(audio, len(flac))[:2] == (flac, "flac")
        assert pack(audio, len(flac) - 1).codec == "opus"

    @pytest.mark.parametrize("max_bytes", [200_000, 100_000, 60_000, 50_000])
    def test_opus_never_outgrows_its_room(self, max_bytes):
        audio = noise(16_000 * 30)
        packed = pack(audio, max_bytes)
        assert packed.codec == "opus"
        assert max_bytes / 3 < len(packed.data) <= max_bytes
        assert decode(packed.data).duration == 30.0

    def test_too_much_sound_is_refused_with_a_way_out(self):
        with pytest.raises(InputError) as caught:
            pack(noise(16_000 * 60), 50_000)
        assert caught.value.code == "audio_too_large"
        assert caught.value.http_status == 413
        assert "https URL or a volume: path" in caught.value.hint


class TestPackRecording:
    """What can be read once only, as a pipe, is read once, whether its bytes fit or not."""

    @pytest.mark.parametrize(("room", "codec"), [(None, "original"), (100_000, "original"), (30_000, "opus")])
    def test_a_pipe(self, room, codec):
        data = encode_flac(noise(40_000))
        assert 30_000 < len(data) < 100_000
        reading, writing = os.pipe()

        def write() -> None:
            with open(writing, "wb") as end:
                end.write(data)

        writer = threading.Thread(target=write)
        writer.start()
        with open(reading, "rb") as pipe:
            packed = pack_recording(as_recording(pipe), room)
        writer.join()
        assert packed.codec == codec
        assert packed.seconds == 2.5
        assert packed.data == data or codec == "opus"

    @pytest.mark.parametrize(("room", "codec"), [(None, "original"), (30_000, "opus")])
    def test_an_open_file_from_where_it_stands(self, room, codec, tmp_path):
        data = encode_flac(noise(40_000))
        (tmp_path / "mail").write_bytes(b"headers" + data)
        with (tmp_path / "mail").open("rb") as file:
            file.seek(7)
            packed = pack_recording(as_recording(file), room)
        assert packed.codec == codec
        assert packed.seconds == 2.5
        assert packed.data == data or codec == "opus"
