"""The documents of OpenAI's transcription API, so that its clients can read our results.

Shapes after the types of the ``openai`` package 3.54 (which check them in the tests): `Transcription`,
`TranscriptionVerbose` and `TranscriptionDiarized`. Clients of other languages fail at a null or a missing number, so
there are none: what a type demands and nobody measured has the value that says least, and `verbose` tells which.
"""

from __future__ import annotations

import json as json_library
import math
import re
import zlib
from bisect import bisect_left, bisect_right
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from itertools import count, islice
from typing import Any, Final

from diarist.formats.text import conversation
from diarist.model.errors import InputError
from diarist.model.languages import language_name
from diarist.model.timeline import Span, total, union
from diarist.model.transcript import Segment, Transcript, Word, join_segments, spelled

NO_SPEAKER = "unknown"
"""What stands where the API demands a speaker and none is known."""


class NotMeasuredError(InputError):
    """Log probabilities were asked for, and the engine measures none."""

    field: Final = "include"


def openai_json(transcript: Transcript, name: str) -> str:  # noqa: ARG001
    """Write ``response_format=json``."""
    return _dumps(transcription(transcript))


def verbose_json(transcript: Transcript, name: str) -> str:  # noqa: ARG001
    """Write ``response_format=verbose_json`` with segments and words."""
    return _dumps(verbose(transcript))


def diarized_json(transcript: Transcript, name: str) -> str:  # noqa: ARG001
    """Write ``response_format=diarized_json``."""
    return _dumps(diarized(transcript))


def usage(seconds: float) -> dict[str, Any]:
    """Return what a request used: the length of its recording."""
    return {"type": "duration", "seconds": seconds}


def transcription(transcript: Transcript, *, text_speakers: bool = False, logprobs: bool = False) -> dict[str, Any]:
    """Return a `Transcription`: the text alone.

    Args:
        transcript: what to write.
        text_speakers: whether the text says who talks; see `text`.
        logprobs: whether to list each word's log probability.

    Raises:
        NotMeasuredError: ``logprobs`` of words whose confidence nobody measured.
    """
    return {
        "text": text(transcript, text_speakers=text_speakers),
        **({"logprobs": word_logprobs(transcript.words, transcript.language)} if logprobs else {}),
        "usage": usage(transcript.duration),
    }


def text(transcript: Transcript, *, text_speakers: bool = False) -> str:
    """Return what was said; with speakers, where any are known, a line ``SPEAKER_00: …`` for each turn of talk."""
    if not (text_speakers and transcript.speakers):
        return transcript.text
    return "\n".join(
        (f"{talk[0].speaker}: " if talk[0].speaker else "") + join_segments(talk, transcript.language)
        for talk in conversation(transcript)
    )


def verbose(
    transcript: Transcript, *, segments: bool = True, words: bool = True, details: bool = False
) -> dict[str, Any]:
    """Return a `TranscriptionVerbose`.

    ``avg_logprob`` is the mean log of those confidences of words that were measured, and 0 where none was.
    ``no_speech_prob`` is the share of the segment in which the diarizer hears nobody; without a diarizer, the share
    that no word covers, and words are found only where a voice is heard. It is 0 where words have no times.
    ``tokens`` is empty: engines have different ones. ``language`` is that of the text, so ``"english"`` for a
    translation. Where a transcript does not say how it was made, ``task`` is ``"transcribe"`` and ``temperature`` 0,
    the API's own defaults.

    Args:
        transcript: what to write.
        segments: whether to list segments (``timestamp_granularities`` has ``"segment"``).
        words: whether to list words (``timestamp_granularities`` has ``"word"``).
        details: whether segments and words say what the API's do not: see `timed_word`.
    """
    document: dict[str, Any] = {
        "task": transcript.task or "transcribe",
        "language": language_name(transcript.language or ""),
        "duration": transcript.duration,
        "text": transcript.text,
    }
    if words:
        document["words"] = [timed_word(word) if details else _timed(word) for word in transcript.words]
    if segments:
        speech = union(transcript.turns) if transcript.turns else None
        document["segments"] = [
            {
                "id": number,
                "seek": round(segment.start * 100),
                "start": segment.start,
                "end": segment.end,
                "text": segment.text,
                "tokens": [],
                "temperature": transcript.temperature or 0.0,
                "avg_logprob": _mean_log_confidence(segment),
                "compression_ratio": _compression_ratio(segment.text),
                "no_speech_prob": _share_without(
                    union(segment.words) or (segment,) if speech is None else speech, segment
                ),
                **({"speaker": segment.speaker} if details and segment.speaker else {}),
            }
            for number, segment in enumerate(transcript.segments)
        ]
    return {**document, "usage": usage(transcript.duration)}


def diarized(
    transcript: Transcript, *, words: bool = False, known: Collection[str] = (), text_speakers: bool = True
) -> dict[str, Any]:
    """Return a `TranscriptionDiarized`: known names stay, other speakers are A, B, … in order of first word.

    ``task`` is ``"transcribe"``, the only one that the type knows.

    Args:
        transcript: what to write.
        words: whether each segment lists its words, and the document its ``speakers``.
        known: names that the caller gave, whether they were heard or not; see `speaker_letters`.
        text_speakers: whether ``text`` has a line ``A: …`` for each turn of talk; else the words alone.
    """
    names = speaker_letters(transcript, known)
    return {
        "task": "transcribe",
        "duration": transcript.duration,
        "text": "\n".join(
            f"{names.get(talk[0].speaker or '', NO_SPEAKER)}: {join_segments(talk, transcript.language)}"
            for talk in conversation(transcript)
        )
        if text_speakers
        else transcript.text,
        "segments": [
            {
                **diarized_segment(number, segment, names),
                **({"words": [timed_word(word, names) for word in segment.words]} if words else {}),
            }
            for number, segment in enumerate(transcript.segments, 1)
        ],
        **({"speakers": list(_speakers(transcript, names))} if words else {}),
        "usage": usage(transcript.duration),
    }


