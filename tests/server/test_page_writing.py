"""The page with transcripts that no recording at hand has: other scripts, hostile names, very long ones; no models."""

import asyncio
import socket
import threading
import time
from contextlib import contextmanager

import httpx
import pytest
import uvicorn

from diarist.model.transcript import Segment, Transcript, Turn, Word
from diarist.pipelines.base import Pipeline
from diarist.server.app import Server, Settings
from diarist.server.imported import take_in

pytestmark = pytest.mark.slow

EVIL = "<img src=x onerror=alert(1)>\"'</script>"


class Nothing(Pipeline):
    """A place where no work is done."""

    knows_voices = False

    async def atranscribe(self, *_, **__):
        raise NotImplementedError


def talk(*segments, language="en", spaced=True):
    """A transcript of ``(speaker, words)``; a word lasts a quarter of a second."""
    made, at = [], 0.0
    for speaker, words in segments:
        said = []
        for text in words:
            said.append(Word(at, at + 0.25, text, 0.9, speaker, 0.9, spaced=spaced))
            at += 0.25
        text = (" " if spaced else "").join(words)
        made.append(Segment(said[0].start, said[-1].end, speaker, text, tuple(said)))
    return Transcript(
        duration=at,
        language=language,
        speakers=tuple(dict.fromkeys(speaker for speaker, _ in segments)),
        segments=tuple(made),
        turns=tuple(Turn(one.start, one.end, one.speaker) for one in made),
        models=(),
    )


@contextmanager
def serving(state, transcript):
    """Serve a page with one transcript; gives a client, and the transcript's job."""
    made = Server(Settings(state=state), lambda _: Nothing())
    job = take_in(made.house.desk, transcript, "talk", None)
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        server = uvicorn.Server(uvicorn.Config(made.app, log_level="error", timeout_graceful_shutdown=1))
        thread = threading.Thread(target=lambda: asyncio.run(server.serve([listening])))
        thread.start()
        try:
            while not server.started:
                assert thread.is_alive()
                time.sleep(0.01)
            with httpx.Client(base_url=f"http://127.0.0.1:{listening.getsockname()[1]}") as client:
                yield client, job
        finally:
            server.should_exit = True
            thread.join()


@pytest.fixture
def show(chromium, tmp_path):
    """Open a transcript: gives the page, and what reads it back from the server."""
    opened = []

    def show(transcript):
        served = serving(tmp_path / "state", transcript)
        client, job = served.__enter__()
        context = chromium.new_context(base_url=str(client.base_url), viewport={"width": 1440, "height": 900})
        opened.append((served, context))
        page = context.new_page()
        page.problems = []
        page.on("pageerror", lambda error: page.problems.append(str(error)))
        page.on("dialog", lambda dialog: page.problems.append(dialog.message))
        page.goto(f"/#/{job}")
        page.locator(".paper p").first.wait_for()
        return page, lambda: client.get(f"/v1/jobs/{job}/transcript").json()

    yield show
    for served, context in opened:
        problems = [problem for page in context.pages for problem in getattr(page, "problems", [])]
        context.close()
        served.__exit__(None, None, None)
        assert problems == []


def write(page, text, old, new):
    """Write something in place of a part of a line."""
    line = page.locator(".paper p", has_text=text)
    line.dblclick()
    line.evaluate(
        """(line, old) => {
          const at = line.textContent.indexOf(old);
          getSelection().setBaseAndExtent(line.firstChild, at, line.firstChild, at + old.length);
        }""",
        old,
    )
    page.keyboard.insert_text(new)
    page.keyboard.press("Escape")
    page.wait_for_timeout(50)
    page.locator(".saved", has_text="Saved").wait_for()


def texts(document):
    return [segment["text"] for segment in document["segments"]]


