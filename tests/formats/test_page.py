"""The page plays, follows, names speakers and runs nothing of others, in a real browser where there is one."""

import json
import re
import wave
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from diarist.cli.outputs import write_all
from diarist.formats import render
from diarist.model import codec
from diarist.model.transcript import Segment, Transcript, Word

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
    assert tags.found.count("script") == 2  # the transcript's data, and the page's own script
    assert "img" not in tags.found
    assert tags.text.count(EVIL) >= 3


def test_the_policy_allows_only_the_pages_own_script():
    page = render(talk(), "html")
    assert re.search(r"default-src 'none';.* script-src 'sha256-[A-Za-z0-9+/=]{44}'\"", page)


def test_the_page_loads_nothing_remote():
    page = render(talk(), "html")
    assert "media-src 'self' file: blob:;" in page
    assert not re.search(r"https?://", page)


def luminance(colour):
    if len(colour) == 4:
        colour = "#" + "".join(2 * digit for digit in colour[1:])
    channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("scheme", [0, 1], ids=["light", "dark"])
def test_every_colour_of_text_has_the_contrast_that_wcag_asks_for(scheme):
    style = re.search(r"<style>(.*?)</style>", render(talk(), "html"), re.DOTALL)[1]
    variables = dict(re.findall(r"--([a-z0-9]+):(#[0-9a-f]+)", style.split("@media")[scheme]))
    paper = luminance(variables.pop("paper"))
    assert {"ink", "quiet", *(f"s{number}" for number in range(8))} <= set(variables)
    for name, colour in variables.items():
        light, dark = sorted((paper, luminance(colour)), reverse=True)
        assert (light + 0.05) / (dark + 0.05) >= 4.5, name


def test_marks_are_explained_and_are_not_by_colour_alone():
    segment = talk("word", "A").segments[0]
    words = tuple(replace(word, overlap=True, confidence=0.1) for word in segment.words)
    page = render(replace(talk("word", "A"), segments=(replace(segment, words=words),)), "html")
    assert 'title="several talk at once; the model was unsure of this word"' in page
    assert page.count("several talk at once") > len(words)  # the legend, besides the marked words
    assert "underline double" in page
    assert "dotted" in page


def eventually(page, expression):
    # Playwright's own waiting needs eval, which the page's policy forbids.
    for _ in range(100):
        if page.evaluate(expression):
            return
        page.wait_for_timeout(50)
    pytest.fail(f"never true: {expression}")


def tone(path, seconds=4):
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, 16000, 0, "NONE", ""))
        file.writeframes(bytes(seconds * 32000))


