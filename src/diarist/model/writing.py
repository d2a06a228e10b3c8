"""How text is written: which scripts put spaces between words, how wide letters are, which way lines run.

The Unicode data of the standard library answers all of it. uniseg and PyICU were looked at: they cut words by
dictionaries, which the recognisers have done already.
"""

from __future__ import annotations

import functools
import re
import unicodedata
from typing import Final

UNSPACED_LANGUAGES: Final = frozenset({"zh", "yue", "ja", "th", "lo", "my", "km", "bo"})
"""Languages (ISO 639) written without spaces between words."""

# Thai and Lao, Tibetan, Burmese, Khmer; East Asian radicals, marks, kana, ideographs and full-width forms. Not Hangul:
# Korean has spaces.
_UNSPACED: Final = re.compile(
    "[\u0e00-\u0fff\u1000-\u109f\u1780-\u17ff\u19e0-\u19ff\u2e80-\u312f\u31a0-\u31ff\u3400-\u4dbf\u4e00-\u9fff"
    "\ua9e0-\ua9ff\uaa60-\uaa7f\uf900-\ufaff\ufe30-\ufe4f\uff01-\uff9f\U0001b000-\U0001b16f\U00020000-\U0003ffff]"
)


# Letters that only follow or only precede another in its syllable: vowels of Thai and Lao, small kana.
_FOLLOWING: Final = frozenset("ะาำๅະາຳぁぃぅぇぉゃゅょゎァィゥェォャュョヮヵヶ")
_LEADING: Final = frozenset("เแโใไເແໂໃໄ")


def is_unspaced(character: str) -> bool:
    """Whether a character is of a script that puts no spaces between words."""
    return bool(_UNSPACED.match(character))


def sounds(text: str) -> bool:
    """Whether a text holds something one says (a letter, a digit, ``&`` or ``$``), not punctuation alone."""
    return any(
        character.isalnum() or character in "&%@#§" or unicodedata.category(character)[0] == "S" for character in text
    )


def continues(before: str, after: str) -> bool:
    """Whether two texts with no space between them are parts of one word.

    They are, but where a script without spaces is on either side: there, the end of a word cannot be seen. Only letters
    that cannot stand without the one before them never begin a word.
    """
    if unicodedata.category(after[0]) in ("Mn", "Mc", "Me", "Lm") or after[0] in _FOLLOWING or before[-1] in _LEADING:
        return True
    return not (is_unspaced(before[-1]) or is_unspaced(after[0]))


def space_between(before: str, after: str, language: str | None) -> bool:
    """Whether a space belongs between two words, as far as their letters tell.

    Args:
        before: a word.
        after: the word that follows.
        language: ISO 639, for where the letters do not tell: digits, marks, and a change of script.
    """
    if not before or not after:
        return False
    last, first = before[-1], after[0]
    sides = is_unspaced(last) + is_unspaced(first)
    if sides == 2:
        return False
    if sides == 1:
        return language is not None and language not in UNSPACED_LANGUAGES
    return last.isalpha() or first.isalpha() or language not in UNSPACED_LANGUAGES


def width(text: str) -> int:
    """Columns that a text takes: two for a wide East Asian letter (UAX #11), none for a mark on a letter."""
    return len(text) if text.isascii() else sum(map(_columns, text))


def is_right_to_left(text: str) -> bool:
    """Whether a text's first letter with a direction runs from right to left (UAX #9, rule P2)."""
    strong = (way for way in map(unicodedata.bidirectional, text) if way in ("L", "R", "AL"))
    return next(strong, "L") != "L"


@functools.lru_cache(maxsize=4096)
def _columns(character: str) -> int:
    if unicodedata.category(character) in ("Mn", "Me", "Cf"):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1
