"""Handlers with engines that need no weights, for tests of queues, retries and processes, never of transcription.

What they find is a function of the samples alone, so that a right transcript can be told from a wrong one. Run as
``python stub_handlers.py`` by the emulator with DIARIST_STUB=single, diarization, transcription or
digest; the SDK is real.
"""

import dataclasses
import os
import time

import numpy as np

from diarist.attribution import attribute
from diarist.audio.audio import SAMPLE_RATE
from diarist.audio.recording import WORKER_KINDS, parse_recording
from diarist.audio.url_rules import UrlRules
from diarist.jobs.runner import Prepared
from diarist.jobs.services import DiarizationService, SingleService, TranscriptionService
from diarist.model.codec import dump
from diarist.model.errors import EngineError
from diarist.model.transcript import Diarization, ModelInfo, SpeakerScores, Transcription, Turn, Word
from diarist.pipelines.local import LocalPipeline

POISON, FAILS, SLOW, BREAKS, LONG = 999, 998, 997, 994, 993  # loudness of the first second
SECONDS = float(os.environ.get("DIARIST_STUB_SECONDS", "0"))
SICK = os.environ.get("DIARIST_STUB_SICK") == os.environ.get("RUNPOD_POD_ID", "")
"""Whether this worker's GPU is broken, as far as its engines can tell."""


def _work(report, stage, audio):
    if len(audio.samples) % SAMPLE_RATE:
        return  # the clip that a worker checks itself with is short work for real engines too
    steps = 20
    for step in range(steps):
        time.sleep(SECONDS / steps)
        report(stage, step / steps)


def _seconds_of_sound(audio):
    """One number per second of sound: its loudness."""
    whole = audio.samples[: len(audio.samples) // SAMPLE_RATE * SAMPLE_RATE].reshape(-1, SAMPLE_RATE)
    return np.abs(whole).max(axis=1)


def _wait_for_gate():
    """Go on once the file DIARIST_STUB_GATE is there; what a test does before it makes it, it does meanwhile."""
    gate = os.environ.get("DIARIST_STUB_GATE")
    until = time.monotonic() + 30
    while gate and not os.path.exists(gate) and time.monotonic() < until:
        time.sleep(0.02)


class StubTranscriber:
    model = ModelInfo("transcription", "stub", None, "tests")

    def transcribe(self, audio, options=None, progress=lambda *_: None, heard=lambda _: None):
        if SICK:
            raise RuntimeError("CUDA error: an illegal memory access was encountered")
        peaks = _seconds_of_sound(audio)
        if round(peaks[0] * 1000) == POISON:
            os._exit(9)
        time.sleep(1.5 if round(peaks[0] * 1000) == SLOW else 0)
        _work(progress, "transcription", audio)
        words = tuple(Word(second + 0.1, second + 0.9, f"{peak * 1000:.0f}") for second, peak in enumerate(peaks))
        match round(peaks[0] * 1000):
            case 996:
                words = (*words, Word(audio.duration + 1, audio.duration + 2, "late"))
            case 995:
                words = words[::-1]
        for word in words:
            heard((word,))
            _wait_for_gate()
        return Transcription(words=words, language="en", duration=audio.duration, model=self.model)


class StubDiarizer:
    model = ModelInfo("diarization", "stub", None, "tests")

    def diarize(self, audio, options=None, progress=lambda *_: None):
        if round(_seconds_of_sound(audio)[0] * 1000) == FAILS:
            raise EngineError("stub_failed", "The stub was told to fail.")
        if round(_seconds_of_sound(audio)[0] * 1000) == BREAKS:
            raise RuntimeError("The stub was told to fail, as engines do.")
        _work(progress, "diarization", audio)
        turns = tuple(
            Turn(float(second), second + 1.0, f"S{second % 2}") for second in range(len(_seconds_of_sound(audio)))
        )
        scores = _long_meeting() if round(_seconds_of_sound(audio)[0] * 1000) == LONG else None
        return Diarization(turns=turns, exclusive=turns, duration=audio.duration, model=self.model, scores=scores)


def _long_meeting():
    """Scores of four hours and 21 speakers, of whom one talks at a time."""
    random = np.random.default_rng(5)
    values = np.zeros((int(4 * 3600 / 0.016875), 21), np.uint8)
    at = 0
    while at < len(values):
        length = int(random.integers(60, 900))
        talk = values[at : at + length, random.integers(21)]
        talk[:] = random.integers(50, 64, len(talk)) * 4
        at += length
    return SpeakerScores(0.0, 0.016875, tuple(f"S{number}" for number in range(21)), values.tobytes())


class DigestService(SingleService):
    """Says what reached it: the digest of the bytes as the one word, and their name as a warning."""

    async def prepare(self, job, report):
        return Prepared(parse_recording(job.audio, WORKER_KINDS))

    async def work(self, job, prepared, report, heard=None):
        words = (Word(0.0, 1.0, prepared.recording.digest()),)
        found = Transcription(words=words, language="en", duration=1.0, model=StubTranscriber.model)
        return dump(dataclasses.replace(attribute(found), warnings=(prepared.recording.name,)))


def load():
    # A bucket on this machine speaks http from a private address, which workers otherwise refuse.
    rules = UrlRules(allow_http=True, allow_private=True) if os.environ.get("DIARIST_STUB_OPEN") else UrlRules()
    match os.environ["DIARIST_STUB"]:
        case "single":
            return SingleService(LocalPipeline(StubTranscriber(), StubDiarizer()), rules=rules)
        case "transcription":
            return TranscriptionService(StubTranscriber(), rules=rules)
        case "diarization":
            return DiarizationService(StubDiarizer(), rules=rules)
        case "digest":
            return DigestService(None)


if __name__ == "__main__":
    from diarist.runpod.worker import start

    start(load)
