"""Parakeet on torch, for GPUs: straight from a published checkpoint, without conversion and without NeMo.

The encoder is in `diarist.transcription.conformer`; predictor and joint are a dozen lines here. Not used: transformers'
``generate``, whose batched TDT decoding is wrong for utterances that are finished, and CUDA graphs, whose capture has
corrupted other libraries in the same process.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from diarist.extras import install
from diarist.model.errors import EngineError, WeightsError
from diarist.transcription.architecture import Architecture
from diarist.transcription.checkpoints import Checkpoint
from diarist.transcription.windows import OutOfMemory

if TYPE_CHECKING:
    from torch import Tensor, nn

BATCH = 16
"""Windows at a time on a GPU; a step of the decoder costs about the same for one as for many."""

Precision = Literal["float32", "bfloat16", "float16"]


@dataclass(frozen=True, slots=True, eq=False)
class Prediction:
    """What the predictor says, for a batch.

    Attributes:
        encoded: ``(batch, frames, hidden)`` the encoder's output, in the joint's space.
        said: ``(batch, hidden)`` the predictor's output, in the joint's space.
        state: of the LSTM, two of ``(layers, batch, hidden)``.
    """

    encoded: Tensor
    said: Tensor
    state: tuple[Tensor, Tensor]


class TorchBackend:
    """Runs a checkpoint with torch.

    Args:
        checkpoint: from `diarist.transcription.checkpoints.read_network`.
        device: torch's name of the device.
        threads: CPU threads, where the device is the CPU; sets torch's, for the process.
        precision: of the encoder; predictor and joint stay float32.

    Raises:
        WeightsError: tensors are missing, left over, or of another size than the configuration says.
        EngineError: torch is not installed.
    """

    def __init__(
        self, checkpoint: Checkpoint, device: str = "cuda", threads: int | None = None, precision: Precision = "float32"
    ) -> None:
        try:
            import torch
        except ImportError as error:
            raise EngineError("engine_missing", "This model needs torch.", f"Run: {install('gpu')}") from error
        if device == "cpu" and threads:
            torch.set_num_threads(threads)
        self.engine = f"torch {torch.__version__}, {precision}"
        self.blank = checkpoint.vocabulary.blank
        self.bands = checkpoint.architecture.num_mel_bins
        self.durations = checkpoint.architecture.durations
        self.batch = BATCH if device != "cpu" else 1
        self._torch = torch
        self._device = torch.device(device)
        self._dtype = getattr(torch, precision)
        network: Any = _build(checkpoint, self.blank)
        network.to(self._device)
        network.encoder.to(self._dtype)
        self._network = network

    def encode(self, features: NDArray[np.float32], lengths: NDArray[np.int64]) -> tuple[object, NDArray[np.int64]]:
        """See `diarist.transcription.parakeet.Backend.encode`."""
        torch = self._torch
        with self._failures():
            inputs = torch.from_numpy(features).to(self._device, self._dtype).transpose(1, 2)
            found, counts = self._network.encoder(inputs, torch.from_numpy(lengths).to(self._device))
            return self._network.encoder_projector(found.float()), counts.cpu().numpy()

    def begin(self, encoded: Any, count: int) -> Prediction:
        """See `diarist.transcription.tdt.Network.begin`."""
        torch = self._torch
        with self._failures():
            said, state = predict(self._network.decoder, torch.full((count, 1), self.blank, device=self._device), None)
        return Prediction(encoded, said, state)

    def joint(self, frames: NDArray[np.int64], prediction: Prediction) -> NDArray[np.float32]:
        """See `diarist.transcription.tdt.Network.joint`."""
        torch = self._torch
        with self._failures():
            rows = torch.arange(len(frames), device=self._device)
            heard = prediction.encoded[rows, torch.from_numpy(frames).to(self._device)]
            scores: NDArray[np.float32] = self._network.joint.head(torch.relu(heard + prediction.said)).cpu().numpy()
            return scores

    def advance(self, prediction: Prediction, tokens: NDArray[np.int64], rows: NDArray[np.bool_]) -> Prediction:
        """See `diarist.transcription.tdt.Network.advance`."""
        torch = self._torch
        with self._failures():
            chosen = torch.from_numpy(tokens[:, None]).to(self._device)
            said, state = predict(self._network.decoder, chosen, prediction.state)
            moved = torch.from_numpy(rows).to(self._device)[:, None]
            hidden, cell = (
                torch.where(moved[None], new, old) for new, old in zip(state, prediction.state, strict=True)
            )
            return Prediction(prediction.encoded, torch.where(moved, said, prediction.said), (hidden, cell))

    @contextmanager
    def _failures(self) -> Iterator[None]:
        torch = self._torch
        try:
            with torch.inference_mode():
                yield
        except torch.OutOfMemoryError as error:
            torch.cuda.empty_cache()
            raise OutOfMemory(str(error)) from error
        except (RuntimeError, ValueError) as error:
            line = (str(error).splitlines() or [type(error).__name__])[0][:200]
            raise EngineError("engine_failed", f"torch failed: {line}") from error


def _build(checkpoint: Checkpoint, blank: int) -> nn.Module:
    """Make the network without memory of its own, and give it the checkpoint's tensors."""
    import torch

    with torch.device("meta"):
        network = make_network(checkpoint.architecture, blank)
    with warnings.catch_warnings():
        # The tensors are views of a read-only file; nothing here writes into them.
        warnings.filterwarnings("ignore", message="The given NumPy array is not writable")
        tensors = {name: torch.from_numpy(tensor) for name, tensor in checkpoint.tensors.items()}
    try:
        network.load_state_dict(tensors, strict=True, assign=True)
    except RuntimeError as error:
        lines = [line.strip() for line in str(error).splitlines()]
        raise WeightsError(
            "weights_mismatch",
            f"The weights do not fit their configuration: {' '.join(lines[1:2])[:300]}",
            "Fetch the model again.",
        ) from error
    return network.eval().requires_grad_(False)


