"""One recording on many workers gives the transcript of a single pass: words, turns and scores, to the last digit."""

import os
import signal
import subprocess
import sys
from dataclasses import replace
from functools import partial

import numpy as np
import pytest

from diarist import cluster
from diarist.audio.audio import SAMPLE_RATE, Audio
from diarist.cluster.one_recording import spread, start_worker
from diarist.cluster.unit import compute
from diarist.engines import load
from diarist.model.errors import InputError
from diarist.model.options import Options
from diarist.weights.fetch import ensure

pytestmark = [pytest.mark.models, pytest.mark.slow]


@pytest.fixture(scope="module")
def pipeline():
    return load("whisper-tiny.en", "embedded")


@pytest.fixture(scope="module")
def whole(pipeline, conversation):
    """The single pass."""
    return pipeline.transcribe(conversation)


def same(found, whole):
    """Assert that two transcripts, and the evidence behind them, differ in nothing but the time they took."""
    assert replace(found, timings={}) == replace(whole, timings={})
    assert found.digest == whole.digest
    if whole.diarization is not None:
        assert replace(found.diarization, timings={}) == replace(whole.diarization, timings={})


def test_units_in_any_order_give_the_single_pass(pipeline, conversation, whole, here):
    assert len(whole.words) > 180
    assert len(whole.speakers) >= 2
    assert whole.diarization.scores.values
    pool = here(lambda work: compute(work, pipeline), seed=3)
    seen = []
    found = spread(
        conversation, Options(), pool, pipeline, chunks=128, progress=lambda stage, done: seen.append((stage, done))
    )
    assert pool.next == 3
    same(found, whole)
    parts = [done for stage, done in seen if stage == "parts"]
    assert parts == sorted(parts)
    assert parts[-1] == pytest.approx(1)


@pytest.mark.slow
def test_processes_of_which_one_is_killed_give_the_single_pass(pipeline, conversation, whole):
    start = partial(start_worker, "whisper-tiny.en", "embedded", language=None, device="auto", threads=1)
    with cluster.Processes(start, 2) as pool:
        killed = []

        def kill_one_that_computes(stage, done):
            if stage == "parts" and done > 0.05 and not killed:
                killed.append(pool.pids[0])
                os.kill(pool.pids[0], signal.SIGKILL)

        found = spread(conversation, Options(), pool, pipeline, chunks=128, progress=kill_one_that_computes)
        assert killed
        assert killed[0] not in pool.pids
    same(found, whole)


def test_the_whole_job_in_one_call(conversation, pipeline):
    short = Audio(conversation.samples[95 * SAMPLE_RATE : 115 * SAMPLE_RATE])
    options = Options(num_speakers=2, language="en", hotwords=("wisdom",))
    found = cluster.fan_out(short, options, workers=1, model="whisper-tiny.en", diarizer="embedded", chunks=128)
    same(found, pipeline.transcribe(short, options))


PROGRAM = """
import sys
from diarist import cluster

if __name__ == "__main__":
    found = cluster.fan_out(sys.argv[1], workers=1, model="whisper-tiny.en", diarizer="embedded")
    print(len(found.words) > 10)
"""


def test_a_script_that_does_so_says_nothing_but_its_own(tmp_path):
    script = tmp_path / "program.py"
    script.write_text(PROGRAM)
    recording = str(ensure("sample-telephone") / "sample.wav")
    done = subprocess.run([sys.executable, script, recording], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "True\n", "")


def no_pause(call, reading):
    """Two and a half minutes of speech that goes on and on: all pauses are cut out."""
    samples = np.concatenate([reading, call] * 3)
    loud = np.abs(samples[: len(samples) // 1600 * 1600].reshape(-1, 1600)).max(axis=1) > 0.03
    return samples[: len(loud) * 1600][np.repeat(loud, 1600)][: 145 * SAMPLE_RATE]


ODD = {
    "a clip of 12 s": lambda call, reading: call[: 12 * SAMPLE_RATE],
    "silence": lambda call, reading: np.zeros(140 * SAMPLE_RATE, np.float32),
    "next to nothing": lambda call, reading: reading[:5],
    "nothing at all": lambda call, reading: reading[:0],
    "speech without a pause, cut where somebody speaks": no_pause,
    "an edge inside a word": lambda call, reading: np.concatenate([np.zeros(108 * SAMPLE_RATE, np.float32), reading]),
    "a long silence at the start": lambda call, reading: np.concatenate(
        [np.zeros(130 * SAMPLE_RATE, np.float32), call]
    ),
}


@pytest.mark.parametrize("name", ODD)
@pytest.mark.slow
def test_odd_recordings_too(pipeline, here, call, reading, name):
    audio = Audio(np.asarray(ODD[name](call, reading), np.float32))
    pool = here(lambda work: compute(work, pipeline))
    same(spread(audio, Options(), pool, pipeline, chunks=128), pipeline.transcribe(audio))


@pytest.mark.slow
def test_words_alone_too(pipeline, here, reading):
    audio = Audio(np.concatenate([np.zeros(110 * SAMPLE_RATE, np.float32), reading]))
    options = Options(diarize=False)
    pool = here(lambda work: compute(work, pipeline))
    same(spread(audio, options, pool, pipeline, chunks=128), pipeline.transcribe(audio, options))
    assert pool.next == 2


@pytest.mark.slow
def test_a_diarizer_that_fails_in_one_unit_leaves_the_words_with_a_warning(pipeline, conversation, here, monkeypatch):
    audio = Audio(conversation.samples[90 * SAMPLE_RATE :])
    real = pipeline.diarizer.segment_and_embed

    def broken(samples, portion, *rest):
        if portion.first_chunk:
            raise RuntimeError("the network broke")
        return real(samples, portion, *rest)

    monkeypatch.setattr(pipeline.diarizer, "segment_and_embed", broken)
    pool = here(lambda work: compute(work, pipeline))
    found = spread(audio, Options(), pool, pipeline, chunks=128)
    assert len(found.words) > 150
    assert found.speakers == ()
    assert "Diarization failed" in found.warnings[0]
    assert "the network broke" in found.warnings[0]


@pytest.mark.parametrize("chunks", [0, 64, 130])
def test_units_that_would_not_give_the_same_are_refused(chunks):
    with pytest.raises(InputError, match="multiple of 64, 128 at least"):
        cluster.fan_out("nowhere.wav", workers=2, chunks=chunks)


def test_an_engine_that_takes_whole_recordings_only_is_refused_before_it_works(pipeline, conversation, here):
    class Plain:
        model = pipeline.transcriber.model

        def transcribe(self, audio, options=None, progress=None):
            pytest.fail("asked")

    pool = here(pytest.fail)
    with pytest.raises(InputError, match="takes whole recordings only"):
        spread(conversation, Options(), pool, type(pipeline)(Plain(), pipeline.diarizer))
