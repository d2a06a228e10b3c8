"""The page plays, follows, and runs nothing of others, in a real browser where there is one."""

import re
import shutil
import wave
from html.parser import HTMLParser

import pytest

from diarist.formats import render
from diarist.model.transcript import Segment, Transcript, Word

CHROMIUM = next(
    (found for name in ("chromium", "google-chrome", "chromium-browser") if (found := shutil.which(name))), None
)
EVIL = "<img src=x onerror=alert(1)></span><script>document.title='owned'</script>\"'"


def talk(text=EVIL, speaker=EVIL):
    words = tuple(Word(start, start + 0.9, text if start == 0 else f"w{start}", None, speaker) for start in range(4))
    segment = Segment(0, 3.9, speaker, " ".join(word.text for word in words), words)
    return Transcript(duration=4, language="en", speakers=(speaker,), segments=(segment,), turns=(), models=())


def test_markup_from_outside_is_text():
    class Tags(HTMLParser):
        def __init__(self):
            super().__init__()
            self.found, self.text = [], ""

        def handle_starttag(self, tag, attrs):
            self.found.append(tag)

        def handle_data(self, data):
            self.text += data

    tags = Tags()
    tags.feed(render(talk(), "html", name=EVIL))
    assert tags.found.count("script") == 1
    assert "img" not in tags.found
    assert tags.text.count(EVIL) >= 3


def test_the_policy_allows_only_the_pages_own_script():
    page = render(talk(), "html")
    assert re.search(r"default-src 'none';.* script-src 'sha256-[A-Za-z0-9+/=]{44}'\"", page)


def eventually(page, expression):
    # Playwright's own waiting needs eval, which the page's policy forbids.
    for _ in range(100):
        if page.evaluate(expression):
            return
        page.wait_for_timeout(50)
    pytest.fail(f"never true: {expression}")


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine")
def test_chromium_plays_the_recording_beside_the_page_and_lights_the_word(tmp_path):
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    (tmp_path / "my talk.html").write_text(render(talk(), "html", name="my talk"))
    with wave.open(str(tmp_path / "my talk.wav"), "wb") as file:
        file.setparams((1, 2, 16000, 0, "NONE", ""))
        file.writeframes(bytes(4 * 32000))
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = browser.new_page()
        problems = []
        page.on("pageerror", lambda problem: problems.append(problem))
        page.on("dialog", lambda problem: problems.append(problem))
        page.goto((tmp_path / "my talk.html").as_uri())
        eventually(page, "document.querySelector('audio').duration > 3.9")
        page.get_by_text("w2").click()
        eventually(page, "document.querySelector('.now')?.textContent === 'w2'")
        assert page.evaluate("document.querySelector('audio').currentTime") >= 2
        page.keyboard.press("ArrowLeft")
        eventually(page, "document.querySelector('audio').currentTime < 1")
        assert page.title() == "my talk"
        assert problems == []
        browser.close()
