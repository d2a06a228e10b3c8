"""From timed texts of any file to the nouns: words that lack times or speakers, texts that have no words."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain, groupby, pairwise
from typing import Literal

from diarist.model.transcript import Segment, Transcript, Word, join_words


@dataclass(frozen=True, slots=True)
class Heard:
    """A word as a file has it; times in seconds, None where the file has none."""

    text: str
    start: float | None
    end: float | None
    confidence: float | None = None
    speaker: str | None = None


def assemble(
    segments: Iterable[Segment],
    *,
    duration: float | None = None,
    language: str | None = None,
    task: Literal["transcribe", "translate"] | None = None,
    warnings: Sequence[str] = (),
) -> Transcript:
    """Make the transcript, and say in its warnings what the file leaves open."""
    ordered = tuple(sorted(segments, key=lambda segment: segment.start))
    open_ends = list(warnings)
    if any(segment.text and not segment.words for segment in ordered):
        open_ends.append("The file has no times for words, only for whole lines.")
    if duration is None:
        duration = max((segment.end for segment in ordered), default=0.0)
        open_ends.append("The file does not say how long the recording is; its last time stands for that.")
    named = chain.from_iterable((segment.speaker, *(word.speaker for word in segment.words)) for segment in ordered)
    return Transcript(
        duration=duration,
        language=language,
        speakers=tuple(dict.fromkeys(label for label in named if label is not None)),
        segments=ordered,
        turns=(),
        models=(),
        warnings=tuple(open_ends),
        task=task,
    )


def timed_words(
    heard: Sequence[Heard], start: float, end: float, text: str, speaker: str | None
) -> tuple[tuple[Word, ...], int]:
    """Make the words of a segment.

    Args:
        heard: as the file has them.
        start: of the segment, in seconds.
        end: of the segment.
        text: of the segment; it says how words are written, with which marks, and what stands between them.
        speaker: of the segment, for words before the first that names one; the others go with the one before.

    Returns:
        The words, and the number of times that were estimated: a word needs one, and the file may have none for it
        (WhisperX aligns no digits), so it gets its share of the gap. No words at all where the file times none.

    Raises:
        ValueError: a time is before another that it must follow.
    """
    heard = [word for word in heard if word.text.strip()]
    if all(word.start is None or word.end is None for word in heard):
        return (), 0
    spelling = spell(text, [word.text.strip() for word in heard])
    times, estimated = _times(heard, start, end)
    words, who = [], speaker
    for word, (first, last), (written, spaced) in zip(heard, times, spelling, strict=True):
        who = word.speaker or who
        words.append(Word(first, last, written, word.confidence, who, spaced=spaced))
    return tuple(words), estimated


def by_speaker(segment: Segment, language: str | None) -> Iterator[Segment]:
    """Cut a segment where its words change speaker; a segment has one."""
    runs = [(speaker, tuple(words)) for speaker, words in groupby(segment.words, key=lambda word: word.speaker)]
    if len(runs) < 2:
        yield segment if not runs else replace(segment, speaker=runs[0][0])
        return
    for speaker, words in runs:
        end = max(word.end for word in words)
        yield Segment(words[0].start, max(end, words[0].start), speaker, join_words(words, language), words)


def spell(text: str, words: Sequence[str]) -> list[tuple[str, bool | None]]:
    """Find how a text writes its words: each with its marks, and whether a space stands before it.

    Some files list words bare: ``Hello`` for ``"Hello,``. Where the words are not those of the text, they stay as they
    are, and nothing is known of spaces.
    """
    found: list[tuple[str, bool | None]] = []
    place = 0
    for word in words:  # as they are, marks and all
        here = place + len(text[place:]) - len(text[place:].lstrip()) if text[place : place + 1].isspace() else place
        if not text.startswith(word, here):
            break
        found.append((word, here > place if found else None))
        place = here + len(word)
    if len(found) == len(words) and not text[place:].strip():
        return found
    return _by_letters(text, words) or [(word, None) for word in words]


def _by_letters(text: str, words: Sequence[str]) -> list[tuple[str, bool | None]] | None:
    """As `spell`, by letters and digits alone; None where they differ."""
    letters = [(letter, place) for place, mark in enumerate(text) if mark.isalnum() for letter in mark.casefold()]
    bare = ["".join(mark.casefold() for mark in word if mark.isalnum()) for word in words]
    if "".join(letter for letter, _ in letters) != "".join(bare) or not all(bare):
        return None
    edges = []  # of each word, from its first letter to behind its last
    place = 0
    for word in bare:
        edges.append((letters[place][1], letters[place + len(word) - 1][1] + 1))
        place += len(word)
    cuts = [0, *(_cut(text, before[1], after[0]) for before, after in pairwise(edges)), len(text)]
    pieces = [text[first:last] for first, last in pairwise(cuts)]
    spaces = [None, *(text[cut - 1].isspace() or text[cut].isspace() for cut in cuts[1:-1])]
    return [(piece.strip(), spaced) for piece, spaced in zip(pieces, spaces, strict=True)]


def _cut(text: str, low: int, high: int) -> int:
    """Where, between two words, the second one begins: after the last space, else after all marks."""
    return next((place for place in range(high, low, -1) if text[place - 1].isspace()), high)


def _times(heard: Sequence[Heard], start: float, end: float) -> tuple[list[tuple[float, float]], int]:
    """Each word's times; those that lack one share the gap they stand in by their lengths."""
    found: list[tuple[float, float]] = []
    waiting: list[Heard] = []

    def share(until: float) -> None:
        at = found[-1][1] if found else start
        pace = max(0.0, until - at) / (sum(len(word.text.strip()) for word in waiting) or 1)
        for word in waiting:
            following = at + pace * len(word.text.strip())
            found.append((at, following))
            at = following
        waiting.clear()

    estimated = 0
    for word in heard:
        if word.start is None or word.end is None:
            waiting.append(word)
            estimated += 1
        else:
            share(word.start)
            found.append((word.start, word.end))
    share(end)
    return found, estimated
