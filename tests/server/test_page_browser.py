"""The page in a real browser, before the real server, with the embedded models on real speech."""

import json
from contextlib import contextmanager

import pytest

from diarist.engines import load
from diarist.weights.fetch import ensure

pytestmark = [pytest.mark.models, pytest.mark.slow, pytest.mark.heavy]

SAID = "I'm originally from Chicago also."


@pytest.fixture(scope="module")
def server(start_module):
    return start_module(load("whisper-base", "embedded"))


@pytest.fixture(scope="module")
def call():
    """A telephone call between two people, 30 s."""
    return ensure("sample-telephone") / "sample.wav"


@contextmanager
def opened(chromium, server, **settings):
    """A page at the server; fails if a script on it does, its policy is broken, or it asks another host."""
    problems = []
    settings = {"viewport": {"width": 1440, "height": 900}, **settings}
    with chromium.new_context(base_url=str(server.base_url), **settings) as context:
        context.add_init_script(
            "addEventListener('securitypolicyviolation', event => console.error('policy ' + event.violatedDirective))"
        )
        page = context.new_page()
        page.problems = problems
        host = f"{server.base_url.host}:{server.base_url.port}"

        note = problems.append

        def watch(page):
            page.on("pageerror", lambda error: note(str(error)))
            page.on("dialog", lambda dialog: note(dialog.message))
            page.on("console", lambda said: said.type == "error" and "status of" not in said.text and note(said.text))
            page.on("request", lambda asked: asked.url.startswith((f"http://{host}/", "blob:")) or note(asked.url))

        watch(page)
        context.on("page", watch)
        yield page
        assert problems == []


@pytest.fixture
def page(chromium, server):
    with opened(chromium, server) as page:
        yield page


@pytest.fixture(scope="module")
def transcribed(chromium, server, call):
    """The id of the call's job, which was given to the page."""
    with opened(chromium, server) as page:
        page.goto("/")
        page.set_input_files("#files", {"name": "talk.wav", "mimeType": "audio/wav", "buffer": call.read_bytes()})
        page.locator(".jobs a", has_text="talk.wav").click()
        page.locator(".paper p").first.wait_for(timeout=120_000)
        return page.url.rpartition("/")[2]


def transcript(server, job):
    answer = server.get(f"/v1/jobs/{job}/transcript")
    return answer.json(), answer.headers["etag"]


@pytest.fixture
def job(server, transcribed):
    """The call's job, without corrections."""
    _, etag = transcript(server, transcribed)
    answer = server.post(f"/v1/jobs/{transcribed}/speakers", json={"num_speakers": 2}, headers={"if-match": etag})
    assert answer.status_code == 200
    return transcribed


@pytest.fixture
def talk(page, job):
    """The call's transcript on the page."""
    page.goto(f"/#/{job}")
    page.locator(".paper p").first.wait_for()
    return page


def eventually(page, expression, *arguments):
    # Playwright's own waiting needs eval, which the page's policy forbids.
    for _ in range(1200):
        if page.evaluate(expression, *arguments):
            return
        page.wait_for_timeout(50)
    pytest.fail(f"never true: {expression}")


def saved(page):
    """Wait until the server has all corrections."""
    page.wait_for_timeout(50)
    eventually(page, "document.querySelector('.saved').textContent === 'Saved'")


def texts(server, job):
    return [segment["text"] for segment in transcript(server, job)[0]["segments"]]


def line(page, text):
    return page.locator(".paper p", has_text=text)


def lit(page, kind="now"):
    """The texts that are marked."""
    return page.evaluate(
        """kind => [...CSS.highlights.get(kind)]
          .map(one => one.startContainer.data.slice(one.startOffset, one.endOffset))""",
        kind,
    )


def click_word(page, text, word, **options):
    box = page.evaluate(
        """([text, word]) => {
          const line = [...document.querySelectorAll('.paper p')].find(one => one.textContent.includes(text));
          line.scrollIntoView({block: 'center', behavior: 'instant'});
          const range = document.createRange(), at = line.textContent.indexOf(word);
          range.setStart(line.firstChild, at);
          range.setEnd(line.firstChild, at + word.length);
          const box = range.getBoundingClientRect();
          return [box.x + box.width / 2, box.y + box.height / 2];
        }""",
        [text, word],
    )
    page.mouse.click(*box, **options)


