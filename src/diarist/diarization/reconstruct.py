"""From speakers of slots to turns in time.

As pyannote.audio 4.0.7 does it: overlapping chunks vote for each frame, the number of simultaneous speakers is the
rounded mean of the chunks' numbers, and the speakers with most votes are active. Chunks are added one by one, so that
memory does not hold the votes of all chunks at once.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from diarist.diarization.segmentation import FRAME_CENTRE, FRAME_STEP, NUM_FRAMES, POWERSET, Grid
from diarist.model.transcript import SpeakerScores, Turn

_BLOCK = 1 << 16  # frames, about 18 minutes, ranked at a time
MOST_AT_ONCE = 2  # that the segmentation model can tell


@dataclass(frozen=True, slots=True, eq=False)
class Activity:
    """Who is active in each frame of the recording.

    Attributes:
        active: ``(num_frames, num_speakers)`` bool; speakers may overlap.
        exclusive: the same with at most one speaker in each frame.
        probability: ``(num_frames, num_speakers)`` float32, mean over the chunks that see the frame.
    """

    active: NDArray[np.bool_]
    exclusive: NDArray[np.bool_]
    probability: NDArray[np.float32]


def reconstruct(
    grid: Grid,
    classes: NDArray[np.uint8],
    activity: NDArray[np.uint8],
    speakers: NDArray[np.intp],
    max_speakers: int | None = None,
    *,
    exact: bool = False,
    unclustered_after: float = 0.0,
) -> Activity:
    """Combine the chunks.

    Args:
        grid: the recording's chunks.
        classes: ``(num_chunks, NUM_FRAMES)`` powerset classes.
        activity: ``(num_chunks, NUM_FRAMES, NUM_SLOTS)`` probabilities of the slots, as 255ths.
        speakers: ``(num_chunks, NUM_SLOTS)`` who each slot is; negative for nobody.
        max_speakers: never more at once than this.
        exact: leave it to numpy's unstable sort which of two speakers with as many votes comes first, as
            pyannote.audio does. Otherwise the more probable one does.
        unclustered_after: where more are heard at once than speakers were told apart, pyannote.audio adds a speaker
            without a voice of its own. Do so only if that lasts this many seconds at a stretch: band-limited speech of
            one person sounds like two for up to a second.
    """
    clustered = max(1, int(speakers.max()) + 1)
    num_speakers = max(clustered, min(int(POWERSET[classes].sum(axis=2).max()), max_speakers or MOST_AT_ONCE))
    votes = np.zeros((grid.num_frames, num_speakers), np.float32)
    probability = np.zeros((grid.num_frames, num_speakers), np.float32)
    voices = np.zeros(grid.num_frames, np.float32)
    seen = np.zeros(grid.num_frames, np.float32)
    for chunk, slots in enumerate(speakers):
        start = grid.first_frame(chunk)
        span = slice(start, start + NUM_FRAMES)
        active = POWERSET[classes[chunk]]
        voices[span] += active.sum(axis=1)
        seen[span] += 1
        for speaker in np.unique(slots[slots >= 0]):
            own = slots == speaker
            votes[span, speaker] += active[:, own].max(axis=1)
            probability[span, speaker] += activity[chunk][:, own].max(axis=1)
    seen = np.maximum(seen, 1)
    count = np.minimum(np.rint(voices / seen).astype(np.intp), max_speakers or MOST_AT_ONCE)
    if _longest_run(count > clustered) * FRAME_STEP < unclustered_after:
        count = np.minimum(count, clustered)
    probability /= (255 * seen)[:, None]
    found = np.zeros((2, *votes.shape), np.bool_)
    for start in range(0, len(votes), _BLOCK):
        block = slice(start, start + _BLOCK)
        first = _ranks(votes[block], None if exact else probability[block])
        found[0, block] = first < count[block, None]
        found[1, block] = first < np.minimum(count[block], 1)[:, None]
    return Activity(found[0], found[1], probability)


def _ranks(votes: NDArray[np.float32], probability: NDArray[np.float32] | None) -> NDArray[np.intp]:
    """Each speaker's place in each frame, 0 for the one with most votes."""
    if probability is None:
        order = np.argsort(-votes, axis=1)
    else:
        # A probability below 1 never outweighs a vote.
        order = np.argsort(-(votes + probability / 2), axis=1, kind="stable")
    return np.argsort(order, axis=1, kind="stable")


def turns(
    active: NDArray[np.bool_], probability: NDArray[np.float32], labels: list[str], duration: float
) -> tuple[Turn, ...]:
    """Runs of active frames, from the centre of the first to the centre of the one after the last.

    A turn's confidence is the mean probability of its frames; None for a speaker that was not told apart.
    """
    found = []
    known = np.asarray(probability.any(axis=0))
    edges = np.diff(np.pad(active.astype(np.int8), ((1, 1), (0, 0))), axis=0)
    for column, label in enumerate(labels):
        begins, ends = (np.flatnonzero(edges[:, column] == sign) for sign in (1, -1))
        for begin, end in zip(begins.tolist(), ends.tolist(), strict=True):
            start = min(_time(begin), duration)
            stop = min(_time(min(end, len(active) - 1)), duration)
            if round(stop, 3) > round(start, 3):
                sure = min(1.0, float(probability[begin:end, column].mean())) if known[column] else None
                found.append(Turn(start, stop, label, sure))
    return tuple(sorted(found, key=lambda turn: (turn.start, turn.end, turn.speaker)))


def soft_scores(probability: NDArray[np.float32], labels: list[str]) -> SpeakerScores:
    """The probabilities as the noun that travels."""
    values = np.rint(probability[:, : len(labels)] * 255).clip(0, 255).astype(np.uint8)
    return SpeakerScores(FRAME_CENTRE, FRAME_STEP, tuple(labels), values.tobytes())


def _longest_run(flags: NDArray[np.bool_]) -> int:
    edges = np.flatnonzero(np.diff(np.pad(flags.astype(np.int8), 1)))
    return int((edges[1::2] - edges[::2]).max(initial=0))


def _time(frame: int) -> float:
    return FRAME_CENTRE + frame * FRAME_STEP
