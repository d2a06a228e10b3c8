"""Processes that work on one database and are killed while they do: no job is lost, and none is finished twice."""

import json
import random
import re
import subprocess
import sys
import time

import pytest

from diarist.jobs.job import Keep
from diarist.jobs.sqlite_store import SQLiteJobStore

# Submits jobs and works on them until there are none. What it says is read after its death, so it is said at once, and
# only after the store has said that it is done.
WORKER = """
import json, os, sys
from diarist.jobs.job import LeaseLostError, NewJob
from diarist.jobs.sqlite_store import SQLiteJobStore

path, name, submissions = sys.argv[1], sys.argv[2], int(sys.argv[3])
store = SQLiteJobStore(path)
said = os.open(sys.argv[4], os.O_WRONLY | os.O_CREAT | os.O_APPEND)

def say(*words):
    os.write(said, (json.dumps(words) + "\\n").encode())

print("ready", flush=True)
store.release(name)
for number in range(submissions):
    job, _ = store.add(NewJob(owner="", request="{}", digest=f"{name}.{number}", webhook="{}"))
    say("accepted", job.id)
while waiting := store.queued():
    for job in waiting:
        lease = store.lease(job.id, name, 60)
        if lease is None:
            continue
        try:
            if "transcription" not in store.parts(job.id):
                store.keep(lease, "transcription", b"words" * 2000)
            store.progress(lease, {"diarization": 0.5})
            store.finish(lease, json.dumps({"segments": [{"text": "some words " * 200}]}), {"evidence": bytes(3000)})
        except LeaseLostError:
            continue
        say("finished", job.id)
"""


# Completes jobs and deletes half of them.
ERASER = """
import json, sys
from diarist.jobs.job import NewJob
from diarist.jobs.sqlite_store import SQLiteJobStore

store = SQLiteJobStore(sys.argv[1])
print("ready", flush=True)
number = 0
while True:
    number += 1
    words = " ".join(f"w{sys.argv[2]}q{number}x{at}" for at in range(300))
    job, _ = store.add(NewJob(owner="", request=words, digest="", name=f"{sys.argv[2]}q{number}x"))
    store.finish(store.lease(job.id, "w", 60), json.dumps({"segments": [{"text": words}]}))
    if number % 2:
        store.delete(job.id)
"""


@pytest.fixture
def start(tmp_path):
    children = []

    def started(name, submissions=0, script=WORKER):
        said = tmp_path / f"{name}.{len(children)}.said"
        command = [sys.executable, "-c", script, str(tmp_path / "jobs.sqlite3"), name, str(submissions), str(said)]
        children.append(subprocess.Popen(command, stdout=subprocess.PIPE))
        children[-1].stdout.readline()
        return children[-1]

    yield started
    for child in children:
        child.kill()
        child.wait()
        child.stdout.close()


def said(folder, verb):
    """What workers said. A line that a kill cut off was not heard by anybody."""
    lines = [line for file in folder.glob("*.said") for line in file.read_text().splitlines(keepends=True)]
    words = [json.loads(line) for line in lines if line.endswith("\n")]
    return [job for what, job in words if what == verb]


def check_nothing_lost_and_nothing_twice(folder):
    store = SQLiteJobStore(folder / "jobs.sqlite3", keep=Keep(audio=None, text=None))
    jobs = {}
    # A fast machine ends many workers before they are killed, so there may be thousands.
    while page := store.list(before=next(reversed(jobs), None), limit=500):
        jobs |= {job.id: job for job in page}
    accepted, finished = said(folder, "accepted"), said(folder, "finished")
    assert set(accepted) <= set(jobs)
    assert len(finished) == len(set(finished))
    assert {job.state for job in jobs.values()} <= {"completed", "failed"}
    assert all(json.loads(job.error)["code"] == "crashed" for job in jobs.values() if job.state == "failed")
    assert all(jobs[job].state == "completed" for job in finished)
    for job in jobs.values():
        if job.state == "completed":
            assert set(store.parts(job.id)) == {"transcription", "evidence"}
            assert json.loads(store.transcript(job.id))
    calls = []
    while more := store.due():
        calls += more
    assert sorted(call.job for call in calls) == sorted(jobs), "one end each"
    store.close()
    return jobs


def test_two_processes_share_a_database(start, tmp_path):
    children = [start("a", 30), start("b", 30)]
    assert [child.wait(60) for child in children] == [0, 0]
    jobs = check_nothing_lost_and_nothing_twice(tmp_path)
    assert len(jobs) == 60
    assert {job.attempts for job in jobs.values()} == {1}
    assert {job.state for job in jobs.values()} == {"completed"}


@pytest.mark.slow
def test_workers_that_are_killed_lose_nothing_and_finish_nothing_twice(start, tmp_path):
    chance, kills, rounds = random.Random(7), 0, 0
    names = ("a", "b")
    children = {name: start(name, 40) for name in names}
    while kills < 20 and rounds < 200:
        rounds += 1
        name = chance.choice(names)
        time.sleep(chance.uniform(0.0, 0.15))
        child = children[name]
        child.kill()
        kills += child.wait() == -9
        children[name] = start(name, 40)
    assert kills == 20
    assert [child.wait(120) for child in children.values()] == [0, 0]
    jobs = check_nothing_lost_and_nothing_twice(tmp_path)
    assert sum(job.state == "completed" for job in jobs.values()) > 100
    assert any(job.attempts > 1 for job in jobs.values()), "some work was broken off"


@pytest.mark.slow
def test_a_deletion_that_is_killed_leaves_no_trace_and_takes_nothing_else_along(start, tmp_path):
    chance = random.Random(7)
    for number in range(20):
        child = start(f"c{number}", script=ERASER)
        time.sleep(chance.uniform(0.05, 0.2))
        child.kill()
        assert child.wait() == -9
    store = SQLiteJobStore(tmp_path / "jobs.sqlite3", keep=Keep(audio=None, text=None))
    store.expire()
    words = {word for file in tmp_path.glob("jobs.sqlite3*") for word in re.findall(rb"c\d+q\d+x", file.read_bytes())}
    assert words == {job.name.encode() for job in store.list(limit=1000)}
    assert len(words) > 20
    assert all(store.transcript(job.id) for job in store.list(state="completed", limit=1000))
    store.close()
