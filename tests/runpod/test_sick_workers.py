"""A worker whose engines broke makes way for another, and costs no job its result."""

import re
from concurrent.futures import ThreadPoolExecutor

import pytest

from diarist.runpod.emulator.emulator import emulate
from diarist.runpod.pipelines import SplitPipeline

from .conftest import sound

pytestmark = pytest.mark.slow

NUM_JOBS = 16


@pytest.mark.parametrize("platform", ["prompt", "asleep"])
def test_a_worker_whose_gpu_broke_is_replaced_and_every_job_comes_right(platform, handlers):
    sick = "emulated-transcription-1"
    with emulate("split", handlers=handlers, min_workers=2, max_workers=2, env={"DIARIST_STUB_SICK": sick}) as emulator:
        emulator.wait_ready()
        if platform == "asleep":  # it is long in stopping the worker, which meanwhile takes no more jobs
            emulator.pool.refresh = lambda worker: None
        pipeline = SplitPipeline(
            "emulated-transcription",
            "emulated-diarization",
            emulator.environ["RUNPOD_API_KEY"],
            base_url=emulator.url,
            retry_failed=True,
        )
        with ThreadPoolExecutor(8) as pool:
            texts = list(pool.map(lambda number: pipeline.transcribe(sound(100 + number)).text, range(NUM_JOBS)))
        jobs = emulator.jobs.all()
        workers = {worker.id for worker in emulator.workers}
        log = (emulator.folder / f"{sick}.log").read_text()
    assert texts == [str(100 + number) for number in range(NUM_JOBS)]
    failed = [job for job in jobs if job.status == "FAILED"]
    assert {job.worker for job in failed} == {sick}
    assert len(failed) <= 2  # the one that found it out, and the one that was prepared behind it
    assert (sick in workers) == (platform == "asleep")
    assert "asks for another" in log
    assert re.search("RuntimeError in .*transcribe", log)
