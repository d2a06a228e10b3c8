"""The FastConformer encoder of Parakeet, for torch.

D. Rekesh et al.: "Fast Conformer with Linearly Scalable Attention for Efficient Speech Recognition", ASRU 2023; its
blocks are those of A. Gulati et al.: "Conformer", Interspeech 2020, with the relative positions of Z. Dai et al.:
"Transformer-XL", ACL 2019. Parameters are named as in the published ``model.safetensors`` of v3.

Rejected: transformers' modules. Importing them takes 2 of the 5 CPU seconds from process start to ready, and their
internals move between releases; `tests/transcription/test_engines_equal.py` holds this encoder to theirs and to NeMo's.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from diarist.transcription.architecture import Architecture

_LONGEST_WAVE = 10_000.0  # of the sinusoids that encode positions (A. Vaswani et al., 2017)


class Encoder(nn.Module):  # type: ignore[misc]  # torch is untyped here
    """From mel features to one vector for each ``subsampling_factor`` frames.

    Raises:
        ValueError: no network can have these sizes.
    """

    def __init__(self, sizes: Architecture) -> None:
        super().__init__()
        if sizes.hidden_size % (2 * sizes.num_attention_heads):
            raise ValueError(f"{sizes.num_attention_heads} heads cannot share {sizes.hidden_size} dimensions")
        self.subsampling = _Subsampling(sizes)
        self.layers = nn.ModuleList(_Block(sizes) for _ in range(sizes.num_hidden_layers))
        self.scale = math.sqrt(sizes.hidden_size) if sizes.scale_input else 1.0

    def forward(self, features: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Encode a batch.

        Args:
            features: ``(batch, frames, bands)``, padded at the end.
            lengths: ``(batch,)`` int64, frames of each.

        Returns:
            ``(batch, fewer frames, hidden)``, and how many of them are not padding, ``(batch,)`` int64.
        """
        hidden, lengths = self.subsampling(features, lengths)
        hidden = hidden * self.scale
        heard = _heard(hidden, lengths)
        positions = _positions(hidden)
        for layer in self.layers:
            hidden = layer(hidden, heard, positions)
        return hidden, lengths


