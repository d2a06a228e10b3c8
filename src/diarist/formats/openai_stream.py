"""The events of ``stream=true``, as dicts to be sent as ``data:`` lines."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from diarist.formats.answers import Shape
from diarist.model.transcript import Transcript, Word

Event = dict[str, Any]
STREAMED = ("json", "text", "diarized_json")


class Events:
    """The events of one answer: feed it windows of words as they are final, then the transcript."""

    def __init__(self, shape: Shape, language: str | None = None) -> None:
        raise NotImplementedError

    def heard(self, words: Sequence[Word]) -> Iterator[Event]:
        """A delta for a window of words; none where the text waits for speakers."""
        raise NotImplementedError

    def done(self, transcript: Transcript) -> Iterator[Event]:
        """What was not told yet, then ``transcript.text.done``."""
        raise NotImplementedError
