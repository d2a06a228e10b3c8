"""The sizes of a Parakeet-TDT network, and the two kinds of configuration that name them, by their schemas.

A configuration comes with weights from anywhere: what it says is held within bounds before a network is made of it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, Final, Literal, TypeVar

import msgspec

T = TypeVar("T")

# Generous: the largest published model has 42 layers of width 1,024.
_Width = Annotated[int, msgspec.Meta(ge=1, le=16_384)]
_Layers = Annotated[int, msgspec.Meta(ge=1, le=256)]
_Duration = Annotated[int, msgspec.Meta(ge=0, le=64)]
_Durations = Annotated[tuple[_Duration, ...], msgspec.Meta(min_length=1, max_length=64)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Architecture:
    """The sizes of a Parakeet-TDT network; see transformers' ``ParakeetEncoderConfig`` for the encoder's."""

    hidden_size: _Width
    num_hidden_layers: _Layers
    num_attention_heads: _Width
    intermediate_size: Annotated[int, msgspec.Meta(ge=1, le=1 << 18)]
    conv_kernel_size: _Width
    subsampling_factor: _Layers
    subsampling_conv_channels: _Width
    num_mel_bins: _Width
    attention_bias: bool
    convolution_bias: bool
    scale_input: bool
    predictor_hidden: _Width
    predictor_layers: _Layers
    durations: _Durations


Pieces = tuple[str | int | float | bool | None, ...]  # a piece such as "1" or "no" is a number or a truth value in YAML


@dataclass(frozen=True, slots=True, kw_only=True)
class _NemoEncoder:
    d_model: int
    n_layers: int
    n_heads: int
    ff_expansion_factor: int
    conv_kernel_size: int
    subsampling_factor: int
    subsampling_conv_channels: int
    feat_in: int
    xscaling: bool
    self_attention_model: str
    subsampling: str
    conv_norm_type: str
    causal_downsampling: bool = False
    use_bias: bool = True


@dataclass(frozen=True, slots=True)
class _NemoPredictor:
    pred_hidden: int
    pred_rnn_layers: int


@dataclass(frozen=True, slots=True)
class _NemoDecoder:
    prednet: _NemoPredictor


@dataclass(frozen=True, slots=True)
class _NemoJoint:
    vocabulary: Pieces = ()


@dataclass(frozen=True, slots=True)
class _NemoDecoding:
    durations: tuple[int, ...] | None = None


@dataclass(frozen=True, slots=True)
class _NemoDefaults:
    tdt_durations: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class NemoConfig:
    """What is read of ``model_config.yaml``."""

    encoder: _NemoEncoder
    decoder: _NemoDecoder
    joint: _NemoJoint = _NemoJoint()
    labels: Pieces | None = None
    decoding: _NemoDecoding | None = None
    model_defaults: _NemoDefaults | None = None

    def pieces(self) -> tuple[str, ...]:
        """The vocabulary, in order of the ids.

        Raises:
            ValueError: there is none.
        """
        pieces = self.labels or self.joint.vocabulary
        if not pieces:
            raise ValueError("it lacks a vocabulary")
        return tuple(map(str, pieces))

    def architecture(self) -> Architecture:
        """The network's sizes.

        Raises:
            ValueError: it is a network of another kind, or of sizes that none has.
        """
        encoder, predictor = self.encoder, self.decoder.prednet
        durations = self.decoding.durations if self.decoding else None
        if not durations and self.model_defaults:
            durations = self.model_defaults.tdt_durations
        if encoder.self_attention_model != "rel_pos" or encoder.subsampling != "dw_striding":
            raise ValueError("its encoder is of another kind")
        if encoder.conv_norm_type != "batch_norm" or encoder.causal_downsampling:
            raise ValueError("its encoder is of another kind")
        return checked(
            Architecture,
            {
                "hidden_size": encoder.d_model,
                "num_hidden_layers": encoder.n_layers,
                "num_attention_heads": encoder.n_heads,
                "intermediate_size": encoder.d_model * encoder.ff_expansion_factor,
                "conv_kernel_size": encoder.conv_kernel_size,
                "subsampling_factor": encoder.subsampling_factor,
                "subsampling_conv_channels": encoder.subsampling_conv_channels,
                "num_mel_bins": encoder.feat_in,
                "attention_bias": encoder.use_bias,
                "convolution_bias": encoder.use_bias,
                "scale_input": encoder.xscaling,
                "predictor_hidden": predictor.pred_hidden,
                "predictor_layers": predictor.pred_rnn_layers,
                "durations": durations or (),
            },
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class TransformersConfig:
    """What is read of transformers' ``config.json``."""

    model_type: Literal["parakeet_tdt"]
    blank_token_id: Annotated[int, msgspec.Meta(ge=1, le=1 << 20)]
    decoder_hidden_size: int
    num_decoder_layers: int
    durations: _Durations
    encoder_config: dict[str, int | float | bool | str | list[Any] | dict[str, Any] | None]

    def architecture(self) -> Architecture:
        """The network's sizes.

        Raises:
            ValueError: one is missing, or no network has it.
        """
        encoder = {name: value for name, value in self.encoder_config.items() if name in _ENCODER_FIELDS}
        own = {
            "predictor_hidden": self.decoder_hidden_size,
            "predictor_layers": self.num_decoder_layers,
            "durations": self.durations,
        }
        return checked(Architecture, {**encoder, **own})


_ENCODER_FIELDS: Final = frozenset(Architecture.__dataclass_fields__) - {
    "predictor_hidden",
    "predictor_layers",
    "durations",
}


def checked(cls: type[T], value: Any) -> T:
    """A plain value by its schema.

    Raises:
        ValueError: something is missing or wrong; the message names it.
    """
    try:
        return msgspec.convert(value, cls)
    except msgspec.ValidationError as error:
        raise ValueError(str(error).replace("`", "'")) from error
