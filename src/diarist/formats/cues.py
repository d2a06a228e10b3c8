"""Broadcast subtitles: what is shown when, on how many lines, and whether the rules are kept.

The rules are those that public guides share (Netflix Timed Text Style Guide, General Requirements and the guide of each
language; BBC Subtitle Guidelines): see `Rules` and `rules_for`. Speech is never shortened, so someone who talks faster
than people read, or two who talk at once, can still break the reading speed; `check` says where.

No library was found that lays out timed words by these rules: pysubs2, srt and webvtt-py read and write cues.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain, pairwise
from math import inf
from typing import Final

from diarist.model.transcript import Segment, Transcript, Word, spelled
from diarist.model.writing import is_unspaced, width


@dataclass(frozen=True, slots=True)
class Rules:
    """Limits on a cue. A character is one of Latin width; a wide East Asian one counts as two, as in Netflix's guides.

    Attributes:
        max_width: characters in a line (Netflix, English: 42).
        max_lines: lines in a cue, 1 or 2 (both guides: 2).
        min_seconds: shortest time on screen (Netflix: 5/6 s).
        max_seconds: longest time on screen (Netflix: 7 s).
        max_speed: characters a second, spaces included (Netflix, English, adult programmes: 20).
        min_gap: seconds between cues (Netflix: 2 frames; at 24 frames a second 0.084).
        max_lag: seconds a cue may come after its speech, so that an earlier one can be read; ours, a compromise.
    """

    max_width: int = 42
    max_lines: int = 2
    min_seconds: float = 0.834
    max_seconds: float = 7.0
    max_speed: float = 20.0
    min_gap: float = 0.084
    max_lag: float = 3.0


BROADCAST: Final = Rules()

# Netflix's guides for other scripts: letters in a line, and letters a second in subtitles of the language that is
# spoken (SDH), adult programmes.
_CHINESE: Final = Rules(max_width=2 * 16, max_speed=2 * 11.0)
_JAPANESE: Final = Rules(max_width=2 * 13, max_speed=2 * 7.0)
_KOREAN: Final = Rules(max_width=2 * 16, max_speed=2 * 14.0)
_THAI: Final = Rules(max_width=35)

PAUSE: Final = 1.0
"""Seconds without a word that a cue does not span."""

COMFORTABLE: Final = 0.75
"""Share of the highest reading speed at which a cue can be read where nothing follows at once: in English 15 characters
a second, about the BBC's 160-180 words a minute."""

NEGLIGIBLE: Final = 0.5
"""Seconds by which a cue may come late before two are put together as a dialogue."""

# A line or cue is better cut before these (BBC: "before conjunctions and prepositions").
_OPENERS = frozenset(
    {"and", "but", "or", "nor", "so", "yet", "because", "although", "though", "while", "if", "when", "where", "that"}
    | {"which", "who", "whose", "than", "as", "since", "until", "unless", "of", "to", "in", "on", "at", "by", "for"}
    | {"with", "from", "about", "into", "through", "over", "after", "before", "between", "under"}
)


@dataclass(frozen=True, slots=True)
class Line:
    """One line of text and who says it."""

    speaker: str | None
    text: str


@dataclass(frozen=True, slots=True)
class Cue:
    """What is on screen from ``start`` to ``end`` (seconds)."""

    start: float
    end: float
    lines: tuple[Line, ...]

    @property
    def text(self) -> str:
        """The lines as shown."""
        return "\n".join(line.text for line in self.lines)

    @property
    def width(self) -> int:
        """Characters to be read, as `Rules` counts them; a new line counts as a space."""
        return width(self.text.replace("\n", " "))


