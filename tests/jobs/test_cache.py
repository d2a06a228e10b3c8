"""Transcripts by content: kept within bounds, shared while under way, and never the cause of an error."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from diarist.jobs.cache import ResultCache, cache_key
from diarist.jobs.single_flight import SingleFlight
from diarist.model.errors import Cancelled, EngineError, InputError
from diarist.model.options import Options
from diarist.model.transcript import ModelInfo, Segment, Transcript, Word
from diarist.runpod import orchestrator
from diarist.runpod.orchestrator import OrchestratorService

MODELS = (ModelInfo("transcription", "t", None, "e"), ModelInfo("diarization", "d", None, "e"))


def transcript(text="hello", models=MODELS):
    words = (Word(0, 1, text),)
    return Transcript(
        duration=1.0, language="en", speakers=(), segments=(Segment(0, 1, None, text, words),), turns=(), models=models
    )


def test_a_key_is_the_recording_the_options_and_what_does_the_work():
    keys = {
        cache_key(audio, options, revision)
        for audio in ("one", "two")
        for options in (Options(), Options(max_speakers=2))
        for revision in ("1.0", "1.1")
    }
    assert len(keys) == 8
    assert cache_key("one", Options(), "1.0") == cache_key("one", Options(), "1.0")


@pytest.mark.parametrize("scheme", ["file", "memory"])
def test_what_is_put_comes_back(scheme, tmp_path):
    cache = ResultCache(f"{scheme}://{tmp_path}/deep")
    assert cache.get("k") is None
    cache.put("k", transcript())
    assert cache.get("k") == transcript()


def test_old_ones_are_not_used(tmp_path):
    cache = ResultCache(f"file://{tmp_path}", max_age=0.05)
    cache.put("k", transcript())
    time.sleep(0.1)
    assert cache.get("k") is None


def test_the_oldest_go_when_there_are_too_many_bytes(tmp_path, monkeypatch):
    monkeypatch.setattr("diarist.jobs.cache._TIDY_SECONDS", 0)
    cache = ResultCache(f"file://{tmp_path}", max_bytes=1500)
    for number in range(6):
        cache.put(str(number), transcript("x" * 300))
        time.sleep(0.02)
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) <= 1500
    assert cache.get("0") is None
    assert cache.get("5") is not None


def test_a_damaged_one_is_a_miss(tmp_path):
    cache = ResultCache(f"file://{tmp_path}")
    cache.put("k", transcript())
    (tmp_path / "k.json").write_text('{"half": ')
    assert cache.get("k") is None


def test_a_cache_that_cannot_be_written_is_no_error(tmp_path):
    (tmp_path / "file").write_text("")
    ResultCache(f"file://{tmp_path}/file/below").put("k", transcript())


def test_an_unknown_scheme_is_refused():
    with pytest.raises(InputError, match="DIARIST_CACHE_URL"):
        ResultCache("nowhere://x")


def test_identical_work_is_done_once():
    flights, count = SingleFlight(), []

    def work():
        count.append(1)
        time.sleep(0.1)
        return transcript()

    with ThreadPoolExecutor(8) as pool:
        results = list(pool.map(lambda _: flights.run("k", work, lambda: None), range(8)))
    assert results == [transcript()] * 8
    assert len(count) == 1


def test_a_failure_is_shared_and_not_remembered():
    flights, barrier = SingleFlight(), threading.Event()

    def fail():
        barrier.wait(2)
        raise EngineError("broken", "It broke.")

    def run(_):
        with pytest.raises(EngineError, match="It broke"):
            flights.run("k", fail, lambda: None)

    with ThreadPoolExecutor(2) as pool:
        waiting = pool.map(run, range(2))
        time.sleep(0.05)
        barrier.set()
        list(waiting)
    assert flights.run("k", transcript, lambda: None) == transcript()


def test_who_waits_takes_over_when_the_first_is_cancelled():
    flights, started = SingleFlight(), threading.Event()

    def cancelled():
        started.set()
        time.sleep(0.1)
        raise Cancelled

    def first():
        with pytest.raises(Cancelled):
            flights.run("k", cancelled, lambda: None)

    with ThreadPoolExecutor(2) as pool:
        one = pool.submit(first)
        started.wait()
        two = pool.submit(flights.run, "k", transcript, lambda: None)
        one.result()
        assert two.result() == transcript()


class Legs:
    """Counts how often both endpoints would have been called."""

    def __init__(self, answer):
        self.answer, self.calls = answer, 0

    def transcribe_recording(self, recording, options, progress):
        self.calls += 1
        return self.answer


def ask(service, **fields):
    job = service.read({"audio": "aGVsbG8=", "response_format": "diarist"} | fields)
    return service.work(job, service.prepare(job), lambda *_: None)


def test_the_orchestrator_answers_the_same_question_from_its_cache(tmp_path):
    legs = Legs(transcript())
    service = OrchestratorService(legs, ResultCache(f"file://{tmp_path}"), "1.0")
    first, second = ask(service), ask(service)
    assert legs.calls == 1
    assert second["place"] == {"cache": "hit"}
    assert {**second, "place": first["place"]} == first
    ask(service, max_speakers=2)
    assert legs.calls == 2


@pytest.mark.parametrize(
    ("answer", "audio"), [(transcript(models=MODELS[:1]), "aGVsbG8="), (transcript(), "https://example.org/a.mp3")]
)
def test_degraded_transcripts_and_urls_are_not_kept(answer, audio, tmp_path):
    legs = Legs(answer)
    service = OrchestratorService(legs, ResultCache(f"file://{tmp_path}"), "1.0")
    for _ in range(2):
        ask(service, audio=audio)
    assert legs.calls == 2


def test_the_cache_is_off_unless_it_is_told_where_and_for_what():
    env = {"TRANSCRIPTION_ENDPOINT_ID": "t", "DIARIZATION_ENDPOINT_ID": "d", "CHILD_API_KEY": "k"}
    assert orchestrator.load(env)._cache is None
    with pytest.raises(InputError, match="DIARIST_CACHE_VERSION"):
        orchestrator.load(env | {"DIARIST_CACHE_URL": "memory://x"})
    assert orchestrator.load(env | {"DIARIST_CACHE_URL": "memory://x", "DIARIST_CACHE_VERSION": "1"})._cache
    with pytest.raises(InputError, match="CHILD_API_KEY"):
        orchestrator.load({})
