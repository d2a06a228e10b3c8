"""Who said each word: timed words × speaker turns → a transcript.

Every word is decided by itself; then a change of speaker that lies within two words of a sentence's end moves there;
then words are joined to segments. A segment is never given one label first and split into words later, which is how the
last words of a turn end up with the wrong speaker. docs/attribution.md compares this rule with others. Pure Python on
sorted lists: ten hours of speech take about a second.
"""

from __future__ import annotations

import math
import re
from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import chain, count, pairwise
from types import MappingProxyType

from diarist.model.timeline import Span, overlapped, union
from diarist.model.transcript import (
    Diarization,
    Segment,
    SpeakerScores,
    Transcript,
    Transcription,
    Turn,
    Word,
    join_words,
)

MAX_DISTANCE = 1.0
"""Seconds. A word that no turn covers takes the nearest turn's speaker if that turn is at most this far away. Engines
place word edges a few hundred milliseconds off and diarizers trim turns, so a short gap is an error of timing; beyond
a second nothing ties the word to the turn, and it keeps no speaker."""

SENTENCE_REACH = 2
"""Words. How far a change of speaker moves to a sentence's end. People change at sentence ends, while recognisers and
diarizers are a word or two off; with more reach, whole short answers go to the wrong side."""

PAUSE = 0.8
"""Seconds without a word after which a new segment starts, so that a line never spans a silence one can hear."""

_SENTENCE_END = re.compile(r"(?:[.?!…]|[。？！｡।؟۔։])[\"'”’»)\]」』]*$")
_ABBREVIATION = re.compile(r"^\W*(?:[a-hj-z]|(?:[^\W\d_]\.)+[^\W\d_]|mr|mrs|ms|dr|prof|st|vs|jr|sr)\.$", re.IGNORECASE)


def attribute(
    transcription: Transcription,
    diarization: Diarization | None = None,
    *,
    names: Mapping[str, str] = MappingProxyType({}),
) -> Transcript:
    """Join what was said and who spoke when into who said what.

    Each word goes to the speaker whose exclusive turns cover most of it, or else to the nearest turn within
    `MAX_DISTANCE`, or else to nobody; changes of speaker then move to sentence ends within `SENTENCE_REACH` words.
    Speakers are renamed ``SPEAKER_00``, ``SPEAKER_01``, … in order of first word,
    then those without words in order of first turn.

    Args:
        transcription: timed words, in order of time.
        diarization: turns; None gives a transcript whose words have no speaker.
        names: known names by the diarization's labels (see `diarist.speakers.identify`); the others are numbered.

    Returns:
        The transcript, cut into segments at speaker changes, sentence ends and pauses. Timings carry the name of their
        leg, e.g. ``"transcription.decode"``. Its ``diarization`` is the one given, under the transcript's labels.
    """
    words: Iterable[Word] = transcription.words
    turns: tuple[Turn, ...] = ()
    given: dict[str, str] = {}
    if diarization is not None:
        timeline = _Timeline(diarization.exclusive)
        labels = [timeline.speaker_of(word) for word in transcription.words]
        _move_changes_to_sentence_ends(labels, transcription.words)
        heard = dict.fromkeys(chain((label for label in labels if label is not None), diarization.speakers))
        # A number that somebody has for a name would make two people one.
        numbers = (label for n in count() if (label := f"SPEAKER_{n:02d}") not in names.values())
        given = {label: names.get(label) or next(numbers) for label in heard}
        words = _labelled(transcription.words, labels, given, diarization)
        turns = tuple(
            Turn(turn.start, turn.end, given[turn.speaker], turn.confidence)
            for turn in sorted(diarization.turns, key=_start)
        )
    legs: list[Transcription | Diarization] = [transcription]
    if diarization is not None:
        legs.append(diarization)
    transcript = Transcript(
        duration=transcription.duration,
        language=transcription.language,
        speakers=tuple(dict.fromkeys(given.values())),
        segments=segment(words, transcription.language),
        turns=turns,
        models=tuple(leg.model for leg in legs),
        timings={f"{leg.model.task}.{stage}": s for leg in legs for stage, s in leg.timings.items()},
        warnings=tuple(dict.fromkeys(chain.from_iterable(leg.warnings for leg in legs))),
        spoken_language=transcription.spoken_language,
        task=transcription.task,
        temperature=transcription.temperature,
    )
    return transcript.with_diarization(diarization and diarization.renamed(given))


def segment(words: Iterable[Word], language: str | None = None) -> tuple[Segment, ...]:
    """Cut words, in order of time, into segments: at speaker changes, sentence ends and pauses of `PAUSE` or more.

    Args:
        words: with their speakers.
        language: ISO 639-1 of the text; see `join_words`.
    """
    runs: list[list[Word]] = []
    for word in words:
        if runs and not _cut_between(runs[-1][-1], word):
            runs[-1].append(word)
        else:
            runs.append([word])
    return tuple(
        Segment(
            run[0].start,
            max(word.end for word in run),
            run[0].speaker,
            join_words(run, language),
            tuple(run),
        )
        for run in runs
    )


