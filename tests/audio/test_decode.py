"""Any recording becomes mono 16 kHz samples, or one clear refusal."""

import contextlib
import io
import math
import os
import struct
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import av
import numpy as np
import pytest
from av.stream import Disposition
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from diarist.audio import opening
from diarist.audio.decode import decode, decode_channels
from diarist.audio.recording import CLI_KINDS, Recording, parse_recording
from diarist.model.errors import Cancelled, InputError

FORMATS = {  # (container, codec, rate): the most the length may differ, in seconds (padding of the last frame)
    ("wav", "pcm_u8", 8_000): 0,
    ("wav", "pcm_s16le", 11_025): 0,
    ("wav", "pcm_s24le", 44_100): 0,
    ("wav", "pcm_s32le", 48_000): 0,
    ("wav", "pcm_f32le", 16_000): 0,
    ("wav", "pcm_f64le", 96_000): 0,
    ("wav", "pcm_mulaw", 8_000): 0,
    ("wav", "pcm_alaw", 8_000): 0,
    ("wav", "adpcm_ima_wav", 22_050): 0.1,
    ("w64", "pcm_s16le", 44_100): 0,
    ("aiff", "pcm_s16be", 44_100): 0,
    ("caf", "pcm_s16le", 44_100): 0,
    ("au", "pcm_mulaw", 8_000): 0,
    ("flac", "flac", 44_100): 0,
    ("ogg", "flac", 16_000): 0,
    ("ogg", "libopus", 48_000): 0,
    ("webm", "libopus", 48_000): 0.001,
    ("matroska", "aac", 44_100): 0.05,
    ("mp3", "libmp3lame", 44_100): 0,
    ("mp3", "libmp3lame", 16_000): 0,
    ("mp2", "mp2", 48_000): 0.03,
    ("mp4", "aac", 44_100): 0.03,
    ("ipod", "alac", 44_100): 0,
    ("adts", "aac", 44_100): 0.05,
    ("mov", "pcm_s16le", 48_000): 0,
    ("mpegts", "aac", 48_000): 0.05,
    ("avi", "libmp3lame", 44_100): 0.06,
    ("flv", "aac", 44_100): 0.05,
    ("amr", "libopencore_amrnb", 8_000): 0.03,
    ("3gp", "libopencore_amrnb", 8_000): 0.03,
    ("ac3", "ac3", 48_000): 0.03,
    ("wv", "wavpack", 44_100): 0,
    ("tta", "tta", 44_100): 0,
    ("voc", "pcm_u8", 8_000): 0,
    ("nut", "pcm_s16le", 16_000): 0,
}


def refusal(source, **options):
    with pytest.raises(InputError) as caught:
        decode(source, **options)
    error = caught.value
    assert error.exit_code == 2
    assert "\n" not in str(error)
    return error.code, error.http_status, str(error)


def pitch(samples):
    return np.abs(np.fft.rfft(samples)).argmax() * 16_000 / len(samples)


# PyAV 19 no longer brings an encoder for AMR.
@pytest.mark.parametrize(("container", "codec", "rate"), [each for each in FORMATS if each[1] in av.codecs_available])
def test_every_container_and_codec_keeps_length_pitch_and_loudness(container, codec, rate, encode, tone):
    audio = decode(encode(container, codec, tone(2.0, rate), rate))
    assert audio.samples.dtype == np.float32
    assert audio.duration == pytest.approx(2.0, abs=FORMATS[container, codec, rate] + 1e-9)
    assert pitch(audio.samples) == pytest.approx(440, abs=2)
    assert np.sqrt(np.mean(audio.samples[4000:-4000] ** 2)) == pytest.approx(
        0.3 / math.sqrt(2), rel=0.2
    )  # AMR is a speech codec
    assert audio.warnings == ()


@pytest.mark.parametrize("container", ["mp4", "mov", "matroska", "avi"])
def test_sound_of_a_video(container, encode, tone):
    audio = decode(encode(container, "aac", tone(1.0, 48_000), 48_000, picture=True))
    assert audio.duration == pytest.approx(1.0, abs=0.1)
    assert pitch(audio.samples) == pytest.approx(440, abs=2)


