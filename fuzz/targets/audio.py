"""Recordings: small ones in every container that can be written, changed where their structure is, and decoded."""

import functools
import io
import random
import struct
from pathlib import Path

import av
import numpy as np

from diarist.audio.decode import decode

RATE = 8000
MADE = (
    ("wav", "pcm_s16le"), ("wav", "pcm_f32le"), ("wav", "pcm_mulaw"), ("wav", "adpcm_ima_wav"), ("wav", "adpcm_ms"),
    ("wav", "g726"), ("wav", "mp2"), ("w64", "pcm_s16le"), ("aiff", "pcm_s16be"), ("caf", "pcm_s16le"),
    ("caf", "alac"), ("au", "pcm_s16be"), ("flac", "flac"), ("ogg", "flac"), ("ogg", "libopus"), ("ogg", "vorbis"),
    ("webm", "libopus"), ("matroska", "aac"), ("matroska", "pcm_s16le"), ("matroska", "ac3"),
    ("mp3", "libmp3lame"), ("mp2", "mp2"), ("mp4", "aac"), ("mp4", "libopus"), ("ipod", "alac"), ("mov", "pcm_s16be"),
    ("mov", "adpcm_ima_qt"), ("mov", "pcm_alaw"), ("adts", "aac"), ("latm", "aac"), ("mpegts", "aac"),
    ("mpegts", "mp2"), ("vob", "ac3"), ("mpeg", "mp2"), ("avi", "libmp3lame"),
    ("avi", "pcm_s16le"), ("avi", "wmav2"), ("flv", "aac"), ("flv", "nellymoser"), ("flv", "adpcm_swf"),
    ("3gp", "libopencore_amrnb"), ("ac3", "ac3"), ("eac3", "eac3"), ("wv", "wavpack"), ("tta", "tta"),
    ("voc", "pcm_u8"), ("nut", "pcm_s16le"), ("nut", "flac"), ("nut", "dfpwm"), ("rm", "ac3"), ("rm", "real_144"),
    ("asf", "wmav1"), ("asf", "wmav2"), ("wtv", "mp2"),
    ("g722", "g722"),
)  # fmt: skip
TAGS = (  # of codecs in WAV and AVI, which may name any: also those that cannot be written here
    0x02, 0x0A, 0x11, 0x20, 0x22, 0x31, 0x42, 0x45, 0x50, 0x55, 0x83, 0xFF, 0x160, 0x161, 0x162, 0x163, 0x200, 0x270,
    0x2000, 0x2001, 0x1602, 0x674F, 0x706D, 0xA109, 0xF1AC, 0xFFFE, 0x5346, 0x28F, 0x130, 0x181, 0x1971,
)  # fmt: skip
FOURCCS = (  # of codecs in MOV, MP4, CAF, AIFF and NUT
    b"sowt", b"twos", b"raw ", b"in24", b"fl32", b"fl64", b"lpcm", b"ulaw", b"alaw", b"ima4", b"mp4a", b"alac", b"samr",
    b"sawb", b"Qclp", b"agsm", b"ac-3", b"ec-3", b"dtsc", b"dtsl", b"mlpa", b"Opus", b"fLaC", b".mp3", b"spex", b"QDM2",
    b"MAC3", b"MAC6", b"ms\x00\x02", b"ms\x00\x11", b"drms", b"enca", b"\xff\xfe\x00\x80",
)  # fmt: skip
WORDS = (0, 1, 2, 3, 6, 17, 0x55, 0xFE, 0xFF, 0x161, 0x7FFF, 0x8000, 0xFFFE, 0xFFFF, 8000, 44100, 0x10000, 0x7FFFFFFF)


@functools.cache
def made(container: str, codec: str, channels: int) -> bytes:
    """A tenth of a second or so; empty where this FFmpeg cannot write it."""
    file = io.BytesIO()
    for rate in (RATE, 16_000, 44_100, 48_000):
        try:
            with av.open(file, "w", format=container, metadata_encoding="utf-8") as output:
                output.metadata["title"] = "A cäll"
                stream = output.add_stream(codec, rate=rate, layout="mono" if channels == 1 else "stereo")
                stream.codec_context.options = {"strict": "experimental"}
                stream.bit_rate = 64_000
                form, layout = stream.codec_context.format, stream.layout.name
                resampler = av.AudioResampler(form, layout, rate)
                noise = np.random.default_rng(0).normal(0, 2000, (1, channels * rate // 4)).astype("<i2")
                frame = av.AudioFrame.from_ndarray(noise, format="s16", layout=layout)
                frame.sample_rate, frame.pts = rate, 0
                for each in [*resampler.resample(frame), *resampler.resample(None), None]:
                    output.mux(stream.encode(each))
            return file.getvalue()
        except Exception:  # noqa: BLE001 - another rate, or not at all
            file = io.BytesIO()
    return b""


def rename_codec(rng: random.Random, data: bytearray) -> None:
    """Let a recording say that its codec is another."""
    if (at := data.find(b"fmt ")) >= 0 or (at := data.find(b"strf")) >= 0:
        data[at + 8 : at + 10] = rng.choice(TAGS).to_bytes(2, "little")
    for fourcc in FOURCCS:
        if (at := data.find(fourcc)) >= 0:
            data[at : at + 4] = rng.choice(FOURCCS)
            return


def make(rng: random.Random) -> bytes:
    data = bytearray(made(*rng.choice(MADE), rng.choice((1, 2))) or made("wav", "pcm_s16le", 1))
    if rng.random() < 0.1:
        return bytes(data)
    if rng.random() < 0.3:
        rename_codec(rng, data)
    for _ in range(rng.choice((0, 1, 1, 2, 4, 8))):
        # Headers are at the beginning and, in some containers, at the end.
        near = rng.choice((64, 256, 1024, len(data)))
        at = rng.randrange(min(near, len(data)))
        if rng.random() < 0.1:
            at = len(data) - 1 - at
        form = rng.choice("BbHIQ")
        size = struct.calcsize(form)
        match rng.randrange(8):
            case 0:
                data[at] ^= 1 << rng.randrange(8)
            case 1 | 2 | 3:
                number = rng.choice(WORDS) if rng.random() < 0.7 else rng.getrandbits(64)
                data[at : at + size] = (number % (1 << 8 * size)).to_bytes(size, rng.choice(("little", "big")))
            case 4:
                data[at : at + rng.choice((4, 16, 100))] = b""
            case 5:
                moved = data[at : at + rng.choice((8, 40, 400))]
                place = rng.randrange(len(data) + 1)
                data[place:place] = moved * rng.choice((1, 1, 30))
            case 6:  # another container's head or tail
                other = made(*rng.choice(MADE), 1)
                cut = rng.randrange(len(other) + 1)
                data = bytearray(other[:cut] + data[at:]) if rng.random() < 0.5 else data[:at] + other[cut:]
            case 7 if rng.random() < 0.3:
                data = data[: at + 1]
        data = data or bytearray(1)
    return bytes(data[: 1 << 18])


def run(data: bytes, _folder: Path) -> None:
    audio = decode(data, max_seconds=600)
    assert len(audio.samples) > 0
    assert np.isfinite(audio.samples).all()
    assert all(warning.isprintable() for warning in audio.warnings)
