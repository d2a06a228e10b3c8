"""Measure this machine's profile: how long workers take to start, and how fast they compute.

Every role starts in a fresh process, three times, because a second start in the same process would find all modules
imported. Speeds are taken from two lengths of one recording: what does not grow with the length is per request.
"""

from __future__ import annotations

import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from diarist import __version__
from diarist.architectures import ROLES
from diarist.cpu_count import cpu_count
from diarist.gpu import wants_gpu
from diarist.model.errors import EngineError, InputError
from diarist.model.progress import Progress, ignore
from diarist.planning.prices import short_gpu_name
from diarist.planning.profiles import Figure, Phase, Profile, Speed

SHORT_CLIP = 60.0  # seconds of the recording that are the short one of the two lengths: two windows of Whisper
LEAST_SECONDS = 120.0  # a recording must have, for the two lengths to be several windows apart
NOISE = 0.1  # of the shorter run: by so much the fixed cost may come out below nothing, and counts as none
REPEATS = 3
LONGEST_PROBE = 1800.0

# argv: role, model, diarizer, device, threads, path of a WAV file (empty: only start), seconds to take of it
_PROBE = """
import json, sys, time
role, model, diarizer, device, threads, path, seconds = sys.argv[1:]
clock = time.perf_counter
marks = {}
began = clock()
if role == "orchestrator":
    import diarist.pipelines.local, httpx
else:
    import numpy
    from diarist.audio.audio import Audio
    from diarist.engines import load
try:
    import runpod.serverless
except ImportError:
    pass
marks["imports"], began = clock() - began, clock()
if role != "orchestrator":
    values = numpy.random.default_rng(0).integers(-300, 300, 2 * 16000)
    noise = Audio((values / 32768).astype(numpy.float32))
    pipeline = load(model, None if role == "transcription" else diarizer, device=device, threads=int(threads) or None)
    run = {
        "single": pipeline.transcribe,
        "transcription": pipeline.transcriber.transcribe,
        "diarization": pipeline.diarizer.diarize if pipeline.diarizer else None,
    }[role]
    marks["weights"], began = clock() - began, clock()
    run(noise)
    marks["warm-up"] = clock() - began
    if path:
        from diarist.audio.decode import decode
        began = clock()
        audio = decode(path)
        marks["decoding"] = (clock() - began) / audio.duration
        for part in (float(seconds), audio.duration):
            clip = Audio(audio.samples[: int(part * 16000)])
            began = clock()
            run(clip)
            marks[f"run {'short' if part < audio.duration else 'long'}"] = clock() - began
        marks["duration"] = audio.duration
        marks["models"] = [
            pipeline.transcriber.model.name, pipeline.diarizer.model.name if pipeline.diarizer else "",
        ]
print(json.dumps(marks))
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Engines:
    """Which engines to measure; as in ``diarist transcribe``."""

    model: str = "auto"
    diarizer: str = "auto"
    device: str = "auto"
    threads: int | None = None


def measure_profile(
    name: str, recording: Path, engines: Engines = Engines(), command: str = "", progress: Progress = ignore
) -> Profile:
    """Measure this machine.

    Args:
        name: what to call the profile.
        recording: real speech of at least two minutes; the longer, the better.
        engines: which models, on what.
        command: the command line, to be named as the source of the figures.
        progress: told how far it is; may raise `Cancelled`.

    Raises:
        InputError: the recording cannot be had or is too short; found out before any engine is loaded.
        EngineError: an engine failed, or the times measured make no sense.
    """
    _check_length(recording)
    load = os.getloadavg()[0]  # a busy machine measures itself slow
    runs: dict[str, list[Mapping[str, Any]]] = {}
    done = 0
    for role in ROLES:
        for _ in range(REPEATS):
            progress("measuring", done / (len(ROLES) * REPEATS))
            runs.setdefault(role, []).append(_probe(role, engines, recording))
            done += 1
    progress("measuring", 1.0)
    today = datetime.now(UTC).date().isoformat()
    source = f"{command or 'diarist bench'}, diarist {__version__}, {today}, load average before {load:.1f}"

    def figure(role: str, mark: str) -> Figure:
        return Figure(round(statistics.median(run[mark] for run in runs[role]), 4), "measured", source)

    def speed(role: str) -> Speed:
        short, long = figure(role, "run short").value, figure(role, "run long").value
        duration = runs[role][0]["duration"]
        slope, fixed = fit((SHORT_CLIP, short), (duration, long))
        return Speed(Figure(round(slope, 5), "measured", source), Figure(round(fixed, 4), "measured", source))

    words, speakers = runs["single"][0]["models"]
    return Profile(
        name=name,
        hardware=_hardware(engines.device),
        models=f"{words}, {speakers}",
        transcription=speed("transcription"),
        diarization=speed("diarization"),
        both=speed("single"),
        preparation=Speed(figure("single", "decoding"), Figure(0.0, "estimate", "the download is not counted")),
        overhead=Figure(0.15, "estimate", "queue and status polling; 10 to 60 ms on loopback, plus the network"),
        starts={role: _phases(runs[role], source) for role in ROLES},
    )


def fit(short: tuple[float, float], long: tuple[float, float]) -> tuple[float, float]:
    """Return seconds of work per second of audio, and seconds per request, from two (audio, work) pairs in seconds.

    Raises:
        EngineError: no straight line with positive cost goes through them; the machine was busy, most likely.
    """
    (short_audio, short_work), (long_audio, long_work) = short, long
    slope = (long_work - short_work) / (long_audio - short_audio)
    fixed = short_work - slope * short_audio
    # A request of no fixed cost is possible, and noise then puts it a little below nothing.
    if slope <= 0 or fixed < -NOISE * short_work:
        raise EngineError(
            "bench_failed",
            f"The times make no sense: {short_work:.2f} s of work for {short_audio:.0f} s of audio, "
            f"{long_work:.2f} s for {long_audio:.0f} s.",
            "Run it again while the machine is idle, with a longer recording.",
        )
    return slope, max(0.0, fixed)


def long_enough(recording: Path, folder: Path) -> Path:
    """Repeat a recording in a WAV file in ``folder`` until it is long enough to measure with."""
    import wave

    import numpy as np

    from diarist.audio.decode import decode

    samples = decode(recording).samples
    times = int(LEAST_SECONDS * 16000 // len(samples)) + 1
    target = folder / "repeated.wav"
    with wave.open(str(target), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(16000)
        file.writeframes((np.tile(samples, times).clip(-1, 1) * 32767).astype("<i2").tobytes())
    return target


def _check_length(recording: Path) -> None:
    from diarist.audio.decode import decode

    if decode(recording).duration < LEAST_SECONDS:
        raise InputError(
            "too_short",
            f"{recording.name} is shorter than {LEAST_SECONDS / 60:.0f} minutes.",
            "Name a longer recording, or none: then the sample call is repeated.",
        )


def _phases(runs: Sequence[Mapping[str, Any]], source: str) -> dict[str, Phase]:
    phases = {
        "host": Phase(Figure(3.0, "estimate", "a host that has the image; a new host first pulls it"), billed=False),
        "container": Phase(Figure(2.0, "estimate", "container start")),
    }
    for mark in ("interpreter", "imports", "weights", "warm-up"):
        if mark in runs[0]:
            seconds = statistics.median(run[mark] for run in runs)
            phases[mark] = Phase(Figure(round(seconds, 3), "measured", source))
    return phases


def _probe(role: str, engines: Engines, recording: Path) -> Mapping[str, Any]:
    path = "" if role == "orchestrator" else str(recording.resolve())
    arguments = [
        role,
        engines.model,
        engines.diarizer,
        engines.device,
        str(engines.threads or 0),
        path,
        str(SHORT_CLIP),
    ]
    with tempfile.TemporaryDirectory() as folder:
        began = time.perf_counter()
        try:
            process = subprocess.run(  # noqa: S603  # this Python, our own script
                [sys.executable, "-c", _PROBE, *arguments],
                capture_output=True,
                text=True,
                check=False,
                timeout=LONGEST_PROBE,
                cwd=folder,
                env={**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
            )
        except subprocess.TimeoutExpired:
            raise EngineError("bench_failed", f"Measuring {role} took over {LONGEST_PROBE:.0f} s.") from None
        whole = time.perf_counter() - began
    if process.returncode:
        said = process.stderr.strip().splitlines()[-1:] or ["no message"]
        raise EngineError("bench_failed", f"Measuring {role} failed: {said[0]}", "Try diarist doctor.")
    marks: dict[str, Any] = json.loads(process.stdout.splitlines()[-1])
    ran = sum(marks.get(mark, 0.0) for mark in ("imports", "weights", "warm-up", "run short", "run long"))
    decoded = marks.get("decoding", 0.0) * marks.get("duration", 0.0)
    # What is left is the interpreter's start and end.
    marks["interpreter"] = max(0.0, whole - ran - decoded)
    return marks


def _hardware(device: str) -> str:
    """The GPU's name as in the price table, or what CPU this is."""
    if wants_gpu(device) and (tool := shutil.which("nvidia-smi")):
        query = [tool, "--query-gpu=name", "--format=csv,noheader"]
        found = subprocess.run(query, capture_output=True, text=True, check=False)  # noqa: S603  # a tool from the PATH
        if found.returncode == 0 and found.stdout.strip():
            return short_gpu_name(found.stdout.strip().splitlines()[0])
    cpu = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.exists():
        lines = [line for line in info.read_text().splitlines() if line.startswith("model name")]
        cpu = lines[0].partition(":")[2].strip() if lines else cpu
    return f"CPU {cpu}, {cpu_count()} cores"
