"""Long audio in windows: where to cut."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from diarist.model.timeline import Span
from diarist.transcription.voice import FRAME_SECONDS, voice_regions

MAX_SECONDS: Final = 30.0
"""Whisper sees 30 s; Parakeet's attention costs more, in time and memory, beyond it."""


def plan(probability: NDArray[np.float32], duration: float, max_seconds: float = MAX_SECONDS) -> tuple[Span, ...]:
    """Cut a recording into windows that hold all its voice.

    A window ends in the longest pause of its last fifth, or else of its second half; where voice goes on without a
    pause, at the frame least likely to be voice. (Full windows matter: cutting anywhere in the second half costs
    Whisper tiny 2 points of word error.) Long silence lies in no window.

    Args:
        probability: ``(num_frames,)`` from `voice_probability`.
        duration: length of the recording in seconds.
        max_seconds: no window is longer.

    Returns:
        Disjoint windows in order; none where there is no voice.
    """
    windows: list[Span] = []
    pending = list(voice_regions(probability))[::-1]
    while pending:
        start = pending[-1].start
        taken: list[Span] = []
        while pending and pending[-1].end - start <= max_seconds:
            taken.append(pending.pop())
        if pending and pending[-1].start < start + max_seconds:
            following = pending[-1].start
            half, late = start + 0.5 * max_seconds, start + 0.8 * max_seconds
            cut = _pause(taken, late, following) or _pause(taken, half, following)
            if cut is None:
                at = _quietest(probability, half, start + max_seconds)
                rest = pending.pop()
                taken.append(Span(rest.start, at))
                pending.append(Span(at, rest.end))
            else:
                while taken[-1].start >= cut:
                    pending.append(taken.pop())
        windows.append(Span(start, min(taken[-1].end, duration)))
    return tuple(windows)


def _pause(taken: list[Span], earliest: float, following: float) -> float | None:
    """The end of the region before the longest pause that begins after ``earliest``; None where there is none."""
    starts = [*(span.start for span in taken), following][1:]
    pauses = [(later - span.end, span.end) for span, later in zip(taken, starts, strict=True) if span.end >= earliest]
    return max(pauses)[1] if pauses else None


def _quietest(probability: NDArray[np.float32], earliest: float, latest: float) -> float:
    """The middle of the frame least likely to be voice."""
    first, last = int(earliest / FRAME_SECONDS) + 1, int(latest / FRAME_SECONDS) - 1
    return float((first + np.argmin(probability[first:last]) + 0.5) * FRAME_SECONDS)
