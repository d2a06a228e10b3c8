"""Long audio in windows: where to cut, and how to join what was recognised, with no word lost, doubled or reordered.

Works with any engine that recognises the words of one stretch of a recording. Memory does not grow with the recording:
windows are cut, decoded and joined one batch at a time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from diarist.model.errors import EngineError
from diarist.model.timeline import Span, gaps
from diarist.model.transcript import Word
from diarist.transcription.voice import FRAME_SECONDS, voice_regions

MAX_SECONDS: Final = 30.0
"""Whisper sees 30 s; Parakeet's attention costs more, in time and memory, beyond it."""

OVERLAP: Final = 2.0
"""Seconds that both windows hear on each side of a cut through running speech: a few words to join them by."""

SAME_WORD: Final = 0.6  # seconds by which two windows may disagree on when a word was said
HOLE_SECONDS: Final = 1.5  # of voice without a word are worth a second try
HOLE_EDGE: Final = 0.3
STRAY_EDGE: Final = 0.3  # seconds from the end of what a window heard
STRAY_CONFIDENCE: Final = 0.5
STRAY_GAP: Final = 1.5  # seconds within which a word is not said twice by two windows


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
) -> list[Word]:
    """Recognise all windows and join them.

    A batch that does not fit into memory is halved, and stays so. Where there is voice but no word, that stretch is
    decoded once more by itself: recognisers skip clauses, above all after a change of speaker.

    Args:
        windows: from `plan`.
        recognise: the engine.
        batch: how many windows at a time.
        probability: of voice, per frame, to tell where words were missed; None: do not look for them.
        report: told how much is done (0 to 1) after each batch; may raise to stop.

    Raises:
        EngineError: not even one window fits into memory.
    """
    joined: list[Word] = []
    last: Window | None = None
    for window, words in _decoded(windows, recognise, batch, report):
        if probability is not None:
            words = _filled(words, window, probability, recognise)
        if last is not None and window.heard.start < last.heard.end:
            cut = (last.core.end + window.core.start) / 2
            joined = join(joined, words, Span(window.heard.start, last.heard.end), cut)
        else:
            joined += words
        last = window
    return joined


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
        found = [word for word in recognise([heard])[0] if hole.start <= word.midpoint < hole.end]
        before = [word for word in words if word.midpoint < hole.start]
        words = [*before, *found, *words[len(before) :]]
    return words


def join(earlier: list[Word], later: Sequence[Word], overlap: Span, cut: float) -> list[Word]:
    """Join the words of two windows that both heard ``overlap``.

    Where they agree on a word in the overlap, the earlier window's words run up to the agreed word nearest the cut, and
    the later window's from there. Where they agree on none, each keeps the words on its side of the cut, and of two
    words for the same sound the surer stays. Words that one window recognised where the other recognised nothing stay.

    Args:
        earlier: all words up to and including the earlier window.
        later: the later window's words.
        overlap: what both heard.
        cut: where the later window's own stretch begins.
    """
    first = next((i for i, word in enumerate(earlier) if word.end > overlap.start), len(earlier))
    head, tail = earlier[:first], earlier[first:]
    stop = next((i for i, word in enumerate(later) if word.start >= overlap.end), len(later))
    agreed = [(abs((tail[i].midpoint + later[j].midpoint) / 2 - cut), i, j) for i, j in _matches(tail, later[:stop])]
    if agreed:
        _, i, j = min(agreed)
        left, right, dropped = tail[: i + 1], list(later[j + 1 :]), [*tail[i + 1 :], *later[:j]]
    else:
        left = [word for word in tail if word.midpoint < cut]
        right = [word for word in later if word.midpoint >= cut]
        dropped = [word for word in tail if word.midpoint >= cut] + [word for word in later if word.midpoint < cut]
        if left and right and _same_sound(left[-1], right[0]):
            if _surer(left[-1], right[0]) is left[-1]:
                right = right[1:]
            else:
                left = left[:-1]
    return [*head, *_with_strays(left, right, dropped, overlap)]


def _with_strays(left: list[Word], right: list[Word], dropped: Sequence[Word], overlap: Span) -> list[Word]:
    """Add what only one window recognised, where the other, whose stretch it was, recognised nothing.

    Not words at a window's very edge, which it heard a part of, nor unsure ones, nor one that is there already at about
    that time.
    """
    near = [word for word in (*left, *right) if word.end > overlap.start - 1 and word.start < overlap.end + 1]
    strays: list[Word] = []
    for word in sorted(dropped, key=lambda word: -(word.confidence or 0)):
        inside = overlap.start + STRAY_EDGE <= word.start and word.end <= overlap.end - STRAY_EDGE
        sure = word.confidence is None or word.confidence >= STRAY_CONFIDENCE
        text = _plain([word])
        clear = all(
            word.intersection(other) == 0 and not (_plain([other]) == text and word.gap(other) <= STRAY_GAP)
            for other in (*near, *strays)
        )
        if inside and sure and clear:
            strays.append(word)
    return sorted([*left, *right, *strays], key=lambda word: word.midpoint) if strays else [*left, *right]


def _decoded(
    windows: Sequence[Window], recognise: Recognise, batch: int, report: Callable[[float], None]
) -> Iterator[tuple[Window, list[Word]]]:
    at = 0
    while at < len(windows):
        some = windows[at : at + batch]
        try:
            found = recognise([window.heard for window in some])
        except OutOfMemory as error:
            if len(some) == 1:
                raise EngineError(
                    "out_of_memory",
                    "There is not enough memory for one window.",
                    "Free some, or choose a smaller model or the device 'cpu'.",
                ) from error
            batch = len(some) // 2
            continue
        at += len(some)
        report(at / len(windows))
        yield from ((window, list(words)) for window, words in zip(some, found, strict=True))


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


def _same_sound(a: Word, b: Word) -> bool:
    return a.intersection(b) > 0.5 * min(a.duration, b.duration)


def _surer(a: Word, b: Word) -> Word:
    return a if (a.confidence or 0) >= (b.confidence or 0) else b


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
