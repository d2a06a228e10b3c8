"""A declared length is read from where it stands; letters in metadata declare nothing."""

import struct

import numpy as np
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
