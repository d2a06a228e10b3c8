"""How many jobs a worker should hold: what the SDK's pause costs, and what it costs others to hold more.

    python benchmarks/runpod_holding.py [--holds 1 2 3 4] [--json]

Real workers with the real SDK in the emulator; their engines sleep a quarter of the recording's length, so that other
work on the machine does not count. For each number of jobs held:

* ``drain``: seconds for ten recordings that wait in the queue of one worker, each computing for so long;
* ``in turn``: seconds for each of five recordings of 0.1 s, each sent when the one before is done;
* ``behind``: a job of 12 s, then three of 0.1 s, and up to two workers: seconds until the last short one is done;
* ``burst``: four jobs of 4 s at once, up to four workers, none running: workers started, seconds until all are done.
"""

from __future__ import annotations

import argparse
import base64
import json
import time
from pathlib import Path
from typing import Any

import httpx
import numpy as np
from machine import describe

from diarist.audio.audio import SAMPLE_RATE, Audio
from diarist.audio.transport import encode_flac
from diarist.runpod.emulator.emulator import Emulator, emulate

STUB = Path(__file__).with_name("planning_stub.py")
COMPUTING_PER_SECOND = 0.25  # of the recording


def audio(computing: float) -> str:
    """A recording that takes so many seconds of computing; each is another."""
    samples = np.random.default_rng().integers(-300, 300, round(computing / COMPUTING_PER_SECOND * SAMPLE_RATE))
    return base64.b64encode(encode_flac(Audio((samples / 32768).astype(np.float32)))).decode()


def submit(emulator: Emulator, *computing: float) -> list[str]:
    """Queue jobs; returns their ids."""
    headers = {"Authorization": f"Bearer {emulator.environ['RUNPOD_API_KEY']}"}
    bodies = [{"input": {"audio": audio(seconds), "diarize": False}} for seconds in computing]
    with httpx.Client(base_url=f"{emulator.url}/emulated-single", headers=headers, timeout=30) as client:
        return [client.post("/run", json=body).json()["id"] for body in bodies]


def seconds_until_done(emulator: Emulator, ids: list[str]) -> float:
    """Seconds from the first submission of these to the end of the last."""
    jobs = [emulator.jobs.get(job_id) for job_id in ids]
    while any(job.ended is None for job in jobs):
        time.sleep(0.02)
    assert all(job.status == "COMPLETED" for job in jobs), [job.error for job in jobs]
    return max(job.ended for job in jobs) - min(job.created for job in jobs)


def drain(holds: int, computing: float) -> float:
    with emulate("single", handlers={"single": STUB}, min_workers=1, env={"HOLDS": str(holds)}) as emulator:
        emulator.wait_ready()
        seconds_until_done(emulator, submit(emulator, 0.1))
        time.sleep(2)
        return seconds_until_done(emulator, submit(emulator, *[computing] * 10))


def in_turn(holds: int) -> float:
    with emulate("single", handlers={"single": STUB}, min_workers=1, env={"HOLDS": str(holds)}) as emulator:
        emulator.wait_ready()
        seconds = [seconds_until_done(emulator, submit(emulator, 0.1)) for _ in range(6)]
        return sum(seconds[1:]) / 5


def behind(holds: int) -> float:
    with emulate(
        "single", handlers={"single": STUB}, min_workers=1, max_workers=2, env={"HOLDS": str(holds)}
    ) as emulator:
        emulator.wait_ready()
        submit(emulator, 12.0)
        time.sleep(1.5)
        return seconds_until_done(emulator, submit(emulator, *[0.1] * 3))


def burst(holds: int) -> tuple[int, float]:
    with emulate("single", handlers={"single": STUB}, max_workers=4, env={"HOLDS": str(holds)}) as emulator:
        seconds = seconds_until_done(emulator, submit(emulator, *[4.0] * 4))
        return len({job.worker for job in emulator.jobs.all()}), seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--holds", nargs="+", type=int, default=[1, 2, 3, 4])
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    rows: list[dict[str, Any]] = []
    for holds in arguments.holds:
        workers, seconds = burst(holds)
        rows.append(
            {
                "holds": holds,
                "drain, 0.1 s each": round(drain(holds, 0.1), 1),
                "drain, 0.5 s each": round(drain(holds, 0.5), 1),
                "drain, 2 s each": round(drain(holds, 2.0), 1),
                "in turn": round(in_turn(holds), 2),
                "behind": round(behind(holds), 1),
                "burst, workers": workers,
                "burst": round(seconds, 1),
            }
        )
        if not arguments.json:
            print(json.dumps(rows[-1]), flush=True)
    if arguments.json:
        print(json.dumps({**describe(), "rows": rows}, indent=2))


if __name__ == "__main__":
    main()