def word_time(server, job, word):
    segments = transcript(server, job)[0]["segments"]
    return next(w["start"] for segment in segments for w in segment["words"] if w["text"] == word)


def time_of(page):
    return page.evaluate("Number(document.querySelector('.position').value)")


class TestStart:
    def test_many_files_are_taken_and_what_is_none_says_why(self, page, call, tmp_path):
        (tmp_path / "notes.wav").write_bytes(b"no sound " * 100)
        page.goto("/")
        page.set_input_files("#files", [tmp_path / "notes.wav", call])
        page.get_by_text("Dismiss").wait_for()
        assert "notes.wav" in page.locator(".jobs li", has=page.get_by_text("Dismiss")).inner_text()
        row = page.locator(".jobs li", has_text="sample.wav")
        row.get_by_text("Ready").wait_for(timeout=120_000)
        row.get_by_role("button", name="Delete").click()
        page.get_by_role("button", name="Yes").click()
        row.wait_for(state="detached")

    def test_dropped_files_are_taken(self, page, call):
        page.goto("/")
        page.locator("h2", has_text="Recordings").wait_for()
        page.evaluate(
            """() => {
              const data = new DataTransfer();
              data.items.add(new File(['nothing'], 'dropped.mp3', {type: 'audio/mpeg'}));
              const drop = new DragEvent('drop', {dataTransfer: data, bubbles: true, cancelable: true});
              document.querySelector('.drop').dispatchEvent(drop);
            }"""
        )
        page.locator(".jobs .state", has_text="dropped.mp3 is not audio or video").wait_for()

    def test_transcripts_are_found_by_their_words(self, page, job):
        page.goto("/")
        page.get_by_label("Search in all transcripts").fill("yankee")
        page.locator(".hits a").click()
        page.locator(".paper p").first.wait_for()
        eventually(page, "CSS.highlights.get('here').size === 1")
        assert lit(page, "here") == ["Yankee"]
        assert time_of(page) > 20

    def test_options_go_with_the_recording(self, page, call, server):
        page.goto("/")
        page.get_by_text("Language, people, words to expect").click()
        page.get_by_label("Language").select_option("de")
        page.get_by_label("How many people talk?").fill("2")
        page.get_by_label("Names and words to expect").fill("Sheila, New Jersey")
        page.evaluate(
            """() => {
              const {send} = XMLHttpRequest.prototype;
              XMLHttpRequest.prototype.send = function (form) {
                window.sent = [...form].map(([name, value]) => [name, value.name ?? value]);
                send.call(this, form);
              };
            }"""
        )
        with page.expect_request(lambda request: request.method == "POST") as sent:
            page.set_input_files("#files", call)
        assert "idempotency-key" in sent.value.headers
        answer = sent.value.response()
        assert answer.status == 202
        fields = [("language", "de"), ("num_speakers", "2"), ("hotwords[]", "Sheila"), ("hotwords[]", "New Jersey")]
        assert set(fields) < {tuple(field) for field in page.evaluate("sent")}
        server.delete(f"/v1/jobs/{answer.json()['id']}")


