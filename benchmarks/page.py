"""How fast the page is with a long transcript, in a real browser.

    python benchmarks/page.py [--words 30000] [--width 1440] [--json]

A transcript of so many words, a sentence every twelve and another speaker every few, is opened on the server's own
page. Prints milliseconds:

- load: from the address to the text on the screen, in a browser that has the page's files; and how much of a CPU the
  page's thread used for it;
- key: a letter that is typed, until the text is laid out again;
- leave: a corrected line that is left, until the correction is drawn; and until it is saved;
- find: a word that is found and marked everywhere;
- follow: the word that is said, marked while the recording plays;
- scroll: from one picture to the next while the text is scrolled through.

And what does not depend on the machine: elements in the document, requests, layouts of a key.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import shutil
import socket
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import uvicorn
from machine import describe
from playwright.sync_api import CDPSession, Page, sync_playwright

from diarist.model.transcript import ModelInfo, Segment, Transcript, Turn, Word
from diarist.pipelines.base import Pipeline
from diarist.server.app import Server, Settings
from diarist.server.imported import take_in

SYLLABLES = ("ka", "ro", "mi", "ten", "sal", "ve", "dun", "ari", "pol", "es", "qui", "ba", "no", "lir")


class Nothing(Pipeline):
    """A place where no work is done."""

    knows_voices = False

    async def atranscribe(self, *_: Any, **__: Any) -> Transcript:
        raise NotImplementedError


def long_transcript(count: int) -> Transcript:
    """Words of several lengths, three in a hundred doubtful, some said while another talks."""
    draw = random.Random(7)
    segments, turns, at, who = [], [], 0.0, 0
    for first in range(0, count, 12):
        if draw.random() < 0.3:
            who = draw.randrange(4)
        speaker = f"SPEAKER_0{who}"
        words = []
        for number in range(min(12, count - first)):
            text = "".join(draw.choice(SYLLABLES) for _ in range(draw.randint(1, 4)))
            confidence = 0.3 if draw.random() < 0.03 else 0.95
            end = at + 0.3
            words.append(
                Word(at, end, text + "." * (number == 11), confidence, speaker, 0.9, draw.random() < 0.01, True)
            )
            at = end + 0.05
        segments.append(
            Segment(words[0].start, words[-1].end, speaker, " ".join(word.text for word in words), tuple(words))
        )
        turns.append(Turn(words[0].start, words[-1].end, speaker, 0.9))
        at += 0.4
    return Transcript(
        duration=at,
        language="en",
        speakers=tuple(dict.fromkeys(segment.speaker or "" for segment in segments)),
        segments=tuple(segments),
        turns=tuple(turns),
        models=(ModelInfo("transcription", "benchmark", None, "none"),),
    )


@contextmanager
def serving(transcript: Transcript) -> Iterator[tuple[str, str]]:
    """Serve a page with one transcript; gives its address and the transcript's job."""
    with tempfile.TemporaryDirectory() as folder:
        made = Server(Settings(state=Path(folder)), lambda _: Nothing())
        job = take_in(made.house.desk, transcript, "long", None)
        with socket.socket() as listening:
            listening.bind(("127.0.0.1", 0))
            server = uvicorn.Server(uvicorn.Config(made.app, log_level="error", timeout_graceful_shutdown=1))
            thread = threading.Thread(target=lambda: asyncio.run(server.serve([listening])))
            thread.start()
            while not server.started:
                time.sleep(0.01)
            yield f"http://127.0.0.1:{listening.getsockname()[1]}", job
            server.should_exit = True
            thread.join()


