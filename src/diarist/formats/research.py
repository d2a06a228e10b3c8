"""Formats of speech research: RTTM, CTM, STM, SegLST, TextGrid, ELAN and Audacity labels.

TextGrid is written by praatio. pympi would write ELAN files, but it is one XML tree that the standard library
builds; pympi reads ours in the tests, as MeetEval, pyannote.database and Praat itself do the others.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from itertools import zip_longest

from diarist.formats.text import printable
from diarist.model.errors import InputError
from diarist.model.timeline import Span
from diarist.model.transcript import Segment, Transcript, Word

NO_SPEAKER = "unknown"
"""What stands where a format demands a speaker and none is known."""


def rttm(transcript: Transcript, name: str) -> str:
    """Write the speaker turns as NIST RTTM (Rich Transcription 2009 plan, appendix A), overlaps included.

    A transcript that was read from a file without turns gives its segments.
    """
    return "".join(
        f"SPEAKER {_token(name)} 1 {turn.start:.3f} {turn.duration:.3f} <NA> <NA> {_token(turn.speaker)} <NA> <NA>\n"
        for turn in transcript.turns or transcript.segments
        if turn.speaker is not None and turn.duration > 0
    )


def ctm(transcript: Transcript, name: str) -> str:
    """Write every word with its time as NIST CTM, in order of time; the confidence only where measured.

    Raises:
        InputError: the transcript was read from a file that has no times for words.
    """
    if any(segment.text and not segment.words for segment in transcript.segments):
        raise InputError("no_word_times", "CTM needs a time for every word, and this transcript has none.", "Use stm.")
    lines = []
    for word in sorted(transcript.words, key=lambda word: word.start):
        confidence = "" if word.confidence is None else f" {word.confidence:.4f}"
        lines.append(f"{_token(name)} 1 {word.start:.3f} {word.duration:.3f} {_token(_solid(word.text))}{confidence}\n")
    return "".join(lines)


def stm(transcript: Transcript, name: str) -> str:
    """Write the segments as NIST STM."""
    return "".join(
        f"{_token(name)} 1 {_token(s.speaker or NO_SPEAKER)} {s.start:.3f} {s.end:.3f} {' '.join(s.text.split())}\n"
        for s in transcript.segments
    )


def seglst(transcript: Transcript, name: str) -> str:
    """Write the segments as SegLST, the JSON that MeetEval scores."""
    segments = [
        {
            "session_id": name,
            "speaker": segment.speaker or NO_SPEAKER,
            "start_time": segment.start,
            "end_time": segment.end,
            "words": segment.text,
        }
        for segment in transcript.segments
    ]
    return json.dumps(segments, ensure_ascii=False, indent=2) + "\n"


def audacity(transcript: Transcript, name: str) -> str:  # noqa: ARG001
    """Write an Audacity label track: one label per segment."""
    lines = []
    for segment in transcript.segments:
        label = f"{segment.speaker}: " if segment.speaker else ""
        lines.append(f"{segment.start:.6f}\t{segment.end:.6f}\t{' '.join((label + segment.text).split())}\n")
    return "".join(lines)


def textgrid(transcript: Transcript, name: str) -> str:  # noqa: ARG001
    """Write a Praat TextGrid: per speaker one tier of segments and one of words.

    Praat's tiers hold no two things at once: what overlaps within one speaker is cut short, what has no length is left
    out.
    """
    from praatio.utilities import textgrid_io

    spans = (*transcript.segments, *transcript.words)  # a word may end after its segment
    end = max([transcript.duration, *(span.end for span in spans)], default=0.0) or 1.0
    tiers = []
    for speaker, segments in _by_speaker(transcript):
        words = [word for segment in segments for word in segment.words]
        for title, items in ((speaker, segments), (f"{speaker} words", words)):
            entries = [(s.start, s.end, item.text) for s, item in _disjoint(items)]
            tiers.append({"class": "IntervalTier", "name": title, "xmin": 0.0, "xmax": end, "entries": entries})
    return str(
        textgrid_io.getTextgridAsStr(
            {"xmin": 0.0, "xmax": end, "tiers": tiers},
            format="long_textgrid",
            includeBlankSpaces=True,
        )
    )


def eaf(transcript: Transcript, name: str) -> str:
    """Write an ELAN annotation file (EAF 3.0): one tier per speaker, its segments as annotations in milliseconds."""
    import xml.etree.ElementTree as ET

    root = ET.Element(
        "ANNOTATION_DOCUMENT",
        {
            "AUTHOR": "",
            "DATE": "1970-01-01T00:00:00Z",
            "FORMAT": "3.0",
            "VERSION": "3.0",
            "xmlns:xsi": "http://www.w3.org/2001/XMLSchema-instance",
            "xsi:noNamespaceSchemaLocation": "http://www.mpi.nl/tools/elan/EAFv3.0.xsd",
        },
    )
    header = ET.SubElement(root, "HEADER", {"MEDIA_FILE": "", "TIME_UNITS": "milliseconds"})
    ET.SubElement(header, "PROPERTY", {"NAME": "recording"}).text = printable(name)
    order = ET.SubElement(root, "TIME_ORDER")
    times = sorted({round(edge * 1000) for s in transcript.segments for edge in (s.start, s.end)})
    for time in times:
        ET.SubElement(order, "TIME_SLOT", {"TIME_SLOT_ID": f"ts{time}", "TIME_VALUE": str(time)})

    number = 0
    for speaker, segments in _by_speaker(transcript):
        label = printable(speaker)
        tier = ET.SubElement(
            root, "TIER", {"LINGUISTIC_TYPE_REF": "default-lt", "PARTICIPANT": label, "TIER_ID": label}
        )
        for span, segment in _disjoint(segments):
            number += 1
            holder = ET.SubElement(tier, "ANNOTATION")
            reference = {
                "ANNOTATION_ID": f"a{number}",
                "TIME_SLOT_REF1": f"ts{round(span.start * 1000)}",
                "TIME_SLOT_REF2": f"ts{round(span.end * 1000)}",
            }
            annotation = ET.SubElement(holder, "ALIGNABLE_ANNOTATION", reference)
            ET.SubElement(annotation, "ANNOTATION_VALUE").text = printable(segment.text)
    kind = {"GRAPHIC_REFERENCES": "false", "LINGUISTIC_TYPE_ID": "default-lt", "TIME_ALIGNABLE": "true"}
    ET.SubElement(root, "LINGUISTIC_TYPE", kind)
    ET.indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ET.tostring(root, encoding="unicode") + "\n"


def _by_speaker(transcript: Transcript) -> list[tuple[str, list[Segment]]]:
    found: dict[str, list[Segment]] = {speaker: [] for speaker in transcript.speakers}
    for segment in transcript.segments:
        found.setdefault(segment.speaker or NO_SPEAKER, []).append(segment)
    return list(found.items())


def _disjoint(items: Sequence[Segment | Word]) -> list[tuple[Span, Segment | Word]]:
    """Cut each item short where the next one starts; drop what is left without length."""
    ordered = sorted(items, key=lambda item: item.start)
    found = []
    for item, following in zip_longest(ordered, ordered[1:]):
        end = item.end if following is None else min(item.end, following.start)
        if end > item.start:
            found.append((Span(item.start, end), item))
    return found


def _solid(text: str) -> str:
    """Take the spaces out of a word that has punctuation apart, such as ``quoi ?``."""
    return "".join(text.split())


def _token(value: str) -> str:
    """Fields are split at white space, so none may hold any."""
    return "_".join(value.split()) or "_"
