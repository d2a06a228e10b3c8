"""Parakeet on ONNX Runtime: the published conversions, and our own int8 of them.

The folder layout is onnx-asr's: ``encoder-model[.QUANTISATION].onnx`` (with its ``.data`` file where the weights are
float32), ``decoder_joint-model[.QUANTISATION].onnx``, ``vocab.txt`` and, optionally, ``config.json``. onnx-asr itself
was rejected: of it only the features would be used, since its decoder drops the durations that give words their ends.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from diarist.files import read_bounded
from diarist.model import codec
from diarist.model.errors import EngineError, InputError, WeightsError
from diarist.transcription.windows import OutOfMemory

QUANTISATIONS: Final = ("int8mm", "int8", "")
"""Cheapest first: MatMul-only int8 takes about half of float32's CPU time, int8 of everything two thirds."""


@dataclass(frozen=True, slots=True, eq=False)
class Prediction:
    """What was emitted, and the predictor's state before and after it.

    The exported graph runs predictor and joint in one, so a prediction is made when its scores are asked for.

    Attributes:
        tokens: ``(batch, 1)`` int32 last token of each utterance.
        before: state of the predictor before these tokens, two of ``(layers, batch, hidden)`` float32.
        after: state after them, known once `OnnxBackend.joint` ran.
    """

    encoded: NDArray[np.float32]
    tokens: NDArray[np.int32]
    before: tuple[NDArray[np.float32], NDArray[np.float32]]
    after: list[NDArray[np.float32]]


class OnnxBackend:
    """Runs a folder of ONNX graphs on the CPU.

    Args:
        folder: in onnx-asr's layout.
        blank: number of pieces in the vocabulary.
        threads: CPU threads.

    Raises:
        WeightsError: a file is missing, damaged, or not of a Parakeet-TDT model.
    """

    batch = 1  # more only pads: a CPU has no idle lanes to fill

    def __init__(self, folder: Path, blank: int, threads: int) -> None:
        import onnxruntime

        self.blank = blank
        self.bands = _bands(folder)
        suffix = quantisation(folder)
        self.engine = f"onnxruntime {onnxruntime.__version__} {suffix.strip('.') or 'float32'}"
        self._encoder = _session(folder / f"encoder-model{suffix}.onnx", threads)
        self._decoder = _session(folder / f"decoder_joint-model{suffix}.onnx", 1)
        inputs = {one.name: one for one in self._decoder.get_inputs()}
        outputs = {one.name: one for one in self._decoder.get_outputs()}
        try:
            self._state = [
                (int(inputs[name].shape[0]), int(inputs[name].shape[2]))
                for name in ("input_states_1", "input_states_2")
            ]
            self._encoder_inputs = {one.name for one in self._encoder.get_inputs()} >= {"audio_signal", "length"}
            fits = self._encoder_inputs and {"outputs", "output_states_1", "output_states_2"} <= set(outputs)
            fits &= all(1 <= size <= _MOST_STATE for sizes in self._state for size in sizes)
        except (KeyError, TypeError, ValueError, IndexError):
            fits = False
        if not fits:
            raise WeightsError(
                "weights_mismatch", f"{folder} does not hold the graphs of a Parakeet-TDT model.", "Fetch it again."
            )
        self.durations: Sequence[int] = range(self._num_durations())

    def _num_durations(self) -> int:
        """Scores beyond tokens and blank; the durations are 0, 1, 2, … frames in every published model."""
        encoded = np.zeros((1, self._width(), 1), np.float32)
        try:
            scores = self.joint(np.zeros(1, np.int64), self.begin(encoded, 1))
        except EngineError as error:
            raise WeightsError(
                "bad_vocabulary",
                f"The network does not know blank number {self.blank}: its vocabulary is of another model.",
                "Use the vocabulary that came with the weights.",
            ) from error
        return max(0, int(scores.shape[1]) - self.blank - 1)

    def _width(self) -> int:
        for one in self._decoder.get_inputs():
            if one.name == "encoder_outputs" and isinstance(one.shape[1], int):
                return int(one.shape[1])
        raise WeightsError("weights_mismatch", "The decoder does not say how wide its input is.", "Fetch it again.")

    def encode(self, features: NDArray[np.float32], lengths: NDArray[np.int64]) -> tuple[object, NDArray[np.int64]]:
        """See `diarist.transcription.parakeet.Backend.encode`."""
        encoded, found = _run(
            self._encoder, ["outputs", "encoded_lengths"], {"audio_signal": features, "length": lengths}
        )
        return encoded, found.astype(np.int64)

    def begin(self, encoded: Any, count: int) -> Prediction:
        """See `diarist.transcription.tdt.Network.begin`."""
        (layers, hidden), (more_layers, more_hidden) = self._state
        zeros = (np.zeros((layers, count, hidden), np.float32), np.zeros((more_layers, count, more_hidden), np.float32))
        return Prediction(encoded, np.full((count, 1), self.blank, np.int32), zeros, [])

    def joint(self, frames: NDArray[np.int64], prediction: Prediction) -> NDArray[np.float32]:
        """See `diarist.transcription.tdt.Network.joint`."""
        count = len(frames)
        scores, first, second = _run(
            self._decoder,
            ["outputs", "output_states_1", "output_states_2"],
            {
                "encoder_outputs": prediction.encoded[np.arange(count), :, frames][:, :, None],
                "targets": prediction.tokens,
                "target_length": np.ones(count, np.int32),
                "input_states_1": prediction.before[0],
                "input_states_2": prediction.before[1],
            },
        )
        prediction.after[:] = [first, second]
        flat: NDArray[np.float32] = scores.reshape(count, -1)
        return flat

    def advance(self, prediction: Prediction, tokens: NDArray[np.int64], rows: NDArray[np.bool_]) -> Prediction:
        """See `diarist.transcription.tdt.Network.advance`."""
        first, second = (
            np.where(rows[None, :, None], after, before)
            for after, before in zip(prediction.after, prediction.before, strict=True)
        )
        chosen = np.where(rows[:, None], tokens[:, None].astype(np.int32), prediction.tokens)
        return Prediction(prediction.encoded, chosen, (first, second), [])