class _Subsampling(nn.Module):  # type: ignore[misc]
    """Convolutions that each halve time and frequency, all but the first depthwise separable."""

    def __init__(self, sizes: Architecture) -> None:
        super().__init__()
        channels, halvings = sizes.subsampling_conv_channels, sizes.subsampling_factor.bit_length() - 1
        self.layers = nn.ModuleList([nn.Conv2d(1, channels, 3, 2, 1), nn.ReLU()])
        for _ in range(halvings - 1):
            self.layers += [nn.Conv2d(channels, channels, 3, 2, 1, groups=channels)]
            self.layers += [nn.Conv2d(channels, channels, 1), nn.ReLU()]
        self.linear = nn.Linear(channels * (sizes.num_mel_bins >> halvings), sizes.hidden_size)

    def forward(self, features: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        found = features[:, None]
        for layer in self.layers:
            found = layer(found)
            if isinstance(layer, nn.ReLU):  # the end of a halving; what is padding must be silence to the next
                lengths = (lengths - 1) // 2 + 1
                found = found * _heard(found[:, 0], lengths)[:, None, :, None]
        return self.linear(found.transpose(1, 2).flatten(2)), lengths


class _Block(nn.Module):  # type: ignore[misc]
    """Half a feed-forward step, attention, convolution, and the other half, each added to its input."""

    def __init__(self, sizes: Architecture) -> None:
        super().__init__()
        width = sizes.hidden_size
        self.norm_feed_forward1, self.feed_forward1 = nn.LayerNorm(width), _FeedForward(sizes)
        self.norm_self_att, self.self_attn = nn.LayerNorm(width), _Attention(sizes)
        self.norm_conv, self.conv = nn.LayerNorm(width), _Convolution(sizes)
        self.norm_feed_forward2, self.feed_forward2 = nn.LayerNorm(width), _FeedForward(sizes)
        self.norm_out = nn.LayerNorm(width)

    def forward(self, hidden: Tensor, heard: Tensor, positions: Tensor) -> Tensor:
        hidden = hidden + 0.5 * self.feed_forward1(self.norm_feed_forward1(hidden))
        hidden = hidden + self.self_attn(self.norm_self_att(hidden), heard, positions)
        hidden = hidden + self.conv(self.norm_conv(hidden), heard)
        hidden = hidden + 0.5 * self.feed_forward2(self.norm_feed_forward2(hidden))
        return self.norm_out(hidden)


class _FeedForward(nn.Module):  # type: ignore[misc]
    def __init__(self, sizes: Architecture) -> None:
        super().__init__()
        self.linear1 = nn.Linear(sizes.hidden_size, sizes.intermediate_size, bias=sizes.attention_bias)
        self.linear2 = nn.Linear(sizes.intermediate_size, sizes.hidden_size, bias=sizes.attention_bias)

    def forward(self, hidden: Tensor) -> Tensor:
        return self.linear2(functional.silu(self.linear1(hidden)))


class _Convolution(nn.Module):  # type: ignore[misc]
    def __init__(self, sizes: Architecture) -> None:
        super().__init__()
        width, kernel, bias = sizes.hidden_size, sizes.conv_kernel_size, sizes.convolution_bias
        self.pointwise_conv1 = nn.Conv1d(width, 2 * width, 1, bias=bias)
        self.depthwise_conv = nn.Conv1d(width, width, kernel, padding=kernel // 2, groups=width, bias=bias)
        self.norm = nn.BatchNorm1d(width)
        self.pointwise_conv2 = nn.Conv1d(width, width, 1, bias=bias)

    def forward(self, hidden: Tensor, heard: Tensor) -> Tensor:
        gated = functional.glu(self.pointwise_conv1(hidden.transpose(1, 2)), dim=1) * heard[:, None]
        return self.pointwise_conv2(functional.silu(self.norm(self.depthwise_conv(gated)))).transpose(1, 2)


class _Attention(nn.Module):  # type: ignore[misc]
    """Attention by content and by distance: equations (a) to (d) of section 3.3 of "Transformer-XL"."""

    def __init__(self, sizes: Architecture) -> None:
        super().__init__()
        width, self.heads = sizes.hidden_size, sizes.num_attention_heads
        for name in ("q_proj", "k_proj", "v_proj", "o_proj"):
            setattr(self, name, nn.Linear(width, width, bias=sizes.attention_bias))
        self.relative_k_proj = nn.Linear(width, width, bias=False)
        self.bias_u = nn.Parameter(torch.zeros(self.heads, width // self.heads))
        self.bias_v = nn.Parameter(torch.zeros(self.heads, width // self.heads))

    def forward(self, hidden: Tensor, heard: Tensor, positions: Tensor) -> Tensor:
        query, key, value = (self._split(project(hidden)) for project in (self.q_proj, self.k_proj, self.v_proj))
        distances = self._split(self.relative_k_proj(positions[None]))
        scores = _by_distance((query + self.bias_v[:, None]) @ distances.mT) / math.sqrt(query.shape[-1])
        scores = scores.masked_fill(~heard[:, None, None], torch.finfo(scores.dtype).min)
        found = functional.scaled_dot_product_attention(query + self.bias_u[:, None], key, value, attn_mask=scores)
        return self.o_proj(found.transpose(1, 2).flatten(2))

    def _split(self, rows: Tensor) -> Tensor:
        """``(batch, n, width)`` to ``(batch, heads, n, width of a head)``."""
        return rows.unflatten(2, (self.heads, -1)).transpose(1, 2)


def _by_distance(scores: Tensor) -> Tensor:
    """From scores ``(…, n, 2 n - 1)`` by distance, n - 1 to 1 - n, to ``(…, n, n)`` by what is attended to.

    That of frames i and j is in row i, column n - 1 - i + j. In one line, with a column more in each row, it stands at
    n - 1 + i (2 n - 1) + j: from the n-th score on, rows of 2 n - 1 begin with what is wanted.
    """
    count = scores.shape[-2]
    flat = functional.pad(scores, (0, 1)).flatten(-2)
    rows = flat[..., count - 1 : count - 1 + count * (2 * count - 1)]
    return rows.unflatten(-1, (count, 2 * count - 1))[..., :count]


def _positions(hidden: Tensor) -> Tensor:
    """Sines and cosines in turn of the distances n - 1 to 1 - n between n frames: ``(2 n - 1, width)``."""
    count, width = hidden.shape[1:]
    distances = torch.arange(count - 1, -count, -1, device=hidden.device, dtype=torch.float32)
    rates = _LONGEST_WAVE ** (-torch.arange(0, width, 2, device=hidden.device, dtype=torch.float32) / width)
    angles = distances[:, None] * rates
    return torch.stack([angles.sin(), angles.cos()], dim=2).flatten(1).to(hidden.dtype)


def _heard(frames: Tensor, lengths: Tensor) -> Tensor:
    """Which of ``(batch, frames, …)`` are not padding: ``(batch, frames)`` bool."""
    return torch.arange(frames.shape[1], device=frames.device) < lengths[:, None]
