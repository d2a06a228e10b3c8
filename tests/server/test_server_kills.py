"""The server's process is killed at any moment: what was accepted is done, once, and nothing is left lying about."""

import contextlib
import random
import sqlite3
import time
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from .real import ended, real_server, recording, submit

pytestmark = [pytest.mark.slow, pytest.mark.heavy]


@pytest.fixture
def server(tmp_path):
    with real_server(tmp_path) as server:
        yield server


@pytest.mark.timeout(900)  # twenty starts, on whatever machine this is
@pytest.mark.heavy
def test_twenty_kills_under_load_lose_no_job_and_end_none_twice(server):
    chance, accepted = random.Random(7), {}
    hook = {"webhook_url": "https://hooks.example/end", "webhook_secret": "whsec_" + "a" * 40, "diarize": "true"}

    def send(client, samples):
        try:
            accepted[submit(client, samples, **hook)] = samples
        except httpx.HTTPError:
            return  # it was not accepted, so whoever sent it knows

    for number in range(20):
        client = server.start()
        with ThreadPoolExecutor(6) as pool:
            before, enough = len(accepted), chance.randint(1, 8)
            sent = [pool.submit(send, client, 16_000 + number * 100 + each) for each in range(10)]
            while len(accepted) < before + enough and not all(each.done() for each in sent):
                time.sleep(0.005)
            server.kill()
        for each in sent:
            each.result()
    assert len(accepted) >= 20
    client = server.start()
    jobs = {job: ended(client, job) for job in accepted}
    for job, samples in accepted.items():
        if jobs[job]["status"] == "completed":
            assert f"said-in-{samples}" in client.get(f"/v1/jobs/{job}/result?format=text").text
    server.kill()
    unlucky = [job for job in jobs.values() if job["status"] != "completed"]
    assert all(job["error"]["code"] == "crashed" and job["attempts"] == 3 for job in unlucky)
    assert len(unlucky) <= len(jobs) // 10
    with sqlite3.connect(server.state / "jobs.db") as db:
        ends = dict(
            db.execute("SELECT jobs.id, count(webhooks.id) FROM jobs LEFT JOIN webhooks ON job = seq GROUP BY 1")
        )
        files = {name for (name,) in db.execute("SELECT audio FROM jobs WHERE audio IS NOT NULL")}
    db.close()
    assert set(accepted) <= set(ends)
    assert set(ends.values()) == {1}, "one end each"
    assert {path.name for path in (server.state / "audio").iterdir()} == files


def test_a_recording_that_always_ends_its_server_is_given_up_and_takes_no_other_along(server):
    (server.script / "die-words-16007").write_text("always")
    client = server.start()
    (server.script / "wait").touch()
    others = [submit(client, 16_000 + number) for number in range(3)]  # all of them are open when it dies
    with contextlib.suppress(httpx.HTTPError):  # it may die before it has answered
        submit(client, 16_007)
    assert server.process.wait(60) == -9
    (server.script / "wait").unlink()
    for _ in range(2):
        server.start()
        assert server.process.wait(60) == -9
    client = server.start()
    (poison,) = (job["id"] for job in client.get("/v1/jobs").json()["data"] if job["name"] == "16007.wav")
    given_up = ended(client, poison)
    assert (given_up["status"], given_up["error"]["code"], given_up["attempts"]) == ("failed", "crashed", 3)
    assert [ended(client, job)["status"] for job in others] == ["completed"] * 3
    assert ended(client, submit(client, 16_020))["status"] == "completed"


def test_between_the_recording_and_its_row_nothing_was_accepted_and_nothing_stays(server):
    client = server.start()
    kept = submit(client, 16_000)
    ended(client, kept)
    (server.script / "die-before-row").touch()
    with pytest.raises(httpx.HTTPError):
        client.post("/v1/jobs", files={"file": recording(16_001)})
    assert server.process.wait(60) == -9
    assert len(list((server.state / "audio").iterdir())) == 2
    client = server.start()
    assert len(list((server.state / "audio").iterdir())) == 1
    assert [job["id"] for job in client.get("/v1/jobs").json()["data"]] == [kept]


def test_words_are_not_found_again_where_the_server_dies_while_speakers_are(server):
    (server.script / "die-speakers-16003").touch()
    client = server.start()
    job = submit(client, 16_003, diarize="true")
    assert server.process.wait(60) == -9
    client = server.start()
    assert ended(client, job)["status"] == "completed"
    assert client.get(f"/v1/jobs/{job}/result?format=json").status_code == 200
    assert server.begun("words").count(16_003) == 1
    assert server.begun("speakers").count(16_003) == 2
