"""What a header tells of the length is held against the file: the sound that is there is decoded, whatever it tells."""

import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from diarist.audio.decode import decode
from diarist.audio.headers import read_header

RATE = 8_000
W64_RIFF = bytes.fromhex("726966662e91cf11a5d628db04c10000")
W64_END = bytes.fromhex("f3acd3118cd100c04f8edb8a")


def riff(name, size, body):
    return name + struct.pack("<I", size) + body


def iff(name, size, body):
    return name + struct.pack(">I", size) + body


def w64(name, size, body):
    filling = b"\0" * (-len(body) % 8)
    return name + W64_END + struct.pack("<Q", (size + 24) % (1 << 64)) + body + filling


FMT = struct.pack("<HHIIHH", 1, 1, RATE, RATE * 2, 2, 16)


def make(kind, samples, declared, before=b"", after=b"", outer=None):
    """A recording of ``(num_samples,)`` int16 whose header declares ``declared`` bytes of sound.

    ``before`` and ``after`` are what chunks of metadata beside the sound hold; ``outer`` is the size of the whole.
    """
    little, big = samples.astype("<i2").tobytes(), samples.astype(">i2").tobytes()
    if kind == "wav":
        body = b"WAVE" + riff(b"PAD ", len(before), before) * bool(before) + riff(b"fmt ", 16, FMT)
        body += riff(b"data", declared, little) + riff(b"iXML", len(after), after) * bool(after)
        return riff(b"RIFF", len(body) if outer is None else outer, body)
    if kind == "rf64":
        ds64 = struct.pack("<QQQI", 0, declared, 0, 0)
        body = b"WAVE" + riff(b"ds64", 28, ds64) + riff(b"fmt ", 16, FMT) + riff(b"data", 0xFFFFFFFF, little)
        return riff(b"RF64", 0xFFFFFFFF, body + riff(b"iXML", len(after), after) * bool(after))
    if kind == "w64":
        body = b"wave" + W64_END + w64(b"fmt ", 16, FMT) + w64(b"junk", len(before), before) * bool(before)
        body += w64(b"data", declared, little) + w64(b"levl", len(after), after) * bool(after)
        return W64_RIFF + struct.pack("<Q", len(body) + 24 if outer is None else outer) + body
    if kind == "aiff":
        comm = struct.pack(">HIHHQ", 1, min(declared // 2, 0xFFFFFFFF), 16, 16_383 + 12, RATE << 51)
        body = b"AIFF" + iff(b"NAME", len(before), before) * bool(before) + iff(b"COMM", 18, comm)
        body += iff(b"SSND", min(declared + 8, 0xFFFFFFFF), bytes(8) + big)
        body += iff(b"ANNO", len(after), after) * bool(after)
        return iff(b"FORM", len(body) if outer is None else outer, body)
    if kind == "caf":
        desc = struct.pack(">d4s5I", RATE, b"lpcm", 0, 2, 1, 1, 16)
        body = b"caff\0\1\0\0desc" + struct.pack(">Q", 32) + desc
        body += (b"free" + struct.pack(">Q", len(before)) + before) * bool(before)
        body += b"data" + struct.pack(">Q", (declared + 4) % (1 << 64)) + bytes(4) + big
        return body + (b"uuid" + struct.pack(">Q", len(after)) + after) * bool(after)
    assert kind == "au"
    return b".snd" + struct.pack(">5I", 28, declared, 3, RATE, 1) + bytes(4) + big


WIDTHS = {"wav": 32, "rf64": 64, "w64": 64, "aiff": 32, "caf": 63, "au": 32}
SIZES = st.one_of(
    st.integers(0, 200_000),
    st.sampled_from([0x7FFFFFFE, 0x7FFFFFFF, 0x80000000, 0xFFFFFFF0, 0xFFFFFFFF]),
    st.integers(0, 0xFFFFFFFF),
)


def sound(seconds):
    return np.random.default_rng(1).integers(-9_000, 9_000, round(seconds * RATE)).astype(np.int16)


@pytest.mark.parametrize("kind", WIDTHS)
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_whatever_length_is_declared_all_sound_is_decoded_with_one_warning_at_most(kind, data):
    samples = sound(4.0)
    declared = data.draw(SIZES | st.integers(0, 2 ** WIDTHS[kind] - 1))
    audio = decode(make(kind, samples, declared))
    assert 3.95 <= audio.duration <= 4.0
    assert len(audio.warnings) <= 1
    if abs(declared - samples.nbytes) < samples.nbytes // 100 or declared == 2 ** WIDTHS[kind] - 1:
        assert audio.warnings == ()
    elif samples.nbytes * 2 < declared < 0x7FFF0000:
        assert "cut short, damaged or has a wrong header: 4.0 s of" in audio.warnings[0]


@pytest.mark.parametrize("kind", ["wav", "rf64", "w64", "aiff", "caf"])
def test_sound_behind_its_declared_end_is_decoded_and_told(kind):
    """A file that outgrew 32 bits tells the length less 4 GiB."""
    audio = decode(make(kind, sound(4.0), sound(1.0).nbytes))
    assert audio.duration == 4.0
    assert audio.warnings == ("recording has a wrong header: it tells 1.0 s, and 4.0 s were decoded.",)


@pytest.mark.parametrize("kind", WIDTHS)
def test_a_recording_that_is_cut_short_says_so(kind):
    audio = decode(make(kind, sound(2.0), sound(4.0).nbytes))
    assert audio.duration == 2.0
    assert audio.warnings == (
        "recording is cut short, damaged or has a wrong header: 2.0 s of 4.0 s could be decoded.",
    )


@pytest.mark.parametrize("kind", ["wav", "w64", "aiff", "caf"])
@settings(max_examples=40, deadline=None)
@given(before=st.binary(max_size=60), after=st.binary(max_size=30_000), odd=st.booleans())
def test_metadata_beside_the_sound_are_no_sound(kind, before, after, odd):
    before, after = (text + b"\0" * (len(text) % 2) for text in (before, after))
    samples = sound(1.0)[: RATE - odd]
    audio = decode(make(kind, samples, samples.nbytes, before, after))
    assert (audio.duration, audio.warnings) == (len(samples) / RATE, ())


@pytest.mark.parametrize("kind", ["wav", "w64", "aiff"])
@given(outer=st.integers(0, 2**32 - 1) | st.sampled_from([0, 1, 2**32 - 1]))
@settings(max_examples=30, deadline=None)
def test_the_declared_size_of_the_whole_refuses_nothing(kind, outer):
    samples = sound(1.0)
    audio = decode(make(kind, samples, samples.nbytes, outer=outer))
    assert (audio.duration, audio.warnings) == (1.0, ())


@pytest.mark.parametrize("kind", WIDTHS)
def test_a_right_header_is_left_as_it_is(kind, tmp_path):
    path = tmp_path / "right"
    path.write_bytes(b"before" + make(kind, sound(1.0), sound(1.0).nbytes))
    with path.open("rb") as file:
        file.seek(3)
        header = read_header(file, 6)
        assert file.tell() == 3
    assert (header.seconds, dict(header.mended)) == (1.0, {})


def test_a_wav_beyond_4_gib_is_read_to_its_end(tmp_path):
    path = tmp_path / "long.wav"
    whole = 5 << 30
    path.write_bytes(make("wav", sound(0.0), whole % (1 << 32)))
    with path.open("r+b") as file:
        file.truncate(44 + whole)  # a hole: takes no space on the disk
    with path.open("rb") as file:
        header = read_header(file)
    assert header.seconds == whole % (1 << 32) / (2 * RATE)
    assert header.mended[40] == b"\xff\xff\xff\xff"


@settings(max_examples=300, deadline=None)
@given(
    kind=st.sampled_from([*WIDTHS]),
    damage=st.lists(st.tuples(st.integers(0, 119), st.integers(0, 255)), min_size=1, max_size=8),
    cut=st.integers(0, 400),
)
def test_any_header_is_read(kind, damage, cut, tmp_path_factory):
    header = bytearray(make(kind, sound(0.05), 800, b"title"))
    for at, value in damage:
        header[at] = value
    path = tmp_path_factory.getbasetemp() / "damaged"
    path.write_bytes(bytes(header[: len(header) - cut]))
    with path.open("rb") as file:
        told = read_header(file)
    assert told.seconds is None or told.seconds > 0
    assert all(0 <= at < len(header) for at in told.mended)
