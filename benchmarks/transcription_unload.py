"""How much memory a transcription engine gives back when it is unloaded, and what loading it again costs.

python benchmarks/transcription_unload.py --recording FILE --model whisper-base --model FOLDER --json

Each model runs in a process of its own: load, transcribe, unload, transcribe (which loads it again), unload. Memory is
what the process holds in RAM after each step; what stays after unloading is Python and the libraries, and what the
recording and the voice detector take.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from machine import describe


def resident_mb() -> int:
    return round(int(Path("/proc/self/status").read_text().split("VmRSS:")[1].split()[0]) / 1024)


def measure(model: str, recording: Path, threads: int) -> dict[str, Any]:
    from diarist.audio.decode import decode
    from diarist.transcription.parakeet import load_parakeet
    from diarist.transcription.whisper import load_whisper

    audio = decode(recording)
    found: dict[str, Any] = {"before_mb": resident_mb()}
    whisper = "whisper" in model or (Path(model) / "model.bin").is_file()
    engine: Any = (load_whisper if whisper else load_parakeet)(model, device="cpu", threads=threads)
    found["loaded_mb"] = resident_mb()
    for turn in ("first", "second"):
        began, cpu = time.perf_counter(), time.process_time()
        engine.transcribe(audio)
        found[turn] = {
            "transcribe_s": round(time.perf_counter() - began, 2),
            "transcribe_cpu_s": round(time.process_time() - cpu, 2),
            "transcribed_mb": resident_mb(),
        }
        began = time.perf_counter()
        engine.weights.unload()
        found[turn] |= {"unload_s": round(time.perf_counter() - began, 3), "unloaded_mb": resident_mb()}
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--recording", type=Path, required=True)
    parser.add_argument("--model", action="append", required=True, help="a name or folder")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--in-process", action="store_true", help="measure one model here; used by this script itself")
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    if args.in_process:
        print(json.dumps(measure(args.model[0], args.recording, args.threads)))
        return
    figures: dict[str, Any] = {**describe(), "models": {}}
    for model in args.model:
        command = [sys.executable, __file__, "--recording", str(args.recording), "--model", model, "--in-process",
                   "--threads", str(args.threads)]  # fmt: skip
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
        figures["models"][model] = json.loads(done.stdout)
    if args.json:
        print(json.dumps(figures, indent=2))
        return
    for model, found in figures["models"].items():
        print(f"{model}: {found}")


if __name__ == "__main__":
    main()
