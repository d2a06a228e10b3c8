"""The emulator speaks RunPod's API to any client, runs real workers, and leaves nothing behind."""

import base64
import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import httpx
import pytest

from diarist.audio.transport import encode_flac
from diarist.model.errors import EndpointError, EngineError, InputError
from diarist.model.options import Options
from diarist.runpod.emulator.emulator import emulate
from diarist.runpod.place import open_pipeline

from .conftest import processes_of, sound

AUDIO = base64.b64encode(encode_flac(sound(100, 200))).decode()


@pytest.fixture
def single(handlers):
    """An emulated single endpoint with a stub worker, and a plain HTTP client for it."""
    with emulate("single", handlers=handlers) as emulator:
        key = emulator.environ["RUNPOD_API_KEY"]
        with httpx.Client(
            base_url=f"{emulator.url}/emulated-single", headers={"Authorization": f"Bearer {key}"}, timeout=30
        ) as client:
            yield emulator, client


def wait_for(condition, seconds=20):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it never happened"
        time.sleep(0.05)


def test_any_client_of_the_api_is_served(single):
    _, client = single
    queued = client.post("/run", json={"input": {"audio": AUDIO, "diarize": True}}).json()
    assert queued["status"] == "IN_QUEUE"
    wait_for(lambda: client.get(f"/status/{queued['id']}").json()["status"] == "COMPLETED")
    done = client.get(f"/status/{queued['id']}").json()
    usage = {"type": "duration", "seconds": 2.0}
    assert done["output"] == {"text": "SPEAKER_00: 100\nSPEAKER_01: 200", "usage": usage}
    assert done["delayTime"] > 0
    assert done["executionTime"] > 0
    at_once = client.post("/runsync", json={"input": {"audio": AUDIO, "response_format": "text"}}).json()
    assert (at_once["status"], at_once["output"]) == ("COMPLETED", "SPEAKER_00: 100\nSPEAKER_01: 200")
    health = client.get("/health").json()
    assert health["jobs"]["completed"] == 2
    assert health["workers"]["idle"] == 1
    failed = client.post("/runsync", json={"input": {}}).json()
    assert failed["status"] == "FAILED"
    assert '"field": "audio"' in failed["error"]
    assert client.post(f"/retry/{failed['id']}").json()["status"] == "IN_QUEUE"
    assert client.post(f"/retry/{queued['id']}").status_code == 400


def test_it_is_strict_where_the_platform_is(single):
    _, client = single
    assert client.post("/run", json={"nothing": 1}).status_code == 400
    assert client.post("/run", content=b"not json").status_code == 400
    assert client.post("/run", json={"input": {"audio": "x" * 10_000_001}}).status_code == 400
    assert client.post("/runsync?wait=5", json={"input": {}}).status_code == 400
    assert client.get("/status/unknown").status_code == 404
    assert client.get("/health", headers={"Authorization": "Bearer wrong"}).status_code == 401
    assert client.get(str(client.base_url).replace("single", "other") + "/health").status_code == 404


def test_queued_jobs_can_be_cancelled_and_purged(handlers):
    with emulate("single", handlers=handlers, env={"DIARIST_STUB_SECONDS": "30"}) as emulator:
        headers = {"Authorization": f"Bearer {emulator.environ['RUNPOD_API_KEY']}"}
        with httpx.Client(base_url=f"{emulator.url}/emulated-single", headers=headers, timeout=30) as client:
            ids = [client.post("/run", json={"input": {"audio": AUDIO}}).json()["id"] for _ in range(7)]
            wait_for(lambda: emulator.workers and emulator.jobs.running(emulator.workers[0].id))
            running = emulator.jobs.running(emulator.workers[0].id)[0].id
            assert client.post(f"/cancel/{running}").json()["status"] == "CANCELLED"
            assert client.post("/purge-queue").json()["removed"] >= 1
            states = {client.get(f"/status/{each}").json()["status"] for each in ids}
            assert states <= {"CANCELLED", "IN_PROGRESS"}
            # The worker was told: its slot is free again long before the 30 seconds are over.
            assert running not in [job.id for job in emulator.jobs.running(emulator.workers[0].id)]


