"""One HTML page: read the conversation and play it; the page needs no network and runs only its own script."""

from __future__ import annotations

import base64
import hashlib
from html import escape
from itertools import chain, pairwise
from urllib.parse import quote

from diarist.formats.text import clock, conversation, printable
from diarist.model.transcript import Transcript, Word, spelled

MEDIA_SUFFIXES = ("mp3", "m4a", "wav", "flac", "ogg", "opus", "webm", "mp4", "mkv", "mov")
"""Recordings of the transcript's name that the page looks for beside itself."""


def html(transcript: Transcript, name: str) -> str:
    """Write a page that plays the recording beside it (``NAME.mp3``, …, or a file that the reader chooses).

    Everything from outside is escaped, and a content security policy allows no script but ours.
    """
    speakers = {label: number for number, label in enumerate(transcript.speakers)}
    talks = []
    for talk in conversation(transcript):
        speaker, words = talk[0].speaker, [word for segment in talk for word in segment.words]
        # A label with a direction of its own, so that the words alone decide that of the paragraph.
        label = f'<b dir="auto">{_escape(speaker)}</b> ' if speaker else ""
        spaces = (" " * text.startswith(" ") for text in spelled(words, transcript.language))
        spans = (_word(word, following) for word, following in pairwise([*words, None]) if word)
        colour = f' class="s{speakers[speaker] % _NUM_COLOURS}"' if speaker in speakers else ""
        talks.append(
            f'<p dir="auto"{colour}>{label}<time>{clock(talk[0].start)}</time><br>'
            f"{''.join(chain.from_iterable(zip(spaces, spans, strict=True)))}</p>"
        )
    sources = "".join(f'<source src="{_escape(quote(name))}.{suffix}">' for suffix in MEDIA_SUFFIXES)
    policy = (
        "default-src 'none'; media-src * file: blob: data:; style-src 'unsafe-inline'; "
        f"script-src 'sha256-{base64.b64encode(hashlib.sha256(_SCRIPT.encode()).digest()).decode()}'"
    )
    return (
        f'<!doctype html>\n<html lang="{_escape(transcript.language or "und")}"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">'
        f'<meta name="viewport" content="width=device-width"><title>{_escape(name)}</title>'
        f"<style>{_STYLE}</style></head>\n<body><header><h1>{_escape(name)}</h1>"
        f'<audio controls preload="metadata">{sources}</audio>'
        f'<label>Recording not found? <input type="file" accept="audio/*,video/*"></label></header>\n<main>\n'
        + "\n".join(talks)
        + f"\n</main><script>{_SCRIPT}</script></body></html>\n"
    )


def _word(word: Word, following: Word | None) -> str:
    kinds = [kind for kind, is_so in (("o", word.overlap), ("d", (word.confidence or 1) < _DOUBTFUL)) if is_so]
    title = ' title="several talk at once"' if word.overlap else ""
    marks = (f' class="{" ".join(kinds)}"' if kinds else "") + title
    # A word stays lit until the next begins, unless there is a pause.
    end = word.end if following is None or following.start - word.end > 1 else max(word.end, following.start)
    return f'<span data-s="{word.start:.3f}" data-e="{end:.3f}"{marks}>{_escape(word.text)}</span>'


def _escape(text: str) -> str:
    return escape(printable(text), quote=True)


_DOUBTFUL = 0.5
_NUM_COLOURS = 8
_STYLE = (
    ":root{color-scheme:light dark}"
    "body{font:17px/1.6 system-ui,sans-serif;max-width:44rem;margin:0 auto;padding:0 1rem}"
    "header{position:sticky;top:0;background:Canvas;padding:.5rem 0;border-bottom:1px solid #8884}"
    "h1{font-size:1.1rem;margin:0 0 .4rem}audio{width:100%}label{font-size:.75rem;opacity:.7}"
    "main{padding-bottom:40vh}p{border-left:4px solid #8886;padding-left:.8rem}time{opacity:.6;font-size:.85rem}"
    "span{cursor:pointer;border-radius:.2em}span:hover{background:#8883}.now{background:#ffd54a;color:#000}"
    ".o{text-decoration:underline dotted}.d{opacity:.65}"
    + "".join(
        f".s{number}{{border-color:{colour}}}.s{number} b{{color:{colour}}}"
        for number, colour in enumerate(
            ("#3b7dd8", "#c2571a", "#2f9e5b", "#a04fc0", "#c23b5a", "#1f9aa5", "#8a7a1f", "#6b6fd0")
        )
    )
)
_SCRIPT = """
const audio = document.querySelector('audio');
const words = [...document.querySelectorAll('span[data-s]')];
const starts = words.map(word => +word.dataset.s);
let lit = null;
function show() {
  const time = audio.currentTime;
  let low = 0, high = starts.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (starts[middle] <= time) low = middle + 1; else high = middle;
  }
  const word = words[low - 1];
  const now = word && time < +word.dataset.e ? word : null;
  if (now === lit) return;
  if (lit) lit.classList.remove('now');
  lit = now;
  if (!lit) return;
  lit.classList.add('now');
  const box = lit.getBoundingClientRect();
  if (box.top < 140 || box.bottom > innerHeight - 80) lit.scrollIntoView({block: 'center'});
}
audio.addEventListener('timeupdate', show);
audio.addEventListener('seeked', show);
document.querySelector('main').addEventListener('click', event => {
  const word = event.target.closest('span[data-s]');
  if (word) { audio.currentTime = +word.dataset.s; audio.play().catch(() => {}); }
});
document.querySelector('input').addEventListener('change', event => {
  const file = event.target.files[0];
  if (file) { audio.src = URL.createObjectURL(file); audio.load(); }
});
document.addEventListener('keydown', event => {
  if (event.target !== document.body) return;
  const keys = {
    ' ': () => audio.paused ? audio.play().catch(() => {}) : audio.pause(),
    ArrowLeft: () => { audio.currentTime -= 5; },
    ArrowRight: () => { audio.currentTime += 5; },
  };
  if (keys[event.key]) { event.preventDefault(); keys[event.key](); }
});
"""
