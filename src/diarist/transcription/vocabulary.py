"""Sentence pieces: from tokens to words, and which pieces a language or a phrase wants."""

from __future__ import annotations

import functools
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from diarist.files import read_bounded
from diarist.model.errors import WeightsError
from diarist.model.transcript import Word
from diarist.transcription.tdt import Token

BOUNDARY: Final = "▁"
"""Sentencepiece's mark of a word's beginning."""

_SPECIAL: Final = re.compile(r"<.*>")  # <unk>, <pad>, <|en|>: control tokens are not text
_BYTE: Final = re.compile(r"<0x[0-9A-F]{2}>")

_MOST_BYTES: Final = 16 << 20  # v3's has 8,193 lines in 0.1 MB

CYRILLIC: Final = frozenset({"bg", "mk", "ru", "sr", "uk", "be"})
GREEK: Final = frozenset({"el"})


@dataclass(frozen=True, slots=True, eq=False)
class Vocabulary:
    """The pieces of a model, in order of their ids. Blank is not among them; its id is their number."""

    pieces: tuple[str, ...]

    @property
    def blank(self) -> int:
        """Id of blank."""
        return len(self.pieces)

    @classmethod
    def read(cls, path: Path) -> Vocabulary:
        """Read ``vocab.txt`` of onnx-asr's layout: lines of piece, space, id; the last is ``<blk>``.

        Raises:
            WeightsError: it is missing or is no such list.
        """
        try:
            text = read_bounded(path, _MOST_BYTES).decode("utf-8")
            rows = [line.rsplit(" ", 1) for line in text.splitlines() if line.strip()]
            ordered = sorted((int(index), piece) for piece, index in rows)
        except (OSError, ValueError) as error:
            raise WeightsError(
                "bad_vocabulary", f"{path} is not a list of pieces and ids: {error}.", "Fetch the model again."
            ) from error
        if [index for index, _ in ordered] != list(range(len(ordered))) or not ordered or ordered[-1][1] != "<blk>":
            raise WeightsError(
                "bad_vocabulary", f"{path} does not number its pieces from 0 to <blk>.", "Fetch the model again."
            )
        return cls(tuple(piece for _, piece in ordered[:-1]))

    @property
    def multilingual(self) -> bool:
        """Whether it can spell more than one script, as v3's can and v2's cannot."""
        return any(script_of(piece[-1]) == "CYRILLIC" for piece in self.pieces if piece)

    def text(self, token: int) -> str:
        """The piece of a token with the word mark; empty for control tokens."""
        piece = self.pieces[token]
        return "" if _SPECIAL.fullmatch(piece) else piece

    def words(self, tokens: Sequence[Token], frame_seconds: float) -> list[Word]:
        """Group the tokens of one utterance into words.

        A word begins at its first token and ends where the last token that is more than punctuation ends: punctuation
        is emitted late, when the pause shows. Punctuation alone goes to the word before it. A word's confidence is that
        of its least sure token but punctuation.

        Args:
            tokens: in order.
            frame_seconds: seconds per encoder frame.
        """
        groups: list[list[tuple[Token, str]]] = []
        for token in tokens:
            text = self.text(token.id)
            if not text:
                continue
            if text.startswith(BOUNDARY) or not groups:
                groups.append([])
            groups[-1].append((token, text))
        joined: list[list[tuple[Token, str]]] = []
        for group in groups:
            if joined and not any(_sounds(piece) for _, piece in group):
                joined[-1] += group
            else:
                joined.append(group)
        return [word for group in joined if (word := _word(group, frame_seconds))]

    def scripts(self, language: str) -> NDArray[np.float32]:
        """What keeps a language's words in its script.

        Returns:
            ``(blank + 1,)`` float32: -inf for pieces with letters of another script than ``language`` is written in,
            else 0.
        """
        wanted = "CYRILLIC" if language in CYRILLIC else "GREEK" if language in GREEK else "LATIN"
        bias = np.zeros(self.blank + 1, np.float32)
        for index, piece in enumerate(self.pieces):
            if not _SPECIAL.fullmatch(piece) and any(script != wanted for script in map(script_of, piece) if script):
                bias[index] = -np.inf
        return bias


@functools.lru_cache(maxsize=4096)
def script_of(character: str) -> str | None:
    """The first word of a letter's Unicode name, e.g. ``"LATIN"``; None for what is no letter."""
    return unicodedata.name(character, "").split(" ")[0] if character.isalpha() else None


def _sounds(text: str) -> bool:
    return any(character.isalnum() for character in text)


def _word(group: Sequence[tuple[Token, str]], frame_seconds: float) -> Word | None:
    text = "".join(piece.removeprefix(BOUNDARY) for _, piece in group)
    if not text:
        return None
    body = [token for token, piece in group if _sounds(piece)] or [token for token, _ in group]
    start, end = group[0][0].frame, body[-1].frame + body[-1].duration
    return Word(
        start * frame_seconds,
        max(start, end) * frame_seconds,
        text,
        min(token.probability for token in body),
        # A word without the mark begins its utterance, and nobody wrote what stands before that.
        spaced=True if group[0][1].startswith(BOUNDARY) else None,
    )
