"""What `diarist serve` costs beside the plainest server around the same model, and how soon it answers while it works.

    python benchmarks/serve.py [--model whisper-base] [--clips 8] [--seconds 20] [--clients 4] [--json]

Each server has the machine for itself, one after the other: `serve_plain.py` (faster-whisper in thirty lines), then
`diarist serve` asked for words, then the same asked for speakers, too. All get the same clips, cut from a call,
from several clients at once. Printed are requests for each second of CPU and the most memory of the server's processes
(diarist decodes recordings in one of its own), how long `/health` takes meanwhile, and how long a stream's first event
and first words take on an idle server. English is said to be spoken, so that nobody detects the language.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import os
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import wave
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
from machine import describe

from diarist.weights.fetch import ensure

HERE = Path(__file__).parent
TRANSCRIPTIONS = "/v1/audio/transcriptions"
TICKS = os.sysconf("SC_CLK_TCK")


def clips(number: int, seconds: float) -> list[bytes]:
    """Cut a call into clips that overlap, so that no two are the same."""
    with wave.open(str(ensure("sample-telephone") / "sample.wav")) as call:
        rate, width, channels = call.getframerate(), call.getsampwidth(), call.getnchannels()
        frames = call.readframes(call.getnframes())
    length = int(seconds * rate)
    room = len(frames) // (width * channels) - length
    if room < number:
        raise SystemExit(f"The call is too short for {number} clips of {seconds:g} s.")
    found = []
    for clip in range(number):
        start = room * clip // number * width * channels
        buffer = io.BytesIO()
        with wave.open(buffer, "wb") as out:
            out.setnchannels(channels)
            out.setsampwidth(width)
            out.setframerate(rate)
            out.writeframes(frames[start : start + length * width * channels])
        found.append(buffer.getvalue())
    return found


def processes(root: int) -> list[int]:
    """A process and all below it."""
    found = [root]
    for process in found:
        with contextlib.suppress(OSError):
            for task in Path(f"/proc/{process}/task").iterdir():
                found += map(int, (task / "children").read_text().split())
    return found


def cpu_seconds(root: int) -> float:
    total = 0
    for process in processes(root):
        with contextlib.suppress(OSError):
            stat = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
            total += int(stat[11]) + int(stat[12])
    return total / TICKS


def peak_megabytes(root: int) -> float:
    total = 0
    for process in processes(root):
        with contextlib.suppress(OSError):
            lines = Path(f"/proc/{process}/status").read_text().splitlines()
            total += sum(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))
    return total / 1024


@contextlib.contextmanager
def serving(command: list[str], port: int) -> Iterator[tuple[subprocess.Popen[bytes], httpx.Client]]:
    with subprocess.Popen([sys.executable, *command], stdout=subprocess.DEVNULL) as process:
        try:
            with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=1800) as client:
                while True:
                    with contextlib.suppress(httpx.TransportError):
                        if client.get("/health").status_code == 200:
                            break
                    if process.poll() is not None:
                        raise SystemExit(f"{command[0]} did not start.")
                    time.sleep(0.1)
                yield process, client
        finally:
            process.send_signal(signal.SIGINT)


def ask_all(client: httpx.Client, sounds: list[bytes], num_clients: int, fields: dict[str, str]) -> int:
    """Send all clips, a few at a time; returns how many words came back."""

    def ask(sound: bytes) -> int:
        form = {"model": "whisper-1", "language": "en", **fields}
        answer = client.post(TRANSCRIPTIONS, files={"file": ("clip.wav", sound)}, data=form)
        answer.raise_for_status()
        return len(answer.json()["text"].split())

    with ThreadPoolExecutor(num_clients) as pool:
        return sum(pool.map(ask, sounds))


def load(
    process: subprocess.Popen[bytes], client: httpx.Client, sounds: list[bytes], num_clients: int, **fields: str
) -> dict[str, float]:
    cpu, began = cpu_seconds(process.pid), time.perf_counter()
    words = ask_all(client, sounds, num_clients, fields)
    wall, used = time.perf_counter() - began, cpu_seconds(process.pid) - cpu
    return {
        "requests": len(sounds),
        "words": words,
        "requests_per_cpu_second": round(len(sounds) / used, 3),
        "cpu_seconds": round(used, 1),
        "wall_seconds": round(wall, 1),
        "peak_mb": round(peak_megabytes(process.pid)),
    }


def health(client: httpx.Client, sounds: list[bytes], **fields: str) -> dict[str, float]:
    """How long /health takes while clips are transcribed. Apart from `load`, since asking so often costs something."""
    taken = []
    with httpx.Client(base_url=client.base_url, timeout=60) as other, ThreadPoolExecutor(1) as pool:
        work = pool.submit(ask_all, client, sounds, len(sounds), fields)
        while not work.done():
            began = time.perf_counter()
            other.get("/health").raise_for_status()
            taken.append((time.perf_counter() - began) * 1000)
            time.sleep(0.05)
        work.result()
    taken.sort()
    return {
        "asked": len(taken),
        "health_p50_ms": round(statistics.median(taken), 1),
        "health_p99_ms": round(taken[int(len(taken) * 0.99)], 1),
    }


def first_event(client: httpx.Client, sound: bytes) -> dict[str, float]:
    """Seconds until a stream says anything, until its first words, and until its end."""
    form = {"model": "whisper-1", "language": "en", "stream": "true"}
    began, found = time.perf_counter(), {}
    with client.stream("POST", TRANSCRIPTIONS, files={"file": ("clip.wav", sound)}, data=form) as answer:
        for line in answer.iter_lines():
            found.setdefault("first_sign_s", time.perf_counter() - began)
            if line.startswith("data:") and ".delta" in line:
                found.setdefault("first_words_s", time.perf_counter() - began)
    found["end_s"] = time.perf_counter() - began
    return {name: round(seconds, 2) for name, seconds in found.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="whisper-base")
    parser.add_argument("--clips", type=int, default=8)
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--clients", type=int, default=4)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    arguments = parser.parse_args()
    sounds = clips(arguments.clips + 4, arguments.seconds)
    warm, stream, asked, measured = sounds[:1], sounds[1], sounds[2:4], sounds[4:]
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    found: dict[str, dict[str, float]] = {}

    with serving([str(HERE / "serve_plain.py"), str(ensure(arguments.model)), str(port)], port) as (process, client):
        load(process, client, warm, 1)
        figures = load(process, client, measured, arguments.clients)
        found["plain faster-whisper"] = {**figures, **health(client, asked)}
    for name, fields in (("diarist, words", {}), ("diarist, words and speakers", {"diarize": "true"})):
        with tempfile.TemporaryDirectory() as state:
            command = ["-m", "diarist", "serve", "--state", state, "--port", str(port), "--model", arguments.model]
            with serving(command, port) as (process, client):
                load(process, client, warm, 1, **fields)
                figures = load(process, client, measured, arguments.clients, **fields)
                found[name] = {**figures, **health(client, asked, **fields)}
                if not fields:
                    found["a stream"] = first_event(client, stream)

    if arguments.json:
        print(json.dumps({"found": found, **describe()}, indent=2))
        return
    for name, figures in found.items():
        print(name)
        for figure, value in figures.items():
            print(f"  {figure:24} {value:g}")
    print(json.dumps(describe()))


if __name__ == "__main__":
    main()