def quantisation(folder: Path) -> str:
    """The suffix of the cheapest complete pair of graphs in a folder: ``".int8mm"``, ``".int8"`` or ``""``.

    Raises:
        WeightsError: there is none.
    """
    for name in QUANTISATIONS:
        suffix = f".{name}" if name else ""
        if all((folder / f"{part}-model{suffix}.onnx").is_file() for part in ("encoder", "decoder_joint")):
            return suffix
    raise WeightsError(
        "weights_incomplete",
        f"{folder} lacks encoder-model.onnx and decoder_joint-model.onnx, or their int8 kinds.",
        "Fetch the model again, or name another folder.",
    )


def _bands(folder: Path) -> int:
    path = folder / "config.json"
    if not path.is_file():
        return 128
    try:
        return codec.read(_Config, read_bounded(path, _MOST_CONFIG_BYTES)).features_size
    except (InputError, OSError) as error:
        raise WeightsError("weights_damaged", f"{path} cannot be read: {error}", "Fetch the model again.") from error


_MOST_STATE: Final = 1 << 14  # layers, and width, of the predictor; the published ones have 2 of 640
_MOST_CONFIG_BYTES: Final = 1 << 20  # the published one has 96


@dataclass(frozen=True, slots=True)
class _Config:
    features_size: Annotated[int, msgspec.Meta(ge=1, le=1024)] = 128


def _session(path: Path, threads: int) -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 4
    # Threads that spin while they wait would take the cores from diarization, which runs at the same time.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    try:
        return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # ONNX Runtime's errors have no common base class
        raise WeightsError(
            "weights_damaged", f"{path} cannot be loaded: {_first_line(error)}", "Fetch the model again."
        ) from error


def _run(session: Any, outputs: list[str], inputs: dict[str, Any]) -> Any:
    try:
        return session.run(outputs, inputs)
    except Exception as error:
        line = _first_line(error)
        if "allocate" in line or "bad_alloc" in line:
            raise OutOfMemory(line) from error
        raise EngineError("engine_failed", f"ONNX Runtime failed: {line}") from error


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:200]
