"""Broadcast subtitles: what is shown when, on how many lines, and whether the rules are kept.

The rules are those that public guides share (Netflix Timed Text Style Guide, General Requirements and English; BBC
Subtitle Guidelines): see `Rules`. Speech is never shortened, so someone who talks faster than people read, or two who
talk at once, can still break the reading speed; `check` says where.

No library was found that lays out timed words by these rules: pysubs2, srt and webvtt-py read and write cues.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from math import inf
from typing import Final

from diarist.model.transcript import Transcript, Word, join_words


@dataclass(frozen=True, slots=True)
class Rules:
    """Limits on a cue.

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

PAUSE: Final = 1.0
"""Seconds without a word that a cue does not span."""

COMFORTABLE_SPEED: Final = 15.0
"""Characters a second (about the BBC's 160-180 words a minute) that a cue stays for where nothing follows at once."""

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


def lay_out(transcript: Transcript, rules: Rules = BROADCAST, *, labels: bool = False) -> tuple[Cue, ...]:
    """Turn a transcript into cues: cut at speaker changes, pauses, sentences and clauses, and timed to be read.

    Two short lines of different speakers who follow each other too fast become one cue of two lines with dashes.

    Args:
        transcript: what was said.
        rules: the limits.
        labels: whether a cue shows its speaker's label where the speaker changes.
    """
    drafts: list[Cue] = []
    last: str | None = None
    for stretch in _stretches(transcript):
        speaker = stretch[0].speaker
        label = f"{speaker}: " if labels and speaker is not None and speaker != last else ""
        last = speaker
        for start, stop in _blocks(stretch, len(label), rules):
            words = stretch[start:stop]
            text = join_words((word.text for word in words), transcript.language)
            lines = tuple(Line(speaker, line) for line in wrap(text, rules, label if start == 0 else ""))
            drafts.append(Cue(words[0].start, max(word.end for word in words), lines))
    drafts.sort(key=lambda cue: cue.start)
    return tuple(_timed(_with_dialogues(drafts, rules), rules))


def wrap(text: str, rules: Rules = BROADCAST, label: str = "") -> list[str]:
    """Break a text into lines, best after punctuation or before a conjunction, and balanced.

    The label stays before the first word. Text that does not fit `Rules.max_lines` lines gets more; a word longer than
    a line is cut.
    """
    first, *rest = text.split() or [""]
    words = [
        word[i : i + rules.max_width] for word in (label + first, *rest) for i in range(0, len(word), rules.max_width)
    ]
    whole = " ".join(words)
    if len(whole) <= rules.max_width:
        return [whole]
    best, best_cost = None, inf
    if rules.max_lines > 1:
        for cut in range(1, len(words)):
            upper, lower = " ".join(words[:cut]), " ".join(words[cut:])
            if max(len(upper), len(lower)) <= rules.max_width:
                cost = _break_cost(words[cut - 1], words[cut]) + abs(len(upper) - len(lower)) / rules.max_width
                if cost < best_cost:
                    best, best_cost = [upper, lower], cost
    if best is not None:
        return best
    lines = [words[0]]
    for word in words[1:]:
        if len(lines[-1]) + 1 + len(word) <= rules.max_width:
            lines[-1] += f" {word}"
        else:
            lines.append(word)
    return lines


def check(cues: Sequence[Cue], rules: Rules = BROADCAST) -> list[str]:
    """Say where cues break the rules, one line each; an empty list means that they keep them all."""
    found = []
    for number, cue in enumerate(cues, 1):
        seconds = round(cue.end - cue.start, 3)
        width, speed = max(len(line.text) for line in cue.lines), len(cue.text) / max(seconds, 1e-3)
        speakers = {line.speaker for line in cue.lines}
        problems = {
            f"a line of {width} characters": width > rules.max_width,
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
    for word in transcript.words:
        if run and (word.speaker != run[-1].speaker or word.start - run[-1].end > PAUSE):
            yield run
            run = []
        run.append(word)
    if run:
        yield run


def _blocks(words: Sequence[Word], label_width: int, rules: Rules) -> list[tuple[int, int]]:
    """Share out a stretch into cues at the least total cost (dynamic programming over cut points)."""
    lengths = [len(word.text) for word in words]
    best = [0.0] + [inf] * len(words)
    origin = [0] * (len(words) + 1)
    for start in range(len(words)):
        line, lines = (label_width if start == 0 else 0) - 1, 1
        for stop in range(start + 1, len(words) + 1):
            if line + 1 + lengths[stop - 1] <= rules.max_width:
                line += 1 + lengths[stop - 1]
            else:
                # A word longer than a line is cut.
                lines += 1 + (lengths[stop - 1] - 1) // rules.max_width
                line = (lengths[stop - 1] - 1) % rules.max_width + 1
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
    """How bad a cut between two words is: 0 after a sentence to 1 inside a phrase."""
    mark = before.rstrip("\"'”’»)]")[-1:]
    if mark in (".", "?", "!", "…", "。", "？", "！"):
        return 0.0
    if mark in (",", ";", ":", "—", "–", "、", "，"):
        return 0.3
    return 0.6 if after.lower() in _OPENERS else 1.0


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
        and max(len(line.text) for line in lines) + 2 <= rules.max_width
        and second.start - first.start < _needed(first, rules) + rules.min_gap - NEGLIGIBLE
        and max(first.end, second.end) - first.start <= rules.max_seconds
    )


def _needed(cue: Cue, rules: Rules) -> float:
    return min(rules.max_seconds, max(rules.min_seconds, len(cue.text) / rules.max_speed))


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
        end = max(cue.end, start + len(cue.text) / COMFORTABLE_SPEED)
        end = max(min(end, free_until), start + _needed(cue, rules))
        found.append(replace(cue, start=start, end=min(end, start + rules.max_seconds)))
    return [replace(cue, start=round(cue.start, 3), end=round(cue.end, 3)) for cue in found]