def test_workers_come_with_the_queue_and_go_when_idle(handlers):
    with emulate(
        "single",
        handlers=handlers,
        max_workers=2,
        queue_delay=0.2,
        idle_timeout=1.0,
        env={"DIARIST_STUB_SECONDS": "1.0"},
    ) as emulator:
        assert emulator.workers == ()
        headers = {"Authorization": f"Bearer {emulator.environ['RUNPOD_API_KEY']}"}
        with httpx.Client(base_url=f"{emulator.url}/emulated-single", headers=headers, timeout=30) as client:
            for number in range(7):
                client.post("/run", json={"input": {"audio": AUDIO, "request_id": str(number)}})
            wait_for(lambda: len(emulator.workers) == 2)
            wait_for(lambda: client.get("/health").json()["jobs"]["completed"] == 7)
            wait_for(lambda: emulator.workers == ())
        folder = emulator.folder
    assert processes_of(folder) == []
    assert not folder.exists()


def test_an_orchestrator_holds_sixteen_jobs_that_wait_and_a_leg_two(handlers):
    """What the plan reckons with, and what decides how many orchestrators a deployment has."""
    with emulate("orchestrator", handlers=handlers, queue_delay=300, env={"DIARIST_STUB_SECONDS": "120"}) as emulator:
        headers = {"Authorization": f"Bearer {emulator.environ['RUNPOD_API_KEY']}"}
        with httpx.Client(base_url=f"{emulator.url}/emulated-orchestrator", headers=headers, timeout=30) as client:
            for number in range(20):  # recordings that differ: equal ones would be worked on once
                audio = base64.b64encode(encode_flac(sound(100 + number))).decode()
                client.post("/run", json={"input": {"audio": audio}})

            def held():
                counts = {worker.endpoint: len(emulator.jobs.running(worker.id)) for worker in emulator.workers}
                return counts == {"emulated-orchestrator": 16, "emulated-transcription": 2, "emulated-diarization": 2}

            wait_for(held, 60)
            # It stays so: there are more jobs, and nobody takes them.
            assert len(emulator.jobs.queued("emulated-orchestrator")) == 4


@pytest.mark.parametrize(
    ("accident", "said"),
    [
        (
            "WeightsError('no_weights', 'The weights of X are not here.', 'Bake them in.')",
            r"X are not here\. Bake them",
        ),
        ("RuntimeError('CUDA driver is too old')", "does not start: RuntimeError: CUDA driver is too old"),
    ],
)
def test_a_worker_that_cannot_start_fails_the_job_that_waits_for_it_with_the_reason(accident, said, tmp_path):
    handler = tmp_path / "broken.py"
    handler.write_text(
        textwrap.dedent(f"""
        from diarist.model.errors import WeightsError
        from diarist.runpod.worker import start
        def load():
            raise {accident}
        start(load)
        """)
    )
    with emulate("single", handlers={"single": handler}) as emulator:
        pipeline = open_pipeline("runpod:single", emulator.environ)
        with pytest.raises(EndpointError, match=said):
            pipeline.transcribe(sound(100))
        jobs = emulator.jobs.all()
        assert len(jobs) == 2  # the client asked once more, for another host might do better
        assert all(job.worker is not None for job in jobs)  # workers took them and said so, as the platform would not
        wait_for(lambda: not emulator.workers)
        assert {worker.process.returncode for worker in emulator.pool.past} == {1}


def test_jobs_wait_for_workers_that_die_before_they_ask_for_any(tmp_path):
    handler = tmp_path / "broken.py"
    handler.write_text("raise SystemExit(3)")
    with emulate("single", handlers={"single": handler}) as emulator:
        headers = {"Authorization": f"Bearer {emulator.environ['RUNPOD_API_KEY']}"}
        with httpx.Client(base_url=f"{emulator.url}/emulated-single", headers=headers, timeout=30) as client:
            job = client.post("/run", json={"input": {"audio": AUDIO}, "policy": {"ttl": 3000}}).json()["id"]
            wait_for(lambda: client.get("/health").json()["workers"]["unhealthy"] == 1)
            # As on the platform: no word to the client, until the job's time to live is over.
            assert client.get(f"/status/{job}").json()["status"] == "IN_QUEUE"
            wait_for(lambda: client.get(f"/status/{job}").status_code == 404)
        assert len(emulator.pool.past) < 8  # with growing pauses


