"""What counts as the same word, and where each word lies in time."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable, Sequence
from difflib import SequenceMatcher
from typing import NamedTuple

from diarist.model.errors import InputError
from diarist.model.transcript import Segment, Word
from diarist.model.writing import UNSPACED_LANGUAGES

Normaliser = Callable[[str], str]


class Token(NamedTuple):
    """One normalised word; seconds, and the speaker who said it."""

    text: str
    start: float
    end: float
    speaker: str | None


def normaliser(name: str = "whisper", language: str | None = "en") -> Normaliser:
    """Choose how text is made comparable.

    Args:
        name: ``"whisper"`` takes Whisper's English normaliser (lower case, no punctuation, no fillers such as "um",
            numbers as digits, contractions spelled out, British spelling as American) or, for other languages, its
            basic one (lower case, no punctuation; letters count as words where the language has no spaces, as in the
            published results of Whisper); ``"none"`` only splits at white space.
        language: ISO 639-1; None counts as English.

    Raises:
        InputError: no such normaliser.
    """
    if name == "none":
        return lambda text: " ".join(text.split())
    if name != "whisper":
        raise InputError("bad_normalizer", f"No normaliser {name!r}.", "Choose 'whisper' or 'none'.")
    if language in (None, "en"):
        from whisper_normalizer.english import EnglishTextNormalizer

        return EnglishTextNormalizer()  # type: ignore[no-any-return]
    from whisper_normalizer.basic import BasicTextNormalizer

    basic = BasicTextNormalizer(split_letters=language in UNSPACED_LANGUAGES)
    return lambda text: basic(text).strip()


def tokens(segment: Segment, normalise: Normaliser) -> list[Token]:
    """Split a segment into normalised words, normalised as a whole so that "twenty one" becomes one "21".

    Words with times of their own keep them; others share out the segment's time by their length in characters.
    """
    whole = normalise(segment.text).split()
    if not segment.words:
        return _spread(whole, segment.start, segment.end, segment.speaker)
    pieces = [token for word in segment.words for token in _of_word(word, normalise, segment.speaker)]
    if [piece.text for piece in pieces] == whole:
        return pieces
    found: list[Token] = []
    matcher = SequenceMatcher(None, [piece.text for piece in pieces], whole, autojunk=False)
    for operation, a, b, c, d in matcher.get_opcodes():
        if operation == "equal":
            found += pieces[a:b]
        elif d > c:
            source = pieces[a:b] or pieces[max(0, a - 1) : a + 1]
            start, end = (source[0].start, source[-1].end) if source else (segment.start, segment.end)
            found += _spread(whole[c:d], start, end, segment.speaker)
    return found


def retimed(utterance: Sequence[Token], words: Sequence[Token], starts: Sequence[float]) -> list[Token]:
    """Give an utterance's tokens the times of equal words that are known from elsewhere (a CTM beside an STM).

    Args:
        utterance: tokens with shared-out times.
        words: timed words of all speakers, sorted by start.
        starts: their start times.
    """
    if not utterance:
        return []
    margin = 0.1
    nearby = words[bisect_left(starts, utterance[0].start - margin) : bisect_left(starts, utterance[-1].end + margin)]
    matcher = SequenceMatcher(None, [t.text for t in utterance], [t.text for t in nearby], autojunk=False)
    found = list(utterance)
    for a, b, size in matcher.get_matching_blocks():
        for i in range(size):
            found[a + i] = nearby[b + i]._replace(speaker=utterance[a + i].speaker)
    return found


def in_order(found: Iterable[Token]) -> list[Token]:
    """Sort by start; tokens that start together stay as they were."""
    return sorted(found, key=lambda token: token.start)


def _of_word(word: Word, normalise: Normaliser, speaker: str | None) -> list[Token]:
    return _spread(normalise(word.text).split(), word.start, word.end, speaker)


def _spread(texts: Sequence[str], start: float, end: float, speaker: str | None) -> list[Token]:
    characters = sum(map(len, texts))
    found, seen = [], 0
    for text in texts:
        left = start + (end - start) * seen / characters
        seen += len(text)
        found.append(Token(text, left, start + (end - start) * seen / characters, speaker))
    return found
