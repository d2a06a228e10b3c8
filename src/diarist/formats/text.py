"""Text: for people (txt) and for programs (json)."""

from __future__ import annotations

import json as json_library

from diarist.model import codec
from diarist.model.transcript import Segment, Transcript


def txt(transcript: Transcript, name: str) -> str:  # noqa: ARG001
    """Write one paragraph per turn of talk: ``[0:00:03] SPEAKER_00: words``; no label where no speaker is known."""
    lines = []
    for talk in conversation(transcript):
        label = f"{talk[0].speaker}: " if talk[0].speaker else ""
        lines.append(f"[{clock(talk[0].start)}] {label}{' '.join(segment.text for segment in talk)}\n")
    return "".join(lines)


def json(transcript: Transcript, name: str) -> str:  # noqa: ARG001
    """Write the canonical document: every field of `Transcript`, null where unknown. ``codec.load`` reads it back."""
    return json_library.dumps(codec.dump(transcript), ensure_ascii=False, indent=2) + "\n"


def conversation(transcript: Transcript) -> list[list[Segment]]:
    """Group consecutive segments of one speaker; without speakers every segment stands alone."""
    talks: list[list[Segment]] = []
    for segment in transcript.segments:
        if talks and segment.speaker is not None and talks[-1][-1].speaker == segment.speaker:
            talks[-1].append(segment)
        else:
            talks.append([segment])
    return talks


def clock(seconds: float) -> str:
    """Return ``h:mm:ss``, rounded down."""
    whole = int(seconds)
    return f"{whole // 3600}:{whole // 60 % 60:02d}:{whole % 60:02d}"