@settings(max_examples=60, deadline=None)
@given(
    rate=st.sampled_from([8_000, 11_025, 16_000, 22_050, 32_000, 44_100, 48_000, 96_000, 192_000]),
    num_samples=st.integers(1, 30_000),
)
def test_length_law_of_resampling(rate, num_samples, wav):
    audio = decode(wav(np.ones((num_samples, 1), np.int16), rate))
    assert len(audio.samples) == math.ceil(num_samples * 16_000 / rate)


@settings(max_examples=30, deadline=None)
@given(channels=st.integers(1, 16), num_samples=st.integers(1, 3_000), seed=st.integers(0, 2**32 - 1))
def test_channels_and_their_mix_are_exact_at_16_khz(channels, num_samples, seed, wav):
    samples = np.random.default_rng(seed).integers(-32768, 32768, (num_samples, channels), dtype=np.int16)
    # What happens to be quieter than -40 dBFS, a channel by itself or the mix, is made louder.
    assume(np.abs(samples.astype(int)).max(axis=0).min() > 400)
    recording = wav(samples)
    each = decode_channels(recording)
    assert len(each) == channels
    for index, audio in enumerate(each):
        np.testing.assert_array_equal(audio.samples * 32768, samples[:, index])
        np.testing.assert_array_equal(audio.samples, decode(recording, channel=index).samples)
    mean = samples.mean(axis=1)
    assume(np.abs(mean).max() > 400)
    np.testing.assert_allclose(decode(recording).samples * 32768, mean, atol=1)


def test_values_are_16_bit(encode, tone):
    samples = decode(encode("mp3", "libmp3lame", tone(1.0, 44_100), 44_100)).samples * 32768
    np.testing.assert_array_equal(samples, np.rint(samples))
    assert samples.min() >= -32768
    assert samples.max() <= 32767


def test_float_samples_beyond_full_scale_get_one_gain_and_are_told(wav):
    audio = decode(wav(np.array([[2.0], [-2.0], [0.5]], np.float32)))
    np.testing.assert_allclose(audio.samples * 4 / audio.samples[0], [4, -4, 1], atol=1e-3)
    assert 0.5 < audio.samples[0] < 1
    assert "beyond full scale (peak +6 dBFS)" in audio.warnings[0]


def test_very_quiet_recordings_get_one_gain_and_are_told(wav, tone):
    audio = decode(wav(tone(1.0) * np.float32(0.001)))
    assert audio.samples.max() == pytest.approx(0.708, abs=0.01)
    assert "very quiet (peak -70 dBFS)" in audio.warnings[0]


def test_recordings_of_usual_level_keep_their_samples_bit_by_bit(wav):
    samples = np.random.default_rng(0).integers(-32768, 32768, (20_000, 1), dtype=np.int16)
    audio = decode(wav(samples))
    np.testing.assert_array_equal(audio.samples * 32768, samples[:, 0])
    assert audio.warnings == ()


@pytest.mark.parametrize("level", [-1.0, -0.9])
def test_channels_out_of_phase_are_not_mixed(level, wav, tone):
    one = tone(1.0)[:, 0]
    audio = decode(wav(np.stack([one, one * np.float32(level)], axis=1)))
    assert np.abs(audio.samples).max() > 0.25
    assert "cancel each other" in audio.warnings[0]


def test_what_is_left_of_cancelled_channels_is_not_told_as_the_level_of_the_recording(wav, tone):
    one = tone(2.0)
    (told,) = decode(wav(np.concatenate([one, -0.98 * one], axis=1))).warnings
    assert "cancel each other" in told


def test_one_silent_channel_is_mixed_as_ever(wav, tone):
    one = tone(1.0)[:, 0]
    audio = decode(wav(np.stack([one, one * 0], axis=1)))
    assert audio.warnings == ()
    assert np.abs(audio.samples).max() == pytest.approx(0.15, abs=0.01)


