"""Subtitles: SubRip and WebVTT.

pysubs2 was considered for writing and reads our files in the tests. As a writer it takes ``{…}`` in speech for styling
and drops it, and leaves ``&`` and ``<`` unescaped in WebVTT; both formats are a few lines.
"""

from __future__ import annotations

from diarist.model.transcript import Transcript


def srt(transcript: Transcript, name: str) -> str:  # noqa: ARG001
    """Write SubRip, one cue per segment, the speaker's label before the words."""
    cues = []
    for number, segment in enumerate(transcript.segments, 1):
        label = f"{segment.speaker}: " if segment.speaker else ""
        # An arrow in the text would read as a timing line.
        text = f"{label}{segment.text}".replace("-->", "→")
        cues.append(f"{number}\n{_time(segment.start, ',')} --> {_time(segment.end, ',')}\n{text}\n")
    return "\n".join(cues)


def vtt(transcript: Transcript, name: str) -> str:  # noqa: ARG001
    """Write WebVTT (W3C), one cue per segment, the speaker as the cue's voice: ``<v SPEAKER_00>``."""
    cues = ["WEBVTT\n"]
    for segment in transcript.segments:
        voice = f"<v {_escape(segment.speaker)}>" if segment.speaker else ""
        cues.append(f"{_time(segment.start, '.')} --> {_time(segment.end, '.')}\n{voice}{_escape(segment.text)}\n")
    return "\n".join(cues)


def _escape(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _time(seconds: float, mark: str) -> str:
    milliseconds = round(seconds * 1000)
    minutes, milliseconds = divmod(milliseconds, 60_000)
    return f"{minutes // 60:02d}:{minutes % 60:02d}:{milliseconds // 1000:02d}{mark}{milliseconds % 1000:03d}"
