"""Does a word's speaker_confidence mean what it says? Beside it, activity alone, which it was before.

python benchmarks/attribution/confidence.py RECORDINGS DUMP [RECORDINGS DUMP]… [--json]

The arguments are those of ablation.py, and so are the conditions; the reference's own times are left out. A word is
right if its speaker, matched to a true one, said it.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import platform
import sys
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

from ablation import Case, _wrong, cases

from diarist.attribution import attribute
from diarist.model.transcript import Transcription

sys.path.append(str(Path(__file__).parents[1]))
from transcription_scoring import calibration


def judged(case: Case) -> Iterator[tuple[float, float, bool]]:
    """Confidence, the speaker's own activity, and whether the speaker is right, of each word with a spoken partner."""
    scores = case.diarization.scores
    if scores is None:
        return
    width = len(scores.speakers)
    words = Transcription(
        words=case.words, language="en", duration=case.diarization.duration, model=case.diarization.model
    )
    told = attribute(words, case.diarization, names={label: label for label in scores.speakers}).words
    labels = [word.speaker for word in told]
    triples = [(case.said[r].speaker, labels[case.heard[h][1]], r) for r, h in case.pairs]
    for wrong, (_, h) in zip(_wrong(triples), case.pairs, strict=True):
        word = told[case.heard[h][1]]
        if word.speaker is None or word.speaker_confidence is None:
            continue
        first, stop = (max(0, math.ceil(round((t - scores.start) / scores.step, 6))) for t in (word.start, word.end))
        column = scores.speakers.index(word.speaker)
        frames = scores.values[first * width + column : max(stop, first + 1) * width : width]
        if frames:
            yield word.speaker_confidence, sum(frames) / len(frames) / 255, not wrong


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", type=Path, nargs="+", metavar="RECORDINGS DUMP")
    parser.add_argument("--json", action="store_true", help="print everything as JSON")
    options = parser.parse_args()
    rows: defaultdict[str, list[tuple[float, float, bool]]] = defaultdict(list)
    for recordings, dump in zip(options.folders[::2], options.folders[1::2], strict=True):
        for case in cases(recordings, dump):
            if not case.condition.startswith("reference"):
                rows[f"{recordings.name}: {case.condition}"] += judged(case)
    report = {
        "machine": f"{platform.machine()}, {os.cpu_count()} cores",
        **{
            name: {
                "now": calibration([(confidence, right) for confidence, _, right in some]),
                "activity alone": calibration([(own, right) for _, own, right in some]),
            }
            for name, some in rows.items()
        },
    }
    print(json.dumps(report, indent=None if options.json else 2))


if __name__ == "__main__":
    main()