def test_names_and_words_are_never_markup(show):
    page, _ = show(talk((EVIL, [EVIL, "said"]), ("B", ["so"])))
    assert page.locator(".name").first.inner_text() == EVIL
    page.get_by_label("Name of B").fill(f"{EVIL}2")
    page.keyboard.press("Enter")
    page.locator(".name", has_text=f"{EVIL}2").wait_for()
    page.keyboard.press("Escape")
    page.locator(".name").first.click()
    page.locator("dialog blockquote", has_text="onerror").wait_for()
    assert page.locator("#root img, dialog img").count() == 0


def test_chinese_is_corrected_letter_by_letter(show):
    page, read = show(
        talk(("甲", list("今天天气很好。")), ("乙", list("是的，我们走吧。")), language="zh", spaced=False)
    )
    before = read()
    write(page, "今天天气", "天气", "空气")
    assert texts(read()) == ["今天空气很好。", "是的，我们走吧。"]
    [old, new] = [document["segments"][0]["words"] for document in (before, read())]
    assert [w["start"] for w in old] == [w["start"] for w in new]
    page.keyboard.press("Control+z")
    page.locator(".paper p", has_text="天天气").wait_for()
    page.locator(".saved", has_text="Saved").wait_for()
    assert read() == before


def test_several_edits_of_a_script_without_spaces_before_the_server_answers(show):
    """The server cuts new text into other words than the page did; later edits still hit what they were made for."""
    page, read = show(
        talk(("甲", list("今天天气很好。")), ("乙", list("是的，我们走吧。")), language="zh", spaced=False)
    )
    page.route("**/edits", lambda route: page.wait_for_timeout(300) or route.continue_())
    for old, new in (("天气", "的天空和空气"), ("走吧", "回家"), ("好", "不错")):
        line = page.locator(".paper p", has_text=old)
        line.dblclick()
        line.evaluate(
            """(line, old) => {
              const at = line.textContent.indexOf(old);
              getSelection().setBaseAndExtent(line.firstChild, at, line.firstChild, at + old.length);
            }""",
            old,
        )
        page.keyboard.insert_text(new)
        page.keyboard.press("Escape")
    page.wait_for_timeout(2000)
    page.locator(".saved", has_text="Saved").wait_for()
    assert texts(read()) == ["今天的天空和空气很不错。", "是的，我们回家。"]


def test_right_to_left_lines_run_so(show):
    page, read = show(talk(("دانا", ["مرحبا", "بكم"]), ("Ben", ["Hello", "there"]), language="ar"))
    ways = page.locator(".paper p").evaluate_all("lines => lines.map(line => getComputedStyle(line).direction)")
    assert ways == ["rtl", "ltr"]
    write(page, "مرحبا", "مرحبا", "أهلا")
    assert texts(read())[0] == "أهلا بكم"


@pytest.mark.parametrize(
    ("old", "new", "whole"),
    [
        ("one", "", "two three"),
        ("two", "2 and a half", "one 2 and a half three"),
        ("one two three", "", None),
        ("two", "two,", "one two, three"),
        ("three", "three four", "one two three four"),
        ("two", "  ", "one three"),
        ("wo t", "wot", "one twothree"),
        ("two", "🎉 two", "one 🎉 two three"),
    ],
)
def test_what_is_written_is_what_is_kept(show, old, new, whole):
    page, read = show(talk(("A", ["one", "two", "three"]), ("B", ["fine"])))
    write(page, "one two three", old, new)
    assert texts(read()) == [whole, "fine"] if whole else ["fine"]
    shown = page.locator(".paper p").all_text_contents()
    assert shown == texts(read())


def test_paragraphs_of_several_speakers_are_selected_by_keys_and_given_to_one(show):
    page, read = show(talk(("A", ["one", "two"]), ("B", ["three"]), ("A", ["four"])))
    page.locator(".paper p").first.focus()
    for _ in range(3):
        page.keyboard.press("Shift+ArrowDown")
    page.keyboard.press("2")
    page.wait_for_timeout(50)
    page.locator(".saved", has_text="Saved").wait_for()
    assert {segment["speaker"] for segment in read()["segments"]} == {"B"}