def rules_for(text: str) -> Rules:
    """Return the rules for the script that most of a text is written in; those of English for all that have no other.

    Japanese is told from Chinese by its kana.
    """
    scripts: Counter[str] = Counter()
    for letter, times in Counter(filter(str.isalpha, text)).items():
        scripts[unicodedata.name(letter, "").split(" ")[0]] += times
    kana = scripts["HIRAGANA"] + scripts["KATAKANA"] + scripts["KATAKANA-HIRAGANA"]
    east_asian = kana + scripts["CJK"]
    rules = {
        _JAPANESE if 10 * kana >= east_asian else _CHINESE: east_asian,
        _KOREAN: scripts["HANGUL"],
        _THAI: scripts["THAI"],
    }
    found = max(rules, key=rules.__getitem__)
    return found if 2 * rules[found] >= max(1, scripts.total()) else BROADCAST


def lay_out(transcript: Transcript, rules: Rules | None = None, *, labels: bool = False) -> tuple[Cue, ...]:
    """Turn a transcript into cues: cut at speaker changes, pauses, sentences and clauses, and timed to be read.

    Two short lines of different speakers who follow each other too fast become one cue of two lines with dashes.

    Args:
        transcript: what was said.
        rules: the limits; None takes those of the text's script.
        labels: whether a cue shows its speaker's label where the speaker changes.
    """
    rules = rules or rules_for(transcript.text)

    def label(speaker: str | None, last: str | None) -> str:
        return f"{speaker}: " if labels and speaker is not None and speaker != last else ""

    blocks: list[tuple[list[Word], list[str]]] = []
    last: str | None = None
    for spoken in _stretches(transcript):
        stretch = list(_narrow(spoken, rules.max_width))
        pieces = list(spelled(stretch, transcript.language))
        room = width(label(stretch[0].speaker, last))
        last = stretch[0].speaker
        blocks += [(stretch[i:j], pieces[i:j]) for i, j in _blocks(stretch, pieces, room, rules)]
    # Where people talk at once, cues of one stretch stand between those of another: labels follow the order of time.
    blocks.sort(key=lambda block: block[0][0].start)
    drafts: list[Cue] = []
    last = None
    for words, pieces in blocks:
        speaker = words[0].speaker
        lines = tuple(Line(speaker, line) for line in _wrapped(pieces, rules, label(speaker, last)))
        drafts.append(Cue(words[0].start, max(word.end for word in words), lines))
        last = speaker
    return tuple(_timed(_with_dialogues(drafts, rules), rules))


def wrap(text: str, rules: Rules = BROADCAST, label: str = "") -> list[str]:
    """Break a text into lines, best after punctuation or before a conjunction, and balanced.

    The label stays before the first word. Text that does not fit `Rules.max_lines` lines gets more; a word longer than
    a line is cut.
    """
    return _wrapped(re.findall(r"\s*\S+", text), rules, label)


def _wrapped(pieces: Iterable[str], rules: Rules, label: str) -> list[str]:
    """Break a text that may be cut between ``pieces``, each a word with the space before it."""
    apart = [part for piece in pieces for part in re.findall(r"\s*\S+", piece)] or [""]
    apart[0] = label + apart[0].lstrip()
    words = [part for piece in apart for part in _fitting(piece, rules.max_width)]
    whole = _line(words)
    if width(whole) <= rules.max_width:
        return [whole]
    best, best_cost = None, inf
    if rules.max_lines > 1:
        for cut in range(1, len(words)):
            upper = _line(words[:cut])
            if width(upper) > rules.max_width:
                break
            lower = _line(words[cut:])
            longer, difference = max(width(upper), width(lower)), abs(width(upper) - width(lower))
            if longer <= rules.max_width:
                cost = _break_cost(words[cut - 1], words[cut]) + difference / rules.max_width
                if cost < best_cost:
                    best, best_cost = [upper, lower], cost
    if best is not None:
        return best
    lines = [_line(words[:1])]
    for word in words[1:]:
        if width(lines[-1] + word) <= rules.max_width:
            lines[-1] += word
        else:
            lines.append(word.lstrip())
    return lines


def _line(pieces: Sequence[str]) -> str:
    return " ".join("".join(pieces).split())


