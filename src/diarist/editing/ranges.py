"""Where a word is, and segments cut and put back together."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from itertools import chain

from diarist.editing.operations import Join, Split
from diarist.model.errors import InputError
from diarist.model.transcript import Segment, Transcript, Turn, Word, join_segments, join_words

OTHER_VERSION = "The edit may have been made for another version of the transcript."


def units(segment: Segment) -> Sequence[Word | Segment]:
    """What counts as a word of a segment: its words, or the whole line where these have no times."""
    return segment.words or ((segment,) if segment.text else ())


def all_units(transcript: Transcript) -> Iterator[Word | Segment]:
    """Everything that counts as a word, in order."""
    return chain.from_iterable(map(units, transcript.segments))


def holding(transcript: Transcript, first: int, stop: int) -> tuple[int, list[tuple[int, Segment]]]:
    """Find the segments that hold a range of words.

    Returns:
        The number of the first of these segments; and, for each, how many words come before it, and the segment.

    Raises:
        InputError: there are no such words.
    """
    found: list[tuple[int, Segment]] = []
    low = count = 0
    for number, segment in enumerate(transcript.segments):
        following = count + len(units(segment))
        if following > first and count < stop:
            low = low if found else number
            found.append((count, segment))
        count = following
    if not 0 <= first < stop <= count:
        raise InputError("no_such_word", f"There are no words {first} to {stop}: there are {count}.", OTHER_VERSION)
    return low, found


def piece(segment: Segment, words: Sequence[Word], language: str | None, *, head: bool, tail: bool) -> Segment:
    """Make a segment of some of a segment's words, or of others in their place.

    Args:
        segment: what it is a part of.
        words: at least one.
        language: of the text.
        head: whether it begins as the segment does.
        tail: whether it ends as the segment does.
    """
    start = min(chain((word.start for word in words), (segment.start,) if head else ()))
    end = max(chain((word.end for word in words), (segment.end,) if tail else ()))
    return Segment(start, end, segment.speaker, join_words(words, language), tuple(words))


def put(
    transcript: Transcript,
    low: int,
    high: int,
    segments: Sequence[Segment],
    *,
    turns: tuple[Turn, ...] | None = None,
    touched: Collection[str | None] = (),
    speaker: str | None = None,
) -> Transcript:
    """Put segments in the place of others, all in order of time again.

    Args:
        transcript: where.
        low: the first segment that goes.
        high: behind the last one.
        segments: what comes.
        turns: those of the result; None for those that there are.
        touched: who lost words. Who is left with neither words nor turns is no speaker any more.
        speaker: who got some; a new one comes last, so that nobody else's place changes.
    """
    placed = (*transcript.segments[:low], *segments, *transcript.segments[high:])
    found = replace(
        transcript,
        segments=tuple(sorted(placed, key=lambda segment: segment.start)),
        turns=transcript.turns if turns is None else turns,
    )
    gone = {label for label in touched if label in transcript.speakers and not _is_heard(found, label)}
    speakers = tuple(label for label in transcript.speakers if label not in gone)
    if speaker is not None and speaker not in speakers:
        speakers = (*speakers, speaker)
    return replace(found, speakers=speakers).with_diarization(transcript.diarization)


def _is_heard(transcript: Transcript, label: str | None) -> bool:
    words = (word.speaker for segment in transcript.segments for word in segment.words)
    others = (item.speaker for items in (transcript.segments, transcript.turns) for item in items)
    return label in chain(others, words)


def split(transcript: Transcript, edit: Split) -> Transcript:
    """Cut a segment before a word; see `Split`."""
    low, [(before, segment)] = holding(transcript, edit.word, edit.word + 1)
    at = edit.word - before
    if at == 0:
        raise InputError("cannot_split", f"Word {edit.word} is the first of its segment.", "Name a later one.")
    halves = (
        piece(segment, segment.words[:at], transcript.language, head=True, tail=False),
        piece(segment, segment.words[at:], transcript.language, head=False, tail=True),
    )
    return put(transcript, low, low + 1, halves)


def join(transcript: Transcript, edit: Join) -> Transcript:
    """Make segments one; see `Join`."""
    count = len(transcript.segments)
    if not edit.first + 1 < edit.stop <= count:
        raise InputError(
            "cannot_join",
            f"Segments {edit.first} to {edit.stop} cannot be joined: there are {count}, and it takes two or more.",
            OTHER_VERSION,
        )
    parts: tuple[Segment, ...] = transcript.segments[edit.first : edit.stop]
    if len({part.speaker for part in parts}) > 1:
        raise InputError("cannot_join", "These segments are of several speakers.", "Assign the words to one first.")
    if any(part.words for part in parts) and any(part.text and not part.words for part in parts):
        raise InputError(
            "cannot_join", "Only some of these segments have times for their words.", "Join those that are alike."
        )
    words = tuple(sorted(chain.from_iterable(part.words for part in parts), key=lambda word: word.start))
    text = join_words(words, transcript.language) if words else join_segments(parts, transcript.language)
    end = max(chain((part.end for part in parts), (word.end for word in words)))
    joined = Segment(min(part.start for part in parts), end, parts[0].speaker, text, words)
    return put(transcript, edit.first, edit.stop, (joined,))
