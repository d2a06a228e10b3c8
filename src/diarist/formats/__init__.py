"""Renderings of a transcript, one module per family.

`FORMATS` lists them all; `render` makes one. A renderer is a pure function of the transcript and the recording's name,
so the same transcript always gives the same bytes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final, NamedTuple

from diarist.formats import documents, openai, page, research, subtitles, tables, text
from diarist.model.errors import InputError
from diarist.model.transcript import Transcript


class Format(NamedTuple):
    """One way to write a transcript.

    Attributes:
        extension: of the file, without the dot.
        render: makes the file's content from a transcript and the recording's name without extension.
        summary: what it is for, in a few words.
    """

    extension: str
    render: Callable[[Transcript, str], str | bytes]
    summary: str


FORMATS: Final[Mapping[str, Format]] = {
    "txt": Format("txt", text.txt, "plain text to read, with times and speakers"),
    "json": Format("json", text.json, "all that is known, as one JSON document"),
    "md": Format("md", text.md, "Markdown"),
    "html": Format("html", page.html, "a page to read and to play the recording"),
    "docx": Format("docx", documents.docx, "Word document"),
    "srt": Format("srt", subtitles.srt, "SubRip subtitles"),
    "vtt": Format("vtt", subtitles.vtt, "WebVTT subtitles with voices"),
    "csv": Format("csv", tables.csv, "a row per segment, comma-separated"),
    "tsv": Format("tsv", tables.tsv, "a row per segment, tab-separated"),
    "openai_json": Format("openai.json", openai.openai_json, "OpenAI's json response"),
    "verbose_json": Format("verbose.json", openai.verbose_json, "OpenAI's verbose_json response"),
    "diarized_json": Format("diarized.json", openai.diarized_json, "OpenAI's diarized_json response"),
    "rttm": Format("rttm", research.rttm, "speaker turns, NIST RTTM"),
    "ctm": Format("ctm", research.ctm, "timed words, NIST CTM"),
    "stm": Format("stm", research.stm, "segments, NIST STM"),
    "seglst": Format("seglst.json", research.seglst, "segments for MeetEval"),
    "textgrid": Format("TextGrid", research.textgrid, "tiers for Praat"),
    "eaf": Format("eaf", research.eaf, "tiers for ELAN"),
    "audacity": Format("audacity.txt", research.audacity, "a label track for Audacity"),
}


def render(transcript: Transcript, format_name: str, *, name: str = "recording") -> str | bytes:
    """Write a transcript in one of `FORMATS`.

    Args:
        transcript: what to write.
        format_name: a key of `FORMATS`.
        name: the recording's name without extension, for formats that carry one.

    Returns:
        The file's content: text for UTF-8 encoding, or bytes where the format is binary.

    Raises:
        InputError: no such format.
    """
    # A file name may hold bytes that are no text.
    return check(format_name).render(transcript, text.printable(name))


def check(format_name: str) -> Format:
    """Make sure, before any work, that a format can be written.

    Raises:
        InputError: no such format.
    """
    found = FORMATS.get(format_name)
    if found is None:
        raise InputError("bad_format", f"There is no format {format_name!r}.", f"Choose from: {', '.join(FORMATS)}.")
    return found