def _fitting(piece: str, limit: int) -> Iterator[str]:
    """Cut a piece that is wider than a line; marks stay on their letters."""
    if width(piece.lstrip()) <= limit:
        yield piece
        return
    part = ""
    for character in piece:
        if part.strip() and width((part + character).lstrip()) > limit:
            yield part
            part = ""
        part += character
    yield part


def check(cues: Sequence[Cue], rules: Rules | None = None) -> list[str]:
    """Say where cues break the rules (None: those of their script), one line each; an empty list means nowhere."""
    rules = rules or rules_for("".join(cue.text for cue in cues))
    found = []
    for number, cue in enumerate(cues, 1):
        seconds = round(cue.end - cue.start, 3)
        widest, speed = max(width(line.text) for line in cue.lines), cue.width / max(seconds, 1e-3)
        speakers = {line.speaker for line in cue.lines}
        problems = {
            f"a line of {widest} characters": widest > rules.max_width,
            f"{len(cue.lines)} lines": len(cue.lines) > rules.max_lines,
            f"only {seconds:.3f} s": seconds < rules.min_seconds,
            f"{seconds:.3f} s": seconds > rules.max_seconds,
            f"{speed:.1f} characters a second": speed > rules.max_speed + 0.05,
            "two speakers without dashes": len(speakers) > 1 and not all(line.text[0] == "-" for line in cue.lines),
        }
        found += [f"cue {number}: {problem}" for problem, broken in problems.items() if broken]
    for number, (before, after) in enumerate(pairwise(cues), 2):
        if round(after.start - before.end, 3) < rules.min_gap:
            found.append(f"cue {number}: {after.start - before.end:.3f} s after the one before")
    return found


def _stretches(transcript: Transcript) -> Iterator[list[Word]]:
    """Yield runs of words of one speaker without a pause."""
    run: list[Word] = []
    for word in chain.from_iterable(segment.words or _shares(segment) for segment in transcript.segments):
        if run and (word.speaker != run[-1].speaker or word.start - run[-1].end > PAUSE):
            yield run
            run = []
        run.append(word)
    if run:
        yield run


def _shares(segment: Segment) -> Iterator[Word]:
    """Yield the parts of a text whose words have no times of their own, each with its share of the segment's time."""
    parts = re.findall(r"\s*\S+", segment.text)
    at, pace = segment.start, segment.duration / max(1, sum(map(width, parts)))
    for number, part in enumerate(parts):
        end = max(at, min(segment.end, at + pace * width(part)))
        yield Word(at, end, part.strip(), speaker=segment.speaker, spaced=number > 0 or None)
        at = end


def _narrow(words: Iterable[Word], limit: int) -> Iterator[Word]:
    """Cut words wider than a line, as whole phrases of Khmer are; each part gets its share of the time."""
    for word in words:
        if width(word.text) <= limit:
            yield word
            continue
        parts = list(_fitting(word.text, limit))
        at, pace = word.start, word.duration / max(1, width(word.text))
        for number, part in enumerate(parts, 1):
            end = word.end if number == len(parts) else at + pace * width(part)
            yield replace(word, start=at, end=max(at, end), text=part, spaced=word.spaced if number == 1 else False)
            at = end


def _blocks(words: Sequence[Word], pieces: Sequence[str], label_width: int, rules: Rules) -> list[tuple[int, int]]:
    """Share out a stretch into cues at the least total cost (dynamic programming over cut points)."""
    lengths = [width(piece.lstrip()) for piece in pieces]
    spaces = [len(piece) - len(piece.lstrip()) for piece in pieces]
    best = [0.0] + [inf] * len(words)
    origin = [0] * (len(words) + 1)
    for start in range(len(words)):
        line, lines = label_width if start == 0 else 0, 1
        for stop in range(start + 1, len(words) + 1):
            space = spaces[stop - 1] if stop > start + 1 else 0
            if line + space + lengths[stop - 1] <= rules.max_width:
                line += space + lengths[stop - 1]
            else:
                lines += 1
                line = lengths[stop - 1]
            seconds = words[stop - 1].end - words[start].start
            # One word always fits, however long it is.
            if stop > start + 1 and (lines > rules.max_lines or seconds > rules.max_seconds):
                break
            cost = best[start] + 1 + (1.5 if seconds < rules.min_seconds else 0)
            if stop < len(words):
                cost += 1.5 * _break_cost(words[stop - 1].text, words[stop].text)
                cost -= min(0.5, max(0.0, words[stop].start - words[stop - 1].end))
            if cost < best[stop]:
                best[stop], origin[stop] = cost, start
    found, stop = [], len(words)
    while stop:
        found.append((origin[stop], stop))
        stop = origin[stop]
    return found[::-1]


