"""Nothing that was written on the page is lost when its server is killed: it is sent once there is one again."""

import os
import signal
import socket
import subprocess
import sys
import time

import httpx
import pytest

from diarist.weights.fetch import ensure

pytestmark = [pytest.mark.models, pytest.mark.slow]


class Running:
    """A server in a process of its own, which can be killed and started again at the same address."""

    def __init__(self, state):
        self.state = state
        with socket.socket() as found:
            found.bind(("127.0.0.1", 0))
            self.port = found.getsockname()[1]
        self.client = httpx.Client(base_url=f"http://127.0.0.1:{self.port}", timeout=60)
        self.process = None

    def start(self):
        self.process = subprocess.Popen(
            [
                *(sys.executable, "-m", "diarist", "serve", "--port", str(self.port), "--state", self.state),
                *("--model", "whisper-base", "--diarizer", "embedded"),
            ],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        for _ in range(1200):
            try:
                if self.client.get("/health").status_code == 200:
                    return
            except httpx.TransportError:
                assert self.process.poll() is None
            time.sleep(0.1)
        pytest.fail("the server did not start")

    def kill(self):
        os.kill(self.process.pid, signal.SIGKILL)
        self.process.wait()


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    running = Running(tmp_path_factory.mktemp("killed"))
    running.start()
    yield running
    running.kill()
    running.client.close()


@pytest.fixture(scope="module")
def job(server):
    with (ensure("sample-telephone") / "sample.wav").open("rb") as call:
        job = server.client.post("/v1/jobs", files={"file": call}, data={"model": "diarist"}).json()["id"]
    while server.client.get(f"/v1/jobs/{job}").json()["status"] != "completed":
        time.sleep(0.2)
    return job


@pytest.fixture
def page(chromium, server, job):
    with chromium.new_context(base_url=f"http://127.0.0.1:{server.port}") as context:
        page = context.new_page()
        page.goto(f"/#/{job}")
        page.locator(".paper p").first.wait_for()
        yield page


def texts(server, job):
    return [s["text"] for s in server.client.get(f"/v1/jobs/{job}/transcript").json()["segments"]]


def write(page, text, word, new):
    """Click twice on a word and write another; the line is not left."""
    page.locator(".paper p", has_text=text).evaluate(
        """(line, word) => {
          const at = line.textContent.indexOf(word), range = document.createRange();
          line.scrollIntoView({block: 'center', behavior: 'instant'});
          range.setStart(line.firstChild, at);
          range.setEnd(line.firstChild, at + word.length);
          const box = range.getBoundingClientRect();
          const place = {clientX: box.x + box.width / 2, clientY: box.y + box.height / 2};
          line.dispatchEvent(new MouseEvent('dblclick', {bubbles: true, ...place}));
        }""",
        word,
    )
    page.keyboard.type(new)


def says(page, state, seconds=30):
    page.locator(".saved", has_text=state).wait_for(timeout=seconds * 1000)


def test_killed_in_the_middle_of_a_word(server, page, job):
    write(page, "I'm in New Jersey now", "Jersey", "York")
    page.wait_for_timeout(300)  # as one stops to think
    server.kill()
    page.close()
    server.start()
    again = page.context.new_page()
    again.goto(f"/#/{job}")
    again.locator(".paper p", has_text="I'm in New York now though.").wait_for()
    says(again, "Saved")
    assert "I'm in New York now though." in texts(server, job)


def test_edits_made_while_there_is_no_server_are_kept_over_a_reload_and_sent_later(server, page, job):
    server.kill()
    write(page, "didn't know", "know", "think")
    page.keyboard.press("Escape")
    page.get_by_label("Name of SPEAKER_00").fill("Sheila")
    page.keyboard.press("Enter")
    says(page, "Not connected")
    page.locator(".paper p", has_text="didn't think").wait_for()
    page.close()
    server.start()
    again = page.context.new_page()
    again.goto(f"/#/{job}")
    again.locator(".name", has_text="Sheila").first.wait_for()
    says(again, "Saved")
    document = server.client.get(f"/v1/jobs/{job}/transcript").json()
    assert "I didn't think you were there." in [s["text"] for s in document["segments"]]
    assert "Sheila" in document["speakers"]


def test_edits_are_sent_by_themselves_once_the_server_is_there_again(server, page, job):
    server.kill()
    write(page, "they all call me", "Yankee", "Texan")
    page.keyboard.press("Escape")
    says(page, "Not connected")
    server.start()
    says(page, "Saved", 60)
    assert any("call me a Texan" in text for text in texts(server, job))


def test_an_edit_whose_answer_was_lost_is_not_made_twice(server, page, job):
    """The server has it, and is killed before the page learns so."""

    def deliver(route):
        route.fetch()
        route.abort()

    page.route("**/edits", deliver, times=1)
    write(page, "from Chicago also", "also", "also too")
    page.keyboard.press("Escape")
    says(page, "Saved")
    assert sum("also too" in text for text in texts(server, job)) == 1
    assert not any("too too" in text for text in texts(server, job))
    assert page.locator("dialog").count() == 0
