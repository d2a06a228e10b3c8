"""JSON: diarist's own, and the family that Whisper began: segments of text with times, perhaps with words and speakers.

msgspec checks both against dataclasses; of a document it makes only what they have.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Final, Literal

import msgspec

from diarist.attribution import segment as cut_into_segments
from diarist.model import codec
from diarist.model.errors import InputError
from diarist.model.languages import language_code
from diarist.model.transcript import TRANSCRIPT_SCHEMA, Segment, Transcript
from diarist.reading.assembly import Heard, assemble, by_speaker, timed_words

OWN_HINT: Final = "Give a file that was written by: diarist transcribe … -f json"

NO_SPEAKER: Final = "unknown"
"""What `diarist.formats.openai` writes where the API demands a speaker and none is known."""


class _Head(msgspec.Struct):  # in a dataclass, msgspec takes nothing for raw
    schema: str = ""
    segments: msgspec.Raw = msgspec.Raw()
    words: msgspec.Raw = msgspec.Raw()
    text: msgspec.Raw = msgspec.Raw()


@dataclass(frozen=True, slots=True)
class _Word:
    word: str
    start: float | None = None
    end: float | None = None
    # The recogniser's own. WhisperX's "score" is how well a word was aligned, not how sure it is.
    probability: float | None = None
    speaker: str | None = None


@dataclass(frozen=True, slots=True)
class _Segment:
    start: float
    end: float
    text: str
    speaker: str | None = None
    words: tuple[_Word, ...] | None = None
    type: str = ""


@dataclass(frozen=True, slots=True)
class _Document:
    segments: tuple[_Segment, ...] = ()
    words: tuple[_Word, ...] | None = None
    text: str | None = None
    language: str | None = None
    duration: float | str | None = None
    task: str | None = None


def parse(document: bytes, name: str, hint: str) -> Transcript:
    """Read either; see `diarist.reading.parse`."""
    head = _head(document, name, hint)
    if head.schema:
        return _own(document, head.schema, name)
    if not (_is_list(head.segments) or _is_list(head.words)):
        if bytes(head.text)[:1] == b'"':
            raise InputError(
                "no_times",
                f"{name} is not a transcript with times: it holds text alone.",
                "Ask for verbose_json or diarized_json.",
                http_status=422,
            )
        raise InputError("no_transcript", f"{name} is not a transcript.", hint, http_status=422)
    try:
        return _foreign(codec.read(_Document, document))
    except InputError as error:
        reason = error.message.removeprefix("Not a valid Document: ")
        raise InputError("no_transcript", f"{name} is damaged: {reason}", hint, http_status=422) from error


def parse_own(document: bytes, name: str) -> Transcript:
    """Read diarist's own; see `diarist.reading.parse_own`."""
    return _own(document, _head(document, name, OWN_HINT).schema, name)


def is_transcript(document: bytes) -> bool:
    """Whether a document has what one of the two has."""
    try:
        head = codec.read(_Head, document)
    except InputError:
        return False
    return head.schema.startswith(_family()) or (not head.schema and _is_list(head.segments))


def _is_list(value: msgspec.Raw) -> bool:
    return bytes(value)[:1] == b"["


def _head(document: bytes, name: str, hint: str) -> _Head:
    try:
        return codec.read(_Head, document)
    except InputError as error:
        what = "JSON" if error.code == "not_json" else "a transcript"
        raise InputError("no_transcript", f"{name} is not {what}.", hint, http_status=422) from error


def _family() -> str:
    return TRANSCRIPT_SCHEMA.rpartition("/")[0] + "/"


def _own(document: bytes, schema: str, name: str) -> Transcript:
    version = TRANSCRIPT_SCHEMA.removeprefix(_family())
    if not schema.startswith(_family()):
        raise InputError("no_transcript", f"{name} is not a transcript of diarist.", OWN_HINT, http_status=422)
    number = schema.removeprefix(_family())
    if number != version:
        if number.isdecimal() and len(number) < 6 and int(number) > int(version):
            raise InputError(
                "later_schema", f"{name} was written by a later diarist ({schema}).", "Update diarist, then try again."
            )
        raise InputError("no_transcript", f"{name} has a schema that diarist does not know.", OWN_HINT, http_status=422)
    try:
        found = codec.read(Transcript, document)
    except InputError as error:
        raise InputError("no_transcript", f"{name}: {error.message}", OWN_HINT, http_status=422) from error
    if not (math.isfinite(found.duration) and found.duration >= 0):
        raise InputError("no_transcript", f"{name}: the duration is not a length.", OWN_HINT, http_status=422)
    return found


