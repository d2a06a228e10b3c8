"""Subtitles: SubRip and WebVTT, laid out by the rules of `diarist.formats.cues`.

pysubs2 was considered for writing and reads our files in the tests. As a writer it takes ``{…}`` in speech for styling
and drops it, and leaves ``&`` and ``<`` unescaped in WebVTT; both formats are a few lines.
"""

from __future__ import annotations

from itertools import groupby

from diarist.formats.cues import Cue, lay_out
from diarist.model.transcript import Transcript


def srt(transcript: Transcript, name: str) -> str:  # noqa: ARG001
    """Write SubRip; the speaker's label stands where the speaker changes, if there are several."""
    cues = []
    for number, cue in enumerate(lay_out(transcript, labels=len(transcript.speakers) > 1), 1):
        # An arrow in the text would read as a timing line.
        text = cue.text.replace("-->", "→")
        cues.append(f"{number}\n{_time(cue.start, ',')} --> {_time(cue.end, ',')}\n{text}\n")
    return "\n".join(cues)


def vtt(transcript: Transcript, name: str) -> str:  # noqa: ARG001
    """Write WebVTT (W3C), the speaker as the voice of each line: ``<v SPEAKER_00>``."""
    cues = [f"{_time(c.start, '.')} --> {_time(c.end, '.')}\n{_voices(c)}\n" for c in lay_out(transcript)]
    return "\n".join(["WEBVTT\n", *cues])


def _voices(cue: Cue) -> str:
    parts = []
    for speaker, lines in groupby(cue.lines, key=lambda line: line.speaker):
        text = "\n".join(_escape(line.text) for line in lines)
        parts.append(f"<v {_escape(speaker)}>{text}</v>" if speaker else text)
    return "\n".join(parts)


def _escape(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _time(seconds: float, mark: str) -> str:
    milliseconds = round(seconds * 1000)
    minutes, milliseconds = divmod(milliseconds, 60_000)
    return f"{minutes // 60:02d}:{minutes % 60:02d}:{milliseconds // 1000:02d}{mark}{milliseconds % 1000:03d}"
