"""Recordings through a bucket: uploaded once, read by both legs, gone afterwards."""

import subprocess
import sys

import pytest

from diarist.model.errors import DiaristError, EndpointError, InputError
from diarist.runpod.emulator.emulator import emulate
from diarist.runpod.ledger import Ledger, left_in_buckets
from diarist.runpod.place import open_pipeline
from diarist.runpod.store import AudioStore

from .conftest import loopback, sound

boto3 = pytest.importorskip("boto3", reason="needs the extra s3")
moto = pytest.importorskip("moto.server", reason="needs moto's S3 server")


@pytest.fixture
def bucket(monkeypatch):
    """A real S3 server on loopback with an empty bucket, found through boto3's own environment."""
    server = moto.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    for name, value in {
        "AWS_ENDPOINT_URL_S3": f"http://{host}:{port}",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "very-secret",
        "AWS_DEFAULT_REGION": "us-east-1",
    }.items():
        monkeypatch.setenv(name, value)
    s3 = boto3.client("s3")
    s3.create_bucket(Bucket="recordings")
    yield s3
    s3.close()
    server.stop()


def files(bucket):
    return [entry["Key"] for entry in bucket.list_objects_v2(Bucket="recordings").get("Contents", [])]


def test_a_file_is_there_while_it_is_held_and_not_longer(bucket):
    import httpx

    with AudioStore("s3://recordings/on/their/way").holding(b"sound", ".flac") as url:
        (key,) = files(bucket)
        assert key.startswith("on/their/way/")
        assert key.endswith(".flac")
        assert "very-secret" not in url
        assert httpx.get(url).content == b"sound"
    assert files(bucket) == []


def test_a_failure_inside_leaves_nothing_either(bucket):
    with pytest.raises(KeyError), AudioStore("s3://recordings").holding(b"sound", ".flac"):
        raise KeyError
    assert files(bucket) == []


def test_a_bucket_that_does_not_exist_is_told_without_secrets(bucket):
    with pytest.raises(EndpointError, match="missing-one") as caught, AudioStore("s3://missing-one").holding(b"x", ""):
        pass
    assert "very-secret" not in str(caught.value)


def test_a_large_result_comes_back_through_the_bucket(bucket, tmp_path):
    """A platform whose worker puts its result where the job says, as ours do over 8 MB."""
    import json

    import httpx
    from aiohttp import web

    from diarist.attribution import attribute
    from diarist.model.codec import dump
    from diarist.model.transcript import ModelInfo, Transcription, Word
    from diarist.runpod.pipelines import EndpointPipeline

    info = ModelInfo("transcription", "stub", None, "tests")
    found = attribute(Transcription(words=(Word(0.0, 1.0, "hello"),), language="en", duration=1.0, model=info))
    asked = []

    async def work(request):
        asked.append((await request.json())["input"])
        async with httpx.AsyncClient() as http:
            (await http.put(asked[-1]["result_put_url"], content=json.dumps(dump(found)))).raise_for_status()
        output = {"result_uploaded": True, "bytes": 9_000_000}
        return web.json_response({"id": "job-1", "status": "COMPLETED", "output": output})

    with loopback(work) as url:
        store = AudioStore("s3://recordings/x", Ledger(tmp_path))
        pipeline = EndpointPipeline("e", "key", "runpod:single", base_url=f"{url}/v2", store=store)
        assert pipeline.transcribe(sound(100)).text == "hello"
    assert "very-secret" not in str(asked)
    assert files(bucket) == []
    assert Ledger(tmp_path).uploads() == []


def test_a_result_that_was_not_put_there_is_an_error_of_ours(bucket):
    with AudioStore("s3://recordings").receiving() as (_, read), pytest.raises(EndpointError, match="no result"):
        read()


def test_a_result_without_end_is_not_read(bucket, monkeypatch):
    import httpx

    monkeypatch.setattr("diarist.runpod.store.MAX_RESULT_BYTES", 1000)
    with AudioStore("s3://recordings").receiving() as (url, read):
        httpx.put(url, content=bytes(1001))
        with pytest.raises(EndpointError, match="more than"):
            read()


def test_what_is_left_in_the_bucket_is_known_and_doctor_names_it(bucket, tmp_path):
    """A client that is killed while its recording is in the bucket."""
    code = "import os, sys; from diarist.runpod.store import AudioStore; from diarist.runpod.ledger import Ledger\n"
    code += "from pathlib import Path\n"
    code += f"held = AudioStore('s3://recordings/x', Ledger(Path({str(tmp_path)!r}))).holding(b'x', '.flac')\n"
    code += "held.__enter__(); os.kill(os.getpid(), 9)"
    subprocess.run([sys.executable, "-c", code], check=False, timeout=60)
    (left,) = Ledger(tmp_path).uploads()
    assert [left.key] == files(bucket)
    assert left.abandoned
    (finding,) = left_in_buckets(Ledger(tmp_path))
    assert finding.status == "warn"
    assert f"s3://recordings/{left.key}" in finding.detail
    assert left.key in finding.fix
    AudioStore("s3://recordings", Ledger(tmp_path)).delete_left(left)
    assert files(bucket) == Ledger(tmp_path).uploads() == []


def test_what_a_running_client_holds_is_not_called_left(bucket, tmp_path):
    with AudioStore("s3://recordings", Ledger(tmp_path)).holding(b"x", ""):
        assert list(left_in_buckets(Ledger(tmp_path))) == []


@pytest.mark.parametrize("url", ["recordings", "s3://", "s3://A_B/x", "https://bucket/x", "s3://../x"])
def test_what_is_not_a_bucket_is_refused(url):
    with pytest.raises(InputError, match="not a bucket"):
        AudioStore(url)


def test_all_legs_read_the_one_upload_and_it_is_deleted(bucket, handlers):
    with emulate("orchestrator", handlers=handlers, env={"DIARIST_STUB_OPEN": "1"}) as emulator:
        pipeline = open_pipeline("runpod:orchestrator", emulator.environ, audio_store="s3://recordings/x")
        transcript = pipeline.transcribe(sound(100, 200))
        assert transcript.text == "100 200"
        assert transcript.place["audio"] == "flac by reference"
        sent = [str(job.input["audio"]) for job in emulator.jobs.all()]
    assert len(set(sent)) == 1
    assert sent[0].startswith("http://127.0.0.1")
    assert files(bucket) == []


def test_a_worker_refuses_a_bucket_inside_its_own_network(bucket, handlers):
    with emulate("single", handlers=handlers) as emulator:
        pipeline = open_pipeline("runpod:single", emulator.environ, audio_store="s3://recordings")
        with pytest.raises(DiaristError, match="Only https"):
            pipeline.transcribe(sound(100))
    assert files(bucket) == []