class TestHearing:
    def test_a_click_on_a_word_plays_it_and_the_text_follows(self, talk, server, job):
        click_word(talk, "originally from Chicago also", "Chicago")
        eventually(talk, "CSS.highlights.get('now').size === 1")
        assert time_of(talk) >= word_time(server, job, "Chicago") - 0.2
        first = lit(talk)
        for _ in range(100):
            talk.wait_for_timeout(100)
            if lit(talk) != first:
                break
        assert lit(talk) != first

    def test_keys_play_jump_and_change_speed(self, talk):
        talk.locator(".paper p").first.focus()
        talk.keyboard.press("ArrowRight")
        eventually(talk, "Number(document.querySelector('.position').value) >= 5")
        talk.keyboard.press("Space")
        talk.get_by_role("button", name="Pause", exact=True).wait_for()
        talk.keyboard.press("Space")
        talk.get_by_role("button", name="Play", exact=True).wait_for()
        talk.keyboard.press(">")
        eventually(talk, "document.querySelector('[aria-label=Speed]').value === '1.1'")

    def test_one_person_alone_is_played(self, talk, server, job):
        talk.get_by_role("button", name="Play only SPEAKER_00").click()
        talk.keyboard.press("Escape")
        document, _ = transcript(server, job)
        own = [(turn["start"], turn["end"]) for turn in document["turns"] if turn["speaker"] == "SPEAKER_00"]
        talk.get_by_role("button", name="Play", exact=True).click()
        # From the silence at the beginning to where this person begins.
        eventually(talk, f"Number(document.querySelector('.position').value) >= {own[0][0] - 0.1}")

    def test_a_paragraph_is_repeated(self, talk):
        line(talk, "didn't know you were there").focus()
        talk.keyboard.press("l")
        talk.get_by_role("button", name="Stop repeating").click()
        talk.get_by_role("button", name="Stop repeating").wait_for(state="hidden")

    def test_doubtful_words_are_marked_and_reached_by_a_key(self, talk, server, job):
        document, _ = transcript(server, job)
        words = [word for segment in document["segments"] for word in segment["words"]]
        doubtful = [word["text"] for word in words if word["confidence"] < 0.5]
        assert sorted(lit(talk, "doubt")) == sorted(doubtful)
        talk.locator(".paper p").first.focus()
        talk.keyboard.press("d")
        assert talk.evaluate("getSelection().toString()") == doubtful[0]
        assert doubtful[0] in talk.locator("#said").inner_text()

    def test_the_waveform_is_drawn(self, talk):
        eventually(
            talk,
            """(() => {
              const canvas = document.querySelector('.wave');
              const data = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data;
              const colours = new Set();
              for (let at = 0; at < data.length; at += 4) {
                if (data[at + 3] > 250) colours.add(data.slice(at, at + 3).join());
              }
              return colours.size >= 4;
            })()""",
        )


