"""Writes ONNX models.

The ``onnx`` package does this too, and takes 31 MB installed for it: more than all the rest of the diarization engine,
for a format of nested records whose needed part fits on this page (https://github.com/onnx/onnx, ``onnx.proto``).
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Attribute = int | float | str | Sequence[int]

_OPSET = 17
_IR_VERSION = 8
_ELEMENT_TYPES = {"float32": 1, "uint8": 2, "int8": 3, "int32": 6, "int64": 7, "float16": 10}


class Graph:
    """A model under construction: add inputs and operations, name the outputs, then `serialize`.

    Args:
        name: shown by tools that draw models.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._nodes: list[bytes] = []
        self._initializers: list[bytes] = []
        self._inputs: list[bytes] = []
        self._outputs: list[bytes] = []
        self._count = 0

    def input(self, name: str, shape: Sequence[int | str], dtype: str = "float32") -> str:
        """Declare an input; a dimension given as a string is free."""
        self._inputs.append(_value(name, shape, dtype))
        return name

    def constant(self, value: NDArray[Any] | Sequence[int], name: str = "") -> str:
        """Store weights, or a list of int64, in the model. Returns the value's name."""
        array = np.asarray(value) if isinstance(value, np.ndarray) else np.asarray(value, np.int64)
        name = name or self._fresh("c")
        self._initializers.append(_tensor(name, array))
        return name

    def op(self, kind: str, *inputs: str, outputs: int = 1, domain: str = "", **attributes: Attribute) -> str:
        """Add an operation. Returns the name of its (first) output."""
        names = [self._fresh(kind.lower()) for _ in range(outputs)]
        self._add(kind, inputs, names, domain, attributes)
        return names[0]

    def output(self, value: str, name: str, shape: Sequence[int | str], dtype: str = "float32") -> None:
        """Make a value an output of the model."""
        self._add("Identity", (value,), [name], "", {})
        self._outputs.append(_value(name, shape, dtype))

    def serialize(self) -> bytes:
        """The finished model, as ONNX Runtime reads it."""
        graph = b"".join(
            [
                *(_record(1, node) for node in self._nodes),
                _record(2, self._name.encode()),
                *(_record(5, tensor) for tensor in self._initializers),
                *(_record(11, value) for value in self._inputs),
                *(_record(12, value) for value in self._outputs),
            ]
        )
        opset = _record(1, b"") + _number(2, _OPSET)
        return _number(1, _IR_VERSION) + _record(2, b"diarist") + _record(7, graph) + _record(8, opset)

    def _add(
        self, kind: str, inputs: Sequence[str], outputs: Sequence[str], domain: str, attributes: dict[str, Attribute]
    ) -> None:
        parts = [_record(1, name.encode()) for name in inputs]
        parts += [_record(2, name.encode()) for name in outputs]
        parts += [_record(3, f"{kind}_{len(self._nodes)}".encode()), _record(4, kind.encode())]
        parts += [_record(5, _attribute(name, value)) for name, value in attributes.items()]
        parts += [_record(7, domain.encode())] if domain else []
        self._nodes.append(b"".join(parts))

    def _fresh(self, prefix: str) -> str:
        self._count += 1
        return f"{prefix}_{self._count}"


def _varint(value: int) -> bytes:
    value &= (1 << 64) - 1  # negative numbers travel as their 64-bit complement
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def _number(field: int, value: int) -> bytes:
    return _varint(field << 3) + _varint(value)


def _record(field: int, payload: bytes) -> bytes:
    return _varint(field << 3 | 2) + _varint(len(payload)) + payload


def _attribute(name: str, value: Attribute) -> bytes:
    head = _record(1, name.encode())
    if isinstance(value, str):
        return head + _record(4, value.encode()) + _number(20, 3)
    if isinstance(value, float):
        return head + _varint(2 << 3 | 5) + struct.pack("<f", value) + _number(20, 1)
    if isinstance(value, int):
        return head + _number(3, value) + _number(20, 2)
    return head + b"".join(_number(8, int(item)) for item in value) + _number(20, 7)


def _tensor(name: str, array: NDArray[Any]) -> bytes:
    dims = b"".join(_number(1, n) for n in array.shape)
    kind = _number(2, _ELEMENT_TYPES[array.dtype.name])
    return dims + kind + _record(8, name.encode()) + _record(9, np.ascontiguousarray(array).tobytes())


def _value(name: str, shape: Sequence[int | str], dtype: str) -> bytes:
    dims = b"".join(_record(1, _record(2, n.encode()) if isinstance(n, str) else _number(1, n)) for n in shape)
    tensor_type = _number(1, _ELEMENT_TYPES[dtype]) + _record(2, dims)
    return _record(1, name.encode()) + _record(2, _record(1, tensor_type))
