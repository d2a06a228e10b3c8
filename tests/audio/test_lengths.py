"""A declared length is read from where it stands; letters in metadata declare nothing."""

import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from diarist.audio.decode import decode

TEXT = st.lists(st.sampled_from([b"data", b"Info", b"Xing", b"fmt ", b"RIFF", b"xlsx", b"\xff\xff\xff\xff", b"a"])).map(
    b"".join
)


def chunk(name, body):
    return name + struct.pack("<I", len(body)) + body + b"\0" * (len(body) % 2)


@settings(max_examples=80, deadline=None)
@given(
    before=st.lists(st.tuples(st.sampled_from([b"LIST", b"iXML", b"bext", b"junk", b"cue "]), TEXT), max_size=4),
    between=st.lists(st.tuples(st.sampled_from([b"iXML", b"PAD ", b"id3 "]), TEXT), max_size=4),
    long=st.booleans(),
)
def test_a_wav_is_as_long_as_its_samples_whatever_its_metadata_say(before, between, long):
    samples = np.full(4_800, 1000, "<i2").tobytes()
    fmt = chunk(b"fmt ", struct.pack("<HHIIHH", 1, 1, 16_000, 32_000, 2, 16))
    ds64 = chunk(b"ds64", struct.pack("<QQQI", 0, len(samples), 4_800, 0)) if long else b""
    size = struct.pack("<I", 0xFFFFFFFF if long else len(samples))
    before = [(name, b"adtl" * (name == b"LIST") + text) for name, text in before]  # a list starts with its kind
    body = b"WAVE" + ds64 + b"".join(chunk(*each) for each in before) + fmt
    body += b"".join(chunk(*each) for each in between) + b"data" + size + samples
    audio = decode((b"RF64" if long else b"RIFF") + struct.pack("<I", len(body)) + body)
    assert audio.duration == 0.3
    assert audio.warnings == ()


@settings(max_examples=40, deadline=None)
@given(title=TEXT, padding=st.integers(0, 300))
def test_an_mp3_is_as_long_as_its_frames_whatever_its_title_says(title, padding, encode, tone):
    mp3 = encode("mp3", "libmp3lame", tone(1.0, 16_000), 16_000, options={"write_xing": "0", "id3v2_version": "0"})
    text = b"\0" + title.replace(b"\xff", b"y")
    frame = b"TIT2" + struct.pack(">IH", len(text), 0) + text + bytes(padding)
    size = len(frame)
    tag = b"ID3\x03\0\0" + bytes((size >> shift) & 0x7F for shift in (21, 14, 7, 0)) + frame
    audio = decode(tag + mp3)
    assert 0.9 < audio.duration < 1.2
    assert audio.warnings == ()


def test_a_stale_count_of_frames_warns_and_refuses_nothing(encode, tone):
    mp3 = bytearray(encode("mp3", "libmp3lame", tone(2.0, 16_000), 16_000))
    at = max(mp3.find(b"Xing"), mp3.find(b"Info"))
    mp3[at + 8 : at + 12] = struct.pack(">I", 4_000_000)
    audio = decode(bytes(mp3))
    assert 1.9 < audio.duration < 2.2
    assert "wrong header" in audio.warnings[0]


def marked(mp3, mark, frames):
    """An MP3 without a header of its own, behind a frame that holds one: the count of frames may be wrong."""
    head = mp3[:4]
    if mark == b"VBRI":
        told = bytes(32) + b"VBRI" + struct.pack(">HHHIIHHHH", 1, 0, 50, len(mp3), frames, 0, 1, 2, 1)
    else:
        told = bytes(9 if head[3] >> 6 == 3 else 17) + mark + struct.pack(">II", 1, frames)
    return head + (told + bytes(500))[: FRAME_BYTES - 4] + mp3


FRAME_BYTES = 108  # of 24 kbit/s at 16 kHz


@pytest.fixture(scope="module")
def bare_mp3(encode, tone):
    options = {"write_xing": "0", "id3v2_version": "0"}
    return encode("mp3", "libmp3lame", tone(4.0, 16_000), 16_000, options=options)


@pytest.mark.parametrize("mark", [b"Xing", b"Info", b"VBRI"])
@settings(max_examples=40, deadline=None)
@given(frames=st.one_of(st.integers(0, 300), st.integers(0, 2**32 - 1), st.sampled_from([2**31 - 1, 2**31, 2**32 - 1])))
def test_whatever_count_of_frames_an_mp3_tells_all_are_decoded(mark, frames, bare_mp3):
    audio = decode(marked(bare_mp3, mark, frames))
    assert 3.7 < audio.duration < 4.2
    assert len(audio.warnings) <= 1
    if 140 < frames < 2**31:
        assert "wrong header: 4." in audio.warnings[0] or "wrong header: 3.9" in audio.warnings[0]


@settings(max_examples=40, deadline=None)
@given(samples=st.integers(0, 2**36 - 1))
def test_whatever_number_of_samples_a_flac_tells_all_are_decoded(samples, encode, tone):
    flac = bytearray(encode("flac", "flac", tone(2.0, 16_000), 16_000))
    flac[21] = flac[21] & 0xF0 | samples >> 32
    flac[22:26] = struct.pack(">I", samples & 0xFFFFFFFF)
    audio = decode(bytes(flac))
    assert audio.duration == 2.0
    assert len(audio.warnings) <= 1


@pytest.mark.parametrize(("container", "codec"), [("mp4", "aac"), ("mov", "pcm_s16le"), ("ipod", "alac")])
@settings(max_examples=40, deadline=None)
@given(which=st.sets(st.sampled_from([b"mvhd", b"mdhd", b"tkhd"]), min_size=1), length=st.integers(0, 2**32 - 1))
def test_whatever_length_an_mp4_tells_all_is_decoded(container, codec, which, length, encode, tone, tmp_path_factory):
    path = tmp_path_factory.getbasetemp() / "whole"
    mp4 = bytearray(encode(container, codec, tone(2.0, 16_000), 16_000, path=path))
    for box in which:
        at = mp4.index(box) + (24 if box == b"tkhd" else 20)
        mp4[at : at + 4] = struct.pack(">I", length)
    audio = decode(bytes(mp4))
    assert 1.9 < audio.duration < 2.2
    assert len(audio.warnings) <= 1


@settings(max_examples=40, deadline=None)
@given(length=st.floats(width=64))
def test_whatever_length_a_matroska_tells_all_is_decoded(length, encode, tone, tmp_path_factory):
    path = tmp_path_factory.getbasetemp() / "whole.mka"
    mka = bytearray(encode("matroska", "flac", tone(2.0, 16_000), 16_000, path=path))
    at = mka.index(b"\x44\x89\x88") + 3  # the element of the length, a double in milliseconds
    mka[at : at + 8] = struct.pack(">d", length)
    audio = decode(bytes(mka))
    assert audio.duration == 2.0
    assert len(audio.warnings) <= 1
