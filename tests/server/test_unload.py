"""Engines give their memory back when there is no work, and load again at the next job."""

import time
import weakref

import httpx
import pytest

from diarist.server.app import Server, Settings

from .conftest import Scripted

PLAIN = "/v1/audio/transcriptions"


def until(condition, seconds=60):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it never happened"
        time.sleep(0.01)


@pytest.fixture
def opened():
    """The pipelines that were made; those that somebody still holds are in it."""
    return []


@pytest.fixture
def begin(serve, tmp_path, opened):
    clients = []

    def begin(unload_after):
        def make(progress):
            pipeline = Scripted()
            opened.append(weakref.ref(pipeline))
            return pipeline

        server = Server(Settings(state=tmp_path / "state", unload_after=unload_after), make)
        client = httpx.Client(base_url=f"http://127.0.0.1:{serve(server.app)}", timeout=60)
        clients.append(client)
        until(lambda: client.get("/health").status_code == 200)
        return client, server.house.desk.workshop.engines

    yield begin
    for client in clients:
        client.close()


def test_after_a_while_without_work_they_are_gone_and_the_next_job_loads_them_again(begin, opened, wav):
    client, engines = begin(0.2)
    until(lambda: not engines.loaded)
    assert opened[0]() is None, "nobody holds them"
    for seconds in (2.0, 3.0):
        answer = client.post(PLAIN, files={"file": wav(seconds)}, data={"model": "diarist"})
        assert answer.json()["text"] == "Hello there. Good morning."
        until(lambda: not engines.loaded)
    assert client.get("/health").status_code == 200
    assert client.get("/v1/models").json()["data"]


def test_they_stay_while_there_is_work(begin, opened, wav):
    client, engines = begin(0.05)
    until(lambda: not engines.loaded)
    job = client.post("/v1/jobs", files={"file": wav()}).json()["id"]
    until(lambda: client.get(f"/v1/jobs/{job}").json()["status"] == "completed")
    assert len(opened) == 2


def test_unless_asked_to_they_stay(begin, opened, wav):
    client, engines = begin(None)
    client.post(PLAIN, files={"file": wav()}, data={"model": "diarist"})
    assert engines.loaded
    assert len(opened) == 1
