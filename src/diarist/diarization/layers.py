"""Convolutions and sums of a trunk, in floating point or in 8-bit integers.

Integers: activations are uint8 with one range for each tensor, weights int8 with one scale for each output channel, as
ONNX Runtime's ``QDQ`` format has it. It computes such a graph in integers throughout, with the processor's dot-product
instructions (VNNI, or Arm's). ``onnxruntime.quantization`` makes such graphs too, but needs the ``onnx`` package and
recordings to calibrate on at the user's; here the ranges are measured once, by ``benchmarks/calibrate.py``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from diarist.diarization.onnx_writer import Graph

Ranges = Mapping[str, tuple[float, float]]


class Layers:
    """Adds layers to a graph in floating point.

    Args:
        graph: to add to.
        expose: make each activation an output of the graph, under its name, to measure its range.
    """

    def __init__(self, graph: Graph, *, expose: bool = False) -> None:
        self.graph = graph
        self._expose = expose

    def conv(self, x: str, name: str, weight: NDArray[Any], bias: NDArray[Any], *, relu: bool, **geometry: Any) -> str:
        """A convolution; ``geometry`` holds the operator's attributes."""
        weights = (self.graph.constant(_f32(part)) for part in (weight, bias))
        return self.finish(self.graph.op("Conv", x, *weights, **geometry), name, relu=relu)

    def add(self, x: str, y: str, name: str) -> str:
        """A sum followed by a ReLU."""
        return self.finish(self.graph.op("Add", x, y), name, relu=True)

    def finish(self, x: str, name: str, *, relu: bool) -> str:
        """Complete an activation."""
        x = self.graph.op("Relu", x) if relu else x
        if self._expose:
            self.graph.output(x, name, ["batch", "channels", "height", "width"])
        return x


class QuantizedLayers(Layers):
    """Adds layers to a graph in 8-bit integers.

    Args:
        graph: to add to.
        ranges: smallest and largest value of each activation, by name.
    """

    def __init__(self, graph: Graph, ranges: Ranges) -> None:
        super().__init__(graph)
        self._ranges = ranges
        self._scales: dict[str, float] = {}

    def conv(self, x: str, name: str, weight: NDArray[Any], bias: NDArray[Any], *, relu: bool, **geometry: Any) -> str:
        """See `Layers`. The input must come from `finish`."""
        g = self.graph
        per_channel = np.maximum(np.abs(weight).reshape(len(weight), -1).max(axis=1), 1e-12) / 127
        scaled = weight / per_channel.reshape(-1, *[1] * (weight.ndim - 1))
        weight_scale = g.constant(_f32(per_channel))
        w = g.constant(np.rint(scaled).astype(np.int8))
        w = g.op("DequantizeLinear", w, weight_scale, g.constant(np.zeros(len(weight), np.int8)), axis=0)
        bias_scale = per_channel * self._scales[x]
        b = g.constant(np.rint(bias / bias_scale).astype(np.int32))
        b = g.op(
            "DequantizeLinear", b, g.constant(_f32(bias_scale)), g.constant(np.zeros(len(weight), np.int32)), axis=0
        )
        return self.finish(g.op("Conv", x, w, b, **geometry), name, relu=relu)

    def finish(self, x: str, name: str, *, relu: bool, perm: tuple[int, ...] = ()) -> str:
        """Round to 8 bits, and transpose.

        Where zero is the smallest value there is, rounding does a ReLU's work.
        """
        g = self.graph
        low, high = self._ranges[name]
        low = 0.0 if relu else min(low, 0.0)
        scale = max(high - low, 1e-6) / 255
        parts = (g.constant(np.array(scale, np.float32)), g.constant(np.array(round(-low / scale), np.uint8)))
        y = g.op("QuantizeLinear", x, *parts)
        y = g.op("DequantizeLinear", g.op("Transpose", y, perm=perm) if perm else y, *parts)
        self._scales[y] = scale
        return y


def _f32(array: NDArray[Any]) -> NDArray[np.float32]:
    return np.ascontiguousarray(array, np.float32)
