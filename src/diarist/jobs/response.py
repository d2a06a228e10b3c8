"""From nouns to a job's output: the shapes that the server answers with too, what jobs add, and the exact nouns."""

from __future__ import annotations

from typing import Any

from diarist.formats.answers import Shape, answer, diarization_document, told
from diarist.formats.openai import timed_word
from diarist.jobs.request import DiarizationJob, TextJob
from diarist.model.codec import dump
from diarist.model.transcript import Diarization, Segment, Transcript, Transcription

Output = dict[str, Any] | str


def diarization_output(diarization: Diarization, job: DiarizationJob) -> Output:
    """Shape what the diarization endpoint returns."""
    if job.response_format == "diarist":
        return dump(diarization)
    return diarization_document(diarization, embeddings=True)


def transcript_output(transcript: Transcript, job: TextJob) -> Output:
    """Shape what the endpoints that return text return.

    Raises:
        NotMeasuredError: log probabilities were asked for, and nobody measured them.
    """
    output = answer(transcript, _shape(job))
    if not isinstance(output, dict):
        return str(output)
    if job.response_format == "diarist":
        return output
    if job.response_format == "json" and job.timestamps:
        output["segments"] = [_segment(segment) for segment in transcript.segments]
    if job.word_timestamps:
        output["words"] = [timed_word(word) for word in transcript.words]
    return {**output, **told(transcript.warnings)}


def transcription_output(transcription: Transcription) -> Output:
    """Shape the exact words, for our own clients."""
    return dump(transcription)


def _shape(job: TextJob) -> Shape:
    return Shape(
        response_format=job.response_format,
        words="word" in job.timestamp_granularities,
        segments="segment" in job.timestamp_granularities,
        details=True,
        logprobs="logprobs" in job.include,
        text_speakers=job.include_diarization_in_text is not False,
    )


def _segment(segment: Segment) -> dict[str, Any]:
    return {
        "start": segment.start,
        "end": segment.end,
        "text": segment.text,
        **({"speaker": segment.speaker} if segment.speaker else {}),
    }
