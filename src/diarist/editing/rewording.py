"""Words written anew: which keep their times, and when the new ones are said."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from diarist.editing.alignment import Piece, Stretch, align, pieces
from diarist.editing.operations import Replace
from diarist.editing.ranges import all_units, holding, piece, put
from diarist.model.errors import InputError
from diarist.model.transcript import Segment, Transcript, Word, spelled
from diarist.model.writing import space_between

MAX_PIECES: Final = 2_000
"""Pieces of text (see `diarist.editing.alignment`) that are compared at once, old and new each."""

SECONDS_A_LETTER: Final = 0.1
"""An inserted word takes no more of a pause than somebody needs who speaks slowly."""


@dataclass(frozen=True, slots=True)
class _Around:
    """What stands before and behind a range, in any segment."""

    before: Word | Segment | None
    behind: Word | Segment | None
    duration: float
    language: str | None


def reword(transcript: Transcript, edit: Replace) -> Transcript:
    """Write a range of words anew; see `Replace`."""
    every = tuple(all_units(transcript))
    is_insertion = edit.first == edit.stop
    # An insertion goes to the segment of the word before it, at the very start to that of the first word.
    first = max(0, edit.first - 1) if is_insertion else edit.first
    low, held = holding(transcript, first, first + 1 if is_insertion else edit.stop)
    if any(not segment.words and segment.text for _, segment in held):
        return _line(transcript, edit, low, held)
    old = every[edit.first : edit.stop]
    words = [unit for unit in old if isinstance(unit, Word)]
    owners = [
        number
        for number, (before, segment) in enumerate(held)
        for place in range(before, before + len(segment.words))
        if edit.first <= place < edit.stop
    ]
    shown = [(text.lstrip(), text.startswith(" ")) for text in spelled(words, transcript.language)]
    if max(len(pieces(edit.text)), len(pieces(" ".join(word.text for word in words)))) > MAX_PIECES:
        raise InputError("too_long", "That is too much text for one edit.", "Replace less at a time.", http_status=413)
    around = _Around(
        every[edit.first - 1] if edit.first else None,
        every[edit.stop] if edit.stop < len(every) else None,
        transcript.duration,
        transcript.language,
    )
    written: list[list[Word]] = [[] for _ in held]
    for stretch in align(shown, edit.text):
        for owner, word in _become(stretch, words, owners, around):
            written[owner].append(word)
    segments = []
    for number, (before, segment) in enumerate(held):
        head = segment.words[: max(0, edit.first - before)]
        tail = segment.words[max(0, edit.stop - before) :]
        now = (*head, *written[number], *tail)
        if now and now != segment.words:
            segments.append(piece(segment, now, transcript.language, head=True, tail=True))
        elif now or not segment.words:
            segments.append(segment)
    touched = {word.speaker for word in words} | {segment.speaker for _, segment in held}
    return put(transcript, low, low + len(held), segments, touched=touched)


def _line(transcript: Transcript, edit: Replace, low: int, held: Sequence[tuple[int, Segment]]) -> Transcript:
    """Write a line anew that has no times for its words."""
    if edit.stop - edit.first != 1:
        raise InputError("no_word_times", "A line has no times for its words.", "Replace such lines one by one.")
    [(_, line)] = held
    text = " ".join(edit.text.split())
    return put(transcript, low, low + 1, [replace(line, text=text)] if text else [], touched={line.speaker})


def _become(stretch: Stretch, words: Sequence[Word], owners: Sequence[int], around: _Around) -> list[tuple[int, Word]]:
    """What becomes of some words, each with the number of the segment that it goes to."""
    old, their = words[stretch.first : stretch.stop], owners[stretch.first : stretch.stop]
    if stretch.kept:
        before = words[stretch.first - 1] if stretch.first else around.before
        lead = old[0] if stretch.leads else _spaced(old[0], stretch.tokens[0][1], before, around.language)
        return list(zip(their, (lead, *old[1:]), strict=True))
    # What the text does not say of a space before it, the word that stood there does.
    first_space = words[0].spaced if words and stretch.leads else None
    spaces = [
        first_space if stretch.leads and number == 0 else spaced for number, (_, spaced) in enumerate(stretch.tokens)
    ]
    if len(old) == len(stretch.tokens):
        return [
            (owner, replace(word, text=text, confidence=None, spaced=spaced))
            for owner, word, (text, _), spaced in zip(their, old, stretch.tokens, spaces, strict=True)
        ]
    before = words[stretch.first - 1] if stretch.first else around.before
    behind = words[stretch.stop] if stretch.stop < len(words) else around.behind
    if old:
        start = old[0].start
        end = max(word.end for word in old)
        like, owner = old[0], their[0]
        if behind is not None and behind.start >= start:
            end = min(end, behind.start)
    else:
        goes_behind = stretch.first > 0 or not words
        if goes_behind and before is None:
            goes_behind = False
        like_unit = before if goes_behind else behind
        owner = owners[stretch.first - 1] if stretch.first else 0
        start, end = _room(stretch.tokens, before, behind, around.duration, goes_behind=goes_behind)
        like = like_unit if isinstance(like_unit, Word) else Word(start, end, "")
    times = _shared(stretch.tokens, start, end)
    return [
        (owner, Word(at, until, text, None, like.speaker, None, like.overlap, spaced))
        for (at, until), (text, _), spaced in zip(times, stretch.tokens, spaces, strict=True)
    ]


def _spaced(word: Word, spaced: bool, before: Word | Segment | None, language: str | None) -> Word:
    """A word that stays, with the space before it that is written now; as it is where nothing changes."""
    said = word.spaced
    if said is None and before is not None:
        said = space_between(before.text, word.text, language)
    return word if said == spaced else replace(word, spaced=spaced)


def _room(
    tokens: Sequence[Piece],
    before: Word | Segment | None,
    behind: Word | Segment | None,
    duration: float,
    *,
    goes_behind: bool,
) -> tuple[float, float]:
    """When inserted words are said: in the pause that they stand in, next to the word that they go with."""
    length = SECONDS_A_LETTER * sum(len(text) for text, _ in tokens)
    if goes_behind and before is not None:
        high = behind.start if behind is not None else max(duration, before.end)
        start = max(before.start, min(before.end, high))
        return start, max(start, min(high, start + length))
    high = behind.start if behind is not None else duration
    low = min(before.end if before is not None else 0.0, high)
    return max(low, high - length), high


def _shared(tokens: Sequence[Piece], start: float, end: float) -> list[tuple[float, float]]:
    """Share a stretch of time among words by their letters."""
    pace = (end - start) / (sum(len(text) for text, _ in tokens) or 1)
    found = []
    at = start
    for text, _ in tokens:
        until = min(end, at + pace * len(text))
        found.append((at, until))
        at = until
    return found