def share(values: list[float], part: float) -> float:
    """The value below which that part of them is."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(part * len(ordered)))]


LOADED = """
(() => {
  const look = () => {
    if (!document.querySelector('.paper p')) return requestAnimationFrame(look);
    requestAnimationFrame(() => setTimeout(() => { window.loaded = performance.now(); }));
  };
  requestAnimationFrame(look);
})();
"""

KEYS = """
() => {
  window.keys = [];
  let began = 0;
  addEventListener('keydown', () => { began = performance.now(); }, true);
  addEventListener('input', () => {
    document.body.getBoundingClientRect();
    window.keys.push(performance.now() - began);
  });
}
"""

SCROLL = """
() => new Promise(resolve => {
  const frames = [];
  let last = 0;
  const step = now => {
    if (last) frames.push(now - last);
    last = now;
    scrollBy({top: 900, behavior: 'instant'});
    if (frames.length < 200) requestAnimationFrame(step); else resolve(frames);
  };
  scrollTo({top: 0, behavior: 'instant'});
  requestAnimationFrame(step);
})
"""

FIND = """
what => {
  const field = document.querySelector('.find input');
  field.value = what;
  const began = performance.now();
  field.dispatchEvent(new Event('input', {bubbles: true}));
  document.body.getBoundingClientRect();
  return [performance.now() - began, CSS.highlights.get('found').size];
}
"""

FOLLOW = """
() => new Promise(resolve => {
  const found = [], position = document.querySelector('.position');
  let at = 100;
  const step = () => {
    const began = performance.now();
    position.value = String(at += 0.35);
    position.dispatchEvent(new Event('input'));
    document.body.getBoundingClientRect();
    found.push(performance.now() - began);
    if (found.length < 200) requestAnimationFrame(step); else resolve(found);
  };
  step();
})
"""


def load(page: Page, address: str, job: str) -> float:
    page.goto("about:blank")
    page.goto(f"{address}/#/{job}")
    page.locator(".paper p").first.wait_for()
    for _ in range(600):
        if loaded := page.evaluate("window.loaded"):
            return float(loaded)
        page.wait_for_timeout(20)
    raise SystemExit("the page did not load")


def metric(session: CDPSession, name: str) -> float:
    found = {one["name"]: one["value"] for one in session.send("Performance.getMetrics")["metrics"]}
    return float(found[name])


def measure(count: int, width: int) -> dict[str, Any]:
    chromium = next(
        found for name in ("chromium", "google-chrome", "chromium-browser") if (found := shutil.which(name))
    )
    with serving(long_transcript(count)) as (address, job), sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = browser.new_context(viewport={"width": width, "height": 900}).new_page()
        page.add_init_script(LOADED)
        load(page, address, job)
        requests: list[str] = []
        page.on("request", lambda request: requests.append(request.url))
        loads = [load(page, address, job) for _ in range(5)]
        asked = len(requests) // 5
        session = page.context.new_cdp_session(page)
        session.send("Performance.enable", {"timeDomain": "threadTicks"})
        busy = metric(session, "ThreadTime")
        load(page, address, job)
        found: dict[str, Any] = {
            "words": count,
            "load_ms": share(loads, 0.5),
            "load_cpu_ms": (metric(session, "ThreadTime") - busy) * 1000,
            "requests": asked,
            "elements": page.evaluate("document.querySelectorAll('*').length"),
        }
        line = page.locator(".paper p").nth(count // 24)
        line.scroll_into_view_if_needed()
        line.dblclick()
        page.evaluate(KEYS)
        page.keyboard.type("first ")
        session = page.context.new_cdp_session(page)
        session.send("Performance.enable")
        before = metric(session, "LayoutCount")
        for letter in "the quick brown fox jumps over the lazy dog " * 4:
            page.keyboard.press(letter if letter != " " else "Space")
        keys = page.evaluate("window.keys")
        found |= {
            "key_p50_ms": share(keys, 0.5),
            "key_p99_ms": share(keys, 0.99),
            "layouts_a_key": (metric(session, "LayoutCount") - before) / (len(keys) - 6),
        }
        began = time.perf_counter()
        found["leave_ms"] = page.evaluate(
            """() => {
              const began = performance.now();
              document.activeElement.blur();
              document.body.getBoundingClientRect();
              return performance.now() - began;
            }"""
        )
        page.locator(".saved", has_text="Saved").wait_for()
        found["saved_ms"] = (time.perf_counter() - began) * 1000
        page.keyboard.press("Control+f")
        finds = [page.evaluate(FIND, what) for what in ("ka", "karo", "sal", "quiba", "e")]
        found |= {"find_max_ms": max(each for each, _ in finds), "found_most": max(number for _, number in finds)}
        page.keyboard.press("Escape")
        follows = page.evaluate(FOLLOW)
        found |= {"follow_p99_ms": share(follows, 0.99)}
        frames = page.evaluate(SCROLL)
        found |= {"scroll_p50_ms": share(frames, 0.5), "scroll_p95_ms": share(frames, 0.95)}
        browser.close()
    return {name: round(value, 1) if isinstance(value, float) else value for name, value in found.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--words", type=int, default=30_000)
    parser.add_argument("--width", type=int, default=1440)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    options = parser.parse_args()
    found = measure(options.words, options.width)
    if options.json:
        print(json.dumps({**found, "width": options.width, "machine": describe()}))
        return
    for name, value in found.items():
        print(f"{name.replace('_', ' '):18} {value}")
    print(describe())


if __name__ == "__main__":
    main()