def _break_cost(before: str, after: str) -> float:
    """How bad a cut between two words is: 0 after a sentence to 1 inside a phrase, more where none may be.

    East Asian lines do not begin with closing marks, nor end with opening ones (W3C, Requirements for Japanese and for
    Chinese Text Layout); where marks are words of their own, this keeps them with theirs.
    """
    last, first = before[-1:], after.lstrip()[:1]
    if first and is_unspaced(first) and unicodedata.category(first) in ("Po", "Pe", "Pf"):
        return 5.0
    if is_unspaced(last) and unicodedata.category(last) in ("Ps", "Pi"):
        return 5.0
    mark = before.rstrip("\"'”’»)]）」』】")[-1:]
    if mark in (".", "?", "!", "…", "。", "？", "！", "।", "؟", "۔", "։"):
        return 0.0
    if mark in (",", ";", ":", "—", "–", "、", "，", "；", "：", "،", "؛"):
        return 0.3
    return 0.6 if after.lstrip().lower() in _OPENERS else 1.0


def _with_dialogues(drafts: Sequence[Cue], rules: Rules) -> list[Cue]:
    found: list[Cue] = []
    for cue in drafts:
        if found and _make_a_dialogue(found[-1], cue, rules):
            before = found.pop()
            lines = tuple(Line(line.speaker, f"- {line.text}") for line in (*before.lines, *cue.lines))
            found.append(Cue(before.start, max(before.end, cue.end), lines))
        else:
            found.append(cue)
    return found


def _make_a_dialogue(first: Cue, second: Cue, rules: Rules) -> bool:
    lines = (*first.lines, *second.lines)
    return (
        len(lines) == 2 <= rules.max_lines
        and first.lines[0].speaker != second.lines[0].speaker
        and max(width(line.text) for line in lines) + 2 <= rules.max_width
        and second.start - first.start < _needed(first, rules) + rules.min_gap - NEGLIGIBLE
        and max(first.end, second.end) - first.start <= rules.max_seconds
    )


def _needed(cue: Cue, rules: Rules) -> float:
    return min(rules.max_seconds, max(rules.min_seconds, cue.width / rules.max_speed))


def _timed(drafts: Sequence[Cue], rules: Rules) -> list[Cue]:
    """Give each cue the time to be read, up to the next one, which may come late by `Rules.max_lag`."""
    found: list[Cue] = []
    for index, cue in enumerate(drafts):
        start = cue.start
        if found:
            before = found[-1]
            # Rather than come too late, a cue takes time from the one before, but never its shortest.
            latest = max(cue.start + rules.max_lag - rules.min_gap, before.start + rules.min_seconds)
            if before.end > latest:
                found[-1] = replace(before, end=latest)
            start = max(start, found[-1].end + rules.min_gap)
        free_until = drafts[index + 1].start - rules.min_gap if index + 1 < len(drafts) else inf
        end = max(cue.end, start + cue.width / (COMFORTABLE * rules.max_speed))
        end = max(min(end, free_until), start + _needed(cue, rules))
        found.append(replace(cue, start=start, end=min(end, start + rules.max_seconds)))
    return [replace(cue, start=round(cue.start, 3), end=round(cue.end, 3)) for cue in found]
