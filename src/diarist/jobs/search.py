"""From a transcript to words that can be looked up, and from what somebody looks for to a query.

SQLite's own tokenizers were looked at: ``unicode61`` takes a sentence of a script without spaces for one word,
``trigram`` needs three letters where Chinese words have two, and ICU's is seldom built in. So letters are folded and
words are parted here, and SQLite parts at spaces.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import msgspec

from diarist.model.errors import InputError
from diarist.model.writing import is_unspaced

MAX_QUERY_LETTERS: Final = 500

_MARKS_ON_LETTERS: Final = re.compile("[\u0300-\u036f]")
_QUOTED: Final = re.compile(r'"([^"]*)"?|[^\s"]+')


class Paragraph(msgspec.Struct, frozen=True):
    """A stretch of a transcript, as its JSON has it.

    Attributes:
        text: what was said.
        start: seconds from the start of the recording; None where it is not known.
    """

    text: str = ""
    start: float | None = None


class _Document(msgspec.Struct):
    segments: tuple[Paragraph, ...] = ()


def paragraphs(transcript: str) -> tuple[Paragraph, ...]:
    """What can be found in a transcript's JSON.

    Raises:
        InputError: it is not one.
    """
    try:
        return msgspec.json.decode(transcript, type=_Document).segments
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        raise InputError("bad_document", "Not a valid transcript.", http_status=422) from error


def indexed(transcript: str) -> str:
    """The words of a transcript's JSON as the index takes them: folded, with a space between.

    Letters of a script without spaces are indexed by pairs, the last of a run alone.
    """
    return " ".join(
        word for paragraph in paragraphs(transcript) for run in _runs(paragraph.text) for word in _indexed(run)
    )


@dataclass(frozen=True, slots=True)
class Query:
    """What somebody looks for.

    Attributes:
        match: for SQLite's MATCH.
        patterns: one for each thing looked for, for folded text.
    """

    match: str
    patterns: tuple[re.Pattern[str], ...]

    def best(self, found: tuple[Paragraph, ...]) -> Paragraph:
        """The paragraph that holds most of what is looked for, the first of several."""
        folded = [_fold(paragraph.text) for paragraph in found]
        held = [sum(bool(pattern.search(text)) for pattern in self.patterns) for text in folded]
        return found[held.index(max(held))] if found else Paragraph()


def query(text: str) -> Query | None:
    """Read what somebody typed; None if there is no letter or digit in it.

    Raises:
        InputError: it is too long.
    """
    if len(text) > MAX_QUERY_LETTERS:
        message = f"The text to look for has {len(text)} letters; {MAX_QUERY_LETTERS} are the most."
        raise InputError("query_too_long", message, "Look for a few words of it.", http_status=422)
    matches: list[str] = []
    patterns: list[str] = []
    for found in _QUOTED.finditer(text):
        is_phrase = found[1] is not None
        for runs in _alike(list(_runs(found[1] if is_phrase else found[0]))):
            if is_unspaced(runs[0][0]):
                run = runs[0]
                matches.append(f'"{run}" *' if len(run) == 1 else f'"{" ".join(_pairs(run))}"')
                patterns.append(re.escape(run))
            else:
                matches.append(f'"{" ".join(runs)}"' + ("" if is_phrase else " *"))
                patterns.append(r"(?<!\w)" + r"\W+".join(map(re.escape, runs)) + (r"(?!\w)" if is_phrase else ""))
    return Query(" AND ".join(matches), tuple(map(re.compile, patterns))) if matches else None


def _alike(runs: list[str]) -> Iterator[list[str]]:
    """Words with spaces that follow each other, together; each run of letters without, alone."""
    together: list[str] = []
    for run in runs:
        if not is_unspaced(run[0]):
            together.append(run)
            continue
        if together:
            yield together
        yield [run]
        together = []
    if together:
        yield together


def _fold(text: str) -> str:
    """Without what people do not type: capitals, accents, wide and narrow forms."""
    if text.isascii():
        return text.lower()
    decomposed = unicodedata.normalize("NFKD", text).casefold()
    return unicodedata.normalize("NFC", _MARKS_ON_LETTERS.sub("", decomposed))


def _runs(text: str) -> Iterator[str]:
    """Words of scripts with spaces, and what stands between two marks or spaces of scripts without."""
    run, was_unspaced = "", False
    for letter in _fold(text):
        if unicodedata.category(letter)[0] not in "LNM":
            unspaced, letter = was_unspaced, ""
        else:
            unspaced = is_unspaced(letter)
        if run and (not letter or unspaced != was_unspaced):
            yield run
            run = ""
        run, was_unspaced = run + letter, unspaced
    if run:
        yield run


def _indexed(run: str) -> list[str]:
    return [*_pairs(run), run[-1]] if is_unspaced(run[0]) else [run]


def _pairs(run: str) -> list[str]:
    return [run[at : at + 2] for at in range(len(run) - 1)]
