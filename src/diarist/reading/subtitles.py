"""Subtitles: SubRip and WebVTT, with their speakers.

pysubs2 was tried: it drops WebVTT's voices, and leaves ``&amp;`` as it is. webvtt-py was tried: it has one voice for a
cue, ours may have two, and it leaves entities too. Neither knows names at the start of a line.
"""

from __future__ import annotations

import html
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Final

from diarist.model.errors import InputError
from diarist.model.languages import language_code
from diarist.model.transcript import Segment, Transcript
from diarist.model.writing import space_between
from diarist.reading.assembly import assemble

_TIME: Final = r"(?:(\d{1,4}):)?(\d{1,2}):(\d{1,2})[.,](\d{3})"
_TIMING: Final = re.compile(rf"\s*{_TIME}[ \t]*-->[ \t]*{_TIME}(?:\s.*)?")
_VTT_TAG: Final = re.compile(r"<([^<>]*)>")
_SRT_TAG: Final = re.compile(r"<(/?(?:[bisuv]|font)(?:[\s.][^<>]*)?)>|\{\\[^{}]*\}", re.IGNORECASE)
_VOICE: Final = re.compile(r"v(?:\.\S*)?\s+(.+)", re.IGNORECASE | re.DOTALL)
_LABEL: Final = re.compile(r"([^\W_][^:：]{0,39}?)[ \t\u00a0\u202f]?(?::(?:\s+|$)|：\s*)")
_DASH: Final = re.compile(r"^[-–](?:\s(?=\S)|(?=[^\s>-]))")
_PARTICLES: Final = frozenset({"and", "bin", "da", "de", "del", "der", "di", "du", "la", "le", "of", "van", "von"})


@dataclass(frozen=True, slots=True)
class _Line:
    text: str
    voice: str | None = None


@dataclass(frozen=True, slots=True)
class _Cue:
    start: float
    end: float
    lines: tuple[_Line, ...]


def parse_srt(document: bytes, name: str) -> Transcript:
    """Read SubRip. Speakers are names before a colon; a cue without one goes on with the speaker before it."""
    cues = [_cue(found, text, _SRT_TAG, name) for found, text in _srt_blocks(_lines(document, name), name)]
    if not cues and document.strip():
        raise InputError("no_transcript", f"{name} has no subtitles in it.", _HINT, http_status=422)
    return assemble(_segments(cues))


def parse_vtt(document: bytes, name: str) -> Transcript:
    """Read WebVTT. Speakers are its voices; where a file has none, names before a colon, as in SubRip."""
    lines = _lines(document, name)
    if not re.match(r"WEBVTT(\s|$)", lines[0]):
        raise InputError("no_transcript", f"{name} does not begin with WEBVTT.", _HINT, http_status=422)
    blocks = _blocks(lines)
    cues = [_cue(found, text, _VTT_TAG, name) for found, text in _vtt_blocks(blocks, name)]
    said = next((line.partition(":")[2] for line in blocks[0] if line.startswith("Language:")), "")
    return assemble(_segments(cues), language=_language(said))


_HINT: Final = "Check that the file is whole, and that its text is UTF-8."


