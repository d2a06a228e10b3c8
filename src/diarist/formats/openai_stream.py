"""The events of ``stream=true``: what is sent while words are found, and once it is known who said them.

Put together, the deltas of a stream are the text of its ``transcript.text.done``. That event has no usage: the API's
counts tokens there, and we have none.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from diarist.formats import openai
from diarist.formats.answers import Shape
from diarist.formats.text import conversation
from diarist.model.transcript import Segment, Transcript, Word, join_segments

Event = dict[str, Any]
"""One event, to be sent as JSON after ``data: ``."""

STREAMED: Final = ("json", "text", "diarized_json")
"""The formats that the API streams."""


class Events:
    """The events of one answer: it is fed words as they are final, then the transcript.

    Args:
        shape: what was asked; its format is one of `STREAMED`.
        language: ISO 639-1 of the text, where it is known before the end.
    """

    def __init__(self, shape: Shape, language: str | None = None) -> None:
        self._shape = shape
        self._language = language
        self._words: list[Word] = []
        self._text = ""

    @property
    def waits(self) -> bool:
        """Whether nothing is told before the end: the text says who talks, which nobody knows before."""
        return self._shape.response_format == "diarized_json" or self._shape.text_speakers

    def heard(self, words: Sequence[Word]) -> list[Event]:
        """Return a delta for words that are final: each once, and in order; see `diarist.transcription.base.Heard`.

        Raises:
            NotMeasuredError: log probabilities were asked for, and nobody measured them.
        """
        if self.waits or not words:
            return []
        before = self._words[-1] if self._words else None
        text = "".join(openai.pieces(words, self._language, before))
        event = self._delta(text, words, before, self._language)
        self._words += words
        self._text += text
        return [event]

    def done(self, transcript: Transcript) -> Iterator[Event]:
        """Yield what was not told yet, then ``transcript.text.done``. No words need have been told.

        Raises:
            NotMeasuredError: see `heard`.
        """
        if self._shape.response_format == "diarized_json":
            yield from self._segments(transcript)
            text = openai.diarized(transcript, known=self._shape.known, text_speakers=self._shape.text_speakers)["text"]
        else:
            text = openai.text(transcript, text_speakers=self._shape.text_speakers)
            rest = text.removeprefix(self._text)
            # Where the language shows only at the end, a space may differ; what was told is not taken back.
            if rest and text.startswith(self._text):
                before = self._words[-1] if self._words else None
                yield self._delta(rest, transcript.words[len(self._words) :], before, transcript.language)
        logprobs = self._logprobs(transcript.words, None, transcript.language)
        yield {"type": "transcript.text.done", "text": text, **logprobs}

    def _segments(self, transcript: Transcript) -> Iterator[Event]:
        names = openai.speaker_letters(transcript, self._shape.known)
        parts = _parts(transcript, names, self._shape.text_speakers)
        for number, (part, segment) in enumerate(parts, 1):
            event = openai.diarized_segment(number, segment, names)
            yield {"type": "transcript.text.delta", "delta": part, "segment_id": event["id"]}
            yield event

    def _delta(self, text: str, words: Sequence[Word], before: Word | None, language: str | None) -> Event:
        return {"type": "transcript.text.delta", "delta": text, **self._logprobs(words, before, language)}

    def _logprobs(self, words: Sequence[Word], before: Word | None, language: str | None) -> dict[str, Any]:
        return {"logprobs": openai.word_logprobs(words, language, before)} if self._shape.logprobs else {}


def _parts(transcript: Transcript, names: Mapping[str, str], text_speakers: bool) -> Iterator[tuple[str, Segment]]:
    """Yield each segment with its part of the text of `openai.diarized`."""
    talks = conversation(transcript) if text_speakers else [list(transcript.segments)]
    for place, talk in enumerate(talk for talk in talks if talk):
        speaker = names.get(talk[0].speaker or "", openai.NO_SPEAKER)
        label = f"{speaker}: " if text_speakers else ""
        yield ("\n" if place else "") + label + talk[0].text, talk[0]
        before = talk[0]
        for segment in talk[1:]:
            yield join_segments([before, segment], transcript.language)[len(before.text) :], segment
            before = segment if segment.text else before