def _cut_between(before: Word, after: Word) -> bool:
    return before.speaker != after.speaker or after.start - before.end >= PAUSE or _ends_sentence(before, after)


def _ends_sentence(before: Word, after: Word) -> bool:
    # "Mr. Smith", "3.5 percent", "e.g. this": a full stop ends a sentence only before something that can start one.
    return bool(
        _SENTENCE_END.search(before.text) and not _ABBREVIATION.match(before.text) and not after.text[:1].islower()
    )


def _move_changes_to_sentence_ends(labels: list[str | None], words: Sequence[Word]) -> None:
    """Move each change of speaker, in place, to the nearest sentence end in reach; every run keeps a word."""
    changes = [i for i in range(1, len(labels)) if labels[i - 1] != labels[i]]
    previous = 0
    for change, following in pairwise([*changes, len(labels)]):
        left, right = labels[change - 1], labels[change]
        low, high = max(previous + 1, change - SENTENCE_REACH), min(following - 1, change + SENTENCE_REACH)
        cuts = [cut for cut in range(low, high + 1) if _ends_sentence(words[cut - 1], words[cut])]
        if cuts and left is not None and right is not None:
            cut = min(cuts, key=lambda cut: abs(cut - change))
            labels[cut:change] = [right] * (change - cut)
            labels[change:cut] = [left] * (cut - change)
            previous = cut
        else:
            previous = change


def _labelled(
    words: Sequence[Word], labels: Sequence[str | None], names: Mapping[str, str], diarization: Diarization
) -> Iterator[Word]:
    crowded = _Timeline(_crowded(diarization.turns))
    confidence = _Confidence(diarization.scores) if diarization.scores is not None else None
    for word, label in zip(words, labels, strict=True):
        yield replace(
            word,
            speaker=names[label] if label is not None else None,
            speaker_confidence=confidence(word, label) if confidence is not None and label is not None else None,
            overlap=crowded.covers_some_of(word),
        )


def _crowded(turns: Iterable[Turn]) -> tuple[Turn, ...]:
    """Return where two or more speakers talk at once; a speaker's own overlapping turns count once."""
    own: defaultdict[str, list[Span]] = defaultdict(list)
    for turn in turns:
        own[turn.speaker].append(turn)
    both = overlapped(chain.from_iterable(union(spans) for spans in own.values()))
    return tuple(Turn(span.start, span.end, "") for span in both)


class _Timeline:
    """Turns that never overlap, searchable by time."""

    def __init__(self, turns: Sequence[Turn]) -> None:
        self._turns = sorted((turn for turn in turns if turn.duration > 0), key=_start)
        self._starts = [turn.start for turn in self._turns]
        self._ends = [turn.end for turn in self._turns]

    def _touching(self, span: Span) -> Sequence[Turn]:
        return self._turns[bisect_right(self._ends, span.start) : bisect_left(self._starts, span.end)]

    def covers_some_of(self, span: Span) -> bool:
        return bool(self._touching(span))

    def speaker_of(self, word: Word) -> str | None:
        """Return the speaker with most of the word, else of the nearest turn in reach; the earlier one on a tie."""
        touching = self._touching(word)
        if len(touching) == 1:
            return touching[0].speaker
        if touching:
            seconds: defaultdict[str, float] = defaultdict(float)
            for turn in touching:
                seconds[turn.speaker] += turn.intersection(word)
            return max(seconds, key=seconds.__getitem__)
        after = bisect_left(self._starts, word.end)
        neighbours = self._turns[max(0, after - 1) : after + 1]
        nearest = min(neighbours, key=word.gap, default=None)
        return nearest.speaker if nearest is not None and word.gap(nearest) <= MAX_DISTANCE else None


class _Confidence:
    """How likely a word is a speaker's: half way from one to what their activity is above that of anyone else.

    Activity alone says that somebody is heard, not that the word is theirs: where two talk at once, both are active.
    """

    def __init__(self, scores: SpeakerScores) -> None:
        self._scores = scores
        self._column: Mapping[str, int] = {label: index for index, label in enumerate(scores.speakers)}
        self._width = len(scores.speakers)
        self._num_frames = len(scores.values) // self._width if self._width else 0

    def __call__(self, word: Word, speaker: str) -> float | None:
        column = self._column.get(speaker)
        if column is None:
            return None
        first = max(0, self._first_frame_from(word.start))
        stop = min(self._num_frames, max(self._first_frame_from(word.end), first + 1))
        if first >= stop:
            return None
        sums = [
            sum(self._scores.values[first * self._width + c : stop * self._width : self._width])
            for c in range(self._width)
        ]
        own = sums.pop(column)
        return 0.5 + (own - max(sums, default=0)) / (2 * 255 * (stop - first))

    def _first_frame_from(self, time: float) -> int:
        return math.ceil(round((time - self._scores.start) / self._scores.step, 6))


def _start(turn: Turn) -> float:
    return turn.start
