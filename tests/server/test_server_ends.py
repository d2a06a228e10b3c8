"""What the server's process leaves: when it is told to end, when the disk is full, and when a job is deleted."""

import json
import resource
import signal
import sqlite3
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from .real import ended, real_server, recording, submit

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600), pytest.mark.heavy]

PLAIN = "/v1/audio/transcriptions"


@pytest.fixture
def server(tmp_path):
    with real_server(tmp_path) as server:
        yield server


def until(condition):
    while not condition():
        time.sleep(0.02)


def test_told_to_end_it_answers_those_who_wait_and_hands_back_what_is_under_way(server):
    client = server.start()
    (server.script / "wait").touch()
    with ThreadPoolExecutor(16) as pool:
        plain = [
            pool.submit(client.post, PLAIN, files={"file": recording(17_000 + n)}, data={"model": "whisper-1"})
            for n in range(8)
        ]
        streamed = pool.submit(
            client.post, PLAIN, files={"file": recording(17_100)}, data={"model": "whisper-1", "stream": "true"}
        )
        jobs = [submit(client, 16_000 + n) for n in range(6)]
        watched = pool.submit(client.get, f"/v1/jobs/{jobs[0]}/events")
        until(lambda: client.get("/health").json()["running"] == 4 and client.get("/health").json()["queued"] == 11)
        server.stop()
        answers = [each.result() for each in plain]
        assert [answer.status_code for answer in answers] == [503] * 8
        assert {answer.json()["error"]["code"] for answer in answers} == {"stopping"}
        assert all(1 <= int(answer.headers["retry-after"]) <= 30 for answer in answers)
        assert "event: error" in streamed.result().text
        assert "stopping" in streamed.result().text
        assert '"status": "queued"' in watched.result().text
    with sqlite3.connect(server.state / "jobs.db") as db:
        states = db.execute("SELECT DISTINCT state, attempts FROM jobs").fetchall()
    db.close()
    assert states == [("queued", 0)]
    (server.script / "wait").unlink()
    client = server.start()
    done = [ended(client, job) for job in jobs]
    assert {(job["status"], job["attempts"]) for job in done} == {("completed", 1)}
    # Whoever comes again as it was told to gets the work of the first try.
    answer = client.post(PLAIN, files={"file": recording(17_000)}, data={"model": "whisper-1"})
    assert answer.json()["text"] == "said-in-17000"
    server.process.send_signal(signal.SIGINT)
    assert server.process.wait(60) == 0


def test_a_disk_that_takes_no_more_is_said_and_loses_nothing(server):
    client = server.start()
    (server.script / "wait").touch()
    kept = submit(client, 16_000)
    until(lambda: server.begun("words").count(16_000))
    before = resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE, (4096, before[1]))  # so large may files become
    for path in (PLAIN, "/v1/jobs"):
        answer = client.post(path, files={"file": recording(100_000)}, data={"model": "whisper-1"})
        assert answer.status_code == 507
        assert answer.json()["error"]["code"] in ("disk_full", "cannot_write")
        assert answer.json()["error"]["type"] == "server_error"
        assert str(server.state) not in answer.text
    assert not list((server.state / "uploads").iterdir())
    assert len(list((server.state / "audio").iterdir())) == 1
    (server.script / "wait").unlink()
    until(lambda: "its end cannot be kept yet" in server.said())
    assert client.get(f"/v1/jobs/{kept}").json()["status"] == "running"
    resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE, before)
    done = ended(client, kept)
    assert (done["status"], done["attempts"]) == ("completed", 1)
    assert server.begun("words").count(16_000) == 1
    assert ended(client, submit(client, 16_001))["status"] == "completed"


def test_nothing_of_a_deleted_job_is_found_in_any_file(server):
    client = server.start()
    sound = b"".join(bytes([n % 251, n // 251]) for n in range(251 * 60))
    secrets = [b"MinutesOfTheBoard", b"said-in-15060", b"AlteredByHand", b"Zarathustra-Key", sound[4000:4064]]
    head = recording(len(sound) // 2)[:44]
    answer = client.post(
        "/v1/jobs",
        files={"file": ("MinutesOfTheBoard.wav", head + sound)},
        data={"diarize": "true", "hotwords": "MinutesOfTheBoard"},
        headers={"idempotency-key": "Zarathustra-Key"},
    )
    job = answer.json()["id"]
    others = [submit(client, 16_000 + n, diarize="true") for n in range(5)]
    for each in (job, *others):
        assert ended(client, each)["status"] == "completed"
    assert client.get(f"/v1/jobs/{job}/audio").status_code == 200
    edit = {"operations": [{"op": "rename", "names": {"SPEAKER_00": "AlteredByHand"}}]}
    changed = client.post(f"/v1/jobs/{job}/edits", json=edit, headers={"if-match": '"0"'})
    assert changed.status_code == 200, changed.text

    def found():
        files = [path for path in server.state.rglob("*") if path.is_file()]
        return [(path.name, secret) for path in files for secret in secrets if secret in path.read_bytes()]

    assert {secret for _, secret in found()} == set(secrets)
    assert client.delete(f"/v1/jobs/{job}").status_code == 204
    assert found() == []
    server.kill()
    assert found() == []
    client = server.start()
    assert client.get(f"/v1/jobs/{job}").status_code == 404
    assert [client.get(f"/v1/jobs/{other}").json()["status"] for other in others] == ["completed"] * 5
    assert found() == []
    assert not any(secret.decode("latin-1") in json.dumps(server.said()) for secret in secrets)
