"""Naming known voices: how often a stranger gets a name, and how often a known voice is found.

python benchmarks/voices.py RECORDINGS [--voices FOLDERS] [--diarizer NAME] [--seconds 10] [--json]

RECORDINGS is a folder with one folder per recording: an audio file and ref.rttm, whose speaker labels mean the same
person in every recording. A voice is enrolled from the first SECONDS of a person's speech that nobody overlaps. In
every other recording (and, under "same recording", in the same one) the diarizer's speakers are matched to their true
persons by overlap and compared with all voices.

Then every voice of RECORDINGS and of FOLDERS (one folder of sounds for each person) is cut into clips of 1 to 30 s, in
full and in telephone band, and every clip is tried against every other, apart for the voices that thresholds were
chosen on and for the others (``voices_lengths.py``).
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import random
import shlex
import sys
from collections import defaultdict
from dataclasses import dataclass
from importlib.metadata import version
from itertools import combinations
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from voices_clips import alone, clips
from voices_clips import voices as voices_of
from voices_lengths import all_trials, by_length, equal_error_rate, halves, listen, shared_directions

from diarist.audio.audio import Audio
from diarist.audio.decode import decode
from diarist.diarization.pipeline import load_diarizer
from diarist.evaluation.annotation import read_annotation
from diarist.model.errors import InputError
from diarist.model.options import Options
from diarist.model.timeline import Span
from diarist.model.transcript import Diarization, Turn
from diarist.speakers.identify import THRESHOLDS, Voice, cosine, identify, voice_of
from diarist.speakers.shared import link

RATE = 16_000


@dataclass(frozen=True)
class Trial:
    """One comparison of a speaker with a voice."""

    score: float
    same_person: bool
    same_recording: bool


def clip(samples: NDArray[np.float32], spans: list[Span], seconds: float) -> NDArray[np.float32]:
    pieces, left = [], int(seconds * RATE)
    for span in spans:
        piece = samples[int(span.start * RATE) : int(span.end * RATE)][:left]
        pieces.append(piece)
        left -= len(piece)
        if left <= 0:
            break
    return np.concatenate(pieces) if pieces else np.zeros(0, np.float32)


def true_person(diarization: Diarization, label: str, turns: tuple[Turn, ...]) -> str | None:
    """The person who speaks in most of a diarized speaker's turns; None if that is not most of the time."""
    own = [t for t in diarization.turns if t.speaker == label]
    seconds: defaultdict[str, float] = defaultdict(float)
    for turn in turns:
        seconds[turn.speaker] += sum(turn.intersection(t) for t in own)
    person = max(seconds, key=seconds.__getitem__, default=None)
    return person if person and seconds[person] > 0.6 * sum(t.duration for t in own) else None


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("recordings", type=Path)
    parser.add_argument("--voices", type=Path, help="a folder with a folder of sounds for each person")
    parser.add_argument("--most", type=int, help="of the clips, this many, drawn at random; all by default")
    parser.add_argument("--keep", type=Path, help="a file for what was heard in clips, not to hear them again")
    parser.add_argument("--bands", type=Path, help="write what voices of the tuning half share, as speakers/bands.json")
    parser.add_argument("--clips-only", action="store_true", help="leave out the recordings as they are")
    parser.add_argument("--diarizer", default="embedded")
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    diarizer = load_diarizer(options.diarizer, device="cpu", threads=os.cpu_count() or 1)
    voices: list[tuple[str, Voice]] = []  # recording and voice
    speakers: list[tuple[str, Diarization, str, str | None]] = []  # recording, diarization, label, person
    for folder in () if options.clips_only else sorted(p.parent for p in options.recordings.glob("*/ref.rttm")):
        turns = read_annotation(folder)[folder.name].turns or ()
        audio = decode(next(folder.glob("audio.*")))
        for person in sorted({t.speaker for t in turns}):
            samples = clip(audio.samples, alone(turns, person), options.seconds)
            if len(samples) >= min(3.5, options.seconds) * RATE:
                try:
                    found = diarizer.diarize(Audio(samples), Options(num_speakers=1))
                    voices.append((folder.name, voice_of(found, person, "evaluation", "1970-01-01")))
                except InputError as error:
                    print(f"{folder.name} {person}: {error}", file=sys.stderr)
        whole = diarizer.diarize(audio)
        speakers += [(folder.name, whole, label, true_person(whole, label, turns)) for label in whole.embeddings]
    trials = [
        Trial(cosine(d.embeddings[label], voice.embedding), voice.name == person, recording == enrolled)
        for recording, d, label, person in speakers
        if person is not None
        for enrolled, voice in voices
    ]
    known = THRESHOLDS.get(diarizer.model.name)
    report = {
        "command": shlex.join(["python", "benchmarks/voices.py", "RECORDINGS", *sys.argv[2:]]),
        "machine": f"{platform.machine()}, {os.cpu_count()} cores",
        "versions": {name: version(name) for name in ("numpy", "onnxruntime")},
        "persons": len({voice.name for _, voice in voices}),
        "voices": len(voices),
        "speakers": len(speakers),
        "threshold": known,
    }
    for title, chosen in (
        ()
        if options.clips_only
        else (
            ("other recordings", [t for t in trials if not t.same_recording]),
            ("same recording", [t for t in trials if t.same_recording]),
        )
    ):
        same = [t.score for t in chosen if t.same_person]
        other = [t.score for t in chosen if not t.same_person]
        rate, at = equal_error_rate(same, other)
        report[title] = {
            "same person": len(same),
            "strangers": len(other),
            "equal error rate": rate,
            "at cosine": at,
            "highest stranger": round(max(other), 3),
            "lowest of the same person": round(min(same), 3),
            "found at threshold": sum(s >= (known or 2) for s in same),
            "strangers named at threshold": sum(s >= (known or 2) for s in other),
        }
    if known is not None:
        if not options.clips_only:
            report["end to end"] = end_to_end(voices, speakers)
            report["linking"] = linking(speakers)
        cuts = list(clips(voices_of(options.recordings, options.voices)))
        random.Random(0).shuffle(cuts)
        heard = listen(cuts[: options.most], diarizer, options.keep)
        if options.bands:
            directions = shared_directions(halves(heard)["tuning"])
            rows = ",\n".join(f"    {json.dumps(row)}" for row in directions)
            options.bands.write_text(f'{{\n  "{diarizer.model.name}": [\n{rows}\n  ]\n}}\n')
        for half, some in {**halves(heard), "all": heard}.items():
            report[f"clips, {half}"] = {
                "voices": sorted({h.clip.person for h in some}),
                "all clips": all_trials(some),
                **by_length(some),
            }
    print(json.dumps(report, indent=None if options.json else 2))


