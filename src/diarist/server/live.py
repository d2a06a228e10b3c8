"""What is known of a job while it is under way, for those who watch. Lives on one event loop; nothing here waits."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field

from diarist.model.transcript import Word


@dataclass(frozen=True, slots=True)
class Update:
    """What is new of a job.

    Attributes:
        stages: share done by stage, 0 to 1.
        words: that became final since the last update, without speakers.
        offset: how many words came before these.
        ended: whether nothing more will come; how it ended is for the store to say.
    """

    stages: dict[str, float]
    words: tuple[Word, ...]
    offset: int
    ended: bool


@dataclass(slots=True, eq=False)
class Live:
    """One job under way.

    Attributes:
        stages: share done by stage.
        words: final so far, in order.
        ended: whether it is over.
    """

    stages: dict[str, float] = field(default_factory=dict)
    words: list[Word] = field(default_factory=list)
    ended: bool = False
    _changed: asyncio.Event = field(default_factory=asyncio.Event)

    def report(self, stage: str, done: float) -> None:
        """Note how far a stage is."""
        self.stages[stage] = done
        self._tell()

    def hear(self, words: Sequence[Word]) -> None:
        """Note words that are final."""
        self.words.extend(words)
        self._tell()

    def begin(self) -> None:
        """Note that it begins anew: words come again from the first; who heard some of them is told only the rest."""
        self.words.clear()
        self._tell()

    def end(self) -> None:
        """Note that it is over."""
        self.ended = True
        self._tell()

    def _tell(self) -> None:
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()

    async def follow(self, offset: int = 0) -> AsyncIterator[Update]:
        """Give what is known now, then each change, until it is over.

        Args:
            offset: how many words the watcher has already.
        """
        while True:
            changed = self._changed
            news = tuple(self.words[offset:])
            ended = self.ended
            yield Update(dict(self.stages), news, offset, ended)
            offset += len(news)
            if ended:
                return
            await changed.wait()
