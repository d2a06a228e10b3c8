"""Torch checkpoints are read without torch, and nothing in them runs."""

from __future__ import annotations

import contextlib
import importlib.util
import io
import resource
import zipfile
from collections import OrderedDict
from pathlib import Path

import numpy as np
import pytest

from diarist.model.errors import WeightsError
from diarist.weights.checkpoint import read_checkpoint, state_dict
from diarist.weights.unpickle import Opaque

spec = importlib.util.spec_from_file_location("torch_zip", Path(__file__).with_name("torch_zip.py"))
torch_zip = importlib.util.module_from_spec(spec)
spec.loader.exec_module(torch_zip)
Call, Global, checkpoint, tensor = torch_zip.Call, torch_zip.Global, torch_zip.checkpoint, torch_zip.tensor

SIX = np.arange(6, dtype=np.float32)


@pytest.fixture
def save(tmp_path: Path):
    def save(data: bytes) -> Path:
        path = tmp_path / "model.bin"
        path.write_bytes(data)
        return path

    return save


def test_tensors_come_back_with_their_shape_and_values(save):
    path = save(checkpoint({"w": tensor("0", (2, 3), (3, 1)), "t": tensor("0", (3, 2), (1, 3))}, {"0": SIX}))
    read = read_checkpoint(path)
    np.testing.assert_array_equal(read["w"], SIX.reshape(2, 3))
    np.testing.assert_array_equal(read["t"], SIX.reshape(2, 3).T)


def test_stored_tensors_are_views_of_the_file_and_compressed_ones_are_read_too(save):
    value = {"w": tensor("0", (6,), (1,))}
    stored = read_checkpoint(save(checkpoint(value, {"0": SIX})))["w"]
    assert not stored.flags.owndata
    assert not stored.flags.writeable
    deflated = read_checkpoint(save(checkpoint(value, {"0": SIX}, zipfile.ZIP_DEFLATED)))["w"]
    np.testing.assert_array_equal(deflated, SIX)


def test_a_checkpoint_inside_another_file_is_read_in_place(save):
    data = checkpoint({"w": tensor("0", (6,), (1,))}, {"0": SIX})
    path = save(b"header" * 100 + data + b"trailer" * 100)
    np.testing.assert_array_equal(read_checkpoint(path, offset=600, size=len(data))["w"], SIX)


def test_bfloat16_becomes_float32(save):
    halves = (np.float32([1, -2.5, 1e30]).view(np.uint32) >> 16).astype(np.uint16)
    path = save(checkpoint({"w": tensor("0", (3,), (1,), kind="BFloat16Storage", length=3)}, {"0": halves}))
    read = read_checkpoint(path)["w"]
    assert read.dtype == np.float32
    np.testing.assert_allclose(read, [1, -2.5, 1e30], rtol=0.01)


def test_state_dict_finds_the_tensors_under_a_framework_s_extras(save):
    value = {"state_dict": OrderedDict(w=tensor("0", (6,), (1,))), "epoch": 3}
    assert list(state_dict(read_checkpoint(save(checkpoint(value, {"0": SIX}))))) == ["w"]
    with pytest.raises(WeightsError, match="no named tensors"):
        state_dict({"epoch": 3})


def test_nothing_named_in_the_pickle_is_called(save, tmp_path):
    witness = tmp_path / "witness"
    bombs = [Call("os mkdir", str(witness)), Call("builtins eval", f"open({str(witness)!r}, 'w')")]
    read = read_checkpoint(save(checkpoint({"a": bombs[0], "b": bombs[1], "c": Global("posix system")}, {})))
    assert isinstance(read["a"], Opaque)
    assert isinstance(read["c"], Opaque)
    assert not witness.exists()


@pytest.mark.parametrize(
    ("shape", "strides", "offset"),
    [((7,), (1,), 0), ((6,), (1,), 1), ((2,), (6,), 0), ((2,), (-1,), 3), ((-2,), (1,), 0), ((2, 3), (3,), 0)],
)
def test_a_tensor_never_reads_outside_its_storage(save, shape, strides, offset):
    path = save(checkpoint({"w": tensor("0", shape, strides, offset=offset)}, {"0": SIX}))
    with pytest.raises(WeightsError, match="not a readable checkpoint"):
        read_checkpoint(path)


def test_a_storage_may_not_claim_more_than_its_file_holds(save):
    path = save(checkpoint({"w": tensor("0", (6,), (1,), length=1000)}, {"0": SIX}))
    with pytest.raises(WeightsError, match="not a readable checkpoint"):
        read_checkpoint(path)


@pytest.mark.parametrize("data", [b"", b"not a zip", checkpoint({"w": tensor("0", (6,), (1,))}, {"0": SIX})[:200]])
def test_damage_is_one_clear_error(save, data):
    with pytest.raises(WeightsError):
        read_checkpoint(save(data))


def test_a_missing_file_is_one_clear_error(tmp_path):
    with pytest.raises(WeightsError, match="cannot be read"):
        read_checkpoint(tmp_path / "none.bin")