def _foreign(document: _Document) -> Transcript:
    warnings = []
    language = _language(document.language)
    if document.language and language is None:
        warnings.append("The file names a language that diarist does not know.")
    found: list[Segment] = []
    estimated = 0
    listed = _shared_out(document)
    for number, (one, words) in enumerate(zip(document.segments, listed, strict=True)):
        try:
            made, guessed = _segment(one, words)
        except ValueError as error:
            raise _wrong(f"segments[{number}]", error) from error
        estimated += guessed
        found += by_speaker(made, language)
    if not document.segments and document.words:
        found = list(_without_segments(document, language))
    if estimated:
        warnings.append(f"The file has no times for {estimated} words; they were shared out between their neighbours.")
    return assemble(
        found,
        duration=_duration(document.duration),
        language=language,
        task=_TASKS.get(document.task or ""),
        warnings=warnings,
    )


_TASKS: Final[dict[str, Literal["transcribe", "translate"]]] = {"transcribe": "transcribe", "translate": "translate"}


def _segment(one: _Segment, words: Sequence[_Word]) -> tuple[Segment, int]:
    speaker = None if one.type and one.speaker == NO_SPEAKER else one.speaker or None
    text = one.text.strip()
    timed, estimated = timed_words(_heard(words), one.start, one.end, text, speaker)
    return Segment(one.start, one.end, speaker, text, timed), estimated


def _without_segments(document: _Document, language: str | None) -> Iterator[Segment]:
    """Cut words that were listed alone as diarist cuts its own."""
    heard = _heard(document.words or ())
    try:
        words, _ = timed_words(heard, 0.0, 0.0, (document.text or "").strip(), None)
    except ValueError as error:
        raise _wrong("words", error) from error
    yield from cut_into_segments(words, language)


def _heard(words: Sequence[_Word]) -> list[Heard]:
    return [Heard(each.word, each.start, each.end, each.probability, each.speaker or None) for each in words]


def _shared_out(document: _Document) -> list[Sequence[_Word]]:
    """Each segment's words. OpenAI's API lists them apart, in the order of the segments and perhaps without marks."""
    segments = document.segments
    listed: list[Sequence[_Word]] = [segment.words or () for segment in segments]
    if any(listed) or not (segments and document.words):
        return listed
    walked = _walk(segments, document.words, _solid) or _walk(segments, document.words, _letters)
    return walked or _by_time(segments, document.words)


def _walk(
    segments: Sequence[_Segment], words: Sequence[_Word], spelling: Callable[[str], str]
) -> list[Sequence[_Word]] | None:
    """Give words to the segments that they spell, one after the other; None where they spell something else."""
    found: list[list[_Word]] = [[] for _ in segments]
    place, left = 0, spelling(segments[0].text)
    for word in words:
        part = spelling(word.word)
        while part and not left and place + 1 < len(segments):
            place += 1
            left = spelling(segments[place].text)
        if not left.startswith(part):
            return None
        left = left[len(part) :]
        found[place].append(word)
    return None if left else [tuple(each) for each in found]


def _by_time(segments: Sequence[_Segment], words: Sequence[_Word]) -> list[Sequence[_Word]]:
    """Words go to the last segment that began before their middle."""
    order = sorted(range(len(segments)), key=lambda index: segments[index].start)
    found: list[list[_Word]] = [[] for _ in segments]
    timed = [(((word.start + word.end) / 2), word) for word in words if word.start is not None and word.end is not None]
    following = 0
    for middle, word in sorted(timed, key=lambda each: each[0]):
        while following + 1 < len(order) and segments[order[following + 1]].start <= middle:
            following += 1
        found[order[following]].append(word)
    return [tuple(each) for each in found]


def _solid(text: str) -> str:
    return "".join(text.split())


def _letters(text: str) -> str:
    return "".join(chain.from_iterable(mark.casefold() for mark in text if mark.isalnum()))


def _language(named: str | None) -> str | None:
    try:
        return language_code(named or "")
    except InputError:
        return None


def _duration(given: float | str | None) -> float | None:
    """In seconds; OpenAI's API once wrote it as text."""
    if given is None:
        return None
    try:
        seconds = float(given)
    except ValueError:
        seconds = math.nan
    if not (math.isfinite(seconds) and seconds >= 0):
        raise InputError("bad_document", "the duration is not a length.")
    return seconds


def _wrong(place: str, error: ValueError) -> InputError:
    # Messages of the nouns hold numbers alone.
    return InputError("bad_document", f"{error} - at `$.{place}`.")
