"""What the API answers: a schema for every document, strict, and what each error status means."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from diarist.formats.text import json_schema

Schema = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer of an operation.

    Attributes:
        description: what it is.
        content: schemas by media type; none for an empty body.
        headers: beside ``x-request-id``.
    """

    description: str
    content: Mapping[str, Schema] = field(default_factory=dict)
    headers: Mapping[str, Schema] = field(default_factory=dict)


def ref(name: str) -> Schema:
    """A schema of `SCHEMAS` by its name."""
    return {"$ref": f"#/components/schemas/{name}"}


def json_of(schema: Schema) -> dict[str, Schema]:
    """The content of an answer that is JSON."""
    return {"application/json": schema}


def one_of(*names: str) -> Schema:
    """Any of these schemas."""
    return {"anyOf": [ref(name) for name in names]}


def _object(optional: Mapping[str, Schema] = {}, /, **required: Schema) -> Schema:
    return {
        "type": "object",
        "properties": {**required, **optional},
        "required": list(required),
        "additionalProperties": False,
    }


def _listed(items: Schema, **more: Schema) -> Schema:
    return _object(object={"const": "list"}, data={"type": "array", "items": items}, **more)


_TEXT: Final[Schema] = {"type": "string"}
_NUMBER: Final[Schema] = {"type": "number"}
_COUNT: Final[Schema] = {"type": "integer", "minimum": 0}
_TIME: Final[Schema] = {"type": "number", "minimum": 0}
_SHARE: Final[Schema] = {"type": "number", "minimum": 0, "maximum": 1}
_WARNINGS: Final[Schema] = {"type": "array", "items": _TEXT, "description": "What was degraded."}
_SPAN: Final = {"start": _TIME, "end": _TIME}
_LOGPROBS: Final[Schema] = {
    "type": "array",
    "items": _object(token=_TEXT, bytes={"type": "array", "items": _COUNT}, logprob={"type": "number", "maximum": 0}),
    "description": "One entry for each word.",
}
_WORD_MORE: Final = {"speaker": _TEXT, "confidence": _SHARE, "overlap": {"type": "boolean"}}
_VERBOSE_SEGMENT: Final = {
    "id": _COUNT,
    "seek": _COUNT,
    **_SPAN,
    "text": _TEXT,
    "tokens": {"type": "array", "items": _COUNT},
    "temperature": _NUMBER,
    "avg_logprob": _NUMBER,
    "compression_ratio": _NUMBER,
    "no_speech_prob": _SHARE,
}
_STATES: Final = ("queued", "running", "completed", "failed", "cancelled")
_STAGES: Final[Schema] = {"type": "object", "additionalProperties": _SHARE, "description": "Share done by stage."}
_VOICE: Final = {
    "name": _TEXT,
    "model": _TEXT,
    "seconds": _TIME,
    "consent": _TEXT,
    "added": {**_TEXT, "format": "date"},
}

_TRANSCRIPT: Final = json_schema()


def _of_ours(schema: Any) -> Any:
    """A part of a JSON Schema with ``$defs``, with its references leading to the components of the document."""
    if isinstance(schema, dict):
        return {
            name: part.replace("#/$defs/", "#/components/schemas/") if name == "$ref" else _of_ours(part)
            for name, part in schema.items()
        }
    return [_of_ours(part) for part in schema] if isinstance(schema, list) else schema


