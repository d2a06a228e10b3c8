"""Long audio in windows: where to cut, and how to join what was recognised, with no word lost, doubled or reordered.

Works with any engine that recognises the words of one stretch of a recording. Memory does not grow with the recording:
windows are cut, decoded and joined one batch at a time.
"""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from diarist.model.errors import EngineError
from diarist.model.timeline import Span, gaps
from diarist.model.transcript import Word
from diarist.transcription.vad import FRAME_SECONDS, voice_regions

MAX_SECONDS: Final = 30.0
"""Whisper sees 30 s; Parakeet's attention costs more, in time and memory, beyond it."""

OVERLAP: Final = 2.0
"""Seconds that both windows hear on each side of a cut through running speech: a few words to join them by."""

SAME_WORD: Final = 0.6  # seconds by which two windows may disagree on when a word was said
HOLE_SECONDS: Final = 1.5  # of voice without a word are worth a second try
HOLE_EDGE: Final = 0.3
REPEAT_GAP: Final = 1.5  # seconds within which a word is not said twice by two windows

# What it costs to change from one window's words to another's, where a sure word is worth 1.
CHANGE_AGREED: Final = 0.25
CHANGE: Final = 0.75


@dataclass(frozen=True, slots=True)
class Window:
    """One stretch of a recording to be decoded.

    Attributes:
        core: the stretch whose words are this window's own; cores are disjoint.
        heard: what is decoded: the core with context on both sides, which neighbours may hear too.
    """

    core: Span
    heard: Span


class OutOfMemory(Exception):
    """An engine had no memory for a batch; a smaller one may do."""


Recognise = Callable[[Sequence[Span]], Sequence[Sequence[Word]]]
"""Recognises the words in each of some stretches, with their times in the recording. May raise `OutOfMemory`."""


Told = Callable[[Sequence[Word], float], None]
"""Told words that are final, and the time before which no word will come any more."""


def untold(words: Sequence[Word], before: float) -> None:
    """Tell nobody."""


def plan(
    probability: NDArray[np.float32], duration: float, max_seconds: float = MAX_SECONDS, context: float = 0.0
) -> tuple[Window, ...]:
    """Cut a recording into windows that hold all its voice.

    A window ends in the longest pause of its last fifth, or else of its second half; where voice goes on without a
    pause, at the frame least likely to be voice, and there both sides hear `OVERLAP` seconds beyond the cut. (Full
    windows matter: cutting anywhere in the second half costs Whisper tiny 2 points of word error.) Long silence lies in
    no window.

    Args:
        probability: ``(num_frames,)`` from `voice_probability`.
        duration: length of the recording in seconds.
        max_seconds: no window hears more.
        context: seconds that every window hears beyond its core on each side.

    Returns:
        Windows in order; none where there is no voice.
    """
    windows: list[Window] = []
    pending = list(voice_regions(probability))[::-1]
    before = context
    while pending:
        start = pending[-1].start
        left = max(0.0, start - before)
        limit = left + max_seconds - context
        taken: list[Span] = []
        while pending and pending[-1].end <= limit:
            taken.append(pending.pop())
        after = context
        if pending and pending[-1].start < limit:
            following = pending[-1].start
            half, late = left + 0.5 * max_seconds, left + 0.8 * max_seconds
            cut = _pause(taken, late, following) or _pause(taken, half, following)
            if cut is None:
                after = max(context, OVERLAP)
                at = _quietest(probability, half, left + max_seconds - after)
                rest = pending.pop()
                taken.append(Span(rest.start, at))
                pending.append(Span(at, rest.end))
            else:
                while taken[-1].start >= cut:
                    pending.append(taken.pop())
        end = min(taken[-1].end, duration)
        windows.append(Window(Span(start, end), Span(left, min(end + after, duration))))
        before = after
    return tuple(windows)


def recognise_windows(
    windows: Sequence[Window],
    recognise: Recognise,
    *,
    batch: int = 1,
    probability: NDArray[np.float32] | None = None,
    report: Callable[[float], None] = lambda _: None,
    final: Told = untold,
) -> list[Word]:
    """Recognise all windows and join them: `decoded`, then `joined`; arguments and errors are theirs."""
    found = decoded(windows, recognise, batch=batch, probability=probability, report=report)
    return joined(windows, found, final)


def decoded(
    windows: Sequence[Window],
    recognise: Recognise,
    *,
    batch: int = 1,
    probability: NDArray[np.float32] | None = None,
    report: Callable[[float], None] = lambda _: None,
) -> Iterator[list[Word]]:
    """Recognise the words of each window, one after the other.

    A batch that does not fit into memory is halved, and stays so. Where there is voice but no word, that stretch is
    decoded once more by itself: recognisers skip clauses, above all after a change of speaker.

    Args:
        windows: from `plan`, or some that follow each other.
        recognise: the engine.
        batch: how many windows at a time.
        probability: of voice, per frame, to tell where words were missed; None: do not look for them.
        report: told how much is done (0 to 1) after each batch; may raise to stop.

    Raises:
        EngineError: not even one window fits into memory.
    """
    for window, words in _in_batches(windows, recognise, batch, report):
        yield words if probability is None else _filled(words, window, probability, recognise)


