"""Find and replace: a text, wherever it stands, as the edits that replace it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import groupby

from diarist.editing.operations import Replace
from diarist.editing.ranges import units
from diarist.model.errors import InputError
from diarist.model.transcript import Segment, Transcript, Word, spelled


def replace_all(
    transcript: Transcript, what: str, text: str, *, match_case: bool = False, whole_words: bool = False
) -> tuple[Replace, ...]:
    """Find a text everywhere, as the edits that replace it; apply them in the order given, which is from the end.

    What one person says without another in between is searched as one text, however it is cut into segments. Several
    spaces count as one. A word of which a part is found is replaced with the rest of it as it is.

    Args:
        transcript: to search.
        what: the text to find.
        text: what is written in its place.
        match_case: whether ``A`` is another letter than ``a``.
        whole_words: whether it must stand alone, not inside a longer word.

    Raises:
        InputError: there is nothing to find.
    """
    if not what.strip():
        raise InputError("nothing_to_find", "There is no text to find.", "Give at least a letter.", http_status=422)
    pattern = r"\s+".join(map(re.escape, what.split()))
    if whole_words:
        pattern = rf"(?<!\w){pattern}(?!\w)"
    search = re.compile(pattern, 0 if match_case else re.IGNORECASE)
    found: list[Replace] = []
    for first, spoken in _talks(transcript):
        found += _in(spoken, search, text, first, transcript.language)
    return tuple(reversed(found))


def _talks(transcript: Transcript) -> Iterator[tuple[int, Sequence[Word | Segment]]]:
    """What is searched as one text, with the place of its first word; a line without word times stands alone."""
    place = 0
    for _, run in groupby(enumerate(transcript.segments), key=lambda item: (item[1].speaker, _alone(*item))):
        spoken = [unit for _, segment in run for unit in units(segment)]
        yield place, spoken
        place += len(spoken)


def _alone(number: int, segment: Segment) -> int | None:
    return number if segment.text and not segment.words else None


def _in(
    spoken: Sequence[Word | Segment], search: re.Pattern[str], text: str, first: int, language: str | None
) -> Iterator[Replace]:
    words = [unit if isinstance(unit, Word) else Word(unit.start, unit.end, unit.text) for unit in spoken]
    whole = ""
    spans: list[tuple[int, int]] = []
    for shown, word in zip(spelled(words, language), words, strict=True):
        whole += shown
        spans.append((len(whole) - len(word.text), len(whole)))
    # Finds that share a word become one edit.
    groups: list[tuple[int, int, list[re.Match[str]]]] = []
    low = 0
    for match in search.finditer(whole):
        low = next(n for n in range(low, len(spans)) if spans[n][1] > match.start())
        high = next((n for n in range(low, len(spans)) if spans[n][0] >= match.end()), len(spans))
        if groups and low < groups[-1][1]:
            groups[-1] = (groups[-1][0], high, [*groups[-1][2], match])
        else:
            groups.append((low, high, [match]))
    for low, high, matches in groups:
        written, at = "", spans[low][0]
        for match in matches:
            written += whole[at : match.start()] + text
            at = match.end()
        yield Replace(first + low, first + high, written + whole[at : spans[high - 1][1]])
