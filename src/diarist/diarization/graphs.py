"""The networks, as ONNX graphs made from the tensors of their original checkpoints.

Each function takes a state dict and returns a serialised model. No torch is involved; that the graphs compute what the
original code computes is checked in the tests against arrays that the original code produced.

Architectures: PyanNet (H. Bredin, "pyannote.audio 2.1", Interspeech 2023; SincNet front end: Ravanelli & Bengio, SLT
2018), WeSpeaker ResNet34 (Wang et al., ICASSP 2023), CAM++ (Wang et al., Interspeech 2023).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from diarist.diarization.layers import Layers, QuantizedLayers, Ranges
from diarist.diarization.onnx_writer import Graph

State = Mapping[str, NDArray[Any]]
Float = NDArray[np.float32]

SINC_STRIDE = 10
SINC_POOL = 3

# As torch defines them unless told otherwise.
INSTANCE_NORM_EPSILON = 1e-5
_BATCH_NORM_EPSILON = 1e-5
# StatsPool of pyannote.audio 4.0.7 guards its divisions with this.
_POOL_EPSILON = 1e-8


def sincnet(state: State) -> bytes:
    """Segmentation-3.0's first layer without its input normalisation, which chunks that overlap can share.

    Takes ``samples (1, 1, num_samples)``; gives ``high_p`` and ``low_p``, each ``(1, 80, n)``, for ``p`` 0, 1, 2: the
    largest value of each filter, and of its negative, in outputs ``[3 k + p, 3 k + p + 3)``. A chunk begins at any
    multiple of the filters' stride, and its pooling by three begins with it; hence the three phases.
    """
    g = Graph("sincnet")
    x = g.input("samples", [1, 1, "num_samples"])
    x = g.op("Conv", x, g.constant(sinc_filters(state)), kernel_shape=[251], strides=[SINC_STRIDE])
    signed = {"high": x, "low": g.op("Neg", x)}
    for phase in range(SINC_POOL):
        for name, values in signed.items():
            part = g.op("Slice", values, g.constant([phase]), g.constant([2**62]), g.constant([2]))
            part = g.op("MaxPool", part, kernel_shape=[SINC_POOL], strides=[SINC_POOL])
            g.output(part, f"{name}_{phase}", [1, 80, "n"])
    return g.serialize()


def pyannet(state: State) -> bytes:
    """The rest of segmentation-3.0: from `sincnet`'s outputs to ``log_probs (batch, num_frames, 7)``.

    Takes the part of ``high`` and ``low`` that belongs to each chunk, ``(batch, 80, num_pooled)``, and the chunk's
    input normalisation, passed on to the filters' outputs: ``scale (batch, 1, 1)``, above 0, and ``shift
    (batch, 80, 1)`` as a multiple of it.
    """
    g = Graph("pyannet")
    high, low = (g.input(name, ["batch", 80, "num_pooled"]) for name in ("high", "low"))
    scale, shift = g.input("scale", ["batch", 1, 1]), g.input("shift", ["batch", 80, 1])
    # The largest |scale * (x + shift)| of three x, from the largest x and the largest -x.
    x = g.op("Mul", g.op("Max", g.op("Add", high, shift), g.op("Sub", low, shift)), scale)
    for i in range(3):
        if i:
            weight, bias = (_f32(state[f"sincnet.conv1d.{i}.{part}"]) for part in ("weight", "bias"))
            x = g.op("Conv", x, g.constant(weight), g.constant(bias), kernel_shape=[weight.shape[2]])
            x = g.op("MaxPool", x, kernel_shape=[3], strides=[3])
        x = g.op("LeakyRelu", _instance_norm(g, x, state, f"sincnet.norm1d.{i}"), alpha=0.01)
    x = g.op("Transpose", x, perm=[2, 0, 1])  # (num_frames, batch, features), as ONNX wants its LSTM
    layers = sum(1 for name in state if name.startswith("lstm.weight_ih_l") and not name.endswith("_reverse"))
    for layer in range(layers):
        x = _bidirectional_lstm(g, x, state, layer)
    x = g.op("Transpose", x, perm=[1, 0, 2])
    for name in ("linear.0", "linear.1", "classifier"):
        x = g.op("MatMul", x, g.constant(_f32(state[f"{name}.weight"].T)))
        x = g.op("Add", x, _constant(g, state, f"{name}.bias"))
        if name != "classifier":
            x = g.op("LeakyRelu", x, alpha=0.01)
    g.output(g.op("LogSoftmax", x, axis=-1), "log_probs", ["batch", "num_frames", 7])
    return g.serialize()


def sinc_filters(state: State) -> Float:
    """The band-pass filters that SincNet keeps as pairs of frequencies: ``(80, 1, 251)``."""
    name = "sincnet.conv1d.0.filterbank."
    low = 50 + np.abs(state[name + "low_hz_"])
    high = np.clip(low + 50 + np.abs(state[name + "band_hz_"]), 50, 8000)
    time, window = state[name + "n_"], state[name + "window_"]
    even = (np.sin(high @ time) - np.sin(low @ time)) / (time / 2) * window
    odd = (np.cos(low @ time) - np.cos(high @ time)) / (time / 2) * window
    band = high - low
    filters = np.concatenate(
        [np.hstack([even, 2 * band, even[:, ::-1]]), np.hstack([odd, 0 * band, -odd[:, ::-1]])]
    ) / (2 * np.concatenate([band, band]))
    return _f32(filters[:, None])


def resnet34(state: State, ranges: Ranges | None = None, *, expose: bool = False) -> bytes:
    """WeSpeaker's trunk: ``fbank (batch, num_frames, 80)`` to ``frames (batch, 2560, num_frames / 8)``.

    Args:
        state: the checkpoint's tensors.
        ranges: of each activation, to compute in 8-bit integers; None computes in floating point.
        expose: make the activations outputs, to measure their ranges.
    """
    g = Graph("resnet34")
    x = g.op("Transpose", g.input("fbank", ["batch", "num_frames", 80]), perm=[0, 2, 1])
    net: Layers
    if ranges:
        net = quantized = QuantizedLayers(g, ranges)
        x = _first_layer(quantized, x, state)
    else:
        net = Layers(g, expose=expose)
        x = _conv_bn(net, g.op("Unsqueeze", x, g.constant([1])), state, "resnet.conv1", "resnet.bn1", relu=True)
    for stage, stride in ((1, 1), (2, 2), (3, 2), (4, 2)):
        block = 0
        while f"resnet.layer{stage}.{block}.conv1.weight" in state:
            step = stride if block == 0 else 1
            x = _residual(net, x, state, f"resnet.layer{stage}.{block}", (step, step))
            block += 1
    g.output(g.op("Reshape", x, g.constant([0, 2560, -1])), "frames", ["batch", 2560, "num_pooled"])
    return g.serialize()


def campplus(state: State) -> bytes:
    """CAM++'s trunk: ``fbank (batch, num_frames, 80)`` to ``frames (batch, 512, num_frames / 2)``.

    Its layers see the mean over the whole input and over stretches of 2 s. Both are given as a matrix, so that the
    input's length is free: ``context (num_frames / 2, num_stretches)`` averages, ``stretch (num_frames / 2,)`` int64
    says to which column each frame belongs. `context_of` makes them.
    """
    g = Graph("campplus")
    context = g.input("context", ["num_pooled", "num_stretches"])
    stretch = g.input("stretch", ["num_pooled"], "int64")
    x = g.op("Transpose", g.input("fbank", ["batch", "num_frames", 80]), perm=[0, 2, 1])
    net = Layers(g)
    x = _conv_bn(net, g.op("Unsqueeze", x, g.constant([1])), state, "head.conv1", "head.bn1", relu=True)
    for name, stride in (("1.0", 2), ("1.1", 1), ("2.0", 2), ("2.1", 1)):
        x = _residual(net, x, state, f"head.layer{name}", (stride, 1))
    x = _conv_bn(net, x, state, "head.conv2", "head.bn2", relu=True, strides=(2, 1))
    x = g.op("Reshape", x, g.constant([0, 320, -1]))
    norm = "xvector.tdnn.nonlinear.batchnorm"
    x = _conv_bn(net, x, state, "xvector.tdnn.linear", norm, relu=True, strides=(2,))
    for block, dilation in ((1, 1), (2, 2), (3, 2)):
        layer = 1
        while f"xvector.block{block}.tdnnd{layer}.linear1.weight" in state:
            name = f"xvector.block{block}.tdnnd{layer}"
            x = g.op("Concat", x, _cam_layer(net, x, state, name, dilation, context, stretch), axis=1)
            layer += 1
        x = g.op("Relu", _batch_norm(g, x, state, f"xvector.transit{block}.nonlinear.batchnorm"))
        x = g.op("Conv", x, _constant(g, state, f"xvector.transit{block}.linear.weight"), kernel_shape=[1])
    x = g.op("Relu", _batch_norm(g, x, state, "xvector.out_nonlinear.batchnorm"))
    g.output(x, "frames", ["batch", 512, "num_pooled"])
    return g.serialize()


def context_of(num_pooled: int, stretch_frames: int = 100) -> tuple[Float, NDArray[np.int64]]:
    """The ``context`` and ``stretch`` inputs of `campplus` for an input of ``num_pooled`` output frames."""
    stretch = np.arange(num_pooled) // stretch_frames
    member = (stretch[:, None] == np.arange(stretch[-1] + 1)).astype(np.float32)
    return member / member.sum(0) + np.float32(1 / num_pooled), stretch


def pooling(weight: Float, bias: Float) -> bytes:
    """Masked statistics and the last layer.

    Takes ``frames (size, num_frames)`` and ``weights (num_masks, num_frames)``; gives ``embeddings (num_masks,
    dimension)``.

    Args:
        weight: ``(dimension, 2 * size)``, of the layer after mean and standard deviation.
        bias: ``(dimension,)``.
    """
    g = Graph("pooling")
    size = weight.shape[1] // 2
    frames = g.op("Transpose", g.input("frames", [size, "num_frames"]), perm=[1, 0])
    weights = g.input("weights", ["num_masks", "num_frames"])
    tiny = g.constant(np.array([_POOL_EPSILON], np.float32))
    total = g.op("Add", g.op("ReduceSum", weights, g.constant([1]), keepdims=1), tiny)
    mean = g.op("Div", g.op("MatMul", weights, frames), total)
    # sum w (x - m)^2 = sum w x^2 - m^2 sum w; x follows a ReLU, so the two terms never nearly cancel by being large.
    power = g.op("MatMul", weights, g.op("Mul", frames, frames))
    spread = g.op("Sub", power, g.op("Mul", g.op("Mul", mean, mean), total))
    squares = g.op("ReduceSum", g.op("Mul", weights, weights), g.constant([1]), keepdims=1)
    freedom = g.op("Add", g.op("Sub", total, g.op("Div", squares, total)), tiny)
    deviation = g.op("Sqrt", g.op("Relu", g.op("Div", spread, freedom)))
    x = g.op("Concat", mean, deviation, axis=1)
    x = g.op("Gemm", x, g.constant(_f32(weight)), g.constant(_f32(bias)), transB=1)
    g.output(x, "embeddings", ["num_masks", weight.shape[0]])
    return g.serialize()


def resnet34_head(state: State) -> tuple[Float, Float]:
    """Weight and bias of WeSpeaker's embedding layer."""
    return _f32(state["resnet.seg_1.weight"]), _f32(state["resnet.seg_1.bias"])