def test_without_a_recording_one_reads_and_corrects_all_the_same(show):
    page, _ = show(talk(("A", ["one", "two"])))
    page.get_by_text("The recording is not kept any more").wait_for()


def test_a_long_transcript_costs_few_elements_requests_and_layouts(show):
    speakers = ["A", "B", "C"]
    words = ["syllable"] * 11 + ["end."]
    page, _ = show(talk(*((speakers[number // 3 % 3], words) for number in range(2500))))  # 30,000 words
    assert page.evaluate("document.querySelectorAll('*').length") < 9000  # not one for each word
    requests = []
    page.on("request", lambda request: requests.append(request.url))
    line = page.locator(".paper p").nth(1200)
    line.scroll_into_view_if_needed()
    line.dblclick()
    page.keyboard.type("a")
    session = page.context.new_cdp_session(page)
    session.send("Performance.enable")

    def layouts():
        return {one["name"]: one["value"] for one in session.send("Performance.getMetrics")["metrics"]}["LayoutCount"]

    before = layouts()
    page.keyboard.type("b" * 50)
    assert layouts() - before <= 150
    assert [url for url in requests if "/edits" in url] == []  # a letter asks nothing of the server


def test_a_thousand_places_are_replaced_at_once_and_undone_at_once(show):
    page, read = show(talk(*(("A" if number % 2 else "B", ["old", "words", "here"]) for number in range(1000))))
    before = read()
    page.keyboard.press("Control+f")
    page.get_by_label("Find", exact=True).fill("old")
    page.get_by_label("Replace by").fill("new")
    page.get_by_role("button", name="Replace all").click()
    page.wait_for_timeout(50)
    page.locator(".saved", has_text="Saved").wait_for(timeout=60_000)
    assert set(texts(read())) == {"new words here"}
    page.get_by_role("button", name="Undo").click()
    page.wait_for_timeout(50)
    page.locator(".saved", has_text="Saved").wait_for(timeout=60_000)
    assert read() == before


def test_all_is_done_with_keys_alone(show):
    page, read = show(talk(("A", ["one", "two"]), ("B", ["three"]), ("A", ["four", "five"])))

    def press(*keys):
        for key in keys:
            page.keyboard.press(key)

    def focused():
        return page.evaluate("document.activeElement.textContent || document.activeElement.value")

    for _ in range(20):
        press("Tab")
        if page.evaluate("document.activeElement.matches('.paper p')"):
            break
    assert focused() == "one two"
    press("ArrowDown", "ArrowDown", "Enter", "End")
    page.keyboard.type(" six")
    press("Escape")  # written
    press("2")  # given to B
    press("ArrowUp", "s")  # a dialog, which holds the focus and gives it back
    for _ in range(20):
        press("Tab")
        assert page.evaluate(
            "document.activeElement.closest('dialog') !== null || document.activeElement === document.body"
        )
    page.get_by_label("Somebody new").focus()
    page.keyboard.type("C")
    press("Enter")
    page.locator(".saved", has_text="Saved").wait_for()
    page.locator(".name", has_text="C").wait_for()
    assert [(s["speaker"], s["text"]) for s in read()["segments"]] == [
        ("A", "one two"),
        ("C", "three"),
        ("B", "four five six"),
    ]
    assert focused() == "three"
    press("Home", "m")  # joined with the next, whose words the first speaker gets
    page.wait_for_timeout(100)
    page.locator(".saved", has_text="Saved").wait_for()
    assert read()["segments"][0]["text"] == "one two three"
    press("Control+z", "Control+z")
    page.wait_for_timeout(100)
    page.locator(".saved", has_text="Saved").wait_for()
    assert read()["segments"][1]["speaker"] == "B"
    press("?")
    page.get_by_role("heading", name="Keys").wait_for()
    press("Escape")
    page.locator("dialog").wait_for(state="detached")
