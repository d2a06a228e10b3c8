"""Diarization systems side by side: error, cost, start, memory and installed size, on the same recordings.

    python benchmarks/diarization.py --recordings DIR --bundle DIR --json
    python benchmarks/diarization.py --recordings DIR --bundle DIR --systems exact default pyannote-community-1 \
        --python pyannote-community-1=/path/to/venv/bin/python
    python benchmarks/diarization.py --recordings DIR --bundle DIR --systems default sherpa-onnx speakrs \
        --python sherpa-onnx=/path/to/venv/bin/python speakrs=/path/to/other/venv/bin/python
    python benchmarks/diarization.py --recordings DIR --bundle DIR --hints --systems exact default embedded
    python benchmarks/diarization.py --recordings DIR --lengths 1 10 60 240 --plot docs/diarization-scale.svg

``DIR`` holds one folder per recording with ``audio.flac`` and ``ref.rttm``. ``--bundle`` is a folder laid out like the
repository of community-1; our engine and pyannote.audio both run from it. Every system runs in a process of its own,
with the Python named for it, one after another. DER is without collar and scores overlap.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
import wave
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from machine import describe
from scipy.optimize import linear_sum_assignment

from diarist.audio.decode import decode

Turn = tuple[float, float, str]
WORKER = Path(__file__).with_name("diarization_systems.py")


def error(reference: list[Turn], hypothesis: list[Turn], end: float) -> dict[str, float]:
    """Seconds missed, falsely found, confused, and in all, under the best one-to-one mapping of speakers."""
    edges = sorted({0.0, end, *(t for turn in reference + hypothesis for t in turn[:2] if 0 < t < end)})
    lengths = np.diff(edges)
    middles = (np.array(edges[1:]) + np.array(edges[:-1])) / 2
    ref, hyp = (activity(turns, middles) for turns in (reference, hypothesis))
    together = (ref * lengths) @ hyp.T
    rows, columns = linear_sum_assignment(together, maximize=True)
    n_ref, n_hyp = ref.sum(axis=0), hyp.sum(axis=0)
    return {
        "missed": float((np.maximum(n_ref - n_hyp, 0) * lengths).sum()),
        "false": float((np.maximum(n_hyp - n_ref, 0) * lengths).sum()),
        "confused": float((np.minimum(n_ref, n_hyp) * lengths).sum() - together[rows, columns].sum()),
        "total": float((n_ref * lengths).sum()),
    }


def activity(turns: list[Turn], times: np.ndarray) -> np.ndarray:
    """``(num_speakers, num_times)`` 0 or 1."""
    names = sorted({turn[2] for turn in turns})
    found = np.zeros((len(names), len(times)))
    for start, stop, name in turns:
        found[names.index(name), np.searchsorted(times, start) : np.searchsorted(times, stop)] = 1
    return found


def der(errors: Iterable[dict[str, float]]) -> float:
    """Diarization error rate of all together, in percent."""
    sums = {key: sum(e[key] for e in errors) for key in ("missed", "false", "confused", "total")}
    return 100 * (sums["missed"] + sums["false"] + sums["confused"]) / sums["total"]


def read_rttm(path: Path) -> list[Turn]:
    rows = [line.split() for line in path.read_text().splitlines() if line.startswith("SPEAKER")]
    return [(float(row[3]), float(row[3]) + float(row[4]), row[7]) for row in rows]


def write_wav(path: Path, samples: np.ndarray) -> None:
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, 16_000, 0, "NONE", ""))
        file.writeframes(np.int16(samples * 32768).tobytes())


def run(
    system: str, recordings: list[Path], args: argparse.Namespace, speakers: dict[str, int] | None = None
) -> list[dict[str, Any]]:
    """What one system's process printed: first how it started, then a row for each recording.

    With ``--keep``, rows are stored as they come, and those that are there are not computed again.
    """
    kept = args.keep and args.keep / f"{system}.jsonl"
    rows = [json.loads(line) for line in kept.read_text().splitlines()] if kept and kept.exists() else []
    rows = [row for row in rows if row.get("recording", "") in ("", *(path.stem for path in recordings))]
    done = {row.get("recording") for row in rows}
    recordings = [path for path in recordings if path.stem not in done]
    if rows and not recordings:
        return rows
    python = dict(pair.split("=", 1) for pair in args.python).get(system, sys.executable)
    command = [python, str(WORKER), system, *map(str, recordings), "--threads", str(args.threads)]
    command += ["--bundle", str(args.bundle)] if args.bundle else []
    command += ["--speakers", *(str(speakers[path.stem]) for path in recordings)] if speakers else []
    command += ["--peer-files", str(args.peer_files)] if args.peer_files else []
    started = time.perf_counter()
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        for line in process.stdout or ():
            row = json.loads(line) | {"since_start_s": time.perf_counter() - started}
            if rows and "recording" not in row:
                continue  # the start of a run that goes on where another one ended
            rows.append(row)
            if kept:
                with kept.open("a") as file:
                    file.write(json.dumps(row) + "\n")
            if "recording" in row:
                print(f"  {system}: {row['recording']}", file=sys.stderr, flush=True)
    if process.returncode or not rows:
        raise RuntimeError(f"exit code {process.returncode}; run it by hand: {' '.join(command)}")
    return rows


def write_peer_files(args: argparse.Namespace, folder: Path) -> Path | None:
    """Convert the bundle for the systems that need it so, before their time is taken. Needs the ``onnx`` package."""
    wanted = {system.split("-")[0] for system in args.systems} & {"sherpa", "speakrs"}
    for name in wanted:
        import diarization_peers

        (folder / name).mkdir()
        getattr(diarization_peers, f"write_{name}")(args.bundle, folder / name)
    return folder if wanted else None


def compare(args: argparse.Namespace, folder: Path) -> list[dict[str, Any]]:
    """One row of figures per system."""
    folders = sorted(path.parent for path in args.recordings.glob("*/audio.flac"))
    folders = [path for path in folders if not args.only or path.name in args.only]
    references, wavs = {}, []
    for path in folders:
        references[path.name] = read_rttm(path / "ref.rttm")
        wavs.append(folder / f"{path.name}.wav")
        write_wav(wavs[-1], decode(path / "audio.flac").samples)
    counts = {name: len({turn[2] for turn in turns}) for name, turns in references.items()} if args.hints else None
    found = []
    for system in args.systems:
        try:
            start, *rows = run(system, wavs, args, counts)
        except (OSError, RuntimeError) as problem:
            found.append({"system": system, "failed": str(problem)})
            continue
        seconds = sum(row["duration"] for row in rows)
        errors = {r["recording"]: error(references[r["recording"]], r["turns"], r["duration"]) for r in rows}
        found.append(
            {
                "system": system,
                "der": der(errors.values()),
                "cpu_s_per_audio_s": sum(row["cpu_s"] for row in rows) / seconds,
                "wall_s_per_audio_s": sum(row["wall_s"] for row in rows) / seconds,
                "start_to_ready_s": start["since_start_s"],
                "start_to_ready_cpu_s": start["cpu_s"],
                "peak_rss_mb": max(row["peak_rss_mb"] for row in rows),
                "installed_mb": start["installed_mb"],
                "recordings": {
                    row["recording"]: {
                        "der": der([errors[row["recording"]]]),
                        "speakers": len({turn[2] for turn in row["turns"]}),
                        "true_speakers": len({turn[2] for turn in references[row["recording"]]}),
                        "duration": row["duration"],
                        "turns": row["turns"],
                    }
                    for row in rows
                },
            }
        )
    compare_outputs(found)
    return found


def compare_outputs(found: list[dict[str, Any]]) -> None:
    """Add each system's DER against pyannote.audio's output as the reference: 0 where the turns are the same."""
    theirs = {row["system"]: row for row in found if "failed" not in row}
    for row in theirs.values():
        other = theirs.get("pyannote-3.1" if "3.1" in row["system"] else "pyannote-community-1")
        if other is None or other is row:
            continue
        differences = {}
        for name, mine in row["recordings"].items():
            # Ours are in whole milliseconds and end with the recording, where pyannote.audio's may run on into padding.
            reference = [(round(a, 3), round(b, 3), speaker) for a, b, speaker in other["recordings"][name]["turns"]]
            differences[name] = error(reference, mine["turns"], mine["duration"])
            mine["der_to_pyannote"] = der([differences[name]]) if differences[name]["total"] else 0.0
        row["der_to_pyannote"] = der(differences.values())


def scale(args: argparse.Namespace, folder: Path) -> list[dict[str, Any]]:
    """Time and memory for recordings of growing length, made by repeating the recordings one after another."""
    parts = [decode(path).samples for path in sorted(args.recordings.glob("*/audio.flac"))]
    once = np.int16(np.concatenate(parts) * 32768).tobytes()
    found = []
    for minutes in args.lengths:
        path = folder / f"{minutes:g}min.wav"
        with wave.open(str(path), "wb") as file:
            file.setparams((1, 2, 16_000, 0, "NONE", ""))
            missing = int(minutes * 60 * 16_000) * 2
            while missing:
                file.writeframes(once[:missing])
                missing -= min(missing, len(once))
        for system in args.systems:
            _, row = run(system, [path], args)
            keys = ("duration", "wall_s", "cpu_s", "peak_rss_mb")
            found.append({"system": system, "minutes": minutes} | {key: row[key] for key in keys})
        path.unlink()
    return found


def plot(rows: list[dict[str, Any]], path: Path) -> None:
    """Draw CPU time and peak memory over length."""
    import matplotlib as mpl

    mpl.use("svg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(1, 2, figsize=(9, 3.5))
    for system in dict.fromkeys(row["system"] for row in rows):
        own = [row for row in rows if row["system"] == system]
        for axis, key in zip(axes, ("cpu_s", "peak_rss_mb"), strict=True):
            axis.plot([row["minutes"] for row in own], [row[key] for row in own], "o-", label=system)
    for axis, title in zip(axes, ("CPU seconds", "peak memory, MB"), strict=True):
        axis.set(title=title, xlabel="minutes of audio", xlim=0, ylim=0)
        axis.grid(alpha=0.3)
    axes[0].legend()
    figure.tight_layout()
    figure.savefig(path)


def table(rows: list[dict[str, Any]]) -> str:
    """The comparison as Markdown."""
    head = [
        "system",
        "DER %",
        "to pyannote %",
        "CPU-s/audio-s",
        "ready s",
        "CPU-s",
        "peak MB",
        "installed MB",
        "speakers found",
    ]
    lines = [" | ".join(head), " | ".join("---" for _ in head)]
    for row in rows:
        if "failed" in row:
            lines.append(f"{row['system']} | did not run: {row['failed']}")
            continue
        numbers = [
            f"{row['der']:.2f}",
            f"{row['der_to_pyannote']:.2f}" if "der_to_pyannote" in row else "",
            f"{row['cpu_s_per_audio_s']:.4f}",
            f"{row['start_to_ready_s']:.2f}",
            f"{row['start_to_ready_cpu_s']:.2f}",
            f"{row['peak_rss_mb']:.0f}",
            f"{row['installed_mb']:.0f}",
        ]
        counts = [f"{r['speakers']}/{r['true_speakers']}" for r in row["recordings"].values()]
        lines.append(" | ".join([row["system"], *numbers, " ".join(counts)]))
    names = next((list(row["recordings"]) for row in rows if "failed" not in row), [])
    return "\n".join([*lines, "", f"Speakers found/true, in the order {', '.join(names)}."])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--recordings", type=Path, required=True)
    parser.add_argument("--only", nargs="*", help="names of recordings")
    parser.add_argument("--bundle", type=Path, help="folder laid out like the repository of community-1")
    parser.add_argument("--systems", nargs="*", default=["exact", "default", "embedded"])
    parser.add_argument("--python", nargs="*", default=[], metavar="SYSTEM=PYTHON")
    parser.add_argument("--hints", action="store_true", help="tell ours and pyannote.audio the true number of speakers")
    parser.add_argument("--keep", type=Path, help="folder for what each system found; what is there is not run again")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument(
        "--lengths", nargs="*", type=float, help="minutes; measures time and memory over length instead"
    )
    parser.add_argument("--plot", type=Path, help="with --lengths: draw it there (needs matplotlib)")
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        args.peer_files = write_peer_files(args, Path(folder))
        rows = scale(args, Path(folder)) if args.lengths else compare(args, Path(folder))
    if args.plot:
        plot(rows, args.plot)
    if args.json:
        print(json.dumps(describe() | {"threads": args.threads, "results": rows}, indent=1))
    elif args.lengths:
        for row in rows:
            print(row)
    else:
        print(table(rows))


if __name__ == "__main__":
    main()