class TestCorrecting:
    def test_a_word_is_written_anew_and_the_others_keep_their_times(self, talk, server, job):
        before, _ = transcript(server, job)
        click_word(talk, "I'm in New Jersey now though", "Jersey", click_count=2)
        talk.keyboard.type("York")
        talk.keyboard.press("Escape")
        saved(talk)
        after, _ = transcript(server, job)
        old = next(s for s in before["segments"] if "New Jersey now" in s["text"])
        new = next(s for s in after["segments"] if "New York now" in s["text"])
        assert [w["start"] for w in new["words"]] == [w["start"] for w in old["words"]]
        changed = next(word for word in new["words"] if word["text"] == "York")
        assert changed["confidence"] is None
        assert new["words"][0]["confidence"] == old["words"][0]["confidence"]

    def test_undo_and_redo_go_back_and_forth_exactly(self, talk, server, job):
        before, _ = transcript(server, job)
        click_word(talk, "I'm in New Jersey now though", "now", click_count=2)
        talk.keyboard.type("today")
        talk.keyboard.press("Escape")
        line(talk, "didn't know").focus()
        talk.keyboard.press("1")
        saved(talk)
        changed, _ = transcript(server, job)
        assert changed != before
        talk.keyboard.press("Control+z")
        talk.keyboard.press("Control+z")
        saved(talk)
        assert transcript(server, job)[0] == before
        talk.keyboard.press("Control+Shift+z")
        talk.keyboard.press("Control+y")
        saved(talk)
        assert transcript(server, job)[0] == changed
        talk.reload()
        talk.locator(".paper p").first.wait_for()
        talk.get_by_role("button", name="Undo").click()
        talk.get_by_role("button", name="Undo").click()
        eventually(talk, "document.querySelector('.paper').textContent.includes('Jersey now')")
        saved(talk)
        assert transcript(server, job)[0] == before

    def test_a_paragraph_is_cut_and_joined_again(self, talk, server, job):
        before = texts(server, job)
        click_word(talk, "I'm in New Jersey now though", "Jersey", click_count=2)
        talk.keyboard.press("ArrowLeft")
        talk.keyboard.press("Enter")
        saved(talk)
        assert {"I'm in New", "Jersey now though."} <= set(texts(server, job))
        talk.keyboard.press("Backspace")
        saved(talk)
        assert texts(server, job) == before

    def test_a_selection_is_given_to_somebody_new(self, talk, server, job):
        talk.evaluate(
            """() => {
              const line = [...document.querySelectorAll('.paper p')].find(one => one.textContent.includes('Diane'));
              line.focus();
              const at = line.textContent.indexOf('Diane');
              getSelection().setBaseAndExtent(line.firstChild, at, line.firstChild, at + 5);
            }"""
        )
        talk.keyboard.press("s")
        talk.get_by_label("Somebody new").fill("Operator")
        talk.get_by_role("button", name="Give").click()
        saved(talk)
        document, _ = transcript(server, job)
        assert "Operator" in document["speakers"]
        assert [s["text"] for s in document["segments"] if s["speaker"] == "Operator"] == ["Diane"]

    def test_a_speaker_is_renamed_everywhere(self, talk, server, job):
        talk.get_by_label("Name of SPEAKER_00").fill("Sheila")
        talk.keyboard.press("Enter")
        saved(talk)
        assert talk.locator(".name", has_text="Sheila").count() > 2
        assert transcript(server, job)[0]["speakers"][0] == "Sheila"

    def test_speakers_that_are_one_are_merged(self, talk, server, job):
        talk.get_by_label("Name of SPEAKER_01").fill("SPEAKER_00")
        talk.keyboard.press("Enter")
        talk.get_by_role("button", name="Yes").click()
        saved(talk)
        assert transcript(server, job)[0]["speakers"] == ["SPEAKER_00"]

    def test_a_text_is_found_and_replaced_everywhere(self, talk, server, job):
        count = sum(text.count("Chicago") for text in texts(server, job))
        assert count > 1
        talk.keyboard.press("Control+f")
        talk.get_by_label("Find", exact=True).fill("chicago")
        assert len(lit(talk, "found")) == count
        talk.get_by_label("Replace by").fill("Boston")
        talk.get_by_role("button", name="Replace all").click()
        saved(talk)
        assert sum(text.count("Boston") for text in texts(server, job)) == count
        assert "Chicago" not in " ".join(texts(server, job))
        talk.keyboard.press("Escape")
        talk.locator(".paper p").first.focus()
        talk.keyboard.press("Control+z")
        saved(talk)
        assert sum(text.count("Chicago") for text in texts(server, job)) == count

    def test_another_number_of_people_is_found_at_once(self, talk, server, job):
        talk.get_by_label("How many people are there really?").fill("1")
        talk.get_by_role("button", name="Find them again").click()
        yes = talk.get_by_role("button", name="Yes")
        yes.wait_for()
        yes.click()
        eventually(talk, "document.querySelectorAll('.people li').length === 1")
        assert len(transcript(server, job)[0]["speakers"]) == 1

    def test_a_voice_is_remembered_only_with_consent_and_names_the_next_recording(self, talk, server, job, call):
        talk.get_by_role("button", name="More for SPEAKER_00").click()
        talk.get_by_label("Name", exact=True).fill("Sheila")
        talk.get_by_label("How did they agree?").fill("said so on the phone")
        talk.get_by_role("button", name="Remember").click()
        assert server.get("/v1/voices").json()["data"] == []
        talk.get_by_label("This person has agreed.").check()
        talk.get_by_role("button", name="Remember").click()
        talk.locator(".name", has_text="Sheila").first.wait_for(timeout=60_000)
        saved(talk)
        assert [voice["name"] for voice in server.get("/v1/voices").json()["data"]] == ["Sheila"]
        talk.goto("/#/")
        talk.reload()
        next_call = {"name": "next.wav", "mimeType": "audio/wav", "buffer": call.read_bytes()}
        talk.set_input_files("#files", next_call)
        talk.locator(".jobs a", has_text="next.wav").click()
        talk.locator(".name", has_text="Sheila").first.wait_for(timeout=120_000)  # named by herself
        server.delete(f"/v1/jobs/{talk.url.rpartition('/')[2]}")
        talk.goto("/#/")
        talk.get_by_text("Known voices").click()
        talk.get_by_role("button", name="Forget the voice of Sheila").click()
        talk.get_by_text("No voice is remembered.").wait_for()
        assert server.get("/v1/voices").json()["data"] == []


