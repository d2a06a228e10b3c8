"""How many people are found by pyannote's rule, with what was heard within one chunk, and in stretches of speech.

python benchmarks/diarization_counts.py FOLDER [FOLDER …] [--collar 0] [--sure] [--keep FOLDER] [--json]

Each FOLDER holds recordings as benchmarks/conversations.py makes them. The networks, those of the embedded default, run
once; all rules cluster what they gave, not told and told the true number of people. Recordings are pooled by what
their names begin with. ``--sure`` counts instead how often the default is wrong where its warning says that there may
be another number of people, and where there is none. ``--keep`` stores what the networks gave, and reads it again.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

from machine import describe

from diarist.audio.decode import decode
from diarist.diarization.clustering import Agglomerative
from diarist.diarization.engine import WindowedDiarizer
from diarist.diarization.evidence import Evidence
from diarist.diarization.pipeline import load_diarizer
from diarist.evaluation.annotation import Annotation, read_annotation
from diarist.evaluation.measures import score
from diarist.evaluation.text import normaliser
from diarist.model.options import Options


def heard(
    diarizer: WindowedDiarizer, folders: list[Path], keep: Path | None
) -> Iterator[tuple[str, Annotation, int, Evidence]]:
    """Yield of each recording: what its name begins with, its reference, how many people it holds, and the evidence."""
    for folder in folders:
        for recording in sorted(path.parent for path in folder.glob("*/ref.rttm")):
            reference = read_annotation(recording)[recording.name]
            true = len({turn.speaker for turn in reference.turns or ()})
            kind = (re.match("[a-z-]+", recording.name) or [recording.name])[0]
            kept = keep / f"{folder.name}-{recording.name}.npz" if keep else None
            if kept and kept.exists():
                evidence = diarizer.unpack(kept.read_bytes())
            else:
                evidence = diarizer.evidence(decode(next(recording.glob("audio.*"))))
                if kept:
                    kept.parent.mkdir(parents=True, exist_ok=True)
                    kept.write_bytes(diarizer.pack(evidence))
            yield kind, reference, true, evidence


def sure(
    diarizer: WindowedDiarizer, recordings: Iterator[tuple[str, Annotation, int, Evidence]]
) -> list[dict[str, object]]:
    """Count where the warning stands, how often the number is wrong there, and how often the true one is named."""
    counts: defaultdict[str, list[int]] = defaultdict(lambda: [0] * 5)
    for kind, _, true, evidence in recordings:
        found = diarizer.cluster(evidence)
        wrong = len(found.speakers) != true
        named = next((re.findall(r"\d+", line) for line in found.warnings if line.startswith("There may be")), None)
        for key in (kind, "all"):
            row = counts[key]
            row[0] += 1
            if named is None:
                row[4] += wrong
            else:
                row[1] += 1
                row[2] += wrong
                row[3] += int(named[0]) <= true <= int(named[1])
    return [
        {
            "recordings": kind, "number": number, "warned": warned, "of them wrong": wrong, "true number named": named,
            "not warned": number - warned, "of those wrong": missed,
        }
        for kind, (number, warned, wrong, named, missed) in sorted(counts.items())
    ]  # fmt: skip


def scored(
    diarizer: WindowedDiarizer,
    rules: dict[str, Agglomerative],
    recordings: Iterator[tuple[str, Annotation, int, Evidence]],
    collar: float,
) -> list[dict[str, object]]:
    """Count how often each rule is right, not told and told the true number, and score its turns."""
    pooled: defaultdict[tuple[str, str, str], list[float]] = defaultdict(lambda: [0, 0, 0, 0, 0, 0])
    for kind, reference, true, evidence in recordings:
        slots_only = dataclasses.replace(evidence, stretches=evidence.stretches[:0])
        for name, clustering in rules.items():
            diarizer.clustering = clustering
            taken = evidence if name == "stretches" else slots_only
            for told, asked in (("not told", Options()), ("told", Options(num_speakers=true))):
                found = diarizer.cluster(taken, asked)
                errors = score(reference, Annotation(turns=found.turns), normaliser("none"), collar=collar)["der"]
                number = len(found.speakers)
                for key in (kind, "all"):
                    row = pooled[key, name, told]
                    for place, value in enumerate(
                        (1, number == true, number < true, number > true, errors.errors, errors.total)
                    ):
                        row[place] += value
    return [
        {
            "recordings": kind, "rule": name, "speakers": told, "number": int(n), "right": int(right),
            "too few": int(few), "too many": int(many), "DER %": round(100 * wrong / total, 1),
        }
        for (kind, name, told), (n, right, few, many, wrong, total) in sorted(pooled.items())
    ]  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", type=Path, nargs="+")
    parser.add_argument("--collar", type=float, default=0.0)
    parser.add_argument("--sure", action="store_true")
    parser.add_argument("--keep", type=Path)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    diarizer = load_diarizer("embedded", device="cpu", threads=os.cpu_count() or 1)
    rule = diarizer.clustering
    assert isinstance(rule, Agglomerative)
    rules = {"pyannote's rule": dataclasses.replace(rule, heard_apart=None), "heard apart": rule, "stretches": rule}
    recordings = heard(diarizer, options.folders, options.keep)
    table = sure(diarizer, recordings) if options.sure else scored(diarizer, rules, recordings, options.collar)
    if options.json:
        print(json.dumps({"machine": describe(), "collar": options.collar, "table": table}))
        return
    print(json.dumps(describe()), f"collar {options.collar:g} s")
    for row in table:
        print("  ".join(f"{value!s:<16}" if isinstance(value, str) else f"{key} {value}" for key, value in row.items()))


if __name__ == "__main__":
    main()