def two_tracks(container, first, second, default=None):
    file = io.BytesIO()
    codec = "pcm_s16le" if container in ("matroska", "avi", "mov") else "aac" if container == "mp4" else "libopus"
    with av.open(file, "w", format=container) as output:
        streams = [output.add_stream(codec, rate=48_000, layout="mono") for _ in range(2)]
        for number, stream in enumerate(streams):
            if default is not None:
                stream.disposition = Disposition.default if number == default else 0
        for stream, samples in zip(streams, (first, second), strict=True):
            resampler = av.AudioResampler(format=stream.codec_context.format, layout="mono", rate=48_000)
            frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(samples.reshape(1, -1)), "flt", "mono")
            frame.sample_rate, frame.pts = 48_000, 0
            fifo = av.AudioFifo()
            for each in resampler.resample(frame):
                fifo.write(each)
            while (piece := fifo.read(stream.codec_context.frame_size or 4800, partial=True)) is not None:
                output.mux(stream.encode(piece))
            output.mux(stream.encode(None))
    return file.getvalue()


@pytest.mark.parametrize("container", ["matroska", "mp4", "mov", "avi", "webm", "ogg"])
def test_a_silent_first_track_gives_way_to_one_that_speaks(container, tone):
    sound = tone(0.5, 48_000)[:, 0]
    recording = two_tracks(container, sound * 0, sound)
    audio = decode(recording)
    assert np.abs(audio.samples).max() > 0.2
    assert "2 audio tracks; track 1 is silent, so track 2" in " ".join(audio.warnings)
    asked = decode(recording, track=1)
    assert not asked.samples.any()
    assert "try --track 2" in asked.warnings[-1]


def test_the_default_track_is_taken_and_told(tone):
    low, high = tone(0.5, 48_000)[:, 0], tone(0.5, 48_000, frequency=880.0)[:, 0]
    recording = two_tracks("matroska", low, high, default=1)
    audio = decode(recording)
    assert pitch(audio.samples) == pytest.approx(880, abs=4)
    assert "track 2" in audio.warnings[0]
    assert pitch(decode(recording, track=1).samples) == pytest.approx(440, abs=4)
    code, _, says = refusal(recording, track=3)
    assert code == "bad_track"
    assert "It has: 1, 2." in says


def test_a_part_is_the_same_samples_as_in_the_whole(wav):
    recording = wav(np.random.default_rng(1).integers(-9000, 9000, (16_000 * 3, 2), dtype=np.int16))
    whole = decode(recording).samples
    np.testing.assert_array_equal(decode(recording, start=0.5, stop=1.25).samples, whole[8_000:20_000])
    np.testing.assert_array_equal(decode(recording, start=2.5).samples, whole[40_000:])
    assert decode(recording, stop=9).duration == 3.0
    assert refusal(recording, start=4.0)[0] == "bad_part"
    assert refusal(recording, start=2.0, stop=1.0)[0] == "bad_part"


def test_path_file_and_bytes_give_the_same(tmp_path, wav, tone):
    data = wav(tone(0.1))
    path = tmp_path / "a.wav"
    path.write_bytes(data)
    expected = decode(data).samples
    for source in (path, io.BytesIO(data), parse_recording(str(path), CLI_KINDS)):
        np.testing.assert_array_equal(decode(source).samples, expected)
    shifted = io.BytesIO(b"a preamble already read" + data)
    shifted.seek(23)
    np.testing.assert_array_equal(decode(shifted).samples, expected)
    assert not shifted.closed


def test_sound_that_starts_late_keeps_its_place(encode, tone):
    audio = decode(encode("matroska", "pcm_s16le", tone(0.5), 16_000, picture=True, start=0.75))
    assert audio.duration == pytest.approx(1.25, abs=0.002)
    assert not audio.samples[:11_900].any()
    assert audio.samples[12_050:12_500].any()
    assert audio.warnings == ()


def test_a_hole_in_time_becomes_silence(encode, tone):
    audio = decode(encode("matroska", "pcm_s16le", tone(1.0), 16_000, hole=(0.5, 2.0)))
    assert audio.duration == pytest.approx(3.0, abs=0.01)
    assert not audio.samples[8_100:39_900].any()
    assert audio.samples[40_100:].any()
    assert "2.0 s were filled with silence" in audio.warnings[0]


def sparse(encode, tone, seconds, hole):
    """A recording of ``seconds`` of sound, in the middle of which ``hole`` seconds are missing."""
    return encode("matroska", "libopus", tone(seconds, 48_000), 48_000, hole=(seconds / 2, hole))


def test_a_kilobyte_does_not_become_hours_of_silence(encode, tone):
    audio = decode(sparse(encode, tone, 0.2, 3500.0))
    assert audio.duration == pytest.approx(0.2, abs=0.1)
    assert any("holes of 3500 s by its time stamps, too long for its size" in warning for warning in audio.warnings)