SCHEMAS: Final[Mapping[str, Schema]] = {
    **_of_ours(_TRANSCRIPT["$defs"]),
    "Error": _object(
        error=_object(
            message={**_TEXT, "description": "What is wrong, and what to do."},
            type={"enum": ["invalid_request_error", "rate_limit_error", "server_error"]},
            param={"type": ["string", "null"], "description": "The field at fault."},
            code={**_TEXT, "description": "Names the fault for programs."},
        )
    ),
    "Usage": _object(type={"const": "duration"}, seconds=_COUNT),
    "Transcription": _object({"logprobs": _LOGPROBS, "warnings": _WARNINGS}, text=_TEXT, usage=ref("Usage")),
    "TimedWord": _object(_WORD_MORE, word=_TEXT, **_SPAN),
    "TranscriptionVerbose": _object(
        {
            "words": {"type": "array", "items": ref("TimedWord")},
            "segments": {"type": "array", "items": _object({"speaker": _TEXT}, **_VERBOSE_SEGMENT)},
            "warnings": _WARNINGS,
        },
        task={"enum": ["transcribe", "translate"]},
        language={**_TEXT, "description": "In English, as `german`."},
        duration=_TIME,
        text=_TEXT,
        usage=ref("Usage"),
    ),
    "DiarizedSegment": _object(
        {"words": {"type": "array", "items": ref("TimedWord")}},
        type={"const": "transcript.text.segment"},
        id=_TEXT,
        **_SPAN,
        text=_TEXT,
        speaker={**_TEXT, "description": "A name that was given; else A, B and so on, skipping those names."},
    ),
    "TranscriptionDiarized": _object(
        {
            "speakers": {
                "type": "array",
                "items": _object({"name": _TEXT}, id=_TEXT, seconds=_TIME, known={"type": "boolean"}),
            },
            "warnings": _WARNINGS,
        },
        task={"const": "transcribe"},
        duration=_TIME,
        text=_TEXT,
        segments={"type": "array", "items": ref("DiarizedSegment")},
        usage=ref("Usage"),
    ),
    "Diarization": _object(
        {"warnings": _WARNINGS, "model": _TEXT},
        segments={"type": "array", "items": _object(**_SPAN, speaker=_TEXT)},
        num_speakers=_COUNT,
        duration=_TIME,
        usage=ref("Usage"),
    ),
    "Event": _object(
        {
            "id": {**_TEXT, "description": "For `Last-Event-ID`."},
            "event": {"enum": ["progress", "end", "error"], "description": "None in the streams of OpenAI's routes."},
        },
        data={**_TEXT, "description": "JSON; or `[DONE]` at the end of a stream of OpenAI's."},
    ),
    "SegLST": {
        "type": "array",
        "items": {"type": "object", "required": ["session_id", "start_time", "end_time", "words", "speaker"]},
        "description": "What MeetEval scores.",
    },
    "AsrTranscription": _object(
        text=_TEXT,
        segments={
            "type": "array",
            "items": _object(
                {
                    "speaker": _TEXT,
                    "words": {
                        "type": "array",
                        "items": _object({"probability": _SHARE, "speaker": _TEXT}, word=_TEXT, **_SPAN),
                    },
                },
                **_VERBOSE_SEGMENT,
            ),
        },
        language={**_TEXT, "description": "A code; empty where it is not known."},
    ),
    "Language": _object(detected_language=_TEXT, language_code=_TEXT),
    "Model": _object(id=_TEXT, object={"const": "model"}, created=_COUNT, owned_by=_TEXT),
    "Models": _listed(ref("Model")),
    "JobAccepted": _object(id=_TEXT, object={"const": "job"}, status={"enum": list(_STATES)}),
    "Job": _object(
        {
            "seconds": {**_TIME, "description": "Length of the recording."},
            "started": _TIME,
            "ended": _TIME,
            "expires": {**_TIME, "description": "When all of it will be erased."},
            "position": {"type": "integer", "minimum": 1, "description": "Place among those that wait."},
            "revision": {**_COUNT, "description": "How often the transcript was changed."},
            "recording": {"type": "boolean", "description": "Whether the recording is still kept."},
            "error": {"type": "object", "description": "Why it failed: code, message, hint, status and field."},
        },
        id=_TEXT,
        object={"const": "job"},
        status={"enum": list(_STATES)},
        name={**_TEXT, "description": "The recording's."},
        created={**_TIME, "description": "In Unix seconds, as all times of a job."},
        stages=_STAGES,
        attempts=_COUNT,
    ),
    "Jobs": _listed(ref("Job"), has_more={"type": "boolean"}),
    "Health": _object(
        {
            "disk_bytes_allowed": _COUNT,
            "let_go_early": {**_COUNT, "description": "Results that the disk had no room for until they expired."},
        },
        status={"const": "ok"},
        queued=_COUNT,
        running=_COUNT,
        audio_seconds_queued=_TIME,
        disk_bytes=_COUNT,
    ),
    "Loading": _object(status={"const": "loading"}, stage=_TEXT, done=_SHARE),
    "Changed": _object({"transcript": ref("Transcript")}, revision=_COUNT),
    "Edits": _listed(
        _object(revision=_COUNT, at=_NUMBER, kind=_TEXT, operations={"type": "array", "items": {"type": "object"}})
    ),
    "Found": _listed(_object(job=ref("Job"), text=_TEXT, start=_TIME)),
    "Voice": _object(object={"const": "voice"}, **_VOICE),
    "WholeVoice": _object(object={"const": "voice"}, embedding={"type": "array", "items": _NUMBER}, **_VOICE),
    "Voices": _listed(ref("Voice")),
    "Peaks": _object(per_second=_COUNT, min=_TEXT, max=_TEXT),
}
"""Every document of the API, by its name."""

ERRORS: Final[Mapping[int, str]] = {
    400: "The request is wrong; `param` names the field.",
    401: "The key is missing, wrong or revoked.",
    403: "The request came by a name or from a page that is not let in.",
    404: "There is nothing of that name: no such model, job or voice.",
    408: "The body came too slowly.",
    409: "Not in this state.",
    412: "Somebody else changed it in between.",
    413: "The upload is too large, or the recording too long.",
    415: "The body is no form, or the recording no audio that is known.",
    422: "It can be read but not done: the recording holds no audio, or a value is out of bounds.",
    428: "`If-Match` is missing.",
    429: "Too much at once: the key's rate or the queue. `Retry-After` says when to try again.",
    499: "The work was cancelled.",
    500: "A model failed, or the server.",
    502: "Another machine that the work needed failed.",
    503: "The models are still loading, or cannot be had.",
    504: "Another machine took too long.",
    507: "The server's disk is full.",
}
