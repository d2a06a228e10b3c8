"""The orchestrator: what it keeps, what it passes through, and that waiting costs it nothing."""

import asyncio
import threading

import pytest

from diarist.jobs.cache import ResultCache
from diarist.jobs.runner import Worker
from diarist.model.errors import InputError
from diarist.model.progress import ignore
from diarist.model.transcript import ModelInfo, Segment, Transcript, Word
from diarist.runpod import orchestrator
from diarist.runpod.orchestrator import OrchestratorService

MODELS = (ModelInfo("transcription", "t", None, "e"), ModelInfo("diarization", "d", None, "e"))


def transcript(text="hello", models=MODELS):
    words = (Word(0, 1, text),)
    return Transcript(
        duration=1.0, language="en", speakers=(), segments=(Segment(0, 1, None, text, words),), turns=(), models=models
    )


class Legs:
    """Counts how often both endpoints would have been called."""

    def __init__(self, answer):
        self.answer, self.calls = answer, 0

    async def atranscribe(self, recording, options, progress, heard):
        self.calls += 1
        self.recording = recording
        return self.answer


def ask(service, **fields):
    job = service.read({"audio": "aGVsbG8=", "response_format": "diarist"} | fields)

    async def run():
        return await service.work(job, await service.prepare(job, ignore), ignore)

    return asyncio.run(run())


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
    assert orchestrator.load_orchestrator(env)._cache is None
    with pytest.raises(InputError, match="DIARIST_CACHE_VERSION"):
        orchestrator.load_orchestrator(env | {"DIARIST_CACHE_URL": "memory://x"})
    assert orchestrator.load_orchestrator(
        env | {"DIARIST_CACHE_URL": "memory://x", "DIARIST_CACHE_VERSION": "1"}
    )._cache
    with pytest.raises(InputError, match="CHILD_API_KEY"):
        orchestrator.load_orchestrator({})


ENV = {"TRANSCRIPTION_ENDPOINT_ID": "t", "DIARIZATION_ENDPOINT_ID": "d", "CHILD_API_KEY": "k"}


@pytest.mark.parametrize(
    "name", ["CHILD_API_KEY", "DIARIZATION_ENDPOINT_ID", "DIARIST_CACHE_URL", "AWS_SECRET_ACCESS_KEY"]
)
def test_a_reference_to_a_secret_that_nobody_filled_in_is_refused_at_the_start(name):
    with pytest.raises(InputError, match=f"{name} is a reference"):
        orchestrator.load_orchestrator(ENV | {name: "{{ RUNPOD_SECRET_child }}"})


def test_a_key_that_cannot_be_one_is_refused_at_the_start():
    with pytest.raises(InputError, match="CHILD_API_KEY"):
        orchestrator.load_orchestrator(ENV | {"CHILD_API_KEY": "rpa_1\n2"})


@pytest.mark.parametrize("deadline", [60, 2340, 5000])
def test_a_leg_that_is_stopped_leaves_time_for_a_second_one(deadline):
    limits = orchestrator.load_orchestrator(ENV | {"DIARIST_DEADLINE": str(deadline)})._pipeline._limits(None)
    assert limits.execution < limits.deadline == deadline
    assert limits.execution >= deadline - 540 or limits.execution == deadline / 2


@pytest.mark.parametrize("audio", ["aGVsbG8=", "https://example.org/a.mp3", "data:;base64,aGVsbG8=", "volume:a.mp3"])
def test_the_recording_goes_on_as_it_came(audio):
    legs = Legs(transcript())
    ask(OrchestratorService(legs), audio=audio)
    assert legs.recording.wire == audio
    assert not legs.recording.has_bytes


@pytest.mark.parametrize("scheme", ["HTTPS", "Https", "https"])
def test_a_url_is_known_as_one_however_its_scheme_is_written(scheme, tmp_path):
    legs = Legs(transcript())
    service = OrchestratorService(legs, ResultCache(f"file://{tmp_path}"), "1.0")
    for _ in range(2):
        ask(service, audio=f"{scheme}://example.org/a.mp3")
    assert legs.calls == 2


def test_sixteen_waiting_jobs_hold_no_thread():
    class Waiting:
        async def atranscribe(self, recording, options, progress, heard):
            self.here += 1
            if self.here == 16:
                self.threads = threading.active_count()
                self.all_here.set()
            await self.all_here.wait()
            return transcript()

    legs = Waiting()
    legs.here = 0

    async def run():
        legs.all_here = asyncio.Event()
        before = threading.active_count()
        worker = Worker(OrchestratorService(legs))
        jobs = [{"id": str(n), "input": {"audio": f"https://example.org/{n}"}} for n in range(16)]
        answers = await asyncio.gather(*(worker.handle(job) for job in jobs))
        return before, answers

    before, answers = asyncio.run(run())
    assert legs.threads == before
    assert [answer["text"] for answer in answers] == ["hello"] * 16
