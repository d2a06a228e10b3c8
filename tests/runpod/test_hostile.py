"""Recordings that break the decoder, among others: only their own jobs end in an error, and no worker is lost.

Workers, SDK, client, HTTP and the decoder's process are real. The engines are stubs: this is about jobs, not speech.
"""

import base64
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from diarist.audio.recording import Recording
from diarist.model.errors import DiaristError, InputError
from diarist.model.options import Options
from diarist.runpod.emulator.emulator import emulate
from diarist.runpod.place import open_pipeline

from .conftest import STUB, processes_of, sound

pytestmark = pytest.mark.slow

KILLER = Path(__file__).parents[1] / "killer"
NUM_JOBS = 40
KILLS = 17


@pytest.mark.timeout(240)
def test_one_recording_that_kills_its_decoder_among_forty_harms_no_other(tmp_path):
    handler = tmp_path / "single.py"
    handler.write_text(
        "import os, runpy, sys\n"
        f"sys.path.insert(0, {str(KILLER)!r})\n"
        "os.environ['DIARIST_STUB'] = 'single'\n"
        f"runpy.run_path({str(STUB)!r}, run_name='__main__')\n"
    )
    with emulate("single", handlers={"single": handler}, max_workers=2, queue_delay=0.5) as emulator:
        folder = emulator.folder
        pipeline = open_pipeline("runpod:single", emulator.environ)

        def run(number):
            if number == KILLS:
                recording = Recording("bad", None, wire=base64.b64encode(b"kills SIGFPE").decode())
            else:
                recording = Recording.of(sound(100 + number, 300, 500))
            try:
                return pipeline.transcribe(recording, Options())
            except DiaristError as error:
                return error

        with ThreadPoolExecutor(8) as pool:
            outcomes = list(pool.map(run, range(NUM_JOBS)))
        lost = [worker for worker in emulator.pool.past if worker.process.returncode not in (0, None)]
        started = len(emulator.pool.past) + len(emulator.workers)

    error = outcomes.pop(KILLS)
    assert isinstance(error, InputError)
    assert (error.code, error.http_status) == ("audio_breaks_decoder", 422)
    assert "the decoder broke (SIGFPE)" in error.message
    numbers = [number for number in range(NUM_JOBS) if number != KILLS]
    assert [outcome.text for outcome in outcomes] == [f"{100 + number} 300 500" for number in numbers]
    assert lost == []
    assert started <= 2
    assert processes_of(folder) == []
