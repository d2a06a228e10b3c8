"""Workers whose engines sleep instead of computing, for ``planning.py --engines sleeping`` and ``runpod_holding.py``.

Other work on the machine does not slow them down, so that what is compared is the plan's rules alone: queue, start,
scaling, idle timeout, billing. They transcribe nothing and prove nothing about transcription.
"""

import os
import time

from diarist.jobs.services import DiarizationService, SingleService, TranscriptionService
from diarist.model.transcript import Diarization, ModelInfo, Transcription, Turn, Word
from diarist.pipelines.local import LocalPipeline
from diarist.runpod.worker import start

SECONDS_PER_AUDIO_SECOND = {"transcription": 0.25, "diarization": 0.10}
START_SECONDS = 2.0


class SleepingTranscriber:
    """Sleeps for a quarter of the recording."""

    model = ModelInfo("transcription", "sleeping", None, "benchmark")

    def transcribe(self, audio, options=None, progress=lambda *_: None):
        seconds = SECONDS_PER_AUDIO_SECOND["transcription"] * audio.duration
        time.sleep(seconds)
        words = (Word(0.0, audio.duration, "asleep"),)
        timings = {"voice_detection": 0.0, "recognition": seconds}
        return Transcription(words=words, language="en", duration=audio.duration, model=self.model, timings=timings)


class SleepingDiarizer:
    """Sleeps for a tenth of the recording."""

    model = ModelInfo("diarization", "sleeping", None, "benchmark")

    def diarize(self, audio, options=None, progress=lambda *_: None):
        seconds = SECONDS_PER_AUDIO_SECOND["diarization"] * audio.duration
        time.sleep(seconds)
        turns = (Turn(0.0, audio.duration, "A"),)
        timings = {"networks": seconds, "clustering": 0.0}
        return Diarization(turns=turns, exclusive=turns, duration=audio.duration, model=self.model, timings=timings)


def load():
    time.sleep(START_SECONDS)
    match os.environ["RUNPOD_ENDPOINT_ID"].rpartition("-")[2]:
        case "transcription":
            return TranscriptionService(SleepingTranscriber())
        case "diarization":
            return DiarizationService(SleepingDiarizer())
    service = SingleService(LocalPipeline(SleepingTranscriber(), SleepingDiarizer()))
    service.concurrency = int(os.environ.get("HOLDS", service.concurrency))
    return service


if __name__ == "__main__":
    start(load)
