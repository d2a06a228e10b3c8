"""Words while they are found, from real workers with the real SDK; what is lost on the way comes with the result."""

import base64
import dataclasses
import json
import time

import httpx
import pytest

from diarist.audio.transport import encode_flac
from diarist.jobs.pieces import Piece
from diarist.model.codec import dump
from diarist.model.transcript import Word
from diarist.runpod.emulator.emulator import emulate
from diarist.runpod.place import open_pipeline
from diarist.runpod.remote import Listening

from .conftest import sound

LOUDNESS = (100, 200, 300, 400)


@pytest.fixture(params=["single", "split", "orchestrator"])
def gated(request, handlers, tmp_path):
    """An architecture whose transcriber goes no further than the first word until a file is there."""
    gate = tmp_path / "gate"
    # No worker is warm: the gate would hold up its warm-up, which the stubs leave out.
    with emulate(request.param, handlers=handlers, env={"DIARIST_STUB_GATE": str(gate)}) as emulator:
        yield open_pipeline(f"runpod:{request.param}", emulator.environ), gate


@pytest.mark.timeout(120)
def test_words_come_before_the_end_and_each_once(gated):
    pipeline, gate = gated
    calls = []

    def heard(words):
        calls.append((gate.exists(), [word.text for word in words]))
        gate.touch()

    aloud = pipeline.transcribe(sound(*LOUDNESS), heard=heard)
    assert calls[0] == (False, ["100"])  # the transcriber went on only after this was heard here
    assert [text for _, texts in calls for text in texts] == ["100", "200", "300", "400"]
    quiet = pipeline.transcribe(sound(*LOUDNESS))
    same = {"timings": {}}
    assert dataclasses.replace(aloud, **same) == dataclasses.replace(quiet, **same)


@pytest.fixture
def client(handlers, tmp_path):
    """Any client of the API, and the gate of the worker that it asks."""
    gate = tmp_path / "gate"
    with emulate("single", handlers=handlers, env={"DIARIST_STUB_GATE": str(gate)}) as emulator:
        headers = {"Authorization": f"Bearer {emulator.environ['RUNPOD_API_KEY']}"}
        with httpx.Client(base_url=f"{emulator.url}/emulated-single", headers=headers, timeout=30) as http:
            yield http, gate, emulator


def stream_of(http, job, until):
    """Drain a job's stream until ``until(answer)``; returns all pieces and the last answer."""
    pieces, deadline = [], time.monotonic() + 30
    while True:
        answer = http.get(f"/stream/{job}").json()
        pieces += [piece["output"] for piece in answer["stream"]]
        if until(answer):
            return pieces, answer
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_any_client_reads_words_from_the_stream_and_the_usual_result_from_the_status(client):
    http, gate, _ = client
    audio = base64.b64encode(encode_flac(sound(*LOUDNESS))).decode()
    asked = {"audio": audio, "timestamps": True}
    job = http.post("/run", json={"input": {**asked, "stream": True}}).json()["id"]
    first, answer = stream_of(http, job, lambda answer: answer["stream"])
    assert answer["status"] == "IN_PROGRESS"
    assert first == [{"offset": 0, "text": "100", "words": [{"word": "100", "start": 0.1, "end": 0.9}]}]
    gate.touch()
    rest, _ = stream_of(http, job, lambda answer: answer["status"] == "COMPLETED" and not answer["stream"])
    assert "".join(piece["text"] for piece in first + rest) == "100 200 300 400"
    assert [word["word"] for piece in first + rest for word in piece["words"]] == ["100", "200", "300", "400"]
    streamed = http.get(f"/status/{job}").json()["output"]
    assert streamed == http.post("/runsync", json={"input": asked}).json()["output"]
    assert [segment["speaker"] for segment in streamed["segments"]] == ["SPEAKER_00", "SPEAKER_01"] * 2


def test_a_job_that_asks_for_no_stream_sends_none(client):
    http, gate, _ = client
    gate.touch()
    audio = base64.b64encode(encode_flac(sound(100))).decode()
    job = http.post("/runsync", json={"input": {"audio": audio}}).json()["id"]
    assert http.get(f"/stream/{job}").json() == {"status": "COMPLETED", "stream": []}


def test_the_platform_takes_no_large_piece_and_none_from_a_worker_that_has_not_the_job(client):
    http, gate, emulator = client
    audio = base64.b64encode(encode_flac(sound(100))).decode()
    job = http.post("/run", json={"input": {"audio": audio}}).json()["id"]
    stream_of(http, job, lambda answer: answer["status"] == "IN_PROGRESS")
    (worker,) = emulator.workers
    sent = f"/job-stream/{worker.id}/{job}?isStream=false"
    assert http.post(sent, json={"output": "x" * 1_000_000}).status_code == 400
    assert http.post(sent, content=b'{"output": NaN}').status_code == 400
    assert http.post(sent.replace(worker.id, "another"), json={"output": "late"}).status_code == 200
    assert http.post(sent, json={"output": "mine"}).status_code == 200
    assert http.get(f"/stream/{job}").json()["stream"] == [{"output": "mine"}]
    assert http.get(f"/stream/{job}").json()["stream"] == []  # it was handed out
    gate.touch()
    stream_of(http, job, lambda answer: answer["status"] == "COMPLETED")


def test_an_endpoint_without_words_refuses_to_stream(handlers):
    with emulate("split", handlers=handlers) as emulator:
        headers = {"Authorization": f"Bearer {emulator.environ['RUNPOD_API_KEY']}"}
        body = {"input": {"audio": "aGk=", "stream": True}}
        answer = httpx.post(f"{emulator.url}/emulated-diarization/runsync", json=body, headers=headers, timeout=30)
    error = json.loads(answer.json()["error"])
    assert (error["code"], error["field"]) == ("unknown_field", "stream")


def words(*texts):
    return tuple(Word(float(place), place + 0.5, text) for place, text in enumerate(texts))


@pytest.mark.parametrize(
    "pieces",
    [
        [],
        [(0, "abcd")],
        [(0, "ab"), (2, "cd")],
        [(0, "a"), (0, "a"), (0, "abcd")],  # another worker began anew
        [(0, "a"), (2, "c"), (3, "d")],  # one was lost
        [(2, "c")],
        [(9, "")],
    ],
)
def test_each_word_is_told_once_and_in_order_whatever_comes(pieces):
    told = []
    listening = Listening(lambda words: told.extend(word.text for word in words))
    for offset, texts in pieces:
        listening.hear(dump(Piece(offset, words(*texts))))
    listening.rest(words(*"abcd"))
    assert told == list("abcd")


@pytest.mark.parametrize(
    "odd", [None, 3, "piece", [], {}, {"offset": "0"}, {"offset": -3, "words": []}, {"offset": 0, "words": [1]}]
)
def test_a_piece_that_is_none_does_no_harm(odd):
    told = []
    listening = Listening(told.extend)
    listening.hear(odd)
    assert told == []
    listening.rest(words("a"))
    assert len(told) == 1