def campplus_head(state: State) -> tuple[Float, Float]:
    """Weight and bias of CAM++'s embedding layer, with the batch normalisation that follows it folded in."""
    mean = np.float64(state["xvector.dense.nonlinear.batchnorm.running_mean"])
    scale = 1 / np.sqrt(np.float64(state["xvector.dense.nonlinear.batchnorm.running_var"]) + _BATCH_NORM_EPSILON)
    return _f32(state["xvector.dense.linear.weight"][:, :, 0] * scale[:, None]), _f32(-mean * scale)


def _bidirectional_lstm(g: Graph, x: str, state: State, layer: int) -> str:
    def both(part: str) -> Float:
        return np.stack([_onnx_gates(state[f"lstm.{part}_l{layer}{way}"]) for way in ("", "_reverse")])

    bias = np.concatenate([both("bias_ih"), both("bias_hh")], axis=1)
    hidden = bias.shape[1] // 8
    y = g.op(
        "LSTM", x, *(g.constant(_f32(part)) for part in (both("weight_ih"), both("weight_hh"), bias)),
        hidden_size=hidden, direction="bidirectional",
    )  # fmt: skip
    # (num_frames, 2, batch, hidden) to (num_frames, batch, 2 * hidden)
    return g.op("Reshape", g.op("Transpose", y, perm=[0, 2, 1, 3]), g.constant([0, 0, 2 * hidden]))


