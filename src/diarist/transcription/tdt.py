"""Greedy decoding of a token-and-duration transducer (TDT), batched; the one decoder of both Parakeet engines.

Xu et al., "Efficient Sequence Transduction by Jointly Predicting Tokens and Durations", ICML 2023. At each step the
network names a token (or blank) and how many encoder frames to go on by. Utterances of a batch go on at their own pace
and stop at their own length, so that a batch gives what each utterance alone gives.

Rejected: onnx-asr's decoder (drops the durations, one utterance at a time), transformers' ``generate`` (goes on
emitting for utterances that are finished, has no limit of tokens per frame), NeMo's (needs NeMo).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

MAX_TOKENS_PER_FRAME: Final = 10
"""``greedy.max_symbols`` in the models' configuration: a network that never goes on is pushed on."""

P = TypeVar("P")


class Network(Protocol[P]):
    """Predictor and joint network, as the decoder needs them. ``P`` is a prediction in the engine's own terms."""

    @property
    def blank(self) -> int:
        """Id of blank, which is also the number of tokens; it starts every utterance."""

    @property
    def durations(self) -> Sequence[int]:
        """What the duration outputs stand for, in encoder frames."""

    def begin(self, encoded: object, count: int) -> P:
        """Predict what follows the start of ``count`` utterances; ``encoded`` is the encoder's output for them."""

    def joint(self, frames: NDArray[np.int64], prediction: P) -> NDArray[np.float32]:
        """Score what comes next.

        Args:
            frames: ``(batch,)`` the encoder frame each utterance has reached.
            prediction: what the predictor says.

        Returns:
            ``(batch, blank + 1 + len(durations))`` unnormalised scores of tokens, blank and durations.
        """

    def advance(self, prediction: P, tokens: NDArray[np.int64], rows: NDArray[np.bool_]) -> P:
        """Predict anew for the utterances in ``rows``, which emitted ``tokens``; the others keep what they had."""


class Bias(Protocol):
    """Changes the scores of tokens before one is chosen, e.g. to favour phrases."""

    def apply(self, scores: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return ``(batch, blank + 1)`` changed scores; the confidence comes from the unchanged ones."""

    def emitted(self, tokens: NDArray[np.int64], rows: NDArray[np.bool_]) -> None:
        """Learn which utterances emitted which tokens."""


@dataclass(frozen=True, slots=True)
class Token:
    """One emitted token.

    Attributes:
        id: index into the vocabulary.
        frame: encoder frame at which it was emitted.
        duration: encoder frames it lasts, as the network says.
        probability: its share among all tokens and blank.
    """

    id: int
    frame: int
    duration: int
    probability: float


def decode_tokens(
    network: Network[P],
    encoded: object,
    lengths: NDArray[np.int64],
    bias: Bias | None = None,
    max_tokens_per_frame: int = MAX_TOKENS_PER_FRAME,
) -> list[list[Token]]:
    """Decode a batch of utterances greedily.

    Args:
        network: predictor and joint.
        encoded: the encoder's output, as ``network`` takes it.
        lengths: ``(batch,)`` encoder frames of each utterance.
        bias: changes scores before a token is chosen.
        max_tokens_per_frame: after so many tokens at one frame, the utterance goes on to the next.

    Returns:
        The tokens of each utterance, in order.
    """
    batch = len(lengths)
    found: list[list[Token]] = [[] for _ in range(batch)]
    frames = np.zeros(batch, np.int64)
    crowd = np.zeros(batch, np.int64)
    durations = np.asarray(network.durations, np.int64)
    rows = np.arange(batch)
    prediction = network.begin(encoded, batch)
    while (active := frames < lengths).any():
        scores = network.joint(np.minimum(frames, np.maximum(lengths - 1, 0)), prediction)
        token_scores = scores[:, : network.blank + 1]
        chosen = (bias.apply(token_scores) if bias else token_scores).argmax(axis=1)
        steps = durations[scores[:, network.blank + 1 :].argmax(axis=1)]
        is_blank = chosen == network.blank
        emit = active & ~is_blank
        crowd = np.where(emit, crowd + 1, crowd)
        # A blank always goes on; so does a crowded frame.
        steps = np.where((steps == 0) & (is_blank | (crowd >= max_tokens_per_frame)), 1, steps)
        if emit.any():
            probability = _share(token_scores, chosen)
            for row in rows[emit].tolist():
                found[row].append(Token(int(chosen[row]), int(frames[row]), int(steps[row]), float(probability[row])))
            prediction = network.advance(prediction, chosen, emit)
            if bias:
                bias.emitted(chosen, emit)
        crowd = np.where(steps > 0, 0, crowd)
        frames = np.where(active, frames + steps, frames)
    return found


def _share(scores: NDArray[np.float32], chosen: NDArray[np.int64]) -> NDArray[np.float64]:
    """Softmax probability of the chosen column of each row."""
    at = np.take_along_axis(scores, chosen[:, None], axis=1)
    with np.errstate(over="ignore"):  # a token that only its bias made win may be infinitely unlikely
        share: NDArray[np.float64] = 1.0 / np.exp((scores - at).astype(np.float64)).sum(axis=1)
    return share
