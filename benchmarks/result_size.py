"""How large a diarization is on its way from a worker: scores as they are, and as `diarist.model.scores` packs them.

    python benchmarks/result_size.py MEETING.flac …

Each recording is diarized by the engine that comes with diarist. Its scores, and those of the others with speakers of
their own, follow one another: a meeting in which people come and go. Nothing is repeated, for a repetition would
deflate to nothing.
"""

from __future__ import annotations

import argparse
import json
import time

from machine import describe

from diarist.audio.decode import decode
from diarist.audio.recording import as_recording
from diarist.diarization.pipeline import load_diarizer
from diarist.model.codec import dump, load
from diarist.model.transcript import Diarization, SpeakerScores


def meeting(parts: list[Diarization]) -> Diarization:
    """One diarization made of several."""
    scores = [part.scores for part in parts if part.scores]
    columns = sum(len(each.speakers) for each in scores)
    frames, first, blocks = 0, 0, []
    for each in scores:
        width = len(each.speakers)
        rows = len(each.values) // width
        left, right = bytes(first), bytes(columns - first - width)
        blocks.append(b"".join(left + each.values[at : at + width] + right for at in range(0, rows * width, width)))
        frames, first = frames + rows, first + width
    names = tuple(f"SPEAKER_{number:02}" for number in range(columns))
    whole = SpeakerScores(scores[0].start, scores[0].step, names, b"".join(blocks))
    return Diarization(turns=(), exclusive=(), duration=frames * scores[0].step, model=parts[0].model, scores=whole)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("recordings", nargs="+")
    given = parser.parse_args()
    diarizer = load_diarizer("embedded")
    noun = meeting([diarizer.diarize(decode(as_recording(file))) for file in given.recordings])
    assert noun.scores is not None
    plain = len(noun.scores.values) * 4 // 3
    began = time.perf_counter()
    text = json.dumps(dump(noun))
    packing = time.perf_counter() - began
    began = time.perf_counter()
    same = load(Diarization, json.loads(text)) == noun
    unpacking = time.perf_counter() - began
    print(describe())
    print(f"{noun.duration / 3600:.2f} h, {len(noun.scores.speakers)} speakers; comes back equal: {same}")
    hours = noun.duration / 3600
    for name, size in (("as base64", plain), ("packed", len(text))):
        print(
            f"{name}: {size / 1e3:.0f} kB, {size / 1e6 / hours:.2f} MB an hour, {4 * size / 1e6 / hours:.1f} MB in four"
        )
    print(f"{plain / len(text):.0f} times less")
    print(f"packing {packing:.1f} s, unpacking {unpacking:.1f} s")


if __name__ == "__main__":
    main()
