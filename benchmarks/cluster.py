"""One recording on several processes beside the single pass: is the transcript the same, and what does it cost?

    python benchmarks/cluster.py --chunks 128 --workers 2 --kill MEETING.flac …

The recordings are joined into one. It is transcribed by one process, and by some of which one is killed if asked for,
and the two are compared: words, turns, scores and voices.
"""

from __future__ import annotations

import argparse
import os
import resource
import signal
import time
from dataclasses import replace
from functools import partial

import numpy as np
from machine import describe

from diarist.audio.audio import Audio
from diarist.audio.decode import decode
from diarist.cluster import Processes
from diarist.cluster.one_recording import spread, start_worker
from diarist.engines import load
from diarist.model.options import Options


def cpu_seconds() -> float:
    """CPU time of this process and of the workers that have ended."""
    return sum(
        usage.ru_utime + usage.ru_stime
        for usage in map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    )


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("recordings", nargs="+")
    parser.add_argument("--model", default="whisper-base")
    parser.add_argument("--diarizer", default="embedded")
    parser.add_argument("--chunks", type=int, nargs="+", default=[640])
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--kill", action="store_true", help="kill a worker while it computes")
    given = parser.parse_args()
    audio = Audio(np.concatenate([decode(file).samples for file in given.recordings]))
    print(describe())
    pipeline = load(given.model, given.diarizer)
    began, cpu = time.perf_counter(), cpu_seconds()
    whole = pipeline.transcribe(audio)
    single = cpu_seconds() - cpu
    print(
        f"{audio.duration / 60:.1f} min, {len(whole.words)} words, {len(whole.speakers)} speakers: "
        f"{single:.0f} CPU s, {time.perf_counter() - began:.0f} s",
        flush=True,
    )
    start = partial(start_worker, given.model, given.diarizer, language=None, device="auto", threads=1)
    for chunks in given.chunks:
        began, cpu = time.perf_counter(), cpu_seconds()
        with Processes(start, given.workers) as pool:
            killed: list[int] = []

            def kill(_: str, done: float, pool: Processes = pool, killed: list[int] = killed) -> None:
                if given.kill and done > 0.1 and not killed:
                    killed.append(pool.pids[0])
                    os.kill(pool.pids[0], signal.SIGKILL)

            found = spread(audio, Options(), pool, pipeline, chunks=chunks, progress=kill)
        same = found.digest == whole.digest and (
            found.diarization is None
            or whole.diarization is None
            or replace(found.diarization, timings={}) == replace(whole.diarization, timings={})
        )
        cost = cpu_seconds() - cpu
        print(
            f"units of {chunks} chunks, {given.workers} workers, {len(killed)} killed: "
            f"{'the same' if same else 'DIFFERENT'}, {cost:.0f} CPU s ({cost / single - 1:+.1%}), "
            f"{time.perf_counter() - began:.0f} s",
            flush=True,
        )


if __name__ == "__main__":
    main()
