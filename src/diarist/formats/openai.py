"""The documents of OpenAI's transcription API, so that its clients can read our results.

Shapes after the types of the ``openai`` package 3.54 (which check them in the tests): `Transcription`,
`TranscriptionVerbose` and `TranscriptionDiarized`. Those types require some values that we may not have measured; these
are null rather than invented, and the official client passes null on.
"""

from __future__ import annotations

import json as json_library
import math
import re
import zlib
from bisect import bisect_left, bisect_right
from collections.abc import Mapping, Sequence
from typing import Any

from diarist.formats.text import conversation
from diarist.model.timeline import Span, union
from diarist.model.transcript import Segment, Transcript, join_segments

NO_SPEAKER = "unknown"
"""What stands where the API demands a speaker and none is known."""


def openai_json(transcript: Transcript, name: str) -> str:  # noqa: ARG001
    """Write ``response_format=json``."""
    return _dumps(transcription(transcript))


def verbose_json(transcript: Transcript, name: str) -> str:  # noqa: ARG001
    """Write ``response_format=verbose_json`` with segments and words."""
    return _dumps(verbose(transcript))


def diarized_json(transcript: Transcript, name: str) -> str:  # noqa: ARG001
    """Write ``response_format=diarized_json``."""
    return _dumps(diarized(transcript))


def transcription(transcript: Transcript) -> dict[str, Any]:
    """Return a `Transcription`: the text alone."""
    return {"text": transcript.text}


def verbose(transcript: Transcript, *, segments: bool = True, words: bool = True) -> dict[str, Any]:
    """Return a `TranscriptionVerbose`.

    ``avg_logprob`` is the mean log of our word confidences and ``no_speech_prob`` the share of the segment in which the
    diarizer hears nobody; each is null where not measured. ``tokens`` is empty: engines have different ones.
    ``language`` is that of the text, so ``"english"`` for a translation. Where a transcript does not say how it was
    made, ``task`` is ``"transcribe"`` and ``temperature`` 0, the API's own defaults, since clients need both.

    Args:
        transcript: what to write.
        segments: whether to list segments (``timestamp_granularities`` has ``"segment"``).
        words: whether to list words (``timestamp_granularities`` has ``"word"``).
    """
    document: dict[str, Any] = {
        "task": transcript.task or "transcribe",
        "language": _LANGUAGES.get(transcript.language or "", transcript.language or ""),
        "duration": transcript.duration,
        "text": transcript.text,
    }
    if words:
        document["words"] = [{"word": word.text, "start": word.start, "end": word.end} for word in transcript.words]
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
                "no_speech_prob": _share_without(speech, segment) if speech is not None else None,
            }
            for number, segment in enumerate(transcript.segments)
        ]
    return document


def diarized(transcript: Transcript) -> dict[str, Any]:
    """Return a `TranscriptionDiarized`: known names stay, other speakers are A, B, … in order of first word.

    ``task`` is ``"transcribe"``, the only one that the type knows.
    """
    names = speaker_letters(transcript)
    return {
        "task": "transcribe",
        "duration": transcript.duration,
        "text": "\n".join(
            f"{names.get(talk[0].speaker or '', NO_SPEAKER)}: {join_segments(talk, transcript.language)}"
            for talk in conversation(transcript)
        ),
        "segments": [
            {
                "type": "transcript.text.segment",
                "id": f"seg_{number:03d}",
                "start": segment.start,
                "end": segment.end,
                "text": segment.text,
                "speaker": names.get(segment.speaker or "", NO_SPEAKER),
            }
            for number, segment in enumerate(transcript.segments, 1)
        ],
    }


def speaker_letters(transcript: Transcript) -> Mapping[str, str]:
    """Map our labels to the API's: ``SPEAKER_00`` to ``A``, and a real name to itself."""
    unnamed = [label for label in transcript.speakers if re.fullmatch(r"SPEAKER_\d+", label)]
    letters = {label: _letters(index) for index, label in enumerate(unnamed)}
    return {label: letters.get(label, label) for label in transcript.speakers}


def _letters(index: int) -> str:
    """Return A to Z, then AA, AB and so on."""
    before, last = divmod(index, 26)
    return (_letters(before - 1) if before else "") + chr(ord("A") + last)


def _mean_log_confidence(segment: Segment) -> float | None:
    known = [word.confidence for word in segment.words if word.confidence is not None]
    if not known or len(known) < len(segment.words):
        return None
    return round(sum(math.log(max(value, 1e-4)) for value in known) / len(known), 4)


def _compression_ratio(text: str) -> float:
    """Return Whisper's measure of repetition: bytes of text by bytes of it compressed."""
    encoded = text.encode()
    return round(len(encoded) / len(zlib.compress(encoded)), 4)


def _share_without(speech: Sequence[Span], segment: Segment) -> float | None:
    """Return the share of a segment outside disjoint, sorted stretches of speech."""
    if segment.duration == 0:
        return None
    first = bisect_right(speech, segment.start, key=lambda span: span.end)
    stop = bisect_left(speech, segment.end, key=lambda span: span.start)
    heard = sum(span.intersection(segment) for span in speech[first:stop])
    return round(1 - heard / segment.duration, 4)


def _dumps(document: dict[str, Any]) -> str:
    return json_library.dumps(document, ensure_ascii=False, indent=2) + "\n"


# The API names languages in English.
_LANGUAGES = {
    "ar": "arabic", "bg": "bulgarian", "ca": "catalan", "cs": "czech", "da": "danish", "de": "german", "el": "greek",
    "en": "english", "es": "spanish", "et": "estonian", "fa": "persian", "fi": "finnish", "fr": "french",
    "he": "hebrew", "hi": "hindi", "hr": "croatian", "hu": "hungarian", "id": "indonesian", "it": "italian",
    "ja": "japanese", "ko": "korean", "lt": "lithuanian", "lv": "latvian", "mt": "maltese", "nl": "dutch",
    "no": "norwegian", "pl": "polish", "pt": "portuguese", "ro": "romanian", "ru": "russian", "sk": "slovak",
    "sl": "slovenian", "sr": "serbian", "sv": "swedish", "ta": "tamil", "th": "thai", "tr": "turkish",
    "uk": "ukrainian", "ur": "urdu", "vi": "vietnamese", "zh": "chinese",
}  # fmt: skip