def test_workers_do_not_outlive_an_emulator_that_is_killed(handlers, tmp_path):
    script = tmp_path / "run.py"
    script.write_text(
        textwrap.dedent(f"""
        import time
        from pathlib import Path
        from diarist.runpod.emulator.emulator import emulate
        with emulate("single", handlers={{"single": Path({str(handlers["single"])!r})}}, min_workers=1) as emulator:
            emulator.wait_ready()
            print(emulator.folder, flush=True)
            time.sleep(60)
        """)
    )
    process = subprocess.Popen([sys.executable, str(script)], stdout=subprocess.PIPE, text=True)
    try:
        folder = Path(process.stdout.readline().strip())
        assert processes_of(folder)
    finally:
        process.kill()
        process.wait()
        process.stdout.close()
    wait_for(lambda: processes_of(folder) == [], 5)


def test_ctrl_c_stops_the_command_and_its_workers(handlers):
    process = subprocess.Popen(
        [sys.executable, "-m", "diarist", "emulate", "single"], stdout=subprocess.PIPE, text=True, env=os.environ
    )
    try:
        lines = [process.stdout.readline() for _ in range(5)]
        assert any(line.startswith("export RUNPOD_API_KEY=emulated-") for line in lines)
        process.send_signal(signal.SIGINT)
        assert process.wait(10) == 0
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def test_no_log_holds_what_was_said_or_a_signature(single):
    emulator, client = single
    client.post("/runsync", json={"input": {"audio": AUDIO, "timestamps": True}})
    client.post("/runsync", json={"input": {"audio": "https://127.0.0.1/call.mp3?X-Signature=secret"}})
    logs = "".join(path.read_text() for path in emulator.folder.glob("*.log"))
    assert "ended=done" in logs
    assert "ended=url_refused" in logs
    assert "SPEAKER_00" not in logs
    assert "secret" not in logs
    assert emulator.environ["RUNPOD_API_KEY"] not in logs


@pytest.mark.parametrize("architecture", ["single", "split", "orchestrator"])
@pytest.mark.slow
def test_speakers_that_cannot_be_told_apart_are_a_warning_or_an_error_as_asked(architecture, handlers):
    with emulate(architecture, handlers=handlers) as emulator:
        pipeline = open_pipeline(f"runpod:{architecture}", emulator.environ)
        for first in (998, 994):  # an engine's own error, and whatever else an engine may raise
            transcript = pipeline.transcribe(sound(first, 300))
            assert (transcript.text, transcript.speakers) == (f"{first} 300", ())
            assert "The stub was told to fail" in transcript.warnings[-1]
            with pytest.raises(EngineError, match="told to fail"):
                pipeline.transcribe(sound(first, 300), Options(on_diarization_failure="fail"))
        alone = pipeline.transcribe(sound(998, 300), Options(diarize=False))
        assert (alone.text, alone.warnings) == ("998 300", ())


def test_a_failed_leg_cancels_the_other(handlers):
    with emulate("split", handlers=handlers, env={"DIARIST_STUB_SECONDS": "8"}, min_workers=1) as emulator:
        emulator.wait_ready()
        pipeline = open_pipeline("runpod:split", emulator.environ)
        began = time.monotonic()
        with pytest.raises(EngineError, match="told to fail"):
            pipeline.transcribe(sound(998, 300), Options(on_diarization_failure="fail"))
        assert time.monotonic() - began < 6
        (transcription,) = [job for job in emulator.jobs.all() if job.endpoint == "emulated-transcription"]
        assert transcription.status == "CANCELLED"
        wait_for(lambda: not any(emulator.jobs.running(worker.id) for worker in emulator.workers), 5)


def test_a_taken_port_is_refused(handlers):
    with emulate("single", handlers=handlers) as emulator:
        port = int(emulator.url.rsplit(":", 1)[1].split("/")[0])
        with pytest.raises(InputError, match="cannot be used"), emulate("single", port=port, handlers=handlers):
            pass
