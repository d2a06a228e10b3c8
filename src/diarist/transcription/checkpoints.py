"""Parakeet checkpoints as NVIDIA publishes them, read without NeMo and without running anything they contain.

v2 is published as a ``.nemo`` file only: a tar of the configuration, the tokenizer and a torch checkpoint. v3 comes as
``.nemo`` and in transformers' layout (``model.safetensors``, ``config.json``, ``tokenizer.json``). Both become the same
`Checkpoint`. Tensors are views of the mapped file: nothing is copied until used.

Rejected: NeMo's own ``restore_from`` (25 s to ready, 2 GB of packages, unpickles anything), and transformers' converter
(crashes on v2, whose vocabulary has no ``<pad>``).
"""

from __future__ import annotations

import json
import re
import shutil
import tarfile
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Final

from numpy.typing import NDArray

from diarist.model.errors import WeightsError
from diarist.transcription.vocabulary import Vocabulary
from diarist.weights.checkpoint import read_checkpoint, state_dict

_MAX_CONFIG_BYTES: Final = 16 << 20  # the real ones are about 0.3 MB

# From NeMo's names to transformers'.
_RENAMES: Final = tuple(
    (re.compile(pattern), name)
    for pattern, name in (
        (r"^encoder\.pre_encode\.conv\.", "encoder.subsampling.layers."),
        (r"^encoder\.pre_encode\.out\.", "encoder.subsampling.linear."),
        (r"\.conv\.batch_norm\.", ".conv.norm."),
        (r"\.self_attn\.linear_([qkv])\.", r".self_attn.\1_proj."),
        (r"\.self_attn\.linear_out\.", ".self_attn.o_proj."),
        (r"\.self_attn\.linear_pos\.", ".self_attn.relative_k_proj."),
        (r"\.pos_bias_([uv])$", r".bias_\1"),
        (r"^decoder\.prediction\.embed\.", "decoder.embedding."),
        (r"^decoder\.prediction\.dec_rnn\.lstm\.", "decoder.lstm."),
        (r"^joint\.enc\.", "encoder_projector."),
        (r"^joint\.pred\.", "decoder.decoder_projector."),
        (r"^joint\.joint_net\.2\.", "joint.head."),
    )
)
_UNUSED: Final = ("preprocessor.", "spec_augmentation.", "loss.", "joint._")