def _onnx_gates(rows: NDArray[Any]) -> Float:
    """Torch orders an LSTM's gates input, forget, cell, output; ONNX input, output, forget, cell."""
    i, f, c, o = np.split(_f32(rows), 4)
    return np.concatenate([i, o, f, c])


def _first_layer(net: QuantizedLayers, x: str, state: State) -> str:
    """ResNet34's first convolution in floating point, since the microphone decides the range of what it reads.

    Written as a matrix product that puts channels last, where the integer convolutions that follow want them: half the
    time of the trunk would otherwise go into this layer and the reordering after it.
    """
    g = net.graph
    scale, shift = _affine(state, "resnet.bn1")
    weight = state["resnet.conv1.weight"][:, 0] * scale[:, None, None]  # (channels, bins, frames)
    padded = g.op("Pad", x, g.constant([0, 1, 1, 0, 1, 1]))  # (batch, bins, frames)
    shifted = []
    for bin_ in range(3):
        for frame in range(3):
            ends = [2**62 if offset == 2 else offset - 2 for offset in (bin_, frame)]
            part = g.op("Slice", padded, g.constant([bin_, frame]), g.constant(ends), g.constant([1, 2]))
            shifted.append(g.op("Unsqueeze", part, g.constant([3])))
    x = g.op("MatMul", g.op("Concat", *shifted, axis=3), g.constant(_f32(weight.reshape(len(weight), 9).T)))
    x = g.op("Add", x, g.constant(_f32(shift)))
    return net.finish(x, "resnet.conv1", relu=True, perm=(0, 3, 1, 2))


