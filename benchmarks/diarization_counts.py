"""How many people are found by pyannote's rule, with what was heard within one chunk, and in stretches of speech.

python benchmarks/diarization_counts.py FOLDER [FOLDER …] [--collar 0] [--json]

Each FOLDER holds recordings as benchmarks/conversations.py makes them. The networks, those of the embedded default, run
once; all rules cluster what they gave, not told and told the true number of people. Recordings are pooled by what
their names begin with.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import re
from collections import defaultdict
from pathlib import Path

from machine import describe

from diarist.audio.decode import decode
from diarist.diarization.clustering import Agglomerative
from diarist.diarization.pipeline import load_diarizer
from diarist.evaluation.annotation import Annotation, read_annotation
from diarist.evaluation.measures import score
from diarist.evaluation.text import normaliser
from diarist.model.options import Options


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", type=Path, nargs="+")
    parser.add_argument("--collar", type=float, default=0.0)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    diarizer = load_diarizer("embedded", device="cpu", threads=os.cpu_count() or 1)
    rule = diarizer.clustering
    assert isinstance(rule, Agglomerative)
    rules = {"pyannote's rule": dataclasses.replace(rule, heard_apart=None), "heard apart": rule, "stretches": rule}
    pooled: defaultdict[tuple[str, str, str], list[float]] = defaultdict(lambda: [0, 0, 0, 0, 0, 0])
    for folder in options.folders:
        for recording in sorted(path.parent for path in folder.glob("*/ref.rttm")):
            reference = read_annotation(recording)[recording.name]
            true = len({turn.speaker for turn in reference.turns or ()})
            audio = decode(next(recording.glob("audio.*")))
            evidence = diarizer.evidence(audio)
            kind = (re.match("[a-z-]+", recording.name) or [recording.name])[0]
            slots_only = dataclasses.replace(evidence, stretches=evidence.stretches[:0])
            for name, clustering in rules.items():
                diarizer.clustering = clustering
                heard = evidence if name == "stretches" else slots_only
                for told, asked in (("not told", Options()), ("told", Options(num_speakers=true))):
                    found = diarizer.cluster(heard, asked)
                    errors = score(reference, Annotation(turns=found.turns), normaliser("none"), collar=options.collar)[
                        "der"
                    ]
                    number = len(found.speakers)
                    for key in (kind, "all"):
                        row = pooled[key, name, told]
                        for place, value in enumerate(
                            (1, number == true, number < true, number > true, errors.errors, errors.total)
                        ):
                            row[place] += value
    table = [
        {
            "recordings": kind, "rule": name, "speakers": told, "number": int(n), "right": int(right),
            "too few": int(few), "too many": int(many), "DER %": round(100 * wrong / total, 1),
        }
        for (kind, name, told), (n, right, few, many, wrong, total) in sorted(pooled.items())
    ]  # fmt: skip
    if options.json:
        print(json.dumps({"machine": describe(), "collar": options.collar, "table": table}))
        return
    print(json.dumps(describe()), f"collar {options.collar:g} s")
    for row in table:
        print("  ".join(f"{value!s:<16}" if isinstance(value, str) else f"{key} {value}" for key, value in row.items()))


if __name__ == "__main__":
    main()
