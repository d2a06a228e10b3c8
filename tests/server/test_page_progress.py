"""The page while a recording is understood, and where the server wants a key; no models."""

import threading

import pytest

from diarist.model.options import Options
from diarist.model.progress import ignore
from diarist.model.transcript import Segment, Transcript, Turn, Word
from diarist.pipelines.base import Pipeline
from diarist.pipelines.bridge import in_thread
from diarist.server.keys import Keys, Limits

pytestmark = pytest.mark.slow

WORDS = tuple(
    Word(start, start + 0.4, text, 0.9, "SPEAKER_00")
    for start, text in [(0.0, "Hello"), (0.5, "there."), (1.0, "Bye.")]
)


class Slow(Pipeline):
    """A place that says two words, is half done, and goes on when the test lets it."""

    knows_voices = False

    def __init__(self):
        self.go = threading.Event()

    async def atranscribe(self, recording, options=Options(), progress=ignore, *, naming=None, heard=None):
        return await in_thread(lambda report: self._work(report, heard), progress)

    def _work(self, report, heard):
        heard(WORDS[:2])
        while not self.go.wait(0.02):
            report("transcription", 0.5)
        heard(WORDS[2:])
        segment = Segment(0.0, 1.4, "SPEAKER_00", "Hello there. Bye.", WORDS)
        turns = (Turn(0.0, 1.4, "SPEAKER_00"),)
        return Transcript(
            duration=2.0, language="en", speakers=("SPEAKER_00",), segments=(segment,), turns=turns, models=()
        )


@pytest.fixture
def slow():
    place = Slow()
    yield place
    place.go.set()


@pytest.fixture
def page(chromium, start, slow):
    server = start(slow)
    with chromium.new_context(base_url=str(server.base_url)) as context:
        page = context.new_page()
        problems = []
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.goto("/")
        yield page
    assert problems == []


def give(page, wav):
    page.set_input_files("#files", {"name": "talk.wav", "mimeType": "audio/wav", "buffer": wav()})


def test_words_and_stages_come_while_they_are_found_and_after_a_reload(page, wav, slow):
    give(page, wav)
    page.locator(".jobs a", has_text="talk.wav").click()
    words = page.locator(".words", has_text="Hello there.")
    words.wait_for()
    bar = page.get_by_role("progressbar", name="Words")
    assert bar.evaluate("bar => bar.value") == pytest.approx(0.5)
    assert "35 % done" in page.locator(".left").inner_text()
    page.reload()
    words.wait_for()
    assert words.inner_text().strip() == "Hello there."  # each word once
    slow.go.set()
    page.locator(".paper p", has_text="Bye.").wait_for()


def test_what_is_cancelled_says_so(page, wav):
    give(page, wav)
    page.locator(".jobs a", has_text="talk.wav").click()
    page.locator(".words", has_text="Hello").wait_for()
    page.get_by_role("button", name="Cancel").click()
    page.get_by_role("alert").get_by_text("Cancelled").wait_for()
    page.get_by_role("link", name="All recordings").click()
    page.locator(".jobs .state", has_text="Cancelled").wait_for()


def test_what_waits_says_how_many_are_before_it(page, wav):
    for _ in range(6):
        give(page, wav)
    page.locator(".jobs .state", has_text="it is number").first.wait_for()


def test_a_recording_that_fails_says_why(page, wav, slow):
    def fail(report, heard):
        raise ZeroDivisionError

    slow._work = fail
    give(page, wav)
    page.locator(".jobs .state", has_text="Failed: The server failed at this job").wait_for()


def test_a_key_opens_the_page_and_its_sound(chromium, start, slow, tmp_path, wav):
    slow.go.set()
    key = Keys(tmp_path / "state").add("Ada", Limits())
    server = start(slow, use_keys=True)
    with chromium.new_context(base_url=str(server.base_url)) as context:
        page = context.new_page()
        page.goto("/")
        page.get_by_label("Key").fill("dk_wrong")
        page.keyboard.press("Enter")
        page.get_by_role("alert").get_by_text("not known").wait_for()
        page.get_by_label("Key").fill(key)
        page.keyboard.press("Enter")
        give(page, wav)
        page.locator(".jobs a", has_text="talk.wav").click()
        page.locator(".paper p").first.wait_for()
        # The cookie goes where no header can: to <audio>.
        with page.expect_response("**/audio") as answer:
            page.reload()
        assert answer.value.status in (200, 206)
        assert page.evaluate("document.cookie") == ""  # no script can read it