def joined(windows: Sequence[Window], found: Iterable[Sequence[Word]], final: Told = untold) -> list[Word]:
    """Join the words of all windows of a recording.

    Args:
        windows: from `plan`: what they hear begins later with each.
        found: the words of each window, as `decoded` gives them.
        final: told, after each window, the words that no later window can change, and the time before which no later
            window hears anything (infinity after the last); all words that it was told are what is returned.
    """
    done: list[Word] = []
    open_end: list[Word] = []  # what the next window may still change
    last: Window | None = None
    following = [*(window.heard.start for window in windows), math.inf][1:]  # of each, that of the next
    for window, words, before in zip(windows, found, following, strict=True):
        if last is not None and window.heard.start < last.heard.end:
            open_end = join(open_end, words, Span(window.heard.start, last.heard.end))
        else:
            open_end += words
        last = window
        settled = next((i for i, word in enumerate(open_end) if word.end > before), len(open_end))
        done += open_end[:settled]
        final(open_end[:settled], before)
        open_end = open_end[settled:]
    return done


def holes(words: Sequence[Word], within: Span, probability: NDArray[np.float32]) -> tuple[Span, ...]:
    """Stretches with voice but no words, long enough that words were probably missed.

    Args:
        words: what was recognised.
        within: the stretch that is looked at.
        probability: of voice, per frame of the recording.
    """
    return tuple(
        gap
        for gap in gaps(words, within)
        if gap.duration > 2 * HOLE_EDGE
        and _voiced(probability, Span(gap.start + HOLE_EDGE, gap.end - HOLE_EDGE)) >= HOLE_SECONDS
    )


def _filled(words: list[Word], window: Window, probability: NDArray[np.float32], recognise: Recognise) -> list[Word]:
    """Decode the holes of a window once more, each by itself, and put in what is found there."""
    for hole in holes(words, window.core, probability):
        heard = Span(max(0.0, hole.start - HOLE_EDGE), hole.end + HOLE_EDGE)
        try:
            (again,) = recognise([heard])
        except OutOfMemory as error:
            raise _no_memory() from error
        found = [word for word in again if hole.start <= word.midpoint < hole.end]
        before = [word for word in words if word.midpoint < hole.start]
        words = [*before, *found, *words[len(before) :]]
    return words


def join(earlier: list[Word], later: Sequence[Word], overlap: Span) -> list[Word]:
    """Join the words of two windows that both heard ``overlap``.

    Of all ways to follow the earlier window's words, change to the later one's, and change back and again where that is
    worth it, the one is taken that keeps the most words which are right, as far as their confidences say; a window is
    trusted less the nearer its own end is. The way changes at a word on which both agree, or, at a higher cost, between
    two words that follow each other in time; it leaves out no word on which both agree, and takes none of them twice.

    Args:
        earlier: all words up to and including the earlier window.
        later: the later window's words.
        overlap: what both heard.
    """
    first = next((i for i, word in enumerate(earlier) if word.end > overlap.start), len(earlier))
    stop = next((i for i, word in enumerate(later) if word.start >= overlap.end), len(later))
    return [*earlier[:first], *_best_way(earlier[first:], later[:stop], overlap), *later[stop:]]


