"""An archive of clips: `diarist archive` beside a shell loop of `diarist transcribe`, in audio hours per CPU hour.

    python benchmarks/archive.py --clips 200 --longest 300 MEETING.flac …

Clips are cut from the recordings at places and of lengths chosen by a seed, from 10 s to ``--longest``. Both use the
same models and write the same formats; the loop starts a process for each clip, as a shell would.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from machine import describe

from diarist.audio.audio import SAMPLE_RATE, Audio
from diarist.audio.clips import wav
from diarist.audio.decode import decode


def cut(recordings: list[str], folder: Path, count: int, shortest: float, longest: float) -> float:
    """Write clips into a folder; returns their length in seconds."""
    chance, sounds = random.Random(7), [decode(file) for file in recordings]
    total = 0.0
    for number in range(count):
        sound = chance.choice(sounds)
        seconds = min(sound.duration, chance.uniform(shortest, longest))
        at = int(chance.uniform(0, sound.duration - seconds) * SAMPLE_RATE)
        clip = Audio(sound.samples[at : at + int(seconds * SAMPLE_RATE)])
        (folder / f"clip {number:03}.wav").write_bytes(wav(clip))
        total += clip.duration
    return total


def measured(commands: list[list[str]]) -> dict[str, float]:
    """Run commands one after the other: seconds, CPU seconds with all their children, and the largest process in MB."""
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    for command in commands:
        subprocess.run(command, check=True, capture_output=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return {"seconds": time.perf_counter() - began, "cpu_seconds": cpu, "peak_mb": after.ru_maxrss / 1024}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("recordings", nargs="+")
    parser.add_argument("--clips", type=int, default=200)
    parser.add_argument("--shortest", type=float, default=10.0)
    parser.add_argument("--longest", type=float, default=300.0)
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2])
    given = parser.parse_args()
    print(json.dumps(describe()))
    diarist = [sys.executable, "-m", "diarist"]
    with tempfile.TemporaryDirectory() as name:
        source = Path(name) / "clips"
        source.mkdir()
        audio = cut(given.recordings, source, given.clips, given.shortest, given.longest)
        print(f"{given.clips} clips, {audio / 3600:.2f} h; load of the machine {os.getloadavg()[0]:.1f}", flush=True)
        runs = {
            f"archive, {workers} workers": [
                [*diarist, "archive", str(source), f"{name}/out{workers}", "-f", "txt,json", "--workers", str(workers)]
            ]
            for workers in given.workers
        }
        # The largest process is that of all runs so far, so the archive's come first.
        runs["a loop of transcribe"] = [
            [*diarist, "transcribe", str(file), "-f", "txt,json", "-o", f"{name}/loop"]
            for file in sorted(source.iterdir())
        ]
        for title, commands in runs.items():
            took = measured(commands)
            rate = audio / took["cpu_seconds"]
            print(
                f"{title}: {rate:.2f} audio hours per CPU hour, {took['cpu_seconds']:.0f} CPU s, "
                f"{took['seconds']:.0f} s, largest process so far {took['peak_mb']:.0f} MB",
                flush=True,
            )


if __name__ == "__main__":
    main()