def frame(*opcodes: bytes) -> bytes:
    """A checkpoint whose index is these opcodes."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("archive/data.pkl", b"\x80\x02" + b"".join(opcodes) + b".")
        archive.writestr("archive/data/0", SIX.tobytes())
    return out.getvalue()


TENSOR = (
    b"ctorch._utils\n_rebuild_tensor_v2\n((X\x07\x00\x00\x00storagectorch\n%sStorage\nX\x01\x00\x00\x000X\x03\x00\x00\x00cpu"
    b"K\x06tQK\x00%sK\x00NtR"
)
MANY = b"(J\x00\x00\x00\x7ft"  # a shape of two thousand million
NONE = b"(K\x00t"  # a step of zero


@pytest.mark.parametrize(
    "opcodes",
    [
        pytest.param([TENSOR % (b"Float", MANY + NONE)], id="steps of zero"),
        pytest.param([TENSOR % (b"BFloat16", MANY + NONE)], id="steps of zero that are widened"),
        pytest.param([b"\x8e", (1 << 60).to_bytes(8, "little")], id="bytes without end"),
        pytest.param([b"\x96", (1 << 60).to_bytes(8, "little")], id="a buffer without end"),
        pytest.param([b"\x8b", (1 << 30).to_bytes(4, "little")], id="a number without end"),
        pytest.param([b"I" + b"9" * 10_000 + b"\n"], id="a number of ten thousand digits"),
        pytest.param([b"]" * 1_100_000], id="a million lists"),
        pytest.param([b"0" * 10], id="an empty stack"),
        pytest.param([b"e"], id="no mark"),
        pytest.param([b"\x82\x01"], id="an extension"),
        pytest.param([b"ctorch\nSize\n", TENSOR % (b"Float", MANY + NONE), b"\x85R"], id="the items of a tensor"),
    ],
)
def test_what_would_take_memory_without_end_is_refused_before_it_does(save, opcodes):
    path = save(frame(*opcodes))
    with limited_memory(300 << 20), pytest.raises(WeightsError, match="not a readable checkpoint"):
        read_checkpoint(path)


def test_one_storage_is_not_many_networks(save):
    values = np.zeros(100_000, np.float32)
    shared = [tensor("0", (100_000,), (1,), length=100_000) for _ in range(50)]
    assert len(read_checkpoint(save(checkpoint(shared[:2], {"0": values})))) == 2
    with pytest.raises(WeightsError, match="larger than what is stored"):
        read_checkpoint(save(checkpoint(shared, {"0": values})))


def test_a_memo_of_four_thousand_million_places_takes_one(save):
    with limited_memory(300 << 20):
        assert read_checkpoint(save(frame(b"Nr\xff\xff\xff\xff"))) is None


def test_keys_that_multiply_themselves_are_left_out(save):
    doubled = b"".join(b"q%c0h%ch%c\x86" % (n, n, n) for n in range(1, 60))
    path = save(frame(b"}", b"K\x01K\x01\x86", doubled, b"K\x02s"))
    assert read_checkpoint(path) == {}


def test_nesting_without_end_does_no_harm(save):
    deep = read_checkpoint(save(frame(b"]" * 100_000, b"a" * 99_999)))
    del deep
    with pytest.raises(WeightsError):
        state_dict(read_checkpoint(save(frame(b"}" * 100_000))))


@pytest.mark.parametrize("packing", [zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_storages_that_unpack_without_end_are_refused(save, packing):
    zeros = np.zeros(20_000_000, np.float32)
    value = {"w": tensor("0", (len(zeros),), (1,), length=len(zeros))}
    with limited_memory(300 << 20), pytest.raises(WeightsError, match="not a readable checkpoint"):
        read_checkpoint(save(checkpoint(value, {"0": zeros}, packing)))


def test_members_that_lie_over_each_other_are_not_counted_as_many(save):
    """Ten thousand names for the same few bytes."""
    count = 2_000
    value = [tensor(str(n), (6,), (1,), kind="BFloat16Storage") for n in range(count)]
    data = bytearray(checkpoint(value, {"0": SIX, **{str(n): SIX[:0] for n in range(1, count)}}))
    first = next(info for info in zipfile.ZipFile(io.BytesIO(data)).infolist() if info.filename.endswith("/0"))
    at = data.index(b"PK\x01\x02")
    while (at := data.find(b"PK\x01\x02", at)) >= 0:
        if b"data/" in data[at + 46 : at + 60]:
            data[at + 20 : at + 28] = (len(data)).to_bytes(4, "little") * 2
            data[at + 42 : at + 46] = first.header_offset.to_bytes(4, "little")
        at += 46
    with pytest.raises(WeightsError, match="not a readable checkpoint"):
        read_checkpoint(save(bytes(data)))


@contextlib.contextmanager
def limited_memory(more: int):
    """Let the process grow by no more than so many bytes."""
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    before = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (used + more, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)
