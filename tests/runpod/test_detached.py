"""Jobs whose client is gone: real commands, real workers, a client that is killed."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from diarist.audio.transport import encode_flac
from diarist.runpod.emulator.emulator import emulate
from diarist.runpod.ledger import Job, Ledger

from .conftest import sound

pytestmark = pytest.mark.slow

BARE = {name: value for name, value in os.environ.items() if not name.startswith(("RUNPOD_", "DIARIST_"))}


class User:
    """Somebody with a shell, a recording, and endpoints."""

    def __init__(self, folder, environ):
        self.folder = folder
        self.env = {**BARE, **environ, "XDG_STATE_HOME": str(folder / "state")}
        self.key = environ.get("RUNPOD_API_KEY", "")
        (folder / "talk.flac").write_bytes(encode_flac(sound(100, 200)))

    def start(self, *arguments):
        command = [sys.executable, "-m", "diarist", *map(str, arguments)]
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        return subprocess.Popen(command, env=self.env, cwd=self.folder, **pipes)

    def diarist(self, *arguments):
        process = self.start(*arguments)
        out, err = process.communicate(timeout=120)
        assert "Traceback" not in err
        assert self.key not in out + err
        return process.returncode, out, err

    @property
    def ledger(self):
        return Ledger(self.folder / "state" / "diarist" / "runpod")

    def wait_for_a_job(self):
        while not self.ledger.jobs():
            time.sleep(0.05)
        return self.ledger.jobs()[0]


@pytest.fixture(params=["single", "orchestrator"])
def place(request):
    return request.param


def test_a_detached_job_is_listed_and_fetched_once(place, handlers, tmp_path):
    with emulate(place, handlers=handlers) as emulator:
        user = User(tmp_path, emulator.environ)
        code, out, err = user.diarist("transcribe", "talk.flac", "--on", f"runpod:{place}", "--detach", "--start", "1")
        assert code == 0, err
        job_id = out.strip()
        assert f"diarist jobs fetch {job_id}" in err
        kept = "".join(file.read_text() for file in Path(tmp_path, "state").rglob("*.json"))
        assert job_id in kept
        assert user.key not in kept
        (row,) = json.loads(user.diarist("jobs", "list", "--json")[1])
        assert (row["id"], row["name"], row["abandoned"]) == (job_id, "talk.flac", True)
        assert row["status"] in {"IN_QUEUE", "IN_PROGRESS", "COMPLETED"}
        code, _, err = user.diarist("jobs", "fetch", job_id[:8], "-o", "talk.srt")
        assert code == 0, err
        assert "00:00:01,100" in (tmp_path / "talk.srt").read_text()
        assert user.diarist("jobs", "list")[1] == ""
        code, _, err = user.diarist("jobs", "fetch", job_id)
        assert code == 2
        assert "diarist jobs list" in err


def test_a_client_run_again_after_it_was_killed_waits_for_the_job_that_runs(handlers, tmp_path):
    with emulate("single", handlers=handlers, env={"DIARIST_STUB_SECONDS": "6"}) as emulator:
        user = User(tmp_path, emulator.environ)
        client = user.start("transcribe", "talk.flac", "--on", "runpod:single", "-q")
        job = user.wait_for_a_job()
        assert not job.abandoned
        client.send_signal(signal.SIGKILL)
        client.communicate()
        assert user.ledger.jobs()[0].abandoned
        code, out, err = user.diarist("transcribe", "talk.flac", "--on", "runpod:single", "-q")
        assert code == 0, err
        assert "100" in out
        assert len(emulator.jobs.all()) == 1
        assert user.ledger.jobs() == []


def test_both_halves_of_a_split_are_waited_for_again(handlers, tmp_path):
    with emulate("split", handlers=handlers, env={"DIARIST_STUB_SECONDS": "6"}) as emulator:
        user = User(tmp_path, emulator.environ)
        client = user.start("transcribe", "talk.flac", "--on", "runpod:split", "-q")
        while len(user.ledger.jobs()) < 2:
            time.sleep(0.05)
        client.send_signal(signal.SIGKILL)
        client.communicate()
        half = user.ledger.jobs()[0].id
        code, _, err = user.diarist("jobs", "fetch", half)
        assert code == 2
        assert "one half" in err
        assert user.diarist("transcribe", "talk.flac", "--on", "runpod:split", "-q")[0] == 0
        assert len(emulator.jobs.all()) == 2


def test_a_job_is_cancelled_by_whoever_finds_it(handlers, tmp_path):
    with emulate("single", handlers=handlers, env={"DIARIST_STUB_SECONDS": "30"}) as emulator:
        user = User(tmp_path, emulator.environ)
        job_id = user.diarist("transcribe", "talk.flac", "--on", "runpod:single", "--detach", "-q")[1].strip()
        assert user.diarist("jobs", "cancel", job_id)[0] == 0
        assert [job.status for job in emulator.jobs.all()] == ["CANCELLED"]
        assert user.ledger.jobs() == []


def test_a_detached_job_is_submitted_anew_only_where_the_first_is_over(handlers, tmp_path):
    with emulate("single", handlers=handlers, env={"DIARIST_STUB_SECONDS": "30"}) as emulator:
        user = User(tmp_path, emulator.environ)
        leave = ("transcribe", "talk.flac", "--on", "runpod:single", "--detach", "-q")
        first, again = user.diarist(*leave)[1], user.diarist(*leave)[1]
        assert first == again
        emulator.jobs.all()[0].status = "CANCELLED"
        assert user.diarist(*leave)[1] != first
        assert len(user.ledger.jobs()) == 1


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--on", "runpod:split"], "runpod:single or"),
        ([], "runpod:single or"),
        (["--on", "runpod:single", "--channels", "separate"], "--channels separate"),
    ],
)
def test_what_cannot_be_detached_is_refused(tmp_path, arguments, says):
    ids = {"RUNPOD_ENDPOINT_ID": "e", "TRANSCRIPTION_ENDPOINT_ID": "t", "DIARIZATION_ENDPOINT_ID": "d"}
    user = User(tmp_path, {**ids, "RUNPOD_API_KEY": "rpa_key_0123"})
    code, out, err = user.diarist("transcribe", "talk.flac", "--detach", *arguments)
    assert (code, out) == (2, "")
    assert says in err


def test_damaged_files_are_passed_over_and_old_ones_removed(tmp_path):
    ledger = Ledger(tmp_path)
    entry = {"id": "a", "endpoint": "e", "url": "u", "place": "runpod:single", "name": "n", "question": "q"}
    ledger.add(Job(**entry))
    ledger.add(Job(**{**entry, "id": "../../b"}, since=time.time() - 30 * 86400))
    for name, content in (("job-x.json", b"{"), ("job-y.json", b"[" * 9000), ("job-z.json", bytes(20_000))):
        (tmp_path / name).write_bytes(content)
    assert [job.id for job in ledger.jobs()] == ["a"]
    assert len(list(tmp_path.iterdir())) == 4
    assert (next(tmp_path.glob("job-a*")).stat().st_mode & 0o777) == 0o600


def test_a_folder_that_cannot_be_written_stops_no_work(tmp_path):
    (tmp_path / "file").write_text("")
    ledger = Ledger(tmp_path / "file" / "inside")
    job = Job(id="a", endpoint="e", url="u", place="p", name="n", question="q")
    ledger.add(job)
    ledger.remove(job)
    assert ledger.jobs() == []