def _lines(document: bytes, name: str) -> list[str]:
    try:
        wide = document.startswith((b"\xff\xfe", b"\xfe\xff"))
        text = document.decode("utf-16" if wide else "utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError("no_transcript", f"{name} is not text in UTF-8.", _HINT, http_status=422) from error
    return re.split(r"\r\n|\r|\n", text)


def _srt_blocks(lines: Sequence[str], name: str) -> Iterator[tuple[re.Match[str], list[str]]]:
    """Yield each timing with the lines up to the next one; blank lines do not end a text, as some writers put them."""
    timings = [(place, found) for place, line in enumerate(lines) if (found := _timing(line, place, name))]
    for number, (place, found) in enumerate(timings):
        last = number + 1 == len(timings)
        text = list(lines[place + 1 : len(lines) if last else timings[number + 1][0]])
        # The number of the next cue is no text.
        if not last and text and text[-1].strip().isdecimal() and (len(text) == 1 or not text[-2].strip()):
            text.pop()
        yield found, text


def _blocks(lines: Sequence[str]) -> list[list[str]]:
    """Lines between blank ones."""
    return [list(block) for blank, block in groupby(lines, key=lambda line: not line.strip()) if not blank]


def _vtt_blocks(blocks: Sequence[Sequence[str]], name: str) -> Iterator[tuple[re.Match[str], list[str]]]:
    """Yield each timing with its text. What stands before the times of a block is the cue's name, or a file's head."""
    for block in blocks:
        if re.match(r"(NOTE|STYLE|REGION)(\s|$)", block[0]):
            continue
        cues: list[tuple[re.Match[str], list[str]]] = []
        for line in block:
            if found := _timing(line, None, name):
                cues.append((found, []))
            elif cues:
                cues[-1][1].append(line)
        yield from cues


def _timing(line: str, place: int | None, name: str) -> re.Match[str] | None:
    if "-->" not in line:
        return None
    found = _TIMING.fullmatch(line)
    if found is None and re.fullmatch(r"[\s\d:.,]+", line.partition("-->")[0]):
        where = "" if place is None else f", line {place + 1}"
        raise InputError("no_transcript", f"{name}{where}: the times are not valid.", _HINT, http_status=422)
    return found


def _cue(timing: re.Match[str], text: Sequence[str], tags: re.Pattern[str], name: str) -> _Cue:
    start, end = _seconds(*timing.groups()[:4]), _seconds(*timing.groups()[4:])
    if end < start:
        shown = timing[0].strip()[:40]
        raise InputError("no_transcript", f"{name}: a cue ends before it starts: {shown}.", _HINT, http_status=422)
    lines: list[_Line] = []
    voice: str | None = None
    for line in text:
        # Between tags lies text: a voice holds until it is closed, or another begins.
        parts = _VOICED.split(tags.sub(lambda tag: _only_voice(tag[1] or ""), line.replace("\0", "\ufffd")))
        shown, spoken = "", voice
        for number, part in enumerate(parts):
            if number % 2:
                voice = " ".join(html.unescape(part).split()) or None
                if shown.strip():
                    lines.append(_Line(shown, spoken))
                    shown = ""
                spoken = voice
            else:
                shown += html.unescape(part) if tags is _VTT_TAG else part
        lines.append(_Line(shown, spoken))
    kept = tuple(_Line(" ".join(line.text.split()), line.voice) for line in lines if line.text.strip())
    return _Cue(start, end, kept)


# What stands for a change of voice while the other tags go: no text can hold it, since "\0" is replaced before.
_VOICED: Final = re.compile("\0([^\0]*)\0")


def _only_voice(tag: str) -> str:
    if found := _VOICE.fullmatch(tag):
        return f"\0{found[1]}\0"
    return "\0\0" if tag.lower() == "/v" else ""


def _seconds(hours: str | None, minutes: str, seconds: str, milliseconds: str) -> float:
    return int(hours or 0) * 3600 + int(minutes) * 60 + int(seconds) + int(milliseconds) / 1000


def _segments(cues: Sequence[_Cue]) -> Iterator[Segment]:
    voices = any(line.voice for cue in cues for line in cue.lines)
    names = frozenset() if voices else _names(cues)
    speaker: str | None = None
    for cue in cues:
        said: list[tuple[str | None, str]] = []
        dialogue = _is_dialogue(cue, voices=voices)
        for line in cue.lines:
            text = _DASH.sub("", line.text) if dialogue else line.text
            label = _LABEL.match(text)
            fresh = dialogue
            if voices:
                fresh |= line.voice != speaker
                speaker = line.voice
            elif label and label[1] in names:
                speaker, text, fresh = label[1], text[label.end() :], True
            if said and not fresh:
                before = said.pop()[1]
                text = f"{before} {text}" if space_between(before, text, None) else before + text
            said.append((speaker, text))
        yield from (Segment(cue.start, cue.end, who, text.strip(), ()) for who, text in said if text.strip())


def _is_dialogue(cue: _Cue, *, voices: bool) -> bool:
    """Whether each line is another person's, as the dashes before them say."""
    dashed = len(cue.lines) > 1 and all(_DASH.match(line.text) for line in cue.lines)
    return dashed and not (voices and len({line.voice for line in cue.lines}) == 1)


def _names(cues: Sequence[_Cue]) -> frozenset[str]:
    """The speakers of a file whose lines begin with names. A line of speech may begin with a word and a colon, too.

    Names are believed where the first thing that is said has one, and another follows; or where one comes back and
    every fifth cue has some. A name begins with a capital, or with a letter that has none, unless it comes back, or the
    first one has none and does; one before a wide colon must come back, since that follows whole phrases too.
    """
    starts = [_DASH.sub("", line.text) for cue in cues for line in cue.lines]
    found = [_LABEL.match(start) for start in starts]
    times = Counter(label[1] for label in found if label)
    wide = {label[1] for label in found if label and "：" in label[0]}
    first = next((label for start, label in zip(starts, found, strict=True) if not re.match(r"[\[(♪*]", start)), None)
    small = first is not None and first[1][0].islower() and times[first[1]] > 1
    names = {
        label
        for label, number in times.items()
        if (number > 1 and first is not None)
        or (label not in wide and (_is_name(label) or (small and _is_name(label.title()))))
    }
    named = sum(times[label] for label in names)
    believed = (first is not None and first[1] in names and named > 1) or (
        any(times[label] > 1 for label in names) and named * 5 >= len(cues)
    )
    return frozenset(label for label in names if believed or re.fullmatch(r"SPEAKER_\d+", label))


def _is_name(label: str) -> bool:
    words = label.split()
    return (
        len(words) <= 5
        and any(map(str.isalpha, label))
        and not re.search(r"[?!,;\"“”„()\[\]<>{}…。、，？！]|\.(?!\s|$)|\w{5,}\.", label)
        and not words[0][0].islower()
        and all(not word[0].islower() or word in _PARTICLES for word in words)
    )


def _language(said: str) -> str | None:
    try:
        return language_code(said)
    except InputError:
        return None
