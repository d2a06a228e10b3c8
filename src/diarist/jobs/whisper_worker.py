"""Jobs as RunPod's own Whisper worker takes them: its names for what a job of ours says too.

Source: what runpod-workers/worker-faster_whisper takes, as of its commit of 2025-05-09.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from diarist.jobs.wire_errors import FieldError

_FORMATS: Final = {"plain_text": "json", "formatted_text": "json", "srt": "srt", "vtt": "vtt"}
"""Its ``transcription``, and our ``response_format``. It returns segments besides, so ``json`` comes with them."""
_MODEL: Final = re.compile(r"[\w.-]{1,64}", re.ASCII)
_SAME: Final = {"audio_base64": "audio", "transcription": "response_format", "initial_prompt": "hotwords"}
"""Its fields that are one of ours."""


def ours(job: Mapping[str, Any], fields: frozenset[str]) -> dict[str, Any]:
    """Say a job in our fields; one that has none of the Whisper worker's comes back as it is.

    ``model`` and ``enable_vad`` are taken and change nothing: the endpoint's own model works, and it always listens for
    voices first.

    Args:
        job: as it came.
        fields: those that the endpoint takes; one that finds no words takes ``audio_base64`` only.

    Raises:
        FieldError: a value is of the wrong type, or contradicts a field of ours; by the name that the caller used.
    """
    about_words = {*_SAME, "model", "enable_vad"} if "task" in fields else set()
    known = {"audio_base64", *about_words}
    theirs = {name: value for name, value in job.items() if name in known}
    said = {name: value for name, value in job.items() if name not in theirs}
    _check(theirs)
    for name, value in theirs.items():
        field = _SAME.get(name)
        if field is None or value is None:
            continue
        new = _FORMATS[value] if name == "transcription" else _phrases(value) if name == "initial_prompt" else value
        if field in said and said[field] != new:
            raise FieldError(
                "bad_field",
                f"{name!r} contradicts {field!r}.",
                f"Send one of the two; here it is {field!r}.",
                field=name,
            )
        said[field] = new
    if theirs.get("transcription") in ("plain_text", "formatted_text"):
        said.setdefault("timestamps", True)
    return said


def _check(theirs: Mapping[str, object]) -> None:
    fine = {
        "audio_base64": lambda value: isinstance(value, str),
        "transcription": lambda value: isinstance(value, str) and value in _FORMATS,
        "initial_prompt": lambda value: isinstance(value, str),
        "model": lambda value: isinstance(value, str) and _MODEL.fullmatch(value) is not None,
        "enable_vad": lambda value: isinstance(value, bool),
    }
    wanted = {
        "transcription": f"must be one of {', '.join(_FORMATS)}",
        "model": "must be the name of a model",
        "enable_vad": "must be true or false",
    }
    for name, value in theirs.items():
        if value is not None and not fine[name](value):
            raise FieldError("bad_field", f"{name!r} is wrong: {wanted.get(name, 'must be text')}.", field=name)


def _phrases(prompt: str) -> list[str]:
    """Words and phrases of a prompt. Whisper takes any text before the first window; engines here take phrases."""
    return [phrase for part in re.split(r"[,;\n]|\.\s", prompt) if (phrase := part.strip(" .\t"))]
