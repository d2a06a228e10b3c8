"""The platform's ``webhook``, and many recordings in one job, with real workers."""

import base64
import json
import threading
import time

import httpx
import pytest
from aiohttp import web

from diarist.audio.transport import encode_flac
from diarist.runpod.emulator.emulator import emulate

from .conftest import loopback, sound


def encoded(*loudness):
    return base64.b64encode(encode_flac(sound(*loudness))).decode()


class Receiver:
    """A web server of the caller's own; answers with each status in turn, then with the last for ever."""

    def __init__(self, *statuses):
        self.statuses = list(statuses)
        self.told = []
        self.done = threading.Event()

    async def answer(self, request):
        self.told.append((request.path, await request.json()))
        status = self.statuses.pop(0) if len(self.statuses) > 1 else self.statuses[0]
        if status == 200:
            self.done.set()
        return web.Response(status=status)


@pytest.fixture
def platform(handlers):
    with emulate("single", handlers=handlers, webhook_pause=0.1) as emulator:
        headers = {"Authorization": f"Bearer {emulator.environ['RUNPOD_API_KEY']}"}
        with httpx.Client(base_url=f"{emulator.url}/emulated-single", headers=headers, timeout=30) as client:
            yield client


@pytest.mark.parametrize("statuses", [(200,), (500, 200), (302, 404, 200)])
def test_many_recordings_are_one_job_whose_end_is_told_until_the_receiver_says_200(platform, statuses):
    receiver = Receiver(*statuses)
    recordings = [{"audio": encoded(100)}, {"audio": "bm90IGF1ZGlv"}, {"audio": encoded(300), "diarize": False}]
    with loopback(receiver.answer) as url:
        body = {"input": {"recordings": recordings}, "webhook": f"{url}/done/7d41"}
        job = platform.post("/run", json=body).json()["id"]
        assert receiver.done.wait(30)
    assert len(receiver.told) == len(statuses)
    path, told = receiver.told[-1]
    assert path == "/done/7d41"
    assert told == platform.get(f"/status/{job}").json()
    assert told["status"] == "COMPLETED"
    first, second, third = told["output"]["results"]
    assert first["output"]["text"] == "SPEAKER_00: 100"
    assert second["error"]["field"] == "audio"
    assert third["output"]["text"] == "300"


def test_a_failed_job_is_told_too_and_a_receiver_that_never_says_200_is_asked_three_times(platform):
    receiver = Receiver(204)
    with loopback(receiver.answer) as url:
        platform.post("/runsync", json={"input": {"audio": 5}, "webhook": url})
        deadline = time.monotonic() + 30
        while len(receiver.told) < 3 and time.monotonic() < deadline:
            time.sleep(0.05)
    assert [told["status"] for _, told in receiver.told] == ["FAILED"] * 3
    assert json.loads(receiver.told[0][1]["error"])["field"] == "audio"


def test_a_webhook_that_is_no_url_does_no_harm(platform):
    assert platform.post("/run", json={"input": {}, "webhook": 5}).status_code == 400
    for url in ("nowhere", "http://127.0.0.1:9/", "ftp://example.org/x"):
        answer = platform.post("/runsync", json={"input": {"audio": encoded(100)}, "webhook": url}).json()
        assert answer["status"] == "COMPLETED"


def test_an_orchestrator_sends_each_of_many_recordings_to_both_legs(handlers):
    with emulate("orchestrator", handlers=handlers) as emulator:
        headers = {"Authorization": f"Bearer {emulator.environ['RUNPOD_API_KEY']}"}
        body = {"input": {"recordings": [{"audio": encoded(number)} for number in (100, 200, 300)]}}
        answer = httpx.post(f"{emulator.url}/emulated-orchestrator/runsync", json=body, headers=headers, timeout=60)
    texts = [result["output"]["text"] for result in answer.json()["output"]["results"]]
    assert texts == ["SPEAKER_00: 100", "SPEAKER_00: 200", "SPEAKER_00: 300"]