def test_a_long_hole_in_a_recording_that_holds_something_is_filled(encode, tone):
    audio = decode(sparse(encode, tone, 60.0, 600.0))
    assert audio.duration == pytest.approx(660.0, abs=0.1)


def test_tags_that_are_not_utf8_do_no_harm(wav, tone):
    recording = wav(tone(0.1))
    tag = b"LIST" + (18).to_bytes(4, "little") + b"INFOINAM" + (6).to_bytes(4, "little") + b"caf\xe9\xff\x00"
    assert len(decode(recording + tag).samples) == 1600


def test_headerless_telephone_files_are_told_by_name(tmp_path, encode, tone):
    path = tmp_path / "call.ulaw"
    path.write_bytes(encode("mulaw", "pcm_mulaw", tone(1.0, 8_000), 8_000))
    audio = decode(path)
    assert audio.duration == 1.0
    assert pitch(audio.samples) == pytest.approx(440, abs=2)


def test_progress_counts_up_and_cancels(wav):
    recording = wav(np.zeros((16_000 * 60, 1), np.int16))
    steps = []
    decode(recording, progress=lambda stage, done: steps.append((stage, done)))
    assert {stage for stage, _ in steps} == {"decode"}
    done = [value for _, value in steps]
    assert done == sorted(done)
    assert len(done) >= 5
    assert done[-1] == 1.0

    def cancel(stage, done):
        raise Cancelled

    with pytest.raises(Cancelled):
        decode(recording, progress=cancel)


