"""What each operation of the API takes and answers, by its method and address."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from diarist.server.description import fields
from diarist.server.description.answers import Answer, Schema, json_of, one_of, ref

_KEPT_OUT: Final = frozenset({401, 403, 429})
"""What the door may answer to anybody."""
_LISTING: Final = _KEPT_OUT | {400, 422, 500}
_ABOUT_ONE: Final = _LISTING | {404}
_UPLOADING: Final = _ABOUT_ONE | {408, 409, 413, 415, 499, 502, 503, 504, 507}


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """What FastAPI cannot know of an operation.

    Attributes:
        answers: those of success, by status.
        errors: statuses of errors, which all have one shape.
        parameters: place (``query``, ``header``) and schema by name; those of the path FastAPI knows.
        bodies: schemas by media type.
        needs_body: whether a body must be there.
        open: whether no key is asked for.
    """

    answers: Mapping[int, Answer]
    errors: frozenset[int] = _ABOUT_ONE
    parameters: Mapping[str, tuple[str, Schema]] = field(default_factory=dict)
    bodies: Mapping[str, Schema] = field(default_factory=dict)
    needs_body: bool = True
    open: bool = False


_IGNORED: Final = {
    "diarist-ignored": {
        "description": "Hints that were taken and changed nothing.",
        "schema": {"type": "string"},
    }
}
_LOCATION: Final = {"location": {"description": "Where the job is.", "schema": {"type": "string"}}}
_ETAG: Final = {"etag": {"description": "The revision.", "schema": {"type": "string"}}}
_STRING: Final[Schema] = {"type": "string"}
_BYTES: Final[Schema] = {"type": "string", "format": "binary"}
_IDEMPOTENCY: Final = {
    "idempotency-key": (
        "header",
        {
            "type": "string",
            "minLength": 1,
            "maxLength": 255,
            "pattern": "^[!-~]+$",
            "description": "Your name for this submission: a repeat finds the same job.",
        },
    )
}
_PREFER: Final = {
    "prefer": (
        "header",
        {"type": "string", "description": "`respond-async`: answer at once with a job."},
    )
}
_IF_MATCH: Final = {
    "if-match": ("header", {"type": "string", "description": "The revision that was read, in quotes: its `ETag`."})
}
_TRANSCRIPTS: Final = {
    "application/json": one_of(
        "Transcription", "TranscriptionVerbose", "TranscriptionDiarized", "Transcript", "SegLST"
    ),
    "text/plain": _STRING,
    "text/vtt": _STRING,
    "text/html": _STRING,
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document": _BYTES,
}
"""A transcript in any format."""
_EVENTS: Final = {"text/event-stream": ref("Event")}
_ACCEPTED: Final = Answer(
    "With `Prefer: respond-async`: a job.",
    json_of(ref("JobAccepted")),
    {**_LOCATION, **_IGNORED, "preference-applied": {"schema": {"type": "string"}}},
)
_JOB: Final = Answer("The job.", json_of(ref("Job")))
_GONE: Final = Answer("It is gone.")
_CHANGED: Final = Answer("The new revision and transcript.", json_of(ref("Changed")), _ETAG)


def _plain(body: fields.Fields, content: Mapping[str, Schema], description: str) -> Operation:
    return Operation(
        answers={200: Answer(description, content, _IGNORED), 202: _ACCEPTED},
        errors=_UPLOADING,
        parameters={**_PREFER, **_IDEMPOTENCY},
        bodies={"multipart/form-data": fields.form(body)},
    )


def _asr(query: fields.Fields, content: Mapping[str, Schema], description: str) -> Operation:
    return Operation(
        answers={200: Answer(description, content, _IGNORED), 202: _ACCEPTED},
        errors=_UPLOADING,
        parameters={**_PREFER, **_IDEMPOTENCY, **fields.query(query)},
        bodies={"multipart/form-data": fields.form(fields.AUDIO_FILE)},
    )


_COUNTS: Final[Schema] = {
    "type": "object",
    "properties": {name: fields.DIARIZATION[name] for name in ("num_speakers", "min_speakers", "max_speakers")},
    "additionalProperties": False,
}
_EDITS: Final[Schema] = {
    "type": "object",
    "properties": {
        "operations": {"type": "array", "items": {"type": "object"}},
        "undo": {"type": "boolean"},
        "redo": {"type": "boolean"},
    },
    "additionalProperties": False,
}
_VOICE: Final[fields.Fields] = {
    "file": {**fields.AUDIO_FILE["audio_file"], "description": "A clip of that person alone."},
    "name": {"type": "string", "minLength": 2, "maxLength": 64, "description": "Whose voice it is."},
    "consent": {"type": "string", "minLength": 1, "maxLength": 500, "description": "How the person agreed."},
    "job": {"type": "string", "description": "In place of a clip: a job whose recording is kept."},
    "speaker": {"type": "string", "description": "The job's speaker."},
}
_VOICE_FORM: Final[Schema] = {
    "type": "object",
    "properties": dict(_VOICE),
    "required": ["name", "consent"],
    "additionalProperties": False,
}

OPERATIONS: Final[Mapping[tuple[str, str], Operation]] = {
    ("post", "/v1/audio/transcriptions"): _plain(
        fields.TRANSCRIPTION, {**_TRANSCRIPTS, **_EVENTS}, "What was said, as asked; events with `stream`."
    ),
    ("post", "/v1/audio/translations"): _plain(
        fields.TRANSLATION, {**_TRANSCRIPTS, **_EVENTS}, "What was said, in English; events with `stream`."
    ),
    ("post", "/v1/audio/diarizations"): _plain(
        fields.DIARIZATION,
        {"application/json": one_of("Diarization", "Transcript"), "text/plain": _STRING},
        "Who speaks when.",
    ),
    ("get", "/v1/models"): Operation(
        answers={200: Answer("All names.", json_of(ref("Models")))}, errors=_LISTING | {503}
    ),
    ("get", "/v1/models/{name}"): Operation(
        answers={200: Answer("The model.", json_of(ref("Model")))}, errors=_ABOUT_ONE | {503}
    ),
    ("post", "/asr"): _asr(
        fields.ASR, {**json_of(ref("AsrTranscription")), "text/plain": _STRING, "text/vtt": _STRING}, "What was said."
    ),
    ("post", "/detect-language"): _asr(fields.DETECT, json_of(ref("Language")), "The language."),
    ("post", "/v1/jobs"): Operation(
        answers={202: Answer("The job: it will be done.", json_of(ref("Job")), _LOCATION)},
        errors=_UPLOADING,
        parameters=_IDEMPOTENCY,
        bodies={
            "multipart/form-data": fields.form(fields.JOB),
            "application/json": fields.document(fields.JOB),
        },
    ),
    ("get", "/v1/jobs"): Operation(
        answers={200: Answer("Yours, newest first.", json_of(ref("Jobs")))},
        errors=_ABOUT_ONE,
        parameters={
            "state": ("query", {"enum": ["queued", "running", "completed", "failed", "cancelled"]}),
            "before": ("query", {"type": "string", "description": "The last id of the page before."}),
            "limit": ("query", {"type": "integer", "minimum": 1, "maximum": 200, "default": 50}),
        },
    ),
    ("get", "/v1/jobs/{job_id}"): Operation(answers={200: _JOB}),
    ("delete", "/v1/jobs/{job_id}"): Operation(answers={204: _GONE}),
    ("post", "/v1/jobs/{job_id}/cancel"): Operation(answers={200: _JOB}, errors=_ABOUT_ONE | {409}),
    ("get", "/v1/jobs/{job_id}/events"): Operation(
        answers={200: Answer("Events `progress`, then `end` with the job.", _EVENTS)},
        parameters={"last-event-id": ("header", {"type": "string", "description": "Where a broken stream goes on."})},
    ),
    ("get", "/v1/jobs/{job_id}/result"): Operation(
        answers={200: Answer("The transcript.", _TRANSCRIPTS, _ETAG)},
        errors=_ABOUT_ONE | {409, 413, 415, 499, 502, 503, 504},
        parameters={
            "format": ("query", {**fields.TRANSCRIPTION["response_format"], "description": "Else as the job asked."})
        },
    ),
    ("get", "/v1/jobs/{job_id}/transcript"): Operation(
        answers={200: Answer("The exact document.", json_of(ref("Transcript")), _ETAG)}, errors=_ABOUT_ONE | {409}
    ),
    ("post", "/v1/jobs/{job_id}/edits"): Operation(
        answers={200: _CHANGED},
        errors=_ABOUT_ONE | {408, 409, 412, 413, 428},
        parameters=_IF_MATCH,
        bodies=json_of(_EDITS),
    ),
    ("get", "/v1/jobs/{job_id}/edits"): Operation(
        answers={200: Answer("Oldest first.", json_of(ref("Edits")))}, errors=_ABOUT_ONE | {409}
    ),
    ("post", "/v1/jobs/{job_id}/speakers"): Operation(
        answers={200: _CHANGED},
        errors=_ABOUT_ONE | {408, 409, 412, 413, 428, 503},
        parameters=_IF_MATCH,
        bodies=json_of(_COUNTS),
        needs_body=False,
    ),
    ("get", "/v1/jobs/{job_id}/audio"): Operation(
        answers={
            200: Answer("The recording, as the models heard it.", {"audio/flac": _BYTES}),
            206: Answer("The part that `Range` names.", {"audio/flac": _BYTES}),
        },
        errors=_ABOUT_ONE | {409, 413, 415, 499, 503, 507},
    ),
    ("get", "/v1/jobs/{job_id}/peaks"): Operation(
        answers={200: Answer("How loud it is.", json_of(ref("Peaks")))},
        errors=_ABOUT_ONE | {409, 413, 415, 499, 503, 507},
    ),
    ("get", "/v1/search"): Operation(
        answers={200: Answer("Transcripts that hold all words.", json_of(ref("Found")))}, errors=_LISTING
    ),
    ("get", "/v1/voices"): Operation(answers={200: Answer("Yours.", json_of(ref("Voices")))}, errors=_LISTING),
    ("post", "/v1/voices"): Operation(
        answers={201: Answer("The voice.", json_of(ref("Voice")))},
        errors=_UPLOADING,
        bodies={
            "multipart/form-data": _VOICE_FORM,
            "application/json": {
                **_VOICE_FORM,
                "properties": {name: schema for name, schema in _VOICE.items() if name != "file"},
            },
        },
    ),
    ("get", "/v1/voices/{name}"): Operation(
        answers={200: Answer("All that is kept.", json_of(ref("WholeVoice")), {"cache-control": {"schema": _STRING}})}
    ),
    ("delete", "/v1/voices/{name}"): Operation(answers={204: _GONE}),
    ("get", "/health"): Operation(
        answers={
            200: Answer("Ready.", json_of(ref("Health"))),
            503: Answer("Not yet.", json_of(ref("Loading")), {"retry-after": {"schema": {"type": "string"}}}),
        },
        errors=frozenset({403, 500}),
        open=True,
    ),
    ("get", "/ping"): Operation(
        answers={200: Answer("Ready."), 204: Answer("Not yet.")}, errors=frozenset({403, 500}), open=True
    ),
    ("get", "/metrics"): Operation(
        answers={200: Answer("Counts, as Prometheus reads them.", {"text/plain": _STRING})}, errors=_KEPT_OUT | {500}
    ),
}
