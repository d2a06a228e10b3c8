"""The child of `diarist.audio.sandbox`: decodes what comes through a socket, until the other side hangs up."""

from __future__ import annotations

import contextlib
import json
import mmap
import os
import resource
import signal
import socket
import sys
import tempfile
import traceback
from pathlib import Path
from typing import Any, BinaryIO, Final

import numpy as np
from numpy.typing import NDArray

from diarist.audio.audio import SAMPLE_RATE
from diarist.audio.decode import decode, decode_channels, probe
from diarist.audio.recording import Recording
from diarist.model.errors import InputError

LINE_BYTES: Final = 1 << 16
"""The longest line that says what to decode."""
MOST_CHANNELS: Final = 64
"""FFmpeg resamples no more (SWR_CH_MAX), so a recording with more is refused as damaged."""
_CPU_SECONDS_A_REPORT: Final = 2.0  # more for each 10 s of sound: the slowest codecs take a tenth of it
_LONGEST_RESERVED: Final = 48 * 3600.0  # seconds for whose samples there may be memory


def memory_file() -> BinaryIO:
    """A file without a name, in memory where the system has such."""
    if hasattr(os, "memfd_create"):
        return os.fdopen(os.memfd_create("diarist", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING), "w+b")
    return tempfile.TemporaryFile()


class _Mapping(mmap.mmap):
    """A file in memory, which stays open as long as an array is in it."""

    file: BinaryIO


class _Shared:
    """Storage (see `diarist.audio.resample.Storage`) that can be handed to another process."""

    def __init__(self) -> None:
        self._file = memory_file()
        self.samples: NDArray[np.float32] = np.empty(0, np.float32)

    def resize(self, length: int) -> None:
        """See `diarist.audio.resample.Storage`."""
        size = max(length, 1) * 4
        self.samples = np.empty(0, np.float32)  # lets go of the old mapping
        os.ftruncate(self._file.fileno(), size)
        mapping = _Mapping(self._file.fileno(), size)
        mapping.file = self._file
        self.samples = np.frombuffer(mapping, np.float32)[:length]


def _file_of(samples: NDArray[np.float32]) -> BinaryIO:
    """The file in memory that an array of a `_Shared` is in."""
    base: Any = samples
    while not isinstance(base, _Mapping):
        base = base.obj if isinstance(base, memoryview) else base.base
    return base.file


def serve(connection: socket.socket) -> None:
    """Decode what comes, until the other side hangs up."""
    for each in (signal.SIGINT, signal.SIGTERM):  # are for the worker, which may finish its jobs; this ends with it
        signal.signal(each, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    connection.sendall(b'{"done": 0}\n')  # it has started: what happens from now on is the recording's doing
    received = b""
    files: list[int] = []
    while True:
        data, more, _, _ = socket.recv_fds(connection, LINE_BYTES, 1)
        if not data:
            return
        received, files = received + data, files + more
        if not received.endswith(b"\n"):
            continue
        request = json.loads(received)
        with os.fdopen(files.pop(), "rb") as file:
            try:
                answer, opened = _answered(file, request, connection)
            except Exception as error:  # noqa: BLE001 - the worker logs where it was, and goes on with another child
                # No message: it might hold what the recording says.
                frames = traceback.extract_tb(error.__traceback__)[-4:]
                where = " < ".join(f"{frame.name}:{frame.lineno}" for frame in reversed(frames))
                connection.sendall(json.dumps({"broke": f"{type(error).__name__} in {where}"}).encode() + b"\n")
                return
            socket.send_fds(connection, [json.dumps(answer).encode() + b"\n"], [each.fileno() for each in opened])
        received, opened = b"", []


def _answered(
    file: BinaryIO, request: dict[str, Any], connection: socket.socket
) -> tuple[dict[str, Any], list[BinaryIO]]:
    file.seek(request["offset"])
    budget = _Budget(request)

    def report(stage: str, done: float) -> None:  # noqa: ARG001
        budget.extend()
        connection.sendall(json.dumps({"done": done}).encode() + b"\n")

    recording = Recording(request["name"], lambda _: contextlib.nullcontext(file))
    bounds: Any = {"max_seconds": request["max_seconds"], "progress": report, "storage": _Shared}
    try:
        match request["wanted"]:
            case "length":
                return {"seconds": probe(recording)}, []
            case "channels":
                found = decode_channels(recording, **bounds)
            case _:
                found = (decode(recording, **bounds),)
    except InputError as error:
        return {"error": [error.code, error.message, error.hint], "status": error.http_status}, []
    heard = [{"samples": len(audio.samples), "warnings": audio.warnings} for audio in found]
    return {"heard": heard}, [_file_of(audio.samples) for audio in found]


class _Budget:
    """What a recording may take of memory and of CPU time. The kernel ends a process that takes more."""

    def __init__(self, request: dict[str, Any]) -> None:
        usage = resource.getrusage(resource.RUSAGE_SELF)
        self._until = usage.ru_utime + usage.ru_stime + request["cpu_seconds"]
        self.extend(0)
        hard = resource.getrlimit(resource.RLIMIT_AS)[1]
        used = Path("/proc/self/statm")
        if not used.exists():  # not Linux: macOS heeds no such bound anyway
            return
        seconds = min(request["max_seconds"], _LONGEST_RESERVED)
        samples = int(seconds * SAMPLE_RATE * 4 * 17 / 16) * 2  # two tracks may be held against each other
        size = int(used.read_text().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (size + samples + int(request["memory_bytes"]), hard))

    def extend(self, seconds: float = _CPU_SECONDS_A_REPORT) -> None:
        """Allow some more CPU time."""
        self._until += seconds
        hard = resource.getrlimit(resource.RLIMIT_CPU)[1]
        resource.setrlimit(resource.RLIMIT_CPU, (int(self._until) + 1, hard))


if __name__ == "__main__":
    serve(socket.socket(fileno=int(sys.argv[1])))