class TestTwoTabs:
    def test_what_one_saves_the_other_shows(self, talk, server, job):
        other = talk.context.new_page()
        other.goto(f"/#/{job}")
        other.locator(".paper p").first.wait_for()
        click_word(talk, "I'm in New Jersey now though", "now", click_count=2)
        talk.keyboard.type("today")
        talk.keyboard.press("Escape")
        saved(talk)
        line(other, "Jersey today").wait_for()

    def test_edits_of_other_words_are_both_kept(self, chromium, server, talk, job):
        with opened(chromium, server) as other:  # another browser, which hears nothing of this one
            other.goto(f"/#/{job}")
            other.locator(".paper p").first.wait_for()
            edits = (talk, "didn't know", "know", "think"), (other, "New Jersey now", "now", "today")
            for page, text, old, new in edits:
                click_word(page, text, old, click_count=2)
                page.keyboard.type(new)
                page.keyboard.press("Escape")
                saved(page)
            assert "I didn't think you were there." in texts(server, job)
            assert "I'm in New Jersey today though." in texts(server, job)
            line(other, "didn't think").wait_for()

    def test_of_two_edits_of_one_word_the_first_is_kept_and_the_second_said(self, chromium, server, talk, job):
        with opened(chromium, server) as other:
            other.goto(f"/#/{job}")
            other.locator(".paper p").first.wait_for()
            for page, new in ((talk, "today"), (other, "tonight")):
                click_word(page, "New Jersey now", "now", click_count=2)
                page.keyboard.type(new)
                page.keyboard.press("Escape")
                if page is talk:
                    saved(page)
            other.get_by_text("Some corrections do not fit any more").wait_for()
            assert "tonight" in other.locator("dialog").inner_text()
            assert "I'm in New Jersey today though." in texts(server, job)


class TestExport:
    def test_every_format_is_shown_and_saved(self, talk, tmp_path):
        talk.get_by_label("Name of SPEAKER_00").fill("Sheila")
        talk.keyboard.press("Enter")
        talk.get_by_role("button", name="Export").click()
        shown = {"txt": "Sheila", "srt": "-->", "diarist": '"Sheila"', "docx": "cannot be shown"}
        for format_name, part in shown.items():
            talk.get_by_label("Format").select_option(format_name)
            eventually(talk, "part => document.querySelector('dialog pre').textContent.includes(part)", part)
            with talk.expect_download() as waiting:
                talk.get_by_role("link", name="Save as a file").click()
            waiting.value.save_as(tmp_path / waiting.value.suggested_filename)
        assert {path.name for path in tmp_path.iterdir()} == {"talk.txt", "talk.srt", "talk.json", "talk.docx"}
        assert json.loads((tmp_path / "talk.json").read_text())["speakers"][0] == "Sheila"

    def test_text_is_copied(self, chromium, server, job):
        with opened(chromium, server, permissions=["clipboard-read", "clipboard-write"]) as page:
            page.goto(f"/#/{job}")
            page.get_by_role("button", name="Export").click()
            eventually(page, "document.querySelector('dialog pre')?.textContent.includes('Chicago')")
            page.get_by_role("button", name="Copy").click()
            eventually(page, "document.querySelector('#said').textContent === 'Copied.'")
            assert "Chicago" in page.evaluate("navigator.clipboard.readText()")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1440, 2560])
def test_axe_finds_nothing_serious_and_nothing_is_wider_than_the_window(chromium, server, job, width, scheme):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe-playwright-python is not installed")
    with chromium.new_context(
        base_url=str(server.base_url), viewport={"width": width, "height": 900}, color_scheme=scheme, bypass_csp=True
    ) as context:
        page = context.new_page()

        def look():
            found = axe.Axe().run(page)
            grave = [one for one in found.response["violations"] if one["impact"] in ("serious", "critical")]
            assert grave == [], found.generate_report()
            assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")

        page.goto("/")
        page.locator(".jobs li").first.wait_for()
        for closed in page.locator("summary").all():
            closed.click()
        look()
        page.goto(f"/#/{job}")
        page.locator(".paper p").first.wait_for()
        page.wait_for_timeout(300)
        look()
        page.keyboard.press("Control+f")
        look()
        page.keyboard.press("Escape")
        page.locator(".paper p").first.dblclick()
        look()
        page.keyboard.press("Escape")
        for button in ("Keys", "Export"):
            page.get_by_role("button", name=button, exact=True).click()
            page.locator("dialog").wait_for()
            look()
            page.keyboard.press("Escape")
        if width < 992:
            page.get_by_role("button", name="People", exact=True).click()
            look()