def diarized_segment(number: int, segment: Segment, names: Mapping[str, str]) -> dict[str, Any]:
    """Return one segment of `diarized`, which is also an event of its stream.

    Args:
        number: its place, from 1.
        segment: what to write.
        names: from `speaker_letters`.
    """
    return {
        "type": "transcript.text.segment",
        "id": f"seg_{number:03d}",
        "start": segment.start,
        "end": segment.end,
        "text": segment.text,
        "speaker": names.get(segment.speaker or "", NO_SPEAKER),
    }


def timed_word(word: Word, names: Mapping[str, str] | None = None) -> dict[str, Any]:
    """Return a word with its times, and of its speaker, confidence and overlap what is known.

    Args:
        word: what to write.
        names: from `speaker_letters`; None keeps our labels.
    """
    speaker = word.speaker and (word.speaker if names is None else names.get(word.speaker))
    return {
        **_timed(word),
        **({"speaker": speaker} if speaker else {}),
        **({"confidence": word.confidence} if word.confidence is not None else {}),
        **({"overlap": True} if word.overlap else {}),
    }


def word_logprobs(words: Iterable[Word], language: str | None, after: Word | None = None) -> list[dict[str, Any]]:
    """Return an entry for each word: the API's tokens are ours' words, each with the space before it.

    Args:
        words: in order.
        language: ISO 639-1 of the text.
        after: the word before the first of them, where there is one.

    Raises:
        NotMeasuredError: the confidence of one was not measured.
    """
    listed = list(words)
    found = []
    for word, piece in zip(listed, pieces(listed, language, after), strict=True):
        if word.confidence is None:
            raise NotMeasuredError(
                "no_logprobs",
                "The model here does not measure how sure it is of a word, so there are no logprobs.",
                "Leave include out, or choose another model.",
            )
        entry = {"token": piece, "bytes": list(piece.encode()), "logprob": _log(word.confidence)}
        found.append(entry)
    return found


def pieces(words: Sequence[Word], language: str | None, after: Word | None = None) -> Iterator[str]:
    """Yield each word with the space before it, also before the first where it stands ``after`` another."""
    if after is None:
        yield from spelled(words, language)
    else:
        yield from islice(spelled([after, *words], language), 1, None)


def speaker_letters(transcript: Transcript, known: Collection[str] = ()) -> Mapping[str, str]:
    """Map our labels to the API's: ``SPEAKER_00`` to ``A``, and a real name to itself.

    Args:
        transcript: whose speakers.
        known: names that the caller gave. A letter that is one of them, or the name of another speaker, is no unknown
            voice's, though nobody of that name was heard: the caller would take one person for another.
    """
    names = {label for label in transcript.speakers if not _NUMBERED.fullmatch(label)}
    taken = {name.casefold() for name in (*known, *names)}
    letters = (letter for letter in map(_letters, count()) if letter.casefold() not in taken)
    return {label: label if label in names else next(letters) for label in transcript.speakers}


def _speakers(transcript: Transcript, names: Mapping[str, str]) -> Iterator[dict[str, Any]]:
    spans: Sequence[Any] = transcript.turns or transcript.segments
    for label in transcript.speakers:
        named = not _NUMBERED.fullmatch(label)
        yield {
            "id": names[label],
            **({"name": label} if named else {}),
            "seconds": round(total(span for span in spans if span.speaker == label), 3),
            "known": named,
        }


_NUMBERED: Final = re.compile(r"SPEAKER_\d+")


def _letters(index: int) -> str:
    """Return A to Z, then AA, AB and so on."""
    before, last = divmod(index, 26)
    return (_letters(before - 1) if before else "") + chr(ord("A") + last)


def _timed(word: Word) -> dict[str, Any]:
    return {"word": word.text, "start": word.start, "end": word.end}


def _mean_log_confidence(segment: Segment) -> float:
    known = [_log(word.confidence) for word in segment.words if word.confidence is not None]
    return round(sum(known) / len(known), 4) if known else 0.0


def _log(confidence: float) -> float:
    return round(math.log(max(confidence, 1e-4)), 4)


def _compression_ratio(text: str) -> float:
    """Return Whisper's measure of repetition: bytes of text by bytes of it compressed."""
    encoded = text.encode()
    return round(len(encoded) / len(zlib.compress(encoded)), 4)


def _share_without(speech: Sequence[Span], segment: Segment) -> float:
    """Return the share of a segment outside disjoint, sorted stretches of speech."""
    if segment.duration == 0:
        return 0.0
    first = bisect_right(speech, segment.start, key=lambda span: span.end)
    stop = bisect_left(speech, segment.end, key=lambda span: span.start)
    heard = sum(span.intersection(segment) for span in speech[first:stop])
    return max(0.0, round(1 - heard / segment.duration, 4))


def _dumps(document: dict[str, Any]) -> str:
    return json_library.dumps(document, ensure_ascii=False, indent=2) + "\n"
