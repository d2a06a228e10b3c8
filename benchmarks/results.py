"""The main job on recordings with references: WER, cpWER, DER, number of speakers, and seconds per second of audio.

    python benchmarks/results.py --recordings FOLDER [--out FOLDER] [--json]

FOLDER holds one folder a recording, with ``audio.*`` and ``ref.stm``, ``ref.rttm``, ``ref.ctm`` or ``ref.seglst.json``.
"""

from __future__ import annotations

import argparse
import json
import logging
import resource
import tempfile
import time
from pathlib import Path

from machine import describe

from diarist import Options, Transcript, decode, load, render
from diarist.evaluation.suite import evaluate
from diarist.evaluation.text import normaliser

SHOWN = ("wer", "cpwer", "der")


def cpu_seconds() -> float:
    """Return the CPU time of this process so far."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--recordings", type=Path, required=True)
    parser.add_argument("--out", type=Path, help="keep the transcripts here")
    parser.add_argument("--model", default="auto")
    parser.add_argument("--diarizer", default="auto")
    parser.add_argument("--language", default="en")
    parser.add_argument("--hints", action="store_true", help="tell the true number of speakers")
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    logging.getLogger("preprocess").setLevel(logging.ERROR)
    out = args.out or Path(tempfile.mkdtemp(prefix="diarist-results-"))
    out.mkdir(parents=True, exist_ok=True)
    pipeline = load(args.model, args.diarizer, language=args.language)
    rows: dict[str, dict[str, object]] = {}
    transcripts: dict[str, Transcript] = {}
    for folder in sorted(path for path in args.recordings.iterdir() if path.is_dir()):
        (recording,) = folder.glob("audio.*")
        audio = decode(recording)
        cpu, wall = cpu_seconds(), time.perf_counter()
        told = true_speakers(folder) if args.hints else None
        transcript = pipeline.transcribe(audio, Options(num_speakers=told))
        rows[folder.name] = {
            "seconds": round(audio.duration, 1),
            "words": len(transcript.words),
            "rtf": round((time.perf_counter() - wall) / audio.duration, 3),
            "cpu_per_s": round((cpu_seconds() - cpu) / audio.duration, 3),
        }
        transcripts[folder.name] = transcript
        (out / f"{folder.name}.json").write_text(str(render(transcript, "json")))
    report = evaluate(args.recordings, out, normaliser("whisper", args.language))
    for name, row in rows.items():
        scores = report.items.get(name, {})
        row |= {key: scores[key].rate if key in scores else None for key in SHOWN}
        row["speakers"] = len(transcripts[name].speakers)
        row["true_speakers"] = true_speakers(args.recordings / name)
    models = sorted({f"{m.name} ({m.engine})" for t in transcripts.values() for m in t.models})
    pooled = {key: vars_of(report.pooled[key]) for key in SHOWN if key in report.pooled}
    if args.json:
        print(json.dumps({**describe(), "models": models, "recordings": rows, "pooled": pooled}, indent=2))
        return
    found = describe()
    print(f"{found['machine']}\n{found['command']}\n{', '.join(models)}\n")
    print("| recording | s | words | WER % | cpWER % | DER % | speakers | of | RTF | CPU s/s |")
    print("|---|---|---|---|---|---|---|---|---|---|")
    for name, row in rows.items():
        rates = " | ".join("" if row[key] is None else f"{100 * float(str(row[key])):.1f}" for key in SHOWN)
        print(
            f"| {name} | {row['seconds']} | {row['words']} | {rates} | {row['speakers']} | {row['true_speakers']} "
            f"| {row['rtf']} | {row['cpu_per_s']} |"
        )
    intervals = " | ".join(
        f"{100 * pooled[k]['rate']:.1f} ({100 * pooled[k]['low']:.0f}–{100 * pooled[k]['high']:.0f})" for k in SHOWN
    )
    right = sum(row["speakers"] == row["true_speakers"] for row in rows.values())
    words = sum(len(transcript.words) for transcript in transcripts.values())
    print(f"| **all** (95 % interval) | | {words} | {intervals} | {right} right | of {len(rows)} | | |")


def vars_of(estimate: object) -> dict[str, float]:
    """Return an estimate's rate and interval."""
    return {key: getattr(estimate, key) for key in ("rate", "low", "high")}


def true_speakers(folder: Path) -> int | None:
    """Count the speakers of the reference turns."""
    reference = folder / "ref.rttm"
    if not reference.exists():
        return None
    return len({line.split()[7] for line in reference.read_text().splitlines() if line.startswith("SPEAKER")})


if __name__ == "__main__":
    main()