def make_network(architecture: Architecture, blank: int) -> Any:
    """The network with the names of transformers' ``ParakeetForTDT``, and no weights yet."""
    import torch
    from torch import nn

    from diarist.transcription.conformer import Encoder

    hidden = architecture.predictor_hidden
    network, decoder, joint = nn.Module(), nn.Module(), nn.Module()
    try:
        network.encoder = Encoder(architecture)
    except (ValueError, RuntimeError, TypeError, ZeroDivisionError) as error:
        raise WeightsError("weights_mismatch", f"No such network can be made: {error}.", "Fetch it again.") from error
    network.encoder_projector = nn.Linear(architecture.hidden_size, hidden)
    # Drawing its weights at random would import torch's compiler and sympy: over a second.
    decoder.embedding = nn.Embedding.from_pretrained(torch.empty(blank + 1, hidden))
    decoder.lstm = nn.LSTM(hidden, hidden, architecture.predictor_layers, batch_first=True)
    decoder.decoder_projector = nn.Linear(hidden, hidden)
    joint.head = nn.Linear(hidden, blank + 1 + len(architecture.durations))
    network.decoder, network.joint = decoder, joint
    return network


def predict(decoder: Any, tokens: Any, state: Any) -> Any:
    """Run the predictor one step.

    Args:
        decoder: of `make_network`.
        tokens: ``(batch, 1)`` last tokens.
        state: of its LSTM; None at the start.

    Returns:
        ``(batch, hidden)`` in the joint's space, and the LSTM's new state.
    """
    said, state = decoder.lstm(decoder.embedding(tokens), state)
    return decoder.decoder_projector(said)[:, 0], state


def export_graphs(checkpoint: Checkpoint, folder: Path, opset: int) -> None:
    """Write a checkpoint's network as two ONNX graphs with the names and shapes of the published conversion.

    Args:
        checkpoint: from `diarist.transcription.checkpoints.read_network`.
        folder: gets ``encoder-model.onnx`` and ``decoder_joint-model.onnx``, with their weights beside them.
        opset: ONNX operator set.
    """
    import torch

    class Encoder(torch.nn.Module):  # type: ignore[misc]  # torch is untyped here
        def __init__(self, network: Any) -> None:
            super().__init__()
            self.network = network

        def forward(self, audio_signal: Tensor, length: Tensor) -> tuple[Tensor, Tensor]:
            found, counts = self.network(audio_signal.transpose(1, 2), length)
            return found.transpose(1, 2), counts

    class DecoderJoint(torch.nn.Module):  # type: ignore[misc]
        def __init__(self, network: Any) -> None:
            super().__init__()
            self.network = network

        def forward(
            self, encoder_outputs: Tensor, targets: Tensor, target_length: Tensor, first: Tensor, second: Tensor
        ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
            said, (hidden, cell) = predict(self.network.decoder, targets.to(torch.int64), (first, second))
            heard = self.network.encoder_projector(encoder_outputs.transpose(1, 2))
            scores = self.network.joint.head(torch.relu(heard + said[:, None]))
            return scores[:, :, None], target_length.clone(), hidden, cell

    network: Any = _build(checkpoint, checkpoint.vocabulary.blank)
    architecture = checkpoint.architecture
    state = torch.zeros(architecture.predictor_layers, 2, architecture.predictor_hidden)
    utterances, frames = torch.export.Dim("utterances", min=1, max=512), torch.export.Dim("frames", min=17, max=100_000)
    torch.onnx.export(
        Encoder(network.encoder).eval(),
        (torch.randn(2, architecture.num_mel_bins, 400), torch.tensor([400, 300])),
        folder / "encoder-model.onnx",
        input_names=["audio_signal", "length"],
        output_names=["outputs", "encoded_lengths"],
        dynamic_shapes=({0: utterances, 2: frames}, {0: utterances}),
        opset_version=opset,
        dynamo=True,
        external_data=True,
    )
    torch.onnx.export(
        DecoderJoint(network).eval(),
        (
            torch.randn(2, architecture.hidden_size, 1),
            torch.zeros(2, 1, dtype=torch.int32),
            torch.ones(2, dtype=torch.int32),
            state,
            state.clone(),
        ),
        folder / "decoder_joint-model.onnx",
        input_names=["encoder_outputs", "targets", "target_length", "input_states_1", "input_states_2"],
        output_names=["outputs", "prednet_lengths", "output_states_1", "output_states_2"],
        dynamic_shapes=({0: utterances}, {0: utterances}, {0: utterances}, {1: utterances}, {1: utterances}),
        opset_version=opset,
        dynamo=True,
        external_data=False,
    )
