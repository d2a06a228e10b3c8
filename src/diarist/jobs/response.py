"""From nouns to a job's output: the OpenAI shapes, the diarization endpoint's own, and the exact nouns."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from diarist.formats import openai, render
from diarist.formats.text import conversation
from diarist.jobs.request import DiarizationJob, TextJob
from diarist.model.codec import dump
from diarist.model.transcript import Diarization, Segment, Transcript, Transcription, Turn, Word, join_segments

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
        case "json":
            output: dict[str, Any] = {"text": _text(transcript, job)}
            if job.timestamps:
                output["segments"] = [_segment(segment) for segment in transcript.segments]
        case "verbose_json":
            output = openai.verbose(transcript, words=False)
        case "diarized_json":
            output = openai.diarized(transcript)
        case other:
            return str(render(transcript, other))
    if job.word_timestamps:
        output["words"] = [_word(word) for word in transcript.words]
    return {**output, **_warnings(transcript.warnings)}


def transcription_output(transcription: Transcription) -> Output:
    """Shape the exact words, for our own clients."""
    return dump(transcription)


def _text(transcript: Transcript, job: TextJob) -> str:
    if job.include_diarization_in_text is False or not transcript.speakers:
        return transcript.text
    return "\n".join(
        (f"{talk[0].speaker}: " if talk[0].speaker else "") + join_segments(talk, transcript.language)
        for talk in conversation(transcript)
    )


def _turns(turns: Sequence[Turn]) -> list[dict[str, Any]]:
    return [{"start": turn.start, "end": turn.end, "speaker": turn.speaker} for turn in turns]


def _segment(segment: Segment) -> dict[str, Any]:
    return {
        "start": segment.start,
        "end": segment.end,
        "text": segment.text,
        **({"speaker": segment.speaker} if segment.speaker else {}),
    }


def _word(word: Word) -> dict[str, Any]:
    return {
        "word": word.text,
        "start": word.start,
        "end": word.end,
        **({"speaker": word.speaker} if word.speaker else {}),
        **({"confidence": word.confidence} if word.confidence is not None else {}),
    }


def _warnings(warnings: Sequence[str]) -> dict[str, Any]:
    return {"warnings": list(warnings)} if warnings else {}
