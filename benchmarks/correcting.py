"""Count what it takes to correct a ten-minute interview with ten errors on the page: clicks, keys and letters.

    python benchmarks/correcting.py [--json]

The interview is made up; its errors are of the kinds that recognisers make. A double click counts as two clicks, a
selection with the mouse as one; a key with Shift, Alt or Ctrl counts as one; letters of new text are counted apart. At
the end the transcript must be what it should have been, or this fails.
"""

from __future__ import annotations

import argparse
import json
import shutil
from collections import Counter
from dataclasses import dataclass, field

import httpx
from page import serving
from playwright.sync_api import Page, sync_playwright

from diarist.model.transcript import Segment, Transcript, Turn, Word

ASKED, SAID, TWICE = "SPEAKER_00", "SPEAKER_01", "SPEAKER_02"
LINES = (
    "so how did you come to the harbour at all",
    "my father had a boat there and I went along from when I was six",
    "and who looked after the nets in those years",
    "Mister Okonkwo did and he taught everybody how to mend them",
    "what did a day look like in winter",
    "we left at four and when Okonkwo said the wind was wrong we stayed",
)
COUNT = 100
"""Paragraphs: with six seconds each, ten minutes."""
WORDS = {6: ("harbour", "barber"), 19: ("boat", "goat"), 38: ("nets", "nests"), 59: ("wind", "win")}

Line = tuple[str, str]


def truth() -> list[Line]:
    """The interview as it was: who, and what."""
    return [(ASKED if number % 2 == 0 else SAID, LINES[number % len(LINES)]) for number in range(COUNT)]


def planted() -> list[Line]:
    """The interview with ten errors."""
    lines = truth()
    for number, (right, wrong) in WORDS.items():  # four words
        lines[number] = lines[number][0], lines[number][1].replace(right, wrong)
    lines = [(speaker, text.replace("Okonkwo", "Conquer")) for speaker, text in lines]  # a name, everywhere
    lines[24] = SAID, lines[24][1]  # two paragraphs of somebody else
    lines[51] = ASKED, lines[51][1]
    lines[80], lines[82] = (TWICE, lines[80][1]), (TWICE, lines[82][1])  # one person as two
    cut = len("Mister Conquer did")
    lines[69:70] = [(SAID, lines[69][1][:cut]), (SAID, lines[69][1][cut:].strip())]  # a sentence cut in two
    lines[44:46] = [(ASKED, f"{lines[44][1]} {lines[45][1]}")]  # two people in one paragraph
    return lines


def transcript(lines: list[Line]) -> Transcript:
    """An interview with times: six seconds a paragraph."""
    segments = []
    for number, (speaker, text) in enumerate(lines):
        words = tuple(
            Word(number * 6 + place * 0.25, number * 6 + place * 0.25 + 0.2, word, 0.9, speaker, 0.9, False, True)
            for place, word in enumerate(text.split())
        )
        segments.append(Segment(words[0].start, words[-1].end, speaker, text, words))
    return Transcript(
        duration=len(lines) * 6.0,
        language="en",
        speakers=tuple(dict.fromkeys(speaker for speaker, _ in lines)),
        segments=tuple(segments),
        turns=tuple(Turn(one.start, one.end, one.speaker or "") for one in segments),
        models=(),
    )


@dataclass
class Person:
    """Somebody at the page, whose every move is counted."""

    page: Page
    did: Counter[str] = field(default_factory=Counter)

    def click(self, line: int, word: str, count: int = 1) -> None:
        self.did["clicks"] += count
        self.page.mouse.click(*self._place(line, word, 0.5), click_count=count)

    def select(self, line: int, words: str) -> None:
        self.did["clicks"] += 1
        self.page.mouse.move(*self._place(line, words.split()[0], 0.0))
        self.page.mouse.down()
        self.page.mouse.move(*self._place(line, words.split()[-1], 1.0), steps=5)
        self.page.mouse.up()

    def press(self, *keys: str) -> None:
        for key in keys:
            self.did["keys"] += 1
            self.page.keyboard.press(key)

    def type(self, text: str) -> None:
        self.did["letters"] += len(text)
        self.page.keyboard.type(text)

    def button(self, name: str) -> None:
        self.did["clicks"] += 1
        self.page.get_by_role("button", name=name, exact=True).click()

    def _place(self, line: int, word: str, share: float) -> tuple[float, float]:
        x, y = (
            self.page.locator(".paper p")
            .nth(line)
            .evaluate(
                """(line, [word, share]) => {
              line.scrollIntoView({block: 'center', behavior: 'instant'});
              const at = line.textContent.lastIndexOf(word), range = document.createRange();
              range.setStart(line.firstChild, at);
              range.setEnd(line.firstChild, at + word.length);
              const box = range.getBoundingClientRect();
              return [box.x + box.width * share, box.y + box.height / 2];
            }""",
                [word, share],
            )
        )
        return x, y


def correct(person: Person) -> dict[str, dict[str, int]]:
    """Put everything right; gives what each kind of error took."""
    found: dict[str, dict[str, int]] = {}

    def took(kind: str) -> None:
        found[kind] = {name: person.did[name] for name in ("clicks", "keys", "letters")}
        person.did.clear()

    for line, (right, wrong) in zip((6, 19, 38, 58), WORDS.values(), strict=True):
        person.click(line, wrong, 2)
        person.type(right)
    person.press("Escape")
    took("four words")
    person.press("Control+f")
    person.type("Conquer")
    person.press("Tab")
    person.type("Okonkwo")
    person.button("Replace all")
    person.button("Close")
    took("a name, everywhere")
    person.click(24, "how")
    person.press("1")
    person.click(50, "taught")
    person.press("2")
    took("two paragraphs of somebody else")
    person.select(44, "Mister Okonkwo did and he taught everybody how to mend them")
    person.press("2")
    took("two people in one paragraph")
    person.click(69, "Mister")
    person.press("m")
    took("a sentence cut in two")
    person.button(f"More for {TWICE}")
    person.page.get_by_role("dialog").get_by_role("button", name=ASKED).click()
    person.did["clicks"] += 1
    took("one person as two")
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    options = parser.parse_args()
    chromium = next(
        found for name in ("chromium", "google-chrome", "chromium-browser") if (found := shutil.which(name))
    )
    with serving(transcript(planted())) as (address, job), sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = browser.new_context(viewport={"width": 1440, "height": 900}).new_page()
        page.goto(f"{address}/#/{job}")
        page.locator(".paper p").first.wait_for()
        found = correct(Person(page))
        page.wait_for_timeout(100)
        page.locator(".saved", has_text="Saved").wait_for()
        browser.close()
        segments = httpx.get(f"{address}/v1/jobs/{job}/transcript").json()["segments"]
    now = [(segment["speaker"], segment["text"]) for segment in segments]
    if wrong := [(n, a, b) for n, (a, b) in enumerate(zip(now, truth(), strict=False)) if a != b]:
        raise SystemExit(f"not what it should be: {wrong[0]}")
    found["all"] = {name: sum(each[name] for each in found.values()) for name in ("clicks", "keys", "letters")}
    if options.json:
        print(json.dumps(found))
        return
    for kind, took in found.items():
        print(f"{kind:32}" + "  ".join(f"{count:3} {name}" for name, count in took.items()))


if __name__ == "__main__":
    main()
