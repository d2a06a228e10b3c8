"""pyannote.audio's clustering and reconstruction against ours, on the same segmentations and embeddings.

    python benchmarks/diarization_clustering.py --recordings DIR --bundle DIR --python VENV/bin/python

Our networks run once over each recording (exact mode). Then both sides find the speakers in what they gave: 3.1 and
community-1, with several hints. ``--python`` has pyannote.audio installed. Prints a line for each recording and case:
speakers on both sides, and how far apart the turns are, with overlap and exclusive, as DER in percent.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

import diarization_systems
import numpy as np

# Without those where pyannote.audio starts k-means from random numbers: a number above 1 in community-1.
CASES: tuple[tuple[str, dict[str, int]], ...] = (
    ("community-1", {}),
    ("community-1", {"max_speakers": 1}),
    ("3.1", {}),
    ("3.1", {"num_speakers": 1}),
    ("3.1", {"num_speakers": 3}),
    ("3.1", {"min_speakers": 4}),
)


Turns = list[tuple[float, float, str]]


def theirs(bundle: Path, arrays: Path) -> list[Turns]:
    """What pyannote.audio finds in one recording's arrays: overlapping and exclusive turns for each case."""
    import torch
    from pyannote.core import SlidingWindow, SlidingWindowFeature

    with np.load(arrays) as found:
        segmentations = SlidingWindowFeature(found["active"], SlidingWindow(start=0, duration=10, step=1))
        embeddings, num_samples = found["embeddings"], int(found["num_samples"])
    sound = {"waveform": torch.zeros(1, num_samples), "sample_rate": 16_000}
    outputs = []
    for name, hints in CASES:
        pipeline = diarization_systems.pyannote_pipeline(bundle, name)
        pipeline.get_segmentations = lambda *_, **__: segmentations
        pipeline.get_embeddings = lambda *_, **__: embeddings.copy()
        result = pipeline(sound, **hints)
        both = (result.speaker_diarization, result.exclusive_speaker_diarization)
        outputs += [[(turn.start, turn.end, label) for turn, _, label in part.itertracks(True)] for part in both]
    return outputs


def ours(bundle: Path, path: Path, arrays: Path) -> tuple[float, list[Turns]]:
    """Run our networks, store what they gave as pyannote.audio has it, and cluster it. Also gives the duration."""
    from diarist.audio.decode import decode
    from diarist.diarization.pipeline import load_diarizer
    from diarist.diarization.segmentation import POWERSET
    from diarist.model.options import Options

    diarization_systems.lay_out_3_1(bundle)
    engines = {
        "community-1": load_diarizer(str(bundle), mode="exact"),
        "3.1": load_diarizer("3.1", mode="exact"),
    }
    audio = decode(path)
    evidence = engines["3.1"].evidence(audio)
    # Slots that never speak have an embedding there too; it is not used.
    embeddings = np.where(np.isnan(evidence.embeddings), 1, evidence.embeddings)
    active = POWERSET[evidence.classes].astype(np.float32)
    np.savez(arrays, active=active, embeddings=embeddings, num_samples=len(audio.samples))
    outputs = []
    for name, hints in CASES:
        result = engines[name].cluster(replace(evidence, model=engines[name].model.name), Options(**hints))
        outputs += [[(t.start, t.end, t.speaker) for t in turns] for turns in (result.turns, result.exclusive)]
    return audio.duration, outputs


def compare(args: argparse.Namespace, folder: Path) -> list[str]:
    """A line for each recording and case."""
    from diarization import der, error

    paths = {path.parent.name: path for path in sorted(args.recordings.glob("*/audio.flac"))}
    paths = {name: path for name, path in paths.items() if not args.only or name in args.only}
    mine = {name: ours(args.bundle, path, folder / f"{name}.npz") for name, path in paths.items()}
    command = [args.python, __file__, "--bundle", str(args.bundle), "--arrays", str(folder)]
    other = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()[-1])
    lines, equal = [], 0
    for name, (duration, outputs) in mine.items():
        for number, (model, hints) in enumerate(CASES):
            pairs = list(zip(other[name], outputs, strict=True))[2 * number : 2 * number + 2]
            apart = []
            for reference, hypothesis in pairs:
                rounded = [(round(start, 3), round(end, 3), speaker) for start, end, speaker in reference]
                apart.append(abs(der([error(rounded, hypothesis, duration)])))
            equal += max(apart) < 1e-6  # sums of lengths, so not quite 0
            counts = "/".join(str(len({turn[2] for turn in turns})) for turns in pairs[0])
            asked = " ".join(f"{key}={value}" for key, value in hints.items())
            lines.append(f"{name} | {model} {asked} | {counts} speakers | {apart[0]:.3f} % | {apart[1]:.3f} %")
    return [*lines, f"{equal} of {len(lines)} equal to the millisecond"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--recordings", type=Path, help="one folder per recording, with audio.flac")
    parser.add_argument("--only", nargs="*", help="names of recordings")
    parser.add_argument("--bundle", type=Path, required=True, help="folder laid out like community-1's repository")
    parser.add_argument("--python", default=sys.executable)
    parser.add_argument("--arrays", type=Path, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.arrays:
        print(json.dumps({path.stem: theirs(args.bundle, path) for path in args.arrays.glob("*.npz")}))
        return
    with tempfile.TemporaryDirectory() as folder:
        print("\n".join(compare(args, Path(folder))))


if __name__ == "__main__":
    main()
