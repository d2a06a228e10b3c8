"""Words that leave a worker before its result: what a piece of a stream is, and how pieces are sent."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from diarist.formats.openai import pieces, timed_word
from diarist.model.codec import dump
from diarist.model.transcript import Word

MAX_WORDS: Final = 1000
"""In one piece: about 0.2 MB, and the platform takes 1 MB."""
LAST_SECONDS: Final = 10.0
"""How long the result waits for pieces that are still on their way. It holds all their words."""

SendPiece = Callable[[Mapping[str, Any], dict[str, Any]], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Piece:
    """A run of words that are final, as our own clients get it.

    Attributes:
        offset: how many words of the recording came before these. A job that is done anew begins again at 0.
        words: in order, without speakers.
    """

    offset: int
    words: tuple[Word, ...]


class PieceSender:
    """Sends words in order, several at once where they come faster than they can be sent, and none after `close`.

    Args:
        job: as the SDK gave it.
        send: how a piece reaches the platform.
        exact: whether pieces are `Piece`, for our own clients; else they have ``text`` and OpenAI's words.
    """

    def __init__(self, job: Mapping[str, Any], send: SendPiece, *, exact: bool) -> None:
        self._job, self._send, self._exact = job, send, exact
        self._words: list[Word] = []
        self._sent = 0
        self._sending: asyncio.Task[None] | None = None
        self._closed = False

    def hear(self, words: Sequence[Word]) -> None:
        """Note words that are final."""
        self._words.extend(words)
        if not self._closed and (self._sending is None or self._sending.done()):
            self._sending = asyncio.ensure_future(self._send_all())

    async def close(self, *, seconds: float = LAST_SECONDS) -> None:
        """Wait so long for what is still on its way; nothing is sent any more."""
        self._closed = True
        if self._sending is not None:
            _, late = await asyncio.wait({self._sending}, timeout=seconds)
            for task in late:
                task.cancel()
            await asyncio.gather(self._sending, return_exceptions=True)

    async def _send_all(self) -> None:
        while (offset := self._sent) < len(self._words):
            words = self._words[offset : offset + MAX_WORDS]
            self._sent += len(words)
            await self._send(self._job, self._written(words, offset))

    def _written(self, words: Sequence[Word], offset: int) -> dict[str, Any]:
        if self._exact:
            return dump(Piece(offset, tuple(words)))
        before = self._words[offset - 1] if offset else None
        text = "".join(pieces(words, None, before))
        return {"offset": offset, "text": text, "words": [timed_word(word) for word in words]}


def unspoken(word: Word) -> Word:
    """A word without what is known of its speaker, as it was before anybody knew."""
    return dataclasses.replace(word, speaker=None, speaker_confidence=None, overlap=False)
