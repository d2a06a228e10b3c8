"""One HTML page: read the conversation, play it, name its speakers; it needs no network and runs only its own script.

``page.css`` and ``page.js`` of `diarist.web` go into every page as they are.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from html import escape, unescape
from itertools import chain, pairwise
from urllib.parse import quote, unquote

from diarist.formats.text import clock, conversation, printable
from diarist.model import codec
from diarist.model.transcript import Segment, Transcript, Word, spelled
from diarist.web import asset

PLAYED_SUFFIXES = ("mp3", "m4a", "wav", "flac", "ogg", "opus", "webm", "mp4", "mkv", "mov")
"""Recordings of the transcript's name that the page looks for beside itself."""


def html(transcript: Transcript, name: str, recording: str | None = None) -> str:
    """Write a page that plays the recording where it lies, and names speakers.

    Everything from outside is escaped, and a content security policy allows no script but ours and nothing remote.

    Args:
        transcript: what to show.
        name: the recording's name without extension; recordings of that name beside the page are tried.
        recording: the way from the page's folder to the recording, with ``/`` between folders, or a ``file:`` URL;
            it is tried first.
    """
    speakers = {label: number for number, label in enumerate(transcript.speakers)}
    talks = []
    for talk in conversation(transcript):
        speaker, words = talk[0].speaker, [word for segment in talk for word in segment.words or _whole(segment)]
        # A label with a direction of its own, so that the words alone decide that of the paragraph.
        label = f'<b dir="auto" data-label="{_escape(speaker)}">{_escape(speaker)}</b> ' if speaker else ""
        spaces = (" " * text.startswith(" ") for text in spelled(words, transcript.language))
        spans = (_word(word, following) for word, following in pairwise([*words, None]) if word)
        colour = f' class="s{speakers[speaker] % _NUM_COLOURS}"' if speaker in speakers else ""
        time = clock(talk[0].start)
        talks.append(
            f'<p dir="auto"{colour}>{label}'
            f'<button type="button" data-s="{talk[0].start:.3f}" aria-label="Play from {time}">{time}</button><br>'
            f"{''.join(chain.from_iterable(zip(spaces, spans, strict=True)))}</p>"
        )
    style, script = asset("page.css"), asset("page.js")
    policy = (
        "default-src 'none'; base-uri 'none'; form-action 'none'; media-src 'self' file: blob:; "
        "style-src 'unsafe-inline'; "
        f"script-src 'sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}'"
    )
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">'
        f'<meta name="viewport" content="width=device-width"><title>{_escape(name) or "Transcript"}</title>'
        f"<style>{style}</style></head>\n<body><header><h1>{_escape(name) or 'Transcript'}</h1>"
        f'<video controls playsinline preload="metadata" aria-label="Recording">{_sources(name, recording)}</video>'
        '<p id="missing" role="status" hidden>The recording is not where this page looks for it. Choose it below.</p>'
        '<label>Play another file <input type="file" accept="audio/*,video/*"></label></header>\n'
        f'<aside aria-label="Help and names">{_HELP}{_names(transcript)}</aside>\n'
        f'<main lang="{_escape(transcript.language or "")}">\n'
        + "\n".join(talks)
        + f'\n</main><script type="application/json" id="transcript">{_data(transcript)}</script>'
        f"<script>{script}</script></body></html>\n"
    )


def recording_of(page: str) -> str | None:
    """The recording that a page tries first, as `html` takes it; None where there is no page."""
    first = re.search(r'<source src="([^"]*)">', page)
    place = unescape(first[1]) if first else None
    return place if place is None or place.startswith("file:") else unquote(place, errors="surrogateescape")


def _sources(name: str, recording: str | None) -> str:
    beside = [f"{quote(name)}.{suffix}" for suffix in PLAYED_SUFFIXES]
    first = (
        []
        if recording is None
        else [recording if recording.startswith("file:") else quote(recording, errors="surrogateescape")]
    )
    return "".join(f'<source src="{_escape(place)}">' for place in dict.fromkeys(first + beside))


def _word(word: Word, following: Word | None) -> str:
    kinds = [kind for kind, is_so in (("o", word.overlap), ("d", (word.confidence or 1) < _DOUBTFUL)) if is_so]
    title = f' title="{"; ".join(_MARKS[kind] for kind in kinds)}"' if kinds else ""
    # A word stays lit until the next begins, unless there is a pause.
    end = word.end if following is None or following.start - word.end > 1 else max(word.end, following.start)
    marks = " ".join(["w", *kinds])
    return f'<span class="{marks}" data-s="{word.start:.3f}" data-e="{end:.3f}"{title}>{_escape(word.text)}</span>'


def _whole(segment: Segment) -> tuple[Word, ...]:
    """A text whose words have no times of their own, as one that plays from its start."""
    return (Word(segment.start, segment.end, segment.text, speaker=segment.speaker),) if segment.text else ()


def _names(transcript: Transcript) -> str:
    """Fields to rename speakers, and the downloads that carry the names on."""
    fields = "".join(
        f'<label>{_escape(label)} <input data-label="{_escape(label)}" value="{_escape(label)}"></label>'
        for label in transcript.speakers
    )
    return (
        f"<details><summary>Name the speakers, download</summary>{fields}"
        '<button type="button" id="save-page">Download this page</button> '
        '<button type="button" id="save-json">Download JSON</button></details>'
    )


def _data(transcript: Transcript) -> str:
    """The transcript's JSON, which no text in it can end early."""
    text = json.dumps(codec.dump(transcript), ensure_ascii=False, separators=(",", ":"))
    return printable(text).replace("<", "\\u003c")


def _escape(text: str) -> str:
    return escape(printable(text), quote=True)


_DOUBTFUL = 0.5
_NUM_COLOURS = 8
_MARKS = {"o": "several talk at once", "d": "the model was unsure of this word"}
_HELP = (
    "<details><summary>Marks and keys</summary><ul>"
    f'<li><span class="o">Two lines</span> under a word: {_MARKS["o"]}.</li>'
    f'<li><span class="d">Dots</span> under a word: {_MARKS["d"]}.</li>'
    "<li>Click a word to play from it.</li>"
    "<li>Tab goes to the next paragraph’s time; Enter or Space plays from there.</li>"
    "<li>Left and right arrow: five seconds back or on. Space: play or pause, when no button is chosen.</li>"
    "</ul></details>"
)