@dataclass(frozen=True, slots=True, kw_only=True)
class Architecture:
    """The sizes of a Parakeet-TDT network; see transformers' ``ParakeetEncoderConfig`` for the encoder's."""

    hidden_size: int
    num_hidden_layers: int
    num_attention_heads: int
    intermediate_size: int
    conv_kernel_size: int
    subsampling_factor: int
    subsampling_conv_channels: int
    num_mel_bins: int
    attention_bias: bool
    convolution_bias: bool
    scale_input: bool
    predictor_hidden: int
    predictor_layers: int
    durations: tuple[int, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Checkpoint:
    """A model as it was published.

    Attributes:
        architecture: its sizes.
        vocabulary: its pieces.
        tensors: its weights under transformers' names, read-only.
    """

    architecture: Architecture
    vocabulary: Vocabulary
    tensors: Mapping[str, NDArray[Any]]


def checkpoint_file(folder: Path) -> Path | None:
    """The checkpoint in a folder: ``model.safetensors``, or the only ``.nemo`` file; None where there is neither."""
    if (folder / "model.safetensors").is_file() and (folder / "config.json").is_file():
        return folder / "model.safetensors"
    found = sorted(folder.glob("*.nemo"))
    return found[0] if len(found) == 1 else None


def read(path: Path) -> Checkpoint:
    """Read a ``.nemo`` file, or ``model.safetensors`` with its neighbours.

    Raises:
        WeightsError: it is missing, damaged, or not a Parakeet-TDT model.
    """
    try:
        return _read_nemo(path) if path.suffix == ".nemo" else _read_transformers(path)
    except WeightsError:
        raise
    except (OSError, KeyError, TypeError, ValueError, AttributeError, tarfile.TarError) as error:
        what = f"it lacks {error}" if isinstance(error, KeyError) else str(error) or type(error).__name__
        raise WeightsError(
            "weights_damaged", f"{path.name} is not a readable Parakeet-TDT model: {what}.", "Fetch the model again."
        ) from error


def _read_nemo(path: Path) -> Checkpoint:
    import yaml

    try:
        with tarfile.open(path, "r:") as archive:
            members = _members(archive)
            text = _text(archive, members["model_config.yaml"])
            weights = members["model_weights.ckpt"]
            tensors = read_checkpoint(path, offset=weights.offset_data, size=weights.size)
    except tarfile.ReadError:
        # Old archives are compressed; what is in them cannot be mapped in place.
        with tarfile.open(path, "r:*") as archive, tempfile.TemporaryDirectory() as folder:
            members = _members(archive)
            text = _text(archive, members["model_config.yaml"])
            unpacked = Path(folder) / "model_weights.ckpt"
            with unpacked.open("wb") as out:
                shutil.copyfileobj(_file(archive, members["model_weights.ckpt"]), out)
            tensors = read_checkpoint(unpacked)
    try:
        config = yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # noqa: S506  # both are safe
    except yaml.YAMLError as error:
        raise ValueError("its configuration is no YAML") from error
    pieces = config.get("labels") or config["joint"]["vocabulary"]
    vocabulary = Vocabulary(tuple(str(piece) for piece in pieces))
    named = {_renamed(name): tensor for name, tensor in state_dict(tensors).items() if not name.startswith(_UNUSED)}
    return Checkpoint(_nemo_architecture(config), vocabulary, named)


def _nemo_architecture(config: Mapping[str, Any]) -> Architecture:
    encoder, predictor = config["encoder"], config["decoder"]["prednet"]
    durations = (config.get("decoding") or {}).get("durations") or config["model_defaults"]["tdt_durations"]
    if encoder["self_attention_model"] != "rel_pos" or encoder["subsampling"] != "dw_striding":
        raise ValueError("its encoder is of another kind")
    if encoder["conv_norm_type"] != "batch_norm" or encoder.get("causal_downsampling"):
        raise ValueError("its encoder is of another kind")
    bias = bool(encoder.get("use_bias", True))
    return Architecture(
        hidden_size=int(encoder["d_model"]),
        num_hidden_layers=int(encoder["n_layers"]),
        num_attention_heads=int(encoder["n_heads"]),
        intermediate_size=int(encoder["d_model"]) * int(encoder["ff_expansion_factor"]),
        conv_kernel_size=int(encoder["conv_kernel_size"]),
        subsampling_factor=int(encoder["subsampling_factor"]),
        subsampling_conv_channels=int(encoder["subsampling_conv_channels"]),
        num_mel_bins=int(encoder["feat_in"]),
        attention_bias=bias,
        convolution_bias=bias,
        scale_input=bool(encoder["xscaling"]),
        predictor_hidden=int(predictor["pred_hidden"]),
        predictor_layers=int(predictor["pred_rnn_layers"]),
        durations=tuple(int(step) for step in durations),
    )


def _read_transformers(path: Path) -> Checkpoint:
    from safetensors import SafetensorError, safe_open
    from tokenizers import Tokenizer

    config = json.loads((path.parent / "config.json").read_text(encoding="utf-8"))
    if config.get("model_type") != "parakeet_tdt":
        raise ValueError(f"its model_type is {config.get('model_type')!r}")
    try:
        # The numpy reader refuses bfloat16, in which v3 may be published; torch is at hand where this layout is used.
        with safe_open(path, framework="pt") as file:
            tensors = {name: _widened(file.get_tensor(name)) for name in file.keys()}  # noqa: SIM118  # not a mapping
    except SafetensorError as error:
        raise ValueError(str(error)) from error
    blank = int(config["blank_token_id"])
    try:
        tokenizer = Tokenizer.from_file(str(path.parent / "tokenizer.json"))
    except Exception as error:  # tokenizers raises nothing narrower
        raise WeightsError(
            "bad_vocabulary", f"{path.parent / 'tokenizer.json'} cannot be read: {error}.", "Fetch the model again."
        ) from error
    pieces = [tokenizer.id_to_token(index) for index in range(blank)]
    if None in pieces:
        raise WeightsError(
            "bad_vocabulary",
            f"The tokenizer has no piece number {pieces.index(None)} of {blank}.",
            "Use the tokenizer.json that came with the weights.",
        )
    encoder = config["encoder_config"]
    return Checkpoint(
        Architecture(
            **{
                name: encoder[name]
                for name in Architecture.__dataclass_fields__
                if name not in ("predictor_hidden", "predictor_layers", "durations")
            },
            predictor_hidden=int(config["decoder_hidden_size"]),
            predictor_layers=int(config["num_decoder_layers"]),
            durations=tuple(int(step) for step in config["durations"]),
        ),
        Vocabulary(tuple(piece for piece in pieces if piece is not None)),
        tensors,
    )


def _widened(tensor: Any) -> NDArray[Any]:
    import torch

    found: NDArray[Any] = (tensor.float() if tensor.dtype in (torch.bfloat16, torch.float16) else tensor).numpy()
    return found


def _members(archive: tarfile.TarFile) -> dict[str, tarfile.TarInfo]:
    return {member.name.removeprefix("./"): member for member in archive if member.isfile()}


def _file(archive: tarfile.TarFile, member: tarfile.TarInfo) -> IO[bytes]:
    file = archive.extractfile(member)
    if file is None:
        raise ValueError(f"{member.name} is no file")
    return file


def _text(archive: tarfile.TarFile, member: tarfile.TarInfo) -> str:
    if member.size > _MAX_CONFIG_BYTES:
        raise ValueError(f"{member.name} is too large")
    return _file(archive, member).read().decode("utf-8")


def _renamed(name: str) -> str:
    for pattern, replacement in _RENAMES:
        name = pattern.sub(replacement, name)
    return name
