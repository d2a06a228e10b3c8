"""What the endpoints with engines know of their own health, and what they say that they read."""

import asyncio
import base64
import hashlib

import numpy as np
import onnxruntime
import pytest
from onnx import TensorProto, helper

from diarist.audio.audio import SAMPLE_RATE, Audio
from diarist.audio.decode import decode
from diarist.audio.transport import encode_flac
from diarist.jobs.runner import Doubtful
from diarist.jobs.services import DiarizationService, SingleService, TranscriptionService, memory_is_gone
from diarist.jobs.warm_up import voice_like
from diarist.model.errors import EngineError
from diarist.model.progress import ignore
from diarist.model.transcript import ModelInfo, Transcription, Word
from diarist.pipelines.local import LocalPipeline
from diarist.weights.fetch import ensure


def error_of_onnx_runtime():
    """Ask ONNX Runtime for more memory than there is."""
    node = helper.make_node("ConstantOfShape", ["shape"], ["y"])
    graph = helper.make_graph(
        [node],
        "much",
        [helper.make_tensor_value_info("shape", TensorProto.INT64, [2])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [None, None])],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    with pytest.raises(Exception, match="allocat") as caught:
        session.run(None, {"shape": np.array([1 << 24, 1 << 22])})
    return caught.value


def engine_error(cause):
    """An error as `diarist.pipelines.local` makes it of what an engine raised."""
    error = EngineError("engine_failed", "whisper failed.")
    error.__cause__ = cause
    return error


class TestMemoryIsGone:
    @pytest.mark.parametrize(
        "error",
        [
            MemoryError(),
            RuntimeError("CUDA failed with error out of memory"),
            RuntimeError("CUDA out of memory. Tried to allocate 2.00 GiB."),
            RuntimeError("Available memory of 1024 is smaller than requested bytes of 2048"),
            RuntimeError("cuBLAS failed with status CUBLAS_STATUS_ALLOC_FAILED"),
            RuntimeError("std::bad_alloc"),
        ],
    )
    def test_in_whatever_words_and_behind_whatever_error(self, error):
        assert memory_is_gone(error)
        assert memory_is_gone(engine_error(error))

    def test_in_those_of_onnx_runtime(self):
        assert memory_is_gone(error_of_onnx_runtime())

    @pytest.mark.parametrize(
        "error", [RuntimeError("CUDA error: an illegal memory access was encountered"), KeyError(3)]
    )
    def test_is_not_every_failure(self, error):
        assert not memory_is_gone(engine_error(error))


class NoEngine:
    """Counts how often it is run."""

    def __init__(self):
        self.runs = 0

    def transcribe(self, audio, options=None, progress=None):
        self.runs += 1
        raise AssertionError("it was run")


def test_where_memory_ran_out_no_clip_is_tried():
    engine = NoEngine()
    with pytest.raises(RuntimeError, match="out of memory"):
        asyncio.run(TranscriptionService(engine).check(RuntimeError("out of memory")))
    assert engine.runs == 0


def test_words_without_the_speakers_that_were_asked_for_put_the_worker_in_doubt():
    class Words:
        model = ModelInfo("transcription", "w", None, "t")

        def transcribe(self, audio, options=None, progress=None):
            return Transcription(words=(Word(0, 1, "hum"),), language="en", duration=audio.duration, model=self.model)

    class Broken:
        model = ModelInfo("diarization", "d", None, "t")

        def diarize(self, audio, options=None, progress=None):
            raise RuntimeError("CUDA out of memory")

    service = SingleService(LocalPipeline(Words(), Broken()))

    async def work(**options):
        job = service.read({"audio": base64.b64encode(encode_flac(voice_like())).decode(), **options})
        return await service.work(job, await service.prepare(job, ignore), ignore)

    doubtful = asyncio.run(work(diarize=True))
    assert isinstance(doubtful, Doubtful)
    assert doubtful.output["text"] == "hum"
    assert memory_is_gone(doubtful.failure)
    assert not isinstance(asyncio.run(work(diarize=False)), Doubtful)


def test_what_was_read_is_named_by_its_bytes_and_its_samples():
    data = encode_flac(Audio(np.zeros(SAMPLE_RATE, np.float32)))
    service = TranscriptionService(NoEngine())
    job = service.read({"audio": base64.b64encode(data).decode()})
    prepared = asyncio.run(service.prepare(job, ignore))
    assert prepared.source.sha256 == hashlib.sha256(data).hexdigest()
    assert prepared.source.num_samples == SAMPLE_RATE
    assert (prepared.seconds, prepared.num_bytes) == (1.0, len(data))


@pytest.fixture(scope="module")
def engines():
    from diarist.engines import load

    return load("whisper-tiny.en", "embedded")


@pytest.fixture
def sessions(monkeypatch):
    """The networks of ONNX Runtime that have run."""
    ran = set()
    run = onnxruntime.InferenceSession.run

    def noted(self, *arguments, **more):
        ran.add(self)
        return run(self, *arguments, **more)

    monkeypatch.setattr(onnxruntime.InferenceSession, "run", noted)
    return ran


@pytest.mark.models
class TestTheWarmUp:
    """It finds an engine that broke; so it has to run all of it."""

    def test_runs_every_network_that_speech_does(self, engines, sessions):
        speech = decode(ensure("sample-telephone") / "sample.wav").samples[6 * SAMPLE_RATE : 12 * SAMPLE_RATE]
        engines.diarizer.diarize(Audio(speech))
        needed = set(sessions)
        sessions.clear()
        DiarizationService(engines.diarizer).warm_up()
        assert len(needed) > 1
        assert sessions == needed

    def test_fails_where_recognition_does(self, engines, monkeypatch):
        from faster_whisper import WhisperModel

        TranscriptionService(engines.transcriber).warm_up()

        def broken(*_, **__):
            raise RuntimeError("CUDA error: an illegal memory access was encountered")

        monkeypatch.setattr(WhisperModel, "transcribe", broken)
        for service in (TranscriptionService(engines.transcriber), SingleService(engines)):
            with pytest.raises(EngineError, match="illegal memory access"):
                asyncio.run(service.check(EngineError("engine_failed", "Something else.")))

    def test_of_both_engines_fails_where_one_does_though_a_job_would_go_on_without_speakers(self, engines):
        class Broken:
            model = engines.diarizer.model

            def diarize(self, audio, options=None, progress=None):
                raise RuntimeError("CUDA error")

        with pytest.raises(EngineError, match="RuntimeError: CUDA error"):
            SingleService(LocalPipeline(engines.transcriber, Broken())).warm_up()

    def test_clip_is_short_and_always_the_same(self):
        assert voice_like().duration < 2
        assert voice_like().samples.tobytes() == voice_like().samples.tobytes()