def _residual(net: Layers, x: str, state: State, name: str, strides: tuple[int, int]) -> str:
    y = _conv_bn(net, x, state, f"{name}.conv1", f"{name}.bn1", relu=True, strides=strides)
    y = _conv_bn(net, y, state, f"{name}.conv2", f"{name}.bn2", relu=False)
    if f"{name}.shortcut.0.weight" in state:
        x = _conv_bn(net, x, state, f"{name}.shortcut.0", f"{name}.shortcut.1", relu=False, strides=strides)
    return net.add(y, x, name)


def _cam_layer(net: Layers, x: str, state: State, name: str, dilation: int, context: str, stretch: str) -> str:
    g = net.graph
    x = g.op("Relu", _batch_norm(g, x, state, f"{name}.nonlinear1.batchnorm"))
    x = _conv_bn(net, x, state, f"{name}.linear1", f"{name}.nonlinear2.batchnorm", relu=True)
    local = g.op(
        "Conv", x, _constant(g, state, f"{name}.cam_layer.linear_local.weight"),
        kernel_shape=[3], dilations=[dilation], pads=[dilation, dilation],
    )  # fmt: skip
    gate = g.op("MatMul", x, context)
    for part in ("linear1", "linear2"):
        weight, bias = (_constant(g, state, f"{name}.cam_layer.{part}.{kind}") for kind in ("weight", "bias"))
        gate = g.op("Conv", gate, weight, bias, kernel_shape=[1])
        gate = g.op("Relu" if part == "linear1" else "Sigmoid", gate)
    return g.op("Mul", local, g.op("Gather", gate, stretch, axis=2))


def _conv_bn(
    net: Layers, x: str, state: State, conv: str, norm: str, *, relu: bool, strides: tuple[int, ...] | None = None
) -> str:
    """A convolution without bias, padded to keep its input's size, with the normalisation after it folded in."""
    weight = state[f"{conv}.weight"]
    scale, shift = _affine(state, norm)
    kernel = list(weight.shape[2:])
    pads = [k // 2 for k in kernel]
    folded = weight * scale.reshape(-1, *[1] * (weight.ndim - 1))
    geometry = {"kernel_shape": kernel, "pads": pads + pads, "strides": strides or [1] * len(kernel)}
    return net.conv(x, conv, folded, shift, relu=relu, **geometry)


def _batch_norm(g: Graph, x: str, state: State, name: str) -> str:
    parts = ("weight", "bias", "running_mean", "running_var")
    return g.op(
        "BatchNormalization", x, *(_constant(g, state, f"{name}.{part}") for part in parts), epsilon=_BATCH_NORM_EPSILON
    )


def _instance_norm(g: Graph, x: str, state: State, name: str) -> str:
    weight, bias = (_constant(g, state, f"{name}.{part}") for part in ("weight", "bias"))
    return g.op("InstanceNormalization", x, weight, bias, epsilon=INSTANCE_NORM_EPSILON)


def _affine(state: State, norm: str) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """A batch normalisation as ``scale * x + shift``."""
    scale = np.float64(state[f"{norm}.weight"]) / np.sqrt(
        np.float64(state[f"{norm}.running_var"]) + _BATCH_NORM_EPSILON
    )
    return scale, np.float64(state[f"{norm}.bias"]) - np.float64(state[f"{norm}.running_mean"]) * scale


def _constant(g: Graph, state: State, name: str) -> str:
    return g.constant(_f32(state[name]))


def _f32(array: NDArray[Any]) -> Float:
    return np.ascontiguousarray(array, np.float32)
