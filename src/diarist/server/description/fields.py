"""What each route takes: a schema for every field of a form, a query or a JSON body.

The names of lists end in ``[]``, as OpenAI's clients send them. `tests/server/description` holds these against what the
routes really take.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from diarist.model.options import MAX_HOTWORD_LENGTH, MAX_HOTWORDS
from diarist.server.clips import MAX_KNOWN, MAX_NAME
from diarist.server.fields import ASR_OUTPUTS, RESPONSE_FORMATS

Schema = dict[str, Any]
Fields = Mapping[str, Schema]


def _list(description: str, items: Schema, **more: Any) -> Schema:
    return {"type": "array", "description": description, "items": items, **more}


def _choice(description: str, among: tuple[str, ...], usual: str) -> Schema:
    return {"type": "string", "description": description, "enum": list(among), "default": usual}


def _flag(description: str, usual: bool | None = None) -> Schema:
    return {"type": "boolean", "description": description, **({} if usual is None else {"default": usual})}


def _file(description: str) -> Schema:
    return {"type": "string", "format": "binary", "description": description}


def _text(description: str, example: str, most: int = 1000) -> Schema:
    return {"type": "string", "description": description, "maxLength": most, "examples": [example]}


_FILE: Final = {"file": _file("The recording: any audio or video, whatever its name and type say.")}
_URL: Final = {
    "url": {
        "type": "string",
        "format": "uri",
        "maxLength": 4096,
        "description": "Where the recording is, in place of `file`. Addresses inside the server's network are refused.",
        "examples": ["https://example.com/call.mp3"],
    }
}
_MODEL: Final = {
    "model": _text(
        "A name that `GET /v1/models` lists. `diarist` and names that end in `-diarize` find speakers.", "diarist", 200
    )
}
_COUNT: Final = {"type": "integer", "minimum": 1, "maximum": 64}
_COUNTS: Final = {
    "num_speakers": {**_COUNT, "description": "How many speak, if it is known."},
    "min_speakers": {**_COUNT, "description": "How many speak at least."},
    "max_speakers": {**_COUNT, "description": "How many speak at most."},
}
_LANGUAGE: Final = {
    "language": _text(
        "A code or an English name, as `de`, `en-US`, `German`; none or `auto` to have it detected.", "en", 100
    ),
    "languages[]": _list(
        "OpenAI's list; one language, in place of `language`.", {"type": "string", "examples": ["en"]}, maxItems=1
    ),
}
_WORDS: Final = {
    "type": "string",
    "minLength": 1,
    "maxLength": MAX_HOTWORD_LENGTH,
    "pattern": r"^[^<>\r\n]+$",
    "examples": ["Kopenhagen"],
}
_HOTWORDS: Final = {
    "hotwords[]": _list("Words and names to expect; also one text with commas.", _WORDS, maxItems=MAX_HOTWORDS),
    "keywords[]": _list("OpenAI's name for `hotwords[]`.", _WORDS, maxItems=MAX_HOTWORDS),
}
_KNOWN: Final = {
    "known_speaker_names[]": _list(
        "Who may be heard. A speaker whose voice is that of a clip gets its name; a stranger gets none of them.",
        {"type": "string", "minLength": 1, "maxLength": MAX_NAME, "examples": ["Agent"]},
        maxItems=MAX_KNOWN,
    ),
    "known_speaker_references[]": _list(
        "For each name, 2 to 60 s of that voice alone: as a data URL, or as a file.",
        {"type": "string", "description": "`data:audio/wav;base64,…`, or a file."},
        maxItems=MAX_KNOWN,
    ),
}
_VOICES: Final = {"known_voices": _flag("Whether the voices that you keep here are known, too.", usual=False)}
_VAD: Final = {
    "type": "object",
    "properties": {
        "type": {"type": "string", "enum": ["auto", "server_vad"]},
        "prefix_padding_ms": {"type": "integer", "minimum": 0},
        "silence_duration_ms": {"type": "integer", "minimum": 0},
        "threshold": {"type": "number", "minimum": 0, "maximum": 1},
    },
    "required": ["type"],
    "additionalProperties": False,
}

TRANSCRIPTION: Final[Fields] = {
    **_FILE,
    **_URL,
    **_MODEL,
    "response_format": _choice("How the answer is written.", RESPONSE_FORMATS, "json"),
    "stream": _flag("Whether to answer with events, for `json`, `text` and `diarized_json`.", usual=False),
    **_LANGUAGE,
    "diarize": _flag("Whether to find speakers; else as `model` and the other fields ask."),
    **_COUNTS,
    **_KNOWN,
    **_VOICES,
    "timestamp_granularities[]": _list(
        "Which times are listed, for `verbose_json`, `diarized_json` and `diarist`.",
        {"type": "string", "enum": ["word", "segment"]},
    ),
    "include[]": _list("With `json`: the log probability of each word.", {"type": "string", "enum": ["logprobs"]}),
    **_HOTWORDS,
    "temperature": {"type": "number", "minimum": 0, "maximum": 1, "description": "Chance in decoding; a hint."},
    "text_speakers": _flag("Whether `text` says who talks; as a rule only in `diarized_json`."),
    "channels": _choice("`separate`: each channel is one party, as in recorded calls.", ("mix", "separate"), "mix"),
    "on_diarization_failure": _choice(
        "Whether words without speakers are an answer, with a warning.", ("warn", "fail"), "warn"
    ),
    "chunking_strategy": {
        "description": "A hint: recordings of any length are cut where nobody speaks.",
        "anyOf": [{"type": "string", "enum": ["auto"]}, _VAD],
    },
    "prompt": _text("A hint that no model here uses; `hotwords[]` are used.", "A call.", 100_000),
    "vad_filter": _flag("Taken for other servers' clients: silence is always left out."),
    "beam_size": {"type": "integer", "minimum": 1, "description": "Taken for other servers' clients; changes nothing."},
    "best_of": {"type": "integer", "minimum": 1, "description": "Taken for other servers' clients; changes nothing."},
    "user": _text("Taken for other servers' clients; changes nothing.", "anna"),
}
"""``/v1/audio/transcriptions``."""

TRANSLATION: Final[Fields] = {
    **TRANSCRIPTION,
    "response_format": _choice(
        "How the answer is written.", tuple(name for name in RESPONSE_FORMATS if name != "diarized_json"), "json"
    ),
}
"""``/v1/audio/translations``."""

DIARIZATION: Final[Fields] = {
    **_FILE,
    **_URL,
    **_MODEL,
    "response_format": _choice("How the answer is written.", ("json", "rttm", "diarist"), "json"),
    **_COUNTS,
    **_KNOWN,
    **_VOICES,
}
"""``/v1/audio/diarizations``."""

JOB: Final[Fields] = {
    **TRANSCRIPTION,
    "task": _choice("`translate` writes English.", ("transcribe", "translate"), "transcribe"),
    "webhook_url": {
        "type": "string",
        "format": "uri",
        "maxLength": 4096,
        "description": "What is called when the job ends, as Standard Webhooks says.",
        "examples": ["https://example.com/ended"],
    },
    "webhook_secret": {
        "type": "string",
        "maxLength": 100,
        "description": "Signs the calls: 24 to 64 bytes in base64. Needed where the server has none of its own.",
        "examples": ["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"],
    },
}
"""``/v1/jobs``: what a plain request takes, and what is for jobs."""

ASR: Final[Fields] = {
    **_MODEL,
    "output": _choice("How the answer is written.", ASR_OUTPUTS, "txt"),
    "task": _choice("`translate` writes English.", ("transcribe", "translate"), "transcribe"),
    **_LANGUAGE,
    "diarize": _flag("Whether to find speakers."),
    "enable_diarization": _flag("The same."),
    **_COUNTS,
    "word_timestamps": _flag("Whether `json` lists words.", usual=False),
    **_HOTWORDS,
    "encode": _flag("`false`: the recording may be bare samples, 16-bit, mono, 16 kHz.", usual=True),
    "initial_prompt": _text("A hint that no model here uses.", "A call.", 100_000),
    "vad_filter": _flag("A hint: silence is always left out."),
    "return_speaker_embeddings": _flag("A hint: voices are never handed out."),
}
"""The query of ``/asr``; its form may hold the same."""

DETECT: Final[Fields] = {**_MODEL, "encode": ASR["encode"]}
"""The query of ``/detect-language``."""

AUDIO_FILE: Final[Fields] = {"audio_file": _FILE["file"]}
"""The form of both."""


def form(fields: Fields) -> Schema:
    """The schema of a form with these fields, one of which is the recording or where it is."""
    given = [name for name in ("file", "audio_file", "url") if name in fields]
    return {
        "type": "object",
        "properties": dict(fields),
        "additionalProperties": False,
        "anyOf": [{"required": [name]} for name in given],
    }


def document(fields: Fields) -> Schema:
    """The schema of a JSON body with these fields: lists without ``[]``, and the recording by its URL."""
    return {
        "type": "object",
        "properties": {name.removesuffix("[]"): schema for name, schema in fields.items() if name != "file"},
        "additionalProperties": False,
        "required": ["url"],
    }


def query(fields: Fields) -> dict[str, tuple[str, Schema]]:
    """The parameters of an address with these fields."""
    return {name: ("query", schema) for name, schema in fields.items()}