def film(path):
    """Four seconds of a grey picture."""
    import av
    import numpy as np

    with av.open(str(path), "w") as container:
        stream = container.add_stream("libvpx", rate=5)
        stream.width, stream.height, stream.pix_fmt = 160, 120, "yuv420p"
        for _ in range(20):
            frame = av.VideoFrame.from_ndarray(np.full((120, 160, 3), 128, np.uint8), format="rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode())


@pytest.fixture
def page(chromium):
    """An empty page; the test fails if a script on it does, or asks for anything that is not on this machine."""
    page = chromium.new_page()
    problems = []
    page.on("pageerror", lambda problem: problems.append(problem))
    page.on("dialog", lambda problem: problems.append(problem))
    page.on("request", lambda request: request.url.startswith(("file:", "blob:")) or problems.append(request.url))
    yield page
    assert problems == []
    page.close()


def test_the_page_plays_the_recording_beside_it_and_lights_the_word(tmp_path, page):
    (tmp_path / "my talk.html").write_text(render(talk(), "html", name="my talk"))
    tone(tmp_path / "my talk.wav")
    page.goto((tmp_path / "my talk.html").as_uri())
    eventually(page, "document.querySelector('video').duration > 3.9")
    page.get_by_text("w2").click()
    eventually(page, "document.querySelector('.now')?.textContent === 'w2'")
    assert page.evaluate("document.querySelector('video').currentTime") >= 2
    page.keyboard.press("ArrowLeft")
    eventually(page, "document.querySelector('video').currentTime < 1")
    assert page.title() == "my talk"


@pytest.mark.parametrize("name", ["talk.wav", "Übung 100% #1?.wav", "a:b [x].WAV"])
def test_the_page_finds_the_recording_where_it_is(name, tmp_path, page):
    (tmp_path / "in").mkdir()
    (tmp_path / "out").mkdir()
    tone(tmp_path / "in" / name)
    write_all(talk(), "talk", {"html": tmp_path / "out" / "talk.html"}, recording=str(tmp_path / "in" / name))
    page.goto((tmp_path / "out" / "talk.html").as_uri())
    eventually(page, "document.querySelector('video').duration > 3.9")
    assert not page.locator("#missing").is_visible()


def test_a_recording_that_is_not_found_is_said_and_can_be_chosen(tmp_path, page):
    (tmp_path / "talk.html").write_text(render(talk(), "html", name="talk"))
    tone(tmp_path / "elsewhere.wav")
    page.goto((tmp_path / "talk.html").as_uri())
    eventually(page, "!document.querySelector('#missing').hidden")
    page.set_input_files("input[type=file]", tmp_path / "elsewhere.wav")
    eventually(page, "document.querySelector('video').duration > 3.9")
    assert not page.locator("#missing").is_visible()


def test_a_video_is_seen(tmp_path, page):
    film(tmp_path / "talk.webm")
    (tmp_path / "talk.html").write_text(render(talk(), "html", name="talk"))
    page.goto((tmp_path / "talk.html").as_uri())
    eventually(page, "document.querySelector('video').videoHeight === 120")
    eventually(page, "document.querySelector('video').getBoundingClientRect().height > 100")


def test_every_paragraph_is_reached_with_tab_and_played_with_enter(tmp_path, page):
    one = talk("one", "A").segments[0]
    later = replace(one, start=2, speaker="B", words=one.words[2:])
    (tmp_path / "talk.html").write_text(render(replace(talk("one", "A"), segments=(one, later)), "html", name="talk"))
    tone(tmp_path / "talk.wav")
    page.goto((tmp_path / "talk.html").as_uri())
    eventually(page, "document.querySelector('video').duration > 3.9")
    page.locator("main button").first.focus()
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.getAttribute('aria-label')") == "Play from 0:00:02"
    page.keyboard.press("Enter")
    eventually(page, "document.querySelector('video').currentTime >= 2")


def test_renamed_speakers_are_in_the_downloaded_page_and_json(tmp_path, page):
    transcript = talk("hello", "SPEAKER_00")
    (tmp_path / "talk.html").write_text(render(transcript, "html", name="talk"))
    page.goto((tmp_path / "talk.html").as_uri())
    page.get_by_text("Name the speakers").click()
    page.get_by_label("SPEAKER_00").fill(EVIL)
    assert page.locator("main b").all_text_contents() == [EVIL]
    for button, file in (("Download JSON", "talk.json"), ("Download this page", "talk.html")):
        with page.expect_download() as waiting:
            page.get_by_text(button).click()
        assert waiting.value.suggested_filename == file
        waiting.value.save_as(tmp_path / "saved" / file)
    saved = codec.load(Transcript, json.loads((tmp_path / "saved" / "talk.json").read_text()))
    assert saved.speakers == (EVIL,)
    assert {word.speaker for word in saved.segments[0].words} == {saved.segments[0].speaker} == {EVIL}
    assert saved.segments[0].text == transcript.segments[0].text
    page.goto((tmp_path / "saved" / "talk.html").as_uri())
    assert page.locator("main b").all_text_contents() == [EVIL]
    page.get_by_text("Name the speakers").click()
    page.get_by_label("SPEAKER_00").fill("Anna")  # and can be renamed again
    assert page.locator("main b").all_text_contents() == ["Anna"]


@pytest.mark.parametrize("language", ["de", None])
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1440])
def test_axe_finds_nothing(width, scheme, language, tmp_path, chromium):
    """On a telephone and on a desk: all that unfolds, a word that plays, a recording that is missing, focus."""
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe-playwright-python is not installed")
    people = tuple(f"Person {letter}" for letter in "ABCDEFGHI")  # of one letter, axe cannot tell the contrast
    one = talk("one", "A").segments[0]
    words = tuple(replace(word, overlap=True, confidence=0.1) for word in one.words)
    segments = tuple(replace(one, speaker=person, words=words) for person in people)
    spoken = replace(talk("one", "A"), speakers=people, segments=segments, language=language)
    (tmp_path / "talk.html").write_text(render(spoken, "html", name="talk"))
    tone(tmp_path / "elsewhere.wav")
    # Axe is a script from outside, which the page's policy rightly refuses.
    viewport = {"width": width, "height": 844}
    with chromium.new_context(color_scheme=scheme, bypass_csp=True, viewport=viewport) as context:
        page = context.new_page()
        page.goto((tmp_path / "talk.html").as_uri())
        for closed in page.locator("summary").all():
            closed.click()
        eventually(page, "!document.querySelector('#missing').hidden")
        found = axe.Axe().run(page)
        assert found.violations_count == 0, found.generate_report()
        page.set_input_files("input[type=file]", tmp_path / "elsewhere.wav")
        eventually(page, "document.querySelector('video').duration > 3.9")
        page.evaluate("document.querySelector('video').currentTime = 1.5")
        eventually(page, "document.querySelector('.now') !== null")
        page.locator("main .w").nth(6).hover()
        page.locator("main button").nth(1).focus()
        found = axe.Axe().run(page)
        assert found.violations_count == 0, found.generate_report()
        assert page.evaluate("document.documentElement.scrollWidth") <= width
