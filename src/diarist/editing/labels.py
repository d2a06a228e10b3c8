"""Who said what, put right: names, speakers that are one, words of somebody else.

A person who gives words to another speaker has heard who talks there, so the turns follow: whose words they are is the
same in every format, in RTTM as in the text, and in the samples of a voice. A turn goes to the new speaker as far as
its words do; it is cut half way between the last word of one and the first word of the other. A cut or given turn has
no confidence, as nobody measured that of the part. A transcript without turns gets none.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import chain, groupby, pairwise
from typing import TypeVar

from diarist.editing.operations import Assign, Label, Merge, Rename
from diarist.editing.ranges import OTHER_VERSION, all_units, holding, piece, put, units
from diarist.model.errors import InputError
from diarist.model.timeline import Span
from diarist.model.transcript import Segment, Transcript, Turn, Word

Labelled = TypeVar("Labelled", Segment, Word, Turn)
Run = tuple[int, int, str | None]


def rename(transcript: Transcript, edit: Rename) -> Transcript:
    """Give speakers other names; see `Rename`."""
    known = _labels(transcript)
    _check_known(edit.names, known, transcript)
    after = [edit.names.get(label, label) for label in known]
    if len(set(after)) < len(after):
        raise InputError("same_name", "Two speakers would get one name.", "If they are one person, merge them.")
    found = _relabelled(transcript, edit.names)
    # As they are listed: a file of others may list one twice, which is for `invert` to keep.
    listed = tuple(edit.names.get(one, one) for one in transcript.speakers)
    return replace(found, speakers=listed).with_diarization(found.diarization)


def merge(transcript: Transcript, edit: Merge) -> Transcript:
    """Make speakers one; see `Merge`."""
    _check_known(edit.speakers, _labels(transcript), transcript)
    return _relabelled(transcript, dict.fromkeys(edit.speakers, edit.into))


def label(transcript: Transcript, edit: Label) -> Transcript:
    """Give labels back; see `Label`."""
    segments = _painted(transcript.segments, edit.segments)
    words = iter(_painted(transcript.words, edit.words))
    found = replace(
        transcript,
        speakers=edit.speakers,
        segments=tuple(
            replace(new, words=tuple(next(words) for _ in old.words)) if edit.words and old.words else new
            for old, new in zip(transcript.segments, segments, strict=True)
        ),
        turns=_painted(transcript.turns, edit.turns),
    )
    return found.with_diarization(transcript.diarization)


def label_back(before: Transcript, after: Transcript) -> Label:
    """The operation that turns ``after``, which differs in labels alone, into ``before``."""
    return Label(
        before.speakers,
        _differing(before.segments, after.segments),
        _differing(before.words, after.words),
        tuple((first, stop, who) for first, stop, who in _differing(before.turns, after.turns) if who is not None),
    )


def assign(transcript: Transcript, edit: Assign) -> Transcript:
    """Give words to a speaker; see `Assign`."""
    low, held = holding(transcript, edit.first, edit.stop)
    segments: list[Segment] = []
    given: list[Word | Segment] = []
    touched: set[str | None] = set()
    for before, segment in held:
        first, stop = max(0, edit.first - before), min(len(units(segment)), edit.stop - before)
        given += units(segment)[first:stop]
        if {segment.speaker, *(word.speaker for word in segment.words[first:stop])} == {edit.speaker}:
            segments.append(segment)
            continue
        touched |= {segment.speaker, *(word.speaker for word in segment.words)}
        words = tuple(_given(word, edit.speaker) for word in segment.words[first:stop])
        if stop - first == len(units(segment)):
            segments.append(replace(segment, speaker=edit.speaker, words=words))
            continue
        whole = len(segment.words)
        for start, end, part in ((0, first, ()), (first, stop, words), (stop, whole, ())):
            if start < end:
                cut = piece(
                    segment, part or segment.words[start:end], transcript.language, head=start == 0, tail=end == whole
                )
                segments.append(replace(cut, speaker=edit.speaker) if part else cut)
    turns = _following(transcript, edit, given)
    return put(
        transcript, low, low + len(held), segments, turns=turns, touched=touched - {edit.speaker}, speaker=edit.speaker
    )


def _given(word: Word, speaker: str | None) -> Word:
    return word if word.speaker == speaker else replace(word, speaker=speaker, speaker_confidence=None)


def _labels(transcript: Transcript) -> dict[str, None]:
    named: Iterable[Segment | Word | Turn] = chain(transcript.segments, transcript.words, transcript.turns)
    return dict.fromkeys(chain(transcript.speakers, (item.speaker for item in named if item.speaker is not None)))


def _check_known(labels: Iterable[str], known: Mapping[str, None], transcript: Transcript) -> None:
    for one in labels:
        if one not in known:
            there = ", ".join(name[:40] for name in list(transcript.speakers)[:20])
            raise InputError("no_such_speaker", f"There is no speaker {one[:40]!r}.", f"There are: {there or 'none'}.")


def _relabelled(transcript: Transcript, names: Mapping[str, str]) -> Transcript:
    def named(item: Labelled) -> Labelled:
        if item.speaker is None or item.speaker not in names:
            return item
        return replace(item, speaker=names[item.speaker])

    found = replace(
        transcript,
        speakers=tuple(dict.fromkeys(names.get(one, one) for one in transcript.speakers)),
        segments=tuple(replace(named(part), words=tuple(map(named, part.words))) for part in transcript.segments),
        turns=tuple(map(named, transcript.turns)),
    )
    return found.with_diarization(transcript.diarization and transcript.diarization.renamed(names))


def _painted(items: Sequence[Labelled], runs: Iterable[Run]) -> tuple[Labelled, ...]:
    painted = list(items)
    for first, stop, who in runs:
        if not first < stop <= len(items):
            raise InputError("no_such_place", f"There is nothing from {first} to {stop}.", OTHER_VERSION)
        painted[first:stop] = [_labelled(item, who) for item in painted[first:stop]]
    return tuple(painted)


def _labelled(item: Labelled, who: str | None) -> Labelled:
    if isinstance(item, Turn) and who is None:
        raise InputError("no_such_speaker", "A turn needs a speaker.", OTHER_VERSION)
    changed: Labelled = replace(item, speaker=who)
    return changed


def _differing(before: Sequence[Labelled], after: Sequence[Labelled]) -> tuple[Run, ...]:
    """Runs of items that had another label, with that label."""
    pairs = [(old.speaker, old.speaker != new.speaker) for old, new in zip(before, after, strict=True)]
    found, place = [], 0
    for (who, differs), run in groupby(pairs):
        length = sum(1 for _ in run)
        if differs:
            found.append((place, place + length, who))
        place += length
    return tuple(found)


def _following(transcript: Transcript, edit: Assign, given: Sequence[Word | Segment]) -> tuple[Turn, ...]:
    """The turns, once words were given to a speaker."""
    turns = transcript.turns
    for who in {unit.speaker for unit in given if unit.speaker not in (None, edit.speaker)} if turns else ():
        theirs = [unit for unit in given if unit.speaker == who]
        span = Span(min(unit.start for unit in theirs), max(unit.end for unit in theirs))
        every = list(all_units(transcript))
        before = next((unit for unit in reversed(every[: edit.first]) if unit.speaker == who), None)
        after = next((unit for unit in every[edit.stop :] if unit.speaker == who), None)
        turns = tuple(
            chain.from_iterable(
                _shared(turn, span, before, after, edit.speaker) if turn.speaker == who else (turn,) for turn in turns
            )
        )
    if turns and edit.speaker is not None:
        turns = (*turns, *_uncovered(given, edit.speaker, turns))
    return transcript.turns if turns == transcript.turns else tuple(sorted(turns, key=lambda turn: turn.start))


def _shared(turn: Turn, span: Span, before: Span | None, after: Span | None, speaker: str | None) -> Iterator[Turn]:
    """Cut a turn between the words that were given away, those before them and those after them."""
    if span.start >= turn.end or span.end <= turn.start:
        yield turn
        return
    low, high = turn.start, turn.end
    if before is not None and before.end > turn.start:
        low = min(max((min(before.end, span.start) + span.start) / 2, turn.start), turn.end)
    if after is not None and after.start < turn.end:
        high = max(min((max(after.start, span.end) + span.end) / 2, turn.end), low)
    cuts = [turn.start, round(low, 3), round(high, 3), turn.end]
    if cuts[1] == cuts[2]:
        yield turn
        return
    for (start, end), who in zip(pairwise(cuts), (turn.speaker, speaker, turn.speaker), strict=True):
        if end > start and who is not None:
            yield Turn(start, end, who)


def _uncovered(given: Sequence[Word | Segment], speaker: str, turns: Sequence[Turn]) -> Iterator[Turn]:
    """Turns for given words in none of the speaker's."""
    own = [turn for turn in turns if turn.speaker == speaker]
    is_bare = [not any(turn.start <= unit.midpoint <= turn.end for turn in own) for unit in given]
    for bare, run in groupby(zip(is_bare, given, strict=True), key=lambda pair: pair[0]):
        spans = [unit for _, unit in run]
        start, end = min(span.start for span in spans), max(span.end for span in spans)
        if bare and end > start:
            yield Turn(start, end, speaker)
