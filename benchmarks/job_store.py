"""What keeping jobs costs: accepting, finishing, editing, searching, and deleting one of many.

    python benchmarks/job_store.py [--jobs 300] [--words 9000] [--json]

Each job is an hour of talk, some 9,000 words with times and confidences, and 200 kB of evidence. Prints medians and
the worst in milliseconds, and the size of the file. Deleting writes the whole file anew.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from machine import describe

from diarist.jobs.job import Keep, NewJob
from diarist.jobs.sqlite_store import SQLiteJobStore

LETTERS = "abcdefghijklmnopqrstuvwxyz"


def transcript(chance: random.Random, vocabulary: list[str], num_words: int) -> str:
    words = [
        {"start": at * 0.4, "end": at * 0.4 + 0.3, "text": chance.choice(vocabulary), "confidence": 0.9876,
         "speaker": "A", "speaker_confidence": 0.9, "overlap": False, "spaced": True}
        for at in range(num_words)
    ]  # fmt: skip
    segments = [
        {"start": part[0]["start"], "text": " ".join(str(word["text"]) for word in part), "words": part}
        for part in (words[at : at + 30] for at in range(0, num_words, 30))
    ]
    return json.dumps({"segments": segments})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--jobs", type=int, default=300)
    parser.add_argument("--words", type=int, default=9000)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    arguments = parser.parse_args()
    chance = random.Random(1)
    vocabulary = ["".join(chance.choices(LETTERS, k=chance.randint(2, 10))) for _ in range(30_000)]
    taken: dict[str, list[float]] = {}

    def timed(name: str, work: Callable[[], object]) -> None:
        began = time.perf_counter()
        work()
        taken.setdefault(name, []).append((time.perf_counter() - began) * 1000)

    with tempfile.TemporaryDirectory() as folder:
        store = SQLiteJobStore(Path(folder) / "jobs.sqlite3", keep=Keep(audio=None, text=None))
        jobs = []
        for number in range(arguments.jobs):
            new = NewJob(owner="", request="{}", digest=str(number))
            timed("accept", lambda new=new: jobs.append(store.add(new)[0].id))
            lease = store.lease(jobs[-1], "w", 60)
            assert lease is not None
            document = transcript(chance, vocabulary, arguments.words)
            timed("renew", lambda lease=lease: store.renew(lease, 60))
            timed(
                "finish", lambda held=lease, said=document: store.finish(held, said, {"evidence": os.urandom(200_000)})
            )
        for revision in range(20):
            timed(
                "edit", lambda at=revision: store.edit(jobs[0], "", if_match=at, operations="[]", transcript=document)
            )
            timed("search", lambda: store.search("", f"{chance.choice(vocabulary)} {chance.choice(vocabulary)}"))
            timed("list", lambda: store.list(""))
        size = store.usage().database
        for job in jobs[:5]:
            timed("delete", lambda job=job: store.delete(job))
        store.close()
    figures = {name: {"median": statistics.median(t), "worst": max(t)} for name, t in taken.items()}
    if arguments.json:
        print(json.dumps({"machine": describe(), "bytes": size, "milliseconds": figures}))
        return
    print(f"{describe()}\n{arguments.jobs} jobs, {size / 1e6:.0f} MB")
    for name, figure in figures.items():
        print(f"{name:8} {figure['median']:8.1f} ms, worst {figure['worst']:8.1f} ms")


if __name__ == "__main__":
    main()
