"""Text: for people (txt) and for programs (json)."""

from __future__ import annotations

import inspect
import json as json_library
import re
from typing import Any

from diarist.model import codec
from diarist.model.transcript import Segment, Transcript, join_segments


def txt(transcript: Transcript, name: str) -> str:  # noqa: ARG001
    """Write one paragraph per turn of talk: ``[0:00:03] SPEAKER_00: words``; no label where no speaker is known."""
    lines = []
    for talk in conversation(transcript):
        label = f"{talk[0].speaker}: " if talk[0].speaker else ""
        lines.append(f"[{clock(talk[0].start)}] {label}{join_segments(talk, transcript.language)}\n")
    return "".join(lines)


def json(transcript: Transcript, name: str) -> str:  # noqa: ARG001
    """Write the canonical document: every field of `Transcript`, null where unknown. ``codec.load`` reads it back."""
    return json_library.dumps(codec.dump(transcript), ensure_ascii=False, indent=2) + "\n"


def json_schema() -> dict[str, Any]:
    """Return the JSON Schema (draft 2020-12) of what `json` writes, made from the dataclasses themselves."""
    import msgspec

    schema = json_library.loads(json_library.dumps(msgspec.json.schema(Transcript)))
    for definition in schema["$defs"].values():
        # Python 3.13 takes the indentation out of docstrings; the schema must not depend on it.
        definition["description"] = inspect.cleandoc(definition["description"])
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "A speaker-attributed transcript by diarist",
        **schema,
    }


def md(transcript: Transcript, name: str) -> str:
    """Write Markdown: a title, then one paragraph per turn of talk under its speaker and time."""
    parts = [f"# {_plain_markdown(name)}\n"]
    for talk in conversation(transcript):
        speaker = f"**{_plain_markdown(talk[0].speaker)}** " if talk[0].speaker else ""
        words = join_segments(talk, transcript.language)
        parts.append(f"{speaker}({clock(talk[0].start)})  \n{_plain_markdown(words)}\n")
    return "\n".join(parts)


def conversation(transcript: Transcript) -> list[list[Segment]]:
    """Group consecutive segments of one speaker; without speakers every segment stands alone."""
    talks: list[list[Segment]] = []
    for segment in transcript.segments:
        if talks and segment.speaker is not None and talks[-1][-1].speaker == segment.speaker:
            talks[-1].append(segment)
        else:
            talks.append([segment])
    return talks


def printable(text: str) -> str:
    """Drop characters that XML cannot hold: control characters, surrogates and non-characters."""
    return _UNPRINTABLE.sub("", text)


def clock(seconds: float) -> str:
    """Return ``h:mm:ss``, rounded down."""
    whole = int(seconds)
    return f"{whole // 3600}:{whole // 60 % 60:02d}:{whole % 60:02d}"


def _plain_markdown(text: str) -> str:
    """Escape what Markdown, or HTML inside it, would read as markup."""
    escaped = re.sub(r"([\\`*_{}\[\]<>#|~&])", r"\\\1", " ".join(text.split()))
    # A line that starts like a list or an underline would become one.
    return re.sub(r"^(\d*)([-+=.)])", r"\1\\\2", escaped)


_UNPRINTABLE = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
