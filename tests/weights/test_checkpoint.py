"""Torch checkpoints are read without torch, and nothing in them runs."""

from __future__ import annotations

import importlib.util
import zipfile
from collections import OrderedDict
from pathlib import Path

import numpy as np
import pytest

from diarist.model.errors import WeightsError
from diarist.weights.checkpoint import Opaque, read_checkpoint, state_dict

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
    assert read["c"] is Opaque
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
