"""Evidence as bytes: packed without loss, and read within bounds, whatever has become of it on a disk."""

from __future__ import annotations

import dataclasses
import io
import tracemalloc
import zipfile

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from diarist.diarization.evidence import Evidence
from diarist.model.errors import InputError

RATE = 16_000


def evidence(chunks=30, seed=0, dimension=192):
    """Evidence of a made-up conversation, one chunk a second."""
    rng = np.random.default_rng(seed)
    classes = np.repeat(rng.integers(0, 7, (chunks, 19)), 31, axis=1).astype(np.uint8)
    members = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1], [1, 1, 0], [1, 0, 1], [0, 1, 1]], bool)
    active = members[classes].any(axis=1)
    embeddings = rng.normal(size=(chunks, 3, dimension)).astype(np.float16)
    embeddings[~active] = np.nan
    activity = rng.integers(0, 256, (chunks, 589, 3)).astype(np.uint8) * active[:, None]
    stretches = rng.integers(-127, 128, (chunks // 2, dimension)).astype(np.int8)
    return Evidence("embedded", (chunks + 9) * RATE, RATE, 0, classes, activity, embeddings, stretches)


SOUND = evidence()
PACKED = SOUND.to_bytes()


def rewritten(**arrays):
    """Evidence in which some arrays are others."""
    with np.load(io.BytesIO(PACKED)) as parts:
        file = io.BytesIO()
        np.savez_compressed(file, **{name: arrays.get(name, parts[name]) for name in parts})
    return file.getvalue()


@given(st.integers(0, 2**32 - 1), st.integers(1, 40))
@settings(max_examples=15, deadline=None)
def test_nothing_is_lost(seed, chunks):
    packed = evidence(chunks, seed)
    read = Evidence.from_bytes(packed.to_bytes())
    for field in dataclasses.fields(Evidence):
        np.testing.assert_array_equal(getattr(read, field.name), getattr(packed, field.name), field.name)


@given(st.data())
@settings(max_examples=400, deadline=None)
def test_damaged_bytes_are_refused_in_one_line_or_read_as_they_were(data):
    how = data.draw(st.sampled_from(["cut", "flip", "zero", "drop", "double"]))
    at = data.draw(st.integers(0, len(PACKED) - 1))
    size = data.draw(st.integers(1, 2000))
    changed = bytearray(PACKED)
    if how == "cut":
        del changed[at:]
    elif how == "flip":
        changed[at] ^= data.draw(st.integers(1, 255))
    elif how == "zero":
        changed[at : at + size] = bytes(len(changed[at : at + size]))
    elif how == "drop":
        del changed[at : at + size]
    else:
        changed[at:at] = changed[at : at + size]
    try:
        read = Evidence.from_bytes(bytes(changed))
    except InputError as error:
        refusal = (error.code, "\n" in str(error))
    else:
        refusal = None
        for field in dataclasses.fields(Evidence):
            np.testing.assert_array_equal(getattr(read, field.name), getattr(SOUND, field.name))
    assert refusal in (None, ("bad_evidence", False))


@pytest.mark.parametrize(
    "arrays",
    [
        {"num_samples": np.array(-1)},
        {"num_samples": np.array(2**62)},
        {"num_samples": np.array(1.5)},
        {"step_samples": np.array(0)},
        {"step_samples": np.array(1)},
        {"first_chunk": np.array(-1)},
        {"first_chunk": np.array(20)},
        {"classes": np.full((30, 589), 7, np.uint8)},
        {"classes": np.zeros((30, 588), np.uint8)},
        {"classes": np.zeros((31, 589), np.uint8)},
        {"classes": np.zeros((30, 589), np.uint16)},
        {"classes": np.zeros((30, 589), np.uint8)},  # nobody speaks, so that embeddings are too many
        {"changes": np.zeros((1, 589), np.uint8)},
        {"embeddings": np.zeros((1, 192), np.float16)},
        {"embeddings": np.zeros((90, 0), np.float16)},
        {"stretches": np.zeros((3, 100), np.int8)},
        {"stretches": np.zeros((3, 192), np.int16)},
        {"stretches": np.zeros((301, 192), np.int8)},
        {"model": np.array(7)},
    ],
    ids=lambda arrays: "-".join(arrays),
)
def test_arrays_that_do_not_fit_each_other_are_refused(arrays):
    with pytest.raises(InputError, match="no evidence"):
        Evidence.from_bytes(rewritten(**arrays))


@pytest.mark.parametrize("name", ["classes", "changes", "embeddings", "stretches", "model"])
def test_a_small_file_that_claims_to_be_large_takes_no_memory(name):
    """A hundred megabytes of zeros pack into a hundred kilobytes."""
    header = b"{'descr': '|u1', 'fortran_order': False, 'shape': (1000000000, 589), }\n"
    bomb = b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header + bytes(100_000_000)
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(PACKED)) as sound, zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for member in sound.namelist():
            archive.writestr(member, bomb if member == f"{name}.npy" else sound.read(member))
    del bomb
    tracemalloc.start()
    with pytest.raises(InputError):
        Evidence.from_bytes(out.getvalue())
    assert tracemalloc.get_traced_memory()[1] < 50_000_000
    tracemalloc.stop()


@pytest.mark.parametrize("data", [b"", b"PK\x03\x04nonsense", b"\x80\x04.", bytes(100_000)])
def test_what_is_no_evidence_is_refused(data):
    with pytest.raises(InputError):
        Evidence.from_bytes(data)
