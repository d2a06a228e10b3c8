"""Both legs run at once; a failed diarization is told, not fatal; a stop reaches both legs."""

import asyncio
import dataclasses
import threading
import time
from types import SimpleNamespace

import pytest

from diarist.model.errors import Cancelled, EngineError, InputError
from diarist.model.options import Options
from diarist.model.progress import ignore
from diarist.model.transcript import Diarization, ModelInfo, SourceInfo, Transcription, Turn, Word
from diarist.pipelines.bridge import in_thread, wait_for
from diarist.pipelines.legs import DifferentRecordingsError, run_legs

WORDS = Transcription(
    words=(Word(0, 1, "hi"),), language="en", duration=2.0, model=ModelInfo("transcription", "w", None, "t")
)
TURNS = Diarization(
    turns=(Turn(0, 2, "A"),), exclusive=(Turn(0, 2, "A"),), duration=2.0, model=ModelInfo("diarization", "d", None, "t")
)


def legs(transcribe, diarize, options=Options(), progress=ignore, **more):
    """Run legs that compute in threads, as engines on this machine do."""

    def leg(work):
        return work and (lambda: in_thread(work, progress))

    return wait_for(lambda: run_legs(leg(transcribe), leg(diarize), options, **more))


def test_the_legs_run_at_the_same_time():
    meeting = threading.Barrier(2, timeout=5)  # breaks unless both legs are inside at once

    def leg(result):
        def run(_report):
            meeting.wait()
            return result

        return run

    transcript = legs(leg(WORDS), leg(TURNS))
    assert transcript.words[0].speaker == "SPEAKER_00"
    assert {"transcription", "diarization", "total"} <= transcript.timings.keys()


def test_or_one_after_the_other_where_one_cpu_is_all_there_is():
    order = []

    def leg(name, result):
        def run(_report):
            order.append(f"{name} begins")
            time.sleep(0.05)
            order.append(f"{name} ends")
            return result

        return run

    transcript = legs(leg("words", WORDS), leg("turns", TURNS), together=False)
    assert order == ["words begins", "words ends", "turns begins", "turns ends"]
    assert transcript.words[0].speaker == "SPEAKER_00"


def broken(error):
    def leg(_report):
        raise error

    return leg


def test_without_diarization_the_words_have_no_speaker():
    transcript = legs(lambda _: WORDS, None)
    assert transcript.words[0].speaker is None
    assert transcript.warnings == ()


def test_a_failed_diarization_leaves_the_words_and_a_warning():
    transcript = legs(lambda _: WORDS, broken(EngineError("oom", "Out of memory.")))
    assert transcript.text == "hi"
    assert transcript.speakers == ()
    assert transcript.warnings == ("Diarization failed, so words carry no speaker: Out of memory.",)


@pytest.mark.parametrize(
    ("error", "options"),
    [
        (EngineError("oom", "Out of memory."), Options(on_diarization_failure="fail")),
        (InputError("bad", "Bad input."), Options()),
        (RuntimeError("a bug"), Options()),
    ],
)
def test_a_diarization_failure_is_raised_when_asked_or_when_it_is_not_the_models(error, options):
    with pytest.raises(type(error)):
        legs(lambda _: WORDS, broken(error), options)


class TestWhatTheLegsRead:
    ONE, OTHER = SourceInfo("a" * 64, 32_000), SourceInfo("a" * 64, 31_999)

    def join(self, words, turns):
        return legs(
            lambda _: dataclasses.replace(WORDS, source=words), lambda _: dataclasses.replace(TURNS, source=turns)
        )

    def test_is_joined_where_it_is_the_same(self):
        assert self.join(self.ONE, self.ONE).words[0].speaker == "SPEAKER_00"

    def test_is_joined_where_a_leg_does_not_say(self):
        assert self.join(self.ONE, None).words[0].speaker == "SPEAKER_00"

    def test_is_not_joined_where_one_leg_decoded_other_samples(self):
        with pytest.raises(DifferentRecordingsError, match="read other audio"):
            self.join(self.ONE, self.OTHER)


