"""Parakeet checkpoints as NVIDIA publishes them, read without NeMo and without running anything they contain.

v2 is published as a ``.nemo`` file only: a tar of the configuration, the tokenizer and a torch checkpoint. v3 comes as
``.nemo`` and in transformers' layout (``model.safetensors``, ``config.json``, ``tokenizer.json``). Both become the same
`Checkpoint`. Tensors are views of the mapped file: nothing is copied until used.

Rejected: NeMo's own ``restore_from`` (25 s to ready, 2 GB of packages, unpickles anything), and transformers' converter
(crashes on v2, whose vocabulary has no ``<pad>``).
"""

from __future__ import annotations

import gzip
import re
import tarfile
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Final

from numpy.typing import NDArray

from diarist.files import read_bounded
from diarist.model import codec
from diarist.model.errors import WeightsError
from diarist.transcription.architecture import Architecture, NemoConfig, TransformersConfig, checked
from diarist.transcription.vocabulary import Vocabulary
from diarist.weights.checkpoint import read_checkpoint, state_dict
from diarist.weights.window import Window, mapped
from diarist.weights.yaml import MOST_BYTES, read_yaml

_MOST_MEMBERS: Final = 1000  # of an archive; real ones have about ten
_MOST_READ: Final = 64 << 20  # bytes of an archive beside its weights, which are mapped
_MOST_UNPACKED: Final = 8  # times the size of a compressed archive; weights shrink to no less than half
_MOST_TOKENIZER_BYTES: Final = 64 << 20  # v3's has 8,192 pieces in 1 MB

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


def read_network(path: Path) -> Checkpoint:
    """Read a ``.nemo`` file, or ``model.safetensors`` with its neighbours.

    Raises:
        WeightsError: it is missing, damaged, or not a Parakeet-TDT model.
    """
    try:
        return _read_nemo(path) if path.suffix == ".nemo" else _read_transformers(path)
    except (WeightsError, ImportError):
        raise
    except Exception as error:  # a damaged file raises nearly anything, from tarfile's errors to MemoryError
        what = str(error)[:200] or type(error).__name__
        raise WeightsError(
            "weights_damaged", f"{path.name} is not a readable Parakeet-TDT model: {what}.", "Fetch the model again."
        ) from error


def _read_nemo(path: Path) -> Checkpoint:
    data = mapped(path)
    if bytes(data[:2]) != _GZIP:
        return _read_archive(path, data)
    # Old archives are compressed; what is in them cannot be mapped in place.
    with tempfile.TemporaryDirectory() as folder:
        unpacked = Path(folder) / path.name
        most = _MOST_UNPACKED * len(data) + _MOST_READ
        with gzip.open(path) as archive, unpacked.open("wb") as out:
            while block := archive.read(1 << 20):
                if out.tell() + len(block) > most:
                    raise ValueError("it is far larger than its archive")
                out.write(block)
        return _read_archive(unpacked, mapped(unpacked))


_GZIP: Final = b"\x1f\x8b"


def _read_archive(path: Path, data: memoryview) -> Checkpoint:
    with tarfile.open(fileobj=Window(data, _MOST_READ), mode="r:") as archive:
        members = _members(archive)
        config = _file(archive, _named(members, "model_config.yaml")).read(MOST_BYTES + 1)
        weights = _named(members, "model_weights.ckpt")
        if weights.size < 0 or weights.offset_data + weights.size > len(data):
            raise ValueError("it ends early")
    tensors = state_dict(read_checkpoint(path, offset=weights.offset_data, size=weights.size))
    named = {_renamed(name): tensor for name, tensor in tensors.items() if not name.startswith(_UNUSED)}
    nemo = checked(NemoConfig, read_yaml(config))
    return Checkpoint(nemo.architecture(), Vocabulary(nemo.pieces()), named)


def _read_transformers(path: Path) -> Checkpoint:
    config = codec.read(TransformersConfig, read_bounded(path.parent / "config.json", MOST_BYTES))
    from safetensors import SafetensorError, safe_open

    try:
        # The numpy reader refuses bfloat16, in which v3 may be published; torch is at hand where this layout is used.
        with safe_open(path, framework="pt") as file:
            tensors = {name: _widened(file.get_tensor(name)) for name in file.keys()}  # noqa: SIM118  # not a mapping
    except SafetensorError as error:
        raise ValueError(str(error)) from error
    return Checkpoint(
        config.architecture(), Vocabulary(_pieces(path.parent / "tokenizer.json", config.blank_token_id)), tensors
    )


def _pieces(path: Path, blank: int) -> tuple[str, ...]:
    from tokenizers import Tokenizer

    try:
        tokenizer = Tokenizer.from_str(read_bounded(path, _MOST_TOKENIZER_BYTES).decode("utf-8"))
    except Exception as error:  # tokenizers raises nothing narrower
        raise WeightsError("bad_vocabulary", f"{path} cannot be read: {error}.", "Fetch the model again.") from error
    pieces: list[str] = []
    for index in range(blank):
        piece = tokenizer.id_to_token(index)
        if piece is None:
            raise WeightsError(
                "bad_vocabulary",
                f"The tokenizer has no piece number {index} of {blank}.",
                "Use the tokenizer.json that came with the weights.",
            )
        pieces.append(piece)
    return tuple(pieces)


def _widened(tensor: Any) -> NDArray[Any]:
    import torch

    found: NDArray[Any] = (tensor.float() if tensor.dtype in (torch.bfloat16, torch.float16) else tensor).numpy()
    return found


def _members(archive: tarfile.TarFile) -> dict[str, tarfile.TarInfo]:
    found = {}
    for count, member in enumerate(archive):
        if count >= _MOST_MEMBERS:
            raise ValueError("it has too many parts")
        if member.isreg() and not member.sparse:
            found[member.name.removeprefix("./")] = member
    return found


def _named(members: Mapping[str, tarfile.TarInfo], name: str) -> tarfile.TarInfo:
    if name not in members:
        raise ValueError(f"it lacks {name}")
    return members[name]


def _file(archive: tarfile.TarFile, member: tarfile.TarInfo) -> IO[bytes]:
    file = archive.extractfile(member)
    if file is None:
        raise ValueError(f"{member.name} is no file")
    return file


def _renamed(name: str) -> str:
    for pattern, replacement in _RENAMES:
        name = pattern.sub(replacement, name)
    return name