def _best_way(tail: Sequence[Word], soon: Sequence[Word], overlap: Span) -> list[Word]:
    """The words of `join` in the overlap, by dynamic programming over the words of both windows."""
    pairs = _matches(tail, soon)
    agreed = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
    # A step is (agreed words before it, time, side, index): in this order, what comes before a word stands before it.
    steps: list[tuple[int, float, int, int]] = []
    for side, words in enumerate((tail, soon)):
        reached = 0.0
        for index, word in enumerate(words):
            reached = max(reached, word.midpoint)
            steps.append((bisect_left(agreed[side], index), reached, side, index))
    steps.sort()
    chosen = [(tail, soon)[side][index] for _, _, side, index in steps]
    after = [bisect_right(agreed[side], index) for _, _, side, index in steps]
    ways: list[tuple[float, int]] = []  # the worth of the best way up to each step, and the step before it
    for this, (before, _, side, index) in enumerate(steps):
        starts = [(-CHANGE if side else 0.0, -1)] if before == 0 and (side or index == 0) else []
        for other, (_, _, its_side, its_index) in enumerate(steps[:this]):
            if its_side == side:
                if its_index == index - 1:
                    starts.append((ways[other][0], other))
            elif after[other] == before:
                if before and (agreed[its_side][before - 1], agreed[side][before - 1]) == (its_index, index - 1):
                    starts.append((ways[other][0] - CHANGE_AGREED, other))
                elif _follow(chosen[other], chosen[this]):
                    starts.append((ways[other][0] - CHANGE, other))
        worth, came = max(starts, default=(-np.inf, -1))
        inward = overlap.end - chosen[this].midpoint if side == 0 else chosen[this].midpoint - overlap.start
        trust = min(1.0, max(0.0, 2 * inward / overlap.duration))
        confidence = chosen[this].confidence
        ways.append((worth + trust * (1.0 if confidence is None else confidence), came))
    ends = [
        (ways[this][0] - (0.0 if side else CHANGE), this)
        for this, (_, _, side, index) in enumerate(steps)
        if after[this] == len(pairs) and (side == 0 or index == len(soon) - 1)
    ]
    if not pairs:
        ends.append((-CHANGE, -1))
    _, at = max(ends)
    found: list[Word] = []
    while at >= 0:
        found.append(chosen[at])
        at = ways[at][1]
    return found[::-1]


def _follow(a: Word, b: Word) -> bool:
    """Whether ``b``, from another window than ``a``, may be said after it, rather than being the same word."""
    same = a.intersection(b) > 0.5 * min(a.duration, b.duration) or (
        _plain([a]) == _plain([b]) and a.gap(b) <= REPEAT_GAP
    )
    return a.midpoint < b.midpoint and not same


def _in_batches(
    windows: Sequence[Window], recognise: Recognise, batch: int, report: Callable[[float], None]
) -> Iterator[tuple[Window, list[Word]]]:
    at = 0
    while at < len(windows):
        some = windows[at : at + batch]
        try:
            found = recognise([window.heard for window in some])
        except OutOfMemory as error:
            if len(some) == 1:
                raise _no_memory() from error
            batch = len(some) // 2
            continue
        at += len(some)
        report(at / len(windows))
        yield from ((window, list(words)) for window, words in zip(some, found, strict=True))


def _no_memory() -> EngineError:
    return EngineError(
        "out_of_memory",
        "There is not enough memory for one window.",
        "Free some, or choose a smaller model or the device 'cpu'.",
    )


def _matches(a: Sequence[Word], b: Sequence[Word]) -> list[tuple[int, int]]:
    """The best in-order pairing of equal words said at about the same time.

    difflib was rejected: it knows no times, and so pairs the wrong ones of words that are said several times.
    """
    texts_a, texts_b = _plain(a), _plain(b)
    best = np.zeros((len(a) + 1, len(b) + 1))
    gain = np.zeros((len(a), len(b)))
    for i in reversed(range(len(a))):
        for j in reversed(range(len(b))):
            apart = abs(a[i].midpoint - b[j].midpoint)
            if texts_a[i] == texts_b[j] and apart <= SAME_WORD:
                gain[i, j] = 1 + (1 - apart / SAME_WORD)
            best[i, j] = max(best[i + 1, j], best[i, j + 1], gain[i, j] + best[i + 1, j + 1] if gain[i, j] else 0)
    pairs, i, j = [], 0, 0
    while i < len(a) and j < len(b):
        if gain[i, j] and best[i, j] == gain[i, j] + best[i + 1, j + 1]:
            pairs.append((i, j))
            i, j = i + 1, j + 1
        elif best[i, j] == best[i + 1, j]:
            i += 1
        else:
            j += 1
    return pairs


def _plain(words: Iterable[Word]) -> list[str]:
    return ["".join(filter(str.isalnum, word.text)).lower() or word.text for word in words]


def _voiced(probability: NDArray[np.float32], span: Span) -> float:
    """Seconds of a span that are likely voice."""
    frames = probability[int(span.start / FRAME_SECONDS) : int(span.end / FRAME_SECONDS) + 1]
    return float((frames >= 0.5).sum() * FRAME_SECONDS)


def _pause(taken: list[Span], earliest: float, following: float) -> float | None:
    """The end of the region before the longest pause that ends after ``earliest``; None where there is none."""
    starts = [*(span.start for span in taken), following][1:]
    pauses = [(later - span.end, span.end) for span, later in zip(taken, starts, strict=True) if later >= earliest]
    return max(pauses)[1] if pauses else None


def _quietest(probability: NDArray[np.float32], earliest: float, latest: float) -> float:
    """The middle of the frame least likely to be voice."""
    first, last = int(earliest / FRAME_SECONDS) + 1, int(latest / FRAME_SECONDS) - 1
    return float((first + np.argmin(probability[first:last]) + 0.5) * FRAME_SECONDS)