def test_a_failed_transcription_stops_the_diarization():
    stopped = threading.Event()

    def endless(report):
        try:
            while True:
                report("diarization", 0.5)
        except Cancelled:
            stopped.set()
            raise

    with pytest.raises(EngineError):
        legs(broken(EngineError("oom", "Out of memory.")), endless)
    assert stopped.is_set()


def test_raising_from_progress_cancels_both_legs():
    def endless(report):
        while True:
            report("working", 0.5)

    def stop(_stage, _done):
        raise Cancelled

    with pytest.raises(Cancelled):
        legs(endless, endless, Options(), stop)


def test_known_speakers_are_named():
    transcript = legs(lambda _: WORDS, lambda _: TURNS, naming=lambda diarization: {"A": "Ada"})
    assert transcript.speakers == ("Ada",)


def test_speakers_that_cannot_be_named_keep_their_numbers_and_a_warning():
    def naming(diarization):
        raise InputError("other_model", "No known voice was made with the model 'd'.")

    transcript = legs(lambda _: WORDS, lambda _: TURNS, naming=naming)
    assert transcript.speakers == ("SPEAKER_00",)
    assert transcript.warnings == ("Speakers were not named: No known voice was made with the model 'd'.",)


def test_a_leg_that_fails_at_once_leaves_no_trace_of_the_other():
    begun = []

    async def fail():
        raise EngineError("oom", "Out of memory.")

    async def late():
        await asyncio.sleep(0)
        begun.append("diarization")
        await asyncio.sleep(3600)

    with pytest.raises(EngineError):
        wait_for(lambda: run_legs(fail, late))
    assert begun == []


class Clock:
    """A clock that stands still but for what is worked."""

    def __init__(self, monkeypatch):
        self.now = 1000.0
        monkeypatch.setattr("diarist.pipelines.legs.time", SimpleNamespace(perf_counter=lambda: self.now))

    def work(self, seconds, result):
        self.now += seconds
        return result


def test_each_leg_has_its_own_seconds_and_the_total_all_of_them(monkeypatch):
    clock = Clock(monkeypatch)

    async def transcribe():
        return clock.work(3.0, WORDS)

    async def diarize():
        return clock.work(1.5, TURNS)

    def naming(_diarization):
        return clock.work(0.25, {})

    transcript = wait_for(lambda: run_legs(transcribe, diarize, naming=naming, together=False))
    assert transcript.timings == {"transcription": 3.0, "diarization": 1.5, "total": 4.75}


def test_legs_that_run_at_once_share_the_total(monkeypatch):
    clock, heard = Clock(monkeypatch), asyncio.Event()

    async def transcribe():
        await heard.wait()
        return clock.work(2.0, WORDS)

    async def diarize():
        heard.set()
        return clock.work(4.0, TURNS)

    transcript = wait_for(lambda: run_legs(transcribe, diarize))
    assert transcript.timings == {"transcription": 6.0, "diarization": 4.0, "total": 6.0}


@pytest.mark.parametrize(
    ("peak", "says"),
    [
        (0.0, "the recording is silent"),
        (0.01, "no speech was found (peak level -40 dBFS)"),
        (None, "no speech was found"),
    ],
)
def test_a_transcript_without_words_says_why(peak, says):
    silent = dataclasses.replace(WORDS, words=(), peak=peak)
    transcript = legs(lambda _: silent, None)
    assert transcript.warnings == (f"There are no words: {says}.",)


def test_the_diarization_is_at_hand_for_who_wants_it():
    found = legs(lambda _: WORDS, lambda _: dataclasses.replace(TURNS, embeddings={"A": (1.0, 0.0)}))
    assert found.diarization.embeddings == {"SPEAKER_00": (1.0, 0.0)}
    assert legs(lambda _: WORDS, None).diarization is None
