"""From nouns to a job's output: the OpenAI shapes, the diarization endpoint's own, and the exact nouns.

OpenAI's ``verbose_json`` lists values per segment that nothing here measures (seek, tokens, avg_logprob …). They
are left out rather than invented; OpenAI's own clients read the rest.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from diarist.formats import render
from diarist.model.codec import dump
from diarist.model.transcript import Diarization, Segment, Transcript, Transcription, Turn, Word
from diarist.runpod.protocol import DiarizationJob, TextJob

Output = dict[str, Any] | str


def diarization_output(diarization: Diarization, job: DiarizationJob) -> Output:
    """Shape what the diarization endpoint returns."""
    if job.response_format == "diarist":
        return dump(diarization)
    return {
        "segments": _turns(diarization.turns),
        "exclusive_segments": _turns(diarization.exclusive),
        "num_speakers": len(diarization.speakers),
        "duration": diarization.duration,
        "embeddings": {speaker: list(values) for speaker, values in diarization.embeddings.items()},
        "model": diarization.model.name,
        **_warnings(diarization.warnings),
    }


def transcript_output(transcript: Transcript, job: TextJob) -> Output:
    """Shape what the endpoints that return text return."""
    match job.response_format:
        case "diarist":
            return dump(transcript)
        case "text":
            return _text(transcript, job)
        case "srt" | "vtt":
            return str(render(transcript, job.response_format))
        case "json":
            return {
                "text": _text(transcript, job),
                **({"segments": [_segment(segment) for segment in transcript.segments]} if job.timestamps else {}),
                **_words(transcript.words, job),
                **_warnings(transcript.warnings),
            }
        case "verbose_json":
            return {
                "task": "transcribe",
                "duration": transcript.duration,
                **({"language": transcript.language} if transcript.language else {}),
                "text": _text(transcript, job),
                "segments": [{"id": index, **_segment(segment)} for index, segment in enumerate(transcript.segments)],
                **_words(transcript.words, job),
                **_warnings(transcript.warnings),
            }
        case "diarized_json":
            return {
                "task": "transcribe",
                "duration": transcript.duration,
                "text": _text(transcript, job),
                "segments": [
                    {"type": "transcript.text.segment", **_segment(segment), "id": f"seg_{index:03d}"}
                    for index, segment in enumerate(transcript.segments, 1)
                ],
                **_words(transcript.words, job),
                **_warnings(transcript.warnings),
            }


def transcription_output(transcription: Transcription) -> Output:
    """Shape the exact words, for our own clients."""
    return dump(transcription)


def _text(transcript: Transcript, job: TextJob) -> str:
    wanted = job.include_diarization_in_text
    if wanted is False or not transcript.speakers:
        return transcript.text
    lines: list[tuple[str | None, list[str]]] = []
    for segment in transcript.segments:
        if lines and lines[-1][0] == segment.speaker:
            lines[-1][1].append(segment.text)
        else:
            lines.append((segment.speaker, [segment.text]))
    return "\n".join((f"{speaker}: " if speaker else "") + " ".join(texts) for speaker, texts in lines)


def _turns(turns: Sequence[Turn]) -> list[dict[str, Any]]:
    return [{"start": turn.start, "end": turn.end, "speaker": turn.speaker} for turn in turns]


def _segment(segment: Segment) -> dict[str, Any]:
    return {
        "start": segment.start,
        "end": segment.end,
        "text": segment.text,
        **({"speaker": segment.speaker} if segment.speaker else {}),
    }


def _words(words: Sequence[Word], job: TextJob) -> dict[str, Any]:
    if not job.word_timestamps:
        return {}
    return {
        "words": [
            {
                "word": word.text,
                "start": word.start,
                "end": word.end,
                **({"speaker": word.speaker} if word.speaker else {}),
                **({"confidence": word.confidence} if word.confidence is not None else {}),
            }
            for word in words
        ]
    }


def _warnings(warnings: Sequence[str]) -> dict[str, Any]:
    return {"warnings": list(warnings)} if warnings else {}
