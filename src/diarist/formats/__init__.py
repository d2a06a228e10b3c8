"""Renderings of a transcript, one module per family.

`FORMATS` lists them all; `render` makes one. A renderer is a pure function of the transcript and the recording's name,
so the same transcript always gives the same bytes.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple

from diarist.formats import documents, openai, page, research, subtitles, tables, text
from diarist.model import codec
from diarist.model.errors import InputError
from diarist.model.transcript import Transcript


class Format(NamedTuple):
    """One way to write a transcript.

    Attributes:
        extension: of the file, without the dot.
        render: makes the file's content from a transcript and the recording's name without extension.
        summary: what it is for, in a few words.
        binary: whether the content is bytes that no terminal can show.
    """

    extension: str
    render: Callable[[Transcript, str], str | bytes]
    summary: str
    binary: bool = False


FORMATS: Final[Mapping[str, Format]] = {
    "txt": Format("txt", text.txt, "plain text to read, with times and speakers"),
    "json": Format("json", text.json, "all that is known, as one JSON document"),
    "md": Format("md", text.md, "Markdown"),
    "html": Format("html", page.html, "a page to read and to play the recording"),
    "docx": Format("docx", documents.docx, "Word document", binary=True),
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

OTHER_NAMES: Final[Mapping[str, str]] = {
    "text": "txt",
    "markdown": "md",
    "htm": "html",
    "word": "docx",
    "subrip": "srt",
    "webvtt": "vtt",
    "praat": "textgrid",
    "elan": "eaf",
}
"""What else people call some formats."""


def render(
    transcript: Transcript, format_name: str, *, name: str = "recording", recording: str | None = None
) -> str | bytes:
    """Write a transcript in one of `FORMATS`.

    Args:
        transcript: what to write.
        format_name: as for `canonical`.
        name: the recording's name without extension, for formats that carry one.
        recording: the way from the written file's folder to the recording, for the page that plays it.

    Returns:
        The file's content: text for UTF-8 encoding, or bytes where the format is binary.

    Raises:
        InputError: no such format.
    """
    found = check(format_name)
    # A file name may hold bytes that are no text.
    name = text.printable(name)
    # Nor need a speaker's name from a command line, or a text that another program wrote.
    if not codec.is_whole(transcript):
        transcript = codec.load(Transcript, _mended(codec.dump(transcript)))
    return page.html(transcript, name, recording) if found.render is page.html else found.render(transcript, name)


def _mended(value: Any) -> Any:
    """JSON-ready values with a sign in place of each half of a character, which no file in UTF-8 can hold."""
    match value:
        case str():
            return _HALF.sub("\ufffd", value)
        case dict():
            return {_mended(key): _mended(part) for key, part in value.items()}
        case list() | tuple():
            return [_mended(part) for part in value]
    return value


_HALF: Final = re.compile("[\ud800-\udfff]")


def check(format_name: str) -> Format:
    """Make sure, before any work, that a format can be written.

    Args:
        format_name: as for `canonical`.

    Raises:
        InputError: no such format.
    """
    return FORMATS[canonical(format_name)]


def canonical(format_name: str) -> str:
    """The key of `FORMATS` that is meant: case, a leading dot, ``-`` for ``_`` and a file's extension do not matter.

    Raises:
        InputError: no such format.
    """
    asked = format_name.strip().lower().lstrip(".")
    by_extension = {_extension(name): name for name in FORMATS}
    found = OTHER_NAMES.get(asked) or by_extension.get(asked) or asked.replace("-", "_")
    if found in FORMATS:
        return found
    near = difflib.get_close_matches(asked, [*FORMATS, *OTHER_NAMES], n=1, cutoff=0.7)
    meant = f"Did you mean {OTHER_NAMES.get(near[0], near[0])}? " if near else ""
    raise InputError("bad_format", f"There is no format {format_name!r}.", f"{meant}Choose from: {', '.join(FORMATS)}.")


def written_formats(*without: str) -> tuple[str, ...]:
    """Names of the formats that are text, in their order, some left out."""
    return tuple(name for name, each in FORMATS.items() if not each.binary and name not in without)


def format_of(file_name: str) -> str | None:
    """The format whose extension a file's name ends in, the longest where several do; None where none does."""
    fitting = [name for name in FORMATS if file_name.lower().endswith(f".{_extension(name)}")]
    return max(fitting, key=lambda name: len(_extension(name)), default=None)


def _extension(name: str) -> str:
    return FORMATS[name].extension.lower()
