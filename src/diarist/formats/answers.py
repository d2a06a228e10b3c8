"""How a transcript is answered over a wire: one renderer for the server and the RunPod workers."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from diarist.formats import openai, render, whisper
from diarist.model import codec
from diarist.model.transcript import Diarization, Transcript, Turn


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """How an answer is written.

    Attributes:
        response_format: ``json``, ``text``, ``verbose_json`` and ``diarized_json`` as OpenAI means them; ``diarist``
            for the exact document; ``diarization`` for who spoke when; ``asr_json``, ``asr_txt`` and ``asr_tsv`` as
            whisper-asr-webservice writes them; else a name in `diarist.formats.FORMATS`.
        words: whether words with times are wanted.
        segments: whether segments are; ``verbose_json`` has them too where neither is asked for.
        details: whether speakers were asked for, so that words and segments of ``verbose_json`` say theirs.
        logprobs: whether each word's log probability is wanted.
        known: names that were given, heard or not; no letter for an unknown voice is one of them.
        text_speakers: whether ``text`` says who talks.
        warnings: whether a document of OpenAI's says what was degraded, where anything was.
    """

    response_format: str = "json"
    words: bool = False
    segments: bool = False
    details: bool = False
    logprobs: bool = False
    known: frozenset[str] = frozenset()
    text_speakers: bool = False
    warnings: bool = False


def answer(transcript: Transcript, shape: Shape, *, name: str = "recording") -> dict[str, Any] | str | bytes:
    """Write a transcript as asked: a document for JSON, else text, or bytes where the format is binary.

    Args:
        transcript: what to write.
        shape: how.
        name: the recording's name without extension, for formats that carry one.

    Raises:
        NotMeasuredError: log probabilities were asked for, and nobody measured them.
        InputError: there is no such format.
    """
    match shape.response_format:
        case "diarist":
            return codec.dump(transcript)
        case "text":
            return openai.text(transcript, text_speakers=shape.text_speakers)
        case "diarization":
            return spoken(transcript)
        case "asr_json":
            return whisper.asr_json(transcript, words=shape.words)
        case "asr_txt":
            return whisper.asr_txt(transcript)
        case "asr_tsv":
            return whisper.asr_tsv(transcript)
        case "json":
            document = openai.transcription(transcript, text_speakers=shape.text_speakers, logprobs=shape.logprobs)
        case "verbose_json":
            document = openai.verbose(
                transcript, segments=shape.segments or not shape.words, words=shape.words, details=shape.details
            )
        case "diarized_json":
            document = openai.diarized(
                transcript, words=shape.words, known=shape.known, text_speakers=shape.text_speakers
            )
        case other:
            return render(transcript, other, name=name)
    return {**document, **(told(transcript.warnings) if shape.warnings else {})}


def told(warnings: Sequence[str]) -> dict[str, Any]:
    """Return ``warnings`` as a document has them: nothing where there are none."""
    return {"warnings": list(warnings)} if warnings else {}


def spoken(transcript: Transcript) -> dict[str, Any]:
    """Write who spoke when, and no word: the turns under their labels, or under names that were recognised."""
    model = next((model.name for model in transcript.models if model.task == "diarization"), None)
    return {
        "segments": _turns(transcript.turns),
        "num_speakers": len(transcript.speakers),
        "duration": transcript.duration,
        **({"model": model} if model else {}),
        **told(transcript.warnings),
        "usage": openai.usage(transcript.duration),
    }


def diarization_document(diarization: Diarization, *, embeddings: bool = False) -> dict[str, Any]:
    """Write who spoke when.

    Args:
        diarization: what to write.
        embeddings: whether to hand out the voices, which are biometric data.
    """
    voices = {speaker: list(values) for speaker, values in diarization.embeddings.items()}
    return {
        "segments": _turns(diarization.turns),
        "exclusive_segments": _turns(diarization.exclusive),
        "num_speakers": len(diarization.speakers),
        "duration": diarization.duration,
        **({"embeddings": voices} if embeddings else {}),
        "model": diarization.model.name,
        **told(diarization.warnings),
        "usage": openai.usage(diarization.duration),
    }


def body(answered: dict[str, Any] | str | bytes) -> bytes:
    """Write what `answer` gave as the bytes of an HTTP answer; `content_type` says what they are.

    Text ends with a line break, as that of OpenAI's API does.
    """
    if isinstance(answered, bytes):
        return answered
    if isinstance(answered, dict):
        return json.dumps(answered, ensure_ascii=False, separators=(",", ":")).encode()
    return answered.encode() if not answered or answered.endswith("\n") else f"{answered}\n".encode()


def content_type(response_format: str) -> str:
    """Say what `body` holds.

    Clients take JSON apart and anything else as it is, so all text is ``text/plain``, but for what programs other than
    OpenAI's clients know by its type.
    """
    if response_format in _JSON:
        return "application/json"
    return _TYPES.get(response_format, "text/plain; charset=utf-8")


def _turns(turns: Sequence[Turn]) -> list[dict[str, Any]]:
    return [{"start": turn.start, "end": turn.end, "speaker": turn.speaker} for turn in turns]


_JSON: Final = frozenset(
    {"json", "openai_json", "verbose_json", "diarized_json", "diarist", "asr_json", "seglst", "diarization"}
)
_TYPES: Final = {
    "vtt": "text/vtt; charset=utf-8",
    "html": "text/html; charset=utf-8",
    "docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
}