def end_to_end(
    voices: list[tuple[str, Voice]], speakers: list[tuple[str, Diarization, str, str | None]]
) -> dict[str, int]:
    """`identify` with every voice enrolled elsewhere: each recording once, all persons of other recordings known."""
    counts = {"speakers": 0, "known": 0, "known, found": 0, "given a wrong name": 0, "strangers named": 0}
    for recording in sorted({name for name, *_ in speakers}):
        elsewhere: dict[str, Voice] = {}
        for enrolled, voice in voices:
            if enrolled != recording:
                elsewhere.setdefault(voice.name, voice)
        mine = [(d, label, person) for name, d, label, person in speakers if name == recording]
        names = identify(mine[0][0], list(elsewhere.values()))
        for _, label, person in mine:
            counts["speakers"] += 1
            counts["known"] += person in elsewhere
            counts["known, found"] += person is not None and names.get(label) == person
            if label in names and names[label] != person:
                counts["given a wrong name" if person in elsewhere else "strangers named"] += 1
    return counts


def linking(speakers: list[tuple[str, Diarization, str, str | None]]) -> dict[str, int]:
    """`link` over all recordings: pairs of speakers of two recordings, joined or not, of one person or not."""
    recordings = {name: diarization for name, diarization, *_ in speakers}
    shared = dict(zip(recordings, link(list(recordings.values())), strict=True))
    known = [(name, shared[name][label], person) for name, _, label, person in speakers if person is not None]
    counts = {"one person, joined": 0, "one person, not joined": 0, "two persons, joined": 0, "two persons, apart": 0}
    for (a, first, person), (b, second, other) in combinations(known, 2):
        if a != b:
            joined = first == second
            if person == other:
                counts["one person, joined" if joined else "one person, not joined"] += 1
            else:
                counts["two persons, joined" if joined else "two persons, apart"] += 1
    return counts


if __name__ == "__main__":
    main()