class TestBadInput:
    """Each ends in one line that names the file, with the right status."""

    def test_missing(self, tmp_path):
        code, status, says = refusal(tmp_path / "gone.wav")
        assert (code, status) == ("audio_not_found", 400)
        assert says.startswith("gone.wav does not exist.")
        assert str(tmp_path) not in says

    def test_folder(self, tmp_path):
        assert refusal(tmp_path)[:2] == ("audio_is_folder", 400)

    def test_unreadable(self, tmp_path):
        path = tmp_path / "locked.wav"
        path.write_bytes(b"RIFF")
        path.chmod(0)
        if os.access(path, os.R_OK):  # the superuser may read all: a device is refused on other grounds
            path = Path("/dev/null")
        assert refusal(path)[0] == "audio_unreadable"

    def test_empty(self, tmp_path):
        path = tmp_path / "empty.wav"
        path.touch()
        assert refusal(path)[:2] == ("audio_empty", 422)

    def test_zero_seconds(self, wav):
        assert refusal(wav(np.zeros((0, 1), np.int16)))[:2] == ("audio_empty", 422)

    @pytest.mark.parametrize("name", ["notes.txt", "notes.mp3", "notes.wav", "notes.m3u8"])
    def test_text_under_any_name(self, tmp_path, name):
        path = tmp_path / name
        path.write_text("Dear all,\nplease find the minutes below.\n" * 200)
        code, status, says = refusal(path)
        assert (code, status) == ("audio_not_recognised", 415)
        assert name in says

    def test_picture(self):
        file = io.BytesIO()
        with av.open(file, "w", format="image2pipe") as output:
            stream = output.add_stream("png", rate=1)
            stream.width, stream.height, stream.pix_fmt = 16, 16, "rgb24"
            output.mux(stream.encode(av.VideoFrame.from_ndarray(np.zeros((16, 16, 3), "u1"), format="rgb24")))
            output.mux(stream.encode(None))
        assert refusal(file.getvalue())[:2] == ("audio_not_recognised", 415)

    def test_silent_film(self):
        file = io.BytesIO()
        with av.open(file, "w", format="mp4") as output:
            stream = output.add_stream("mpeg4", rate=10)
            stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
            output.mux(stream.encode(av.VideoFrame.from_ndarray(np.zeros((48, 64, 3), "u1"), format="rgb24")))
            output.mux(stream.encode(None))
        code, status, says = refusal(file.getvalue())
        assert (code, status) == ("audio_no_sound", 422)
        assert "pictures but no sound" in says

    def test_encrypted(self, encode, tone):
        options = {
            "encryption_scheme": "cenc-aes-ctr",
            "encryption_key": "76a6c65c5ea762046bd749a2e632ccbb",
            "encryption_kid": "a7e61c373e219033c21091fa607bf3b8",
        }
        recording = encode("mp4", "aac", tone(1.0, 44_100), 44_100, options=options)
        assert refusal(recording)[:2] == ("audio_encrypted", 415)

    def test_truncated_wav_is_decoded_and_told(self, wav, tone):
        recording = wav((tone(4.0) * 32767).astype(np.int16))
        audio = decode(recording[: len(recording) // 2])
        assert audio.duration == pytest.approx(2.0, abs=0.01)
        assert "cut short" in audio.warnings[0]
        assert "of 4.0 s" in audio.warnings[0]

    @pytest.mark.parametrize(
        ("container", "codec"),
        [
            ("flac", "flac"),
            ("mp4", "aac"),
            ("mp3", "libmp3lame"),
            ("matroska", "aac"),
            ("aiff", "pcm_s16be"),
            ("w64", "pcm_s16le"),
            ("caf", "pcm_s16le"),
        ],
    )
    def test_truncated_behind_its_header_is_decoded_and_told(self, container, codec, encode, tmp_path):
        options = {"movflags": "faststart"} if container == "mp4" else None
        noise = np.random.default_rng(0).normal(0, 0.1, (44_100 * 4, 1)).astype("f4")
        recording = encode(container, codec, noise, 44_100, options=options, path=tmp_path / "whole")
        audio = decode(recording[: len(recording) // 2])
        assert 1.5 < audio.duration < 2.6
        assert "cut short" in audio.warnings[0]
        assert len(audio.warnings) == 1  # half a packet at the end is the same fact

    def test_mp4_without_its_index_says_so(self, encode, tone):
        recording = encode("mp4", "aac", tone(2.0, 44_100), 44_100)
        code, status, says = refusal(recording[: len(recording) // 2])
        assert (code, status) == ("audio_damaged", 422)
        assert "index is missing" in says

    def test_a_damaged_middle_is_skipped_and_told(self, encode, tone):
        recording = bytearray(encode("mp4", "aac", tone(4.0, 44_100), 44_100))
        middle = recording.index(b"mdat") + 8000
        recording[middle : middle + 3000] = b"\xff" * 3000
        (told,) = decode(bytes(recording)).warnings
        assert "is damaged: " in told
        assert told.endswith(" s were filled with silence.")

    def test_one_sample(self, wav):
        assert len(decode(wav(np.ones((1, 1), np.int16))).samples) == 1

    def test_not_a_number_becomes_silence_and_is_told(self, wav, tone):
        samples = tone(1.0)
        samples[100:200], samples[300], samples[301] = np.nan, np.inf, -np.inf
        audio = decode(wav(samples))
        assert np.isfinite(audio.samples).all()
        assert not audio.samples[100:200].any()
        assert "102 were replaced by silence" in audio.warnings[0]

    def test_nothing_but_not_a_number_is_refused(self, wav):
        assert refusal(wav(np.full((1000, 1), np.nan, np.float32)))[:2] == ("audio_damaged", 422)

    def test_too_long_is_refused_from_the_header(self, wav):
        recording = wav(np.zeros((16_000, 1), np.int16))
        assert decode(recording, max_seconds=1).duration == 1.0
        assert refusal(recording, max_seconds=0.9)[:2] == ("audio_too_long", 413)

    def test_too_long_is_refused_while_decoding(self, encode, tone):
        recording = encode("mp3", "libmp3lame", tone(4.0, 44_100), 44_100)
        code, status, says = refusal(recording, max_seconds=2)
        assert (code, status) == ("audio_too_long", 413)
        assert "longer than 2 seconds" in says

    def test_no_such_channel(self, wav):
        code, status, says = refusal(wav(np.zeros((10, 2), np.int16)), channel=2)
        assert (code, status) == ("bad_channel", 400)
        assert "has 2 channels, so there is no channel 2" in says

    @pytest.mark.parametrize("rate", [1, 7, 999, 2_000_000, 2**31 - 1])
    def test_a_rate_that_no_recording_has(self, rate):
        head = struct.pack(">6I", 0x2E736E64, 24, 400, 3, rate, 1)  # AU
        code, status, _ = refusal(head + bytes(400))
        assert code in ("audio_damaged", "audio_not_recognised")
        assert status in (415, 422)

    @pytest.mark.parametrize("rate", [1_000, 1_001, 5_513, 7_919, 47_999, 384_000, 768_000])
    def test_an_odd_rate_is_resampled(self, rate, wav, tone):
        assert decode(wav(tone(1.0, rate), rate)).duration == 1.0

    @pytest.mark.parametrize("channels", [65, 256, 1000])
    def test_more_channels_than_can_be_mixed(self, channels, wav):
        code, status, _ = refusal(wav(np.zeros((1000, channels), np.int16)))
        assert code in ("audio_damaged", "audio_not_recognised")
        assert status in (415, 422)

    @pytest.mark.parametrize("channels", [11, 33, 64])
    def test_an_odd_number_of_channels_is_mixed(self, channels, wav, tone):
        samples = np.tile(tone(1.0), channels)
        assert np.abs(decode(wav(samples)).samples - decode(wav(tone(1.0))).samples).max() < 0.001

    @pytest.mark.parametrize("tag", [b"\xff\xfe\x00\x80", b"caf\xe9"])
    def test_a_codec_whose_name_is_no_text(self, tag, encode, tone):
        recording = bytearray(encode("mov", "pcm_s16le", tone(0.5), 16_000))
        at = recording.index(b"sowt")
        recording[at : at + 4] = tag
        assert refusal(bytes(recording))[:2] == ("audio_not_recognised", 415)

    def test_an_empty_track_whose_codec_has_a_name_that_is_no_text(self, encode, tone):
        recording = encode("avi", "pcm_s16le", tone(0.5), 16_000).replace(b"auds", b"au\xff\xfe", 1)
        assert refusal(recording)[0] in ("audio_no_sound", "audio_not_recognised", "audio_damaged", "audio_empty")

    @pytest.mark.parametrize(("container", "codec"), [("nut", "dfpwm"), ("avi", "dfpwm"), ("nut", "comfortnoise")])
    def test_a_codec_that_nobody_sends_is_not_started(self, container, codec, encode, tone):
        code, status, says = refusal(encode(container, codec, tone(1.0, 48_000), 48_000))
        assert (code, status) == ("audio_not_recognised", 415)
        assert "codec" in says

    def test_a_header_that_ends_a_process_is_not_opened(self):
        header = b"\x80\x00\x00\x20\x03" + bytes(20) + b"(c)CRI" + bytes(5000)  # ADX, from games; SIGFPE in FFmpeg 8
        script = "import sys; from diarist.audio.decode import decode; decode(sys.stdin.buffer.read())"
        done = subprocess.run([sys.executable, "-c", script], input=header, capture_output=True)
        assert done.returncode == 1
        assert b"audio_not_recognised" in done.stderr or b"is not audio or video in a known format" in done.stderr

    @settings(max_examples=150, deadline=None)
    @given(st.binary(max_size=400))
    def test_any_bytes_are_decoded_or_refused(self, data):
        with contextlib.suppress(InputError):
            decode(data, max_seconds=60)

    def test_samples_of_no_bits_are_refused(self, wav):
        recording = bytearray(wav(np.zeros((1000, 1), np.int16)))
        recording[34:36] = bytes(2)  # bits per sample
        assert refusal(bytes(recording))[1] in (415, 422)

    @settings(max_examples=150, deadline=None)
    @given(
        which=st.integers(0, 5),
        damage=st.lists(st.tuples(st.integers(0, 2999), st.integers(0, 255)), min_size=1, max_size=8),
    )
    def test_any_damage_is_decoded_or_refused(self, which, damage, damageable):
        recording = bytearray(damageable(which))
        for position, value in damage:
            recording[position % len(recording)] = value
        try:
            audio = decode(bytes(recording), max_seconds=60)
        except InputError:
            return
        assert np.isfinite(audio.samples).all()


@pytest.fixture(scope="module")
def damageable(encode, tone):
    samples = tone(0.3, 48_000)
    kinds = [("wav", "pcm_s16le"), ("mp3", "libmp3lame"), ("mp4", "aac"), ("ogg", "libopus"), ("webm", "libopus")]
    # A method, since a failing test prints its arguments, and these are long.
    return [encode(container, codec, samples, 48_000) for container, codec in [*kinds, ("flac", "flac")]].__getitem__


class TestPlaylists:
    """A recording is one stream of bytes: nothing it says makes FFmpeg open a file or a connection."""

    @pytest.fixture
    def listener(self):
        hits = []

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                hits.append(self.path)
                self.send_error(404)

            def log_message(self, *args):
                pass

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield server.server_port, hits
        server.shutdown()
        server.server_close()
        thread.join()

    def playlists(self, port, secret):
        url = f"http://127.0.0.1:{port}/x.ts"
        for target in (url, str(secret), f"file://{secret}", f"concat:{secret}"):
            yield f"#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:10,\n{target}\n#EXT-X-ENDLIST\n"
            yield f"ffconcat version 1.0\nfile '{target}'\n"
            yield (
                '<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011"><Period><AdaptationSet>'
                f"<Representation><BaseURL>{target}</BaseURL></Representation></AdaptationSet></Period></MPD>"
            )
            yield f"[playlist]\nFile1={target}\nNumberOfEntries=1\n"
        yield f"v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=audio {port} RTP/AVP 0\n"

    @pytest.mark.parametrize("lifted", [False, True], ids=["as shipped", "without the list of demuxers"])
    def test_playlists_reach_nothing(self, lifted, listener, tmp_path, wav, tone, monkeypatch):
        port, hits = listener
        secret = tmp_path / "secret.wav"
        secret.write_bytes(wav(tone(0.2)))
        if lifted:  # io_open holds alone (but for SDP, which opens sockets by itself)
            monkeypatch.setattr(opening, "DEMUXERS", "hls,concat,dash,image2,lavfi,mov,wav")
        for index, text in enumerate(self.playlists(port, secret)):
            for suffix in (".m3u8", ".mp3", ".ffconcat", ".sdp", ".mpd"):
                path = tmp_path / f"list{index}{suffix}"
                path.write_text(text)
                code, status, _ = refusal(path)
                assert lifted or (code, status) == ("audio_not_recognised", 415)
        assert hits == []

    def test_a_playlist_is_named_as_one(self):
        assert "playlist" in refusal(b"#EXTM3U\n#EXTINF:1,\nhttp://127.0.0.1/a.ts\n")[2]

    def test_patterns_and_filters_as_names_are_names(self, tmp_path):
        for name in ("%03d.png", "sine=f=440", "lavfi:sine", "pipe:0"):
            path = tmp_path / name
            path.write_bytes(b"not audio at all" * 10)
            assert refusal(path)[:2] == ("audio_not_recognised", 415)


def test_a_file_that_fails_midway_is_one_clear_line(wav):
    class Failing(io.BytesIO):
        def read(self, size=-1):
            if self.tell() > 100_000:
                raise OSError(5, "Input/output error")
            return super().read(size)

    recording = wav(np.zeros((16_000 * 10, 1), np.int16))
    with pytest.raises(InputError) as caught:
        decode(Failing(recording))
    assert caught.value.code == "audio_unreadable"


def test_sources_are_closed_when_decoding_fails():
    closed = []

    class File(io.BytesIO):
        def __exit__(self, *args):
            closed.append(True)
            return super().__exit__(*args)

    with pytest.raises(InputError):
        decode(Recording("x", lambda _: File(b"not audio")))
    assert closed == [True]


MEMORY = """
import re, sys
from pathlib import Path
from diarist.audio.decode import decode

def peak():  # not ru_maxrss, which remembers the process that started this one
    return int(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1]) / 2**10

decode(Path(sys.argv[1]))
before = peak()
audio = decode(Path(sys.argv[2]))
print(audio.samples.nbytes / 2**20, peak() - before)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere growing in place is up to the allocator")
def test_memory_is_the_samples_and_a_small_constant(tmp_path, wav):
    short, long = tmp_path / "short.wav", tmp_path / "long.wav"
    short.write_bytes(wav(np.zeros((1600, 1), np.int16)))
    long.write_bytes(wav(np.zeros((16_000 * 60 * 40, 1), np.int16)))
    command = [sys.executable, "-c", MEMORY, str(short), str(long)]
    samples, growth = map(float, subprocess.run(command, capture_output=True, text=True, check=True).stdout.split())
    assert growth < samples * 1.07 + 16
