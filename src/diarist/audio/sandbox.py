"""Decoding in a child process, for recordings that strangers send: one that breaks the decoder breaks only the child.

A child has bounds of memory and of CPU time, knows none of the worker's environment, and stays for the next recording;
starting one takes as long as decoding an hour. The recording goes in as an open file, and the samples come back as
memory that both processes see: nothing is copied, and the samples are there once.

Rejected: ``multiprocessing`` and ``concurrent.futures`` pools, whose whole pool is broken by one child that dies, and
which copy samples through a pipe as pickles, code from whoever has taken over the child; ``pebble`` and ``loky``, which
survive a death, and have the pickles, and neither bounds of memory nor a way to hand over a file; a container or
``bubblewrap`` for each child, which a worker inside a container may not start.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import logging
import mmap
import os
import select
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import OrderedDict
from collections.abc import Iterator
from typing import Any, BinaryIO, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from diarist.audio.audio import Audio
from diarist.audio.recording import Recording, digest_of
from diarist.audio.sandboxed import LINE_BYTES, MOST_CHANNELS, memory_file
from diarist.model.errors import EngineError, InputError
from diarist.model.progress import Progress, ignore

log = logging.getLogger("diarist.worker")

MEMORY_BYTES: Final = 1 << 30
"""By how much a child may grow, samples not counted."""
CPU_SECONDS: Final = 30.0
"""CPU time that a child has for a recording, before it has decoded any of it."""
_SILENT_SECONDS: Final = 300.0  # without a word from a child that uses no CPU time either
_TICK: Final = 0.2  # seconds between looks at whether the job was cancelled
_MOST_UNREAD: Final = 1 << 20  # bytes that a child may have sent before its line ends
_MOST_IDLE: Final = 2
_DEATHS: Final = 2  # a recording that ended so many children is not tried again
_REMEMBERED: Final = 1000
_ENVIRONMENT: Final = ("PATH", "HOME", "LANG", "LC_ALL", "LD_LIBRARY_PATH", "TMPDIR")


class Sandbox:
    """Decodes in child processes. May be used from several threads, each of which has a child of its own meanwhile.

    Args:
        memory_bytes: by how much a child may grow, samples not counted.
        cpu_seconds: CPU time for a recording before any of it is decoded.
    """

    def __init__(self, *, memory_bytes: int = MEMORY_BYTES, cpu_seconds: float = CPU_SECONDS) -> None:
        self._bounds = {"memory_bytes": memory_bytes, "cpu_seconds": cpu_seconds}
        self._lock = threading.Lock()
        self._idle: list[_Child] = []
        self._deaths: OrderedDict[str, int] = OrderedDict()

    def start(self) -> None:
        """Start a child now, so that the first recording need not wait for it."""
        self._give_back(_Child())

    def close(self) -> None:
        """End the children that do nothing."""
        with self._lock:
            idle, self._idle = self._idle, []
        for child in idle:
            child.end()

    def decode(self, recording: Recording, *, max_seconds: float, progress: Progress = ignore) -> Audio:
        """Decode a recording as `diarist.audio.decode.decode` does, and keep its samples in it.

        Args:
            recording: all of it is decoded, and mixed.
            max_seconds: a longer one is refused.
            progress: as with ``decode``; also called while nothing happens, and may raise `Cancelled` then.

        Raises:
            InputError: as with ``decode``; also where the decoder broke, or takes too much memory or time
                (``audio_breaks_decoder``).
            EngineError: no child can be started (``no_decoder``).
        """
        return recording.audio(lambda: self._ask("mix", recording, max_seconds, progress).heard[0])

    def decode_channels(
        self, recording: Recording, *, max_seconds: float, progress: Progress = ignore
    ) -> tuple[Audio, ...]:
        """Decode every channel on its own, as `diarist.audio.decode.decode_channels` does; see `decode`."""
        return self._ask("channels", recording, max_seconds, progress).heard

    def probe(self, recording: Recording) -> float | None:
        """Look at a recording's head as `diarist.audio.decode.probe` does: its length in seconds, where one is told.

        Raises:
            InputError: as with `decode`.
            EngineError: no child can be started (``no_decoder``).
        """
        return self._ask("length", recording, 0.0, ignore).seconds

    def _ask(self, wanted: str, recording: Recording, max_seconds: float, progress: Progress) -> _Told:
        with recording.open(progress) as file, _as_file(file) as opened:
            if self._deaths and self._deaths.get(digest_of(opened), 0) >= _DEATHS:
                raise InputError(
                    "audio_breaks_decoder",
                    f"{recording.name} broke the decoder before, and is not tried again.",
                    "Convert it to FLAC or WAV first.",
                    http_status=422,
                )
            child = self._take()
            try:
                told = child.ask(
                    opened,
                    {"wanted": wanted, "name": recording.name, "max_seconds": max_seconds, **self._bounds},
                    progress,
                )
            except _ChildEndedError as death:
                if death.by_the_recording:
                    self._remember(digest_of(opened))
                raise InputError(
                    "audio_breaks_decoder",
                    f"{recording.name} cannot be decoded: {death}.",
                    "Convert it to FLAC or WAV first.",
                    http_status=422,
                ) from None
            except InputError:
                self._give_back(child)
                raise
            except BaseException:  # cancelled: the child still decodes
                child.end()
                raise
            self._give_back(child)
            return told

    def _take(self) -> _Child:
        with self._lock:
            while self._idle:
                child = self._idle.pop()
                if child.lives:
                    return child
                child.end()
        return _Child()

    def _give_back(self, child: _Child) -> None:
        with self._lock:
            if len(self._idle) < _MOST_IDLE:
                self._idle.append(child)
                return
        child.end()

    def _remember(self, digest: str) -> None:
        with self._lock:
            self._deaths[digest] = self._deaths.pop(digest, 0) + 1
            while len(self._deaths) > _REMEMBERED:
                self._deaths.popitem(last=False)


class _Told(NamedTuple):
    """What a child found: the sound of each channel or of their mix, or the length in seconds, if that is known."""

    heard: tuple[Audio, ...]
    seconds: float | None


class _ChildEndedError(Exception):
    """A child ended before it answered; says why.

    Attributes:
        by_the_recording: False where the system may have ended it, for want of memory or to shut down.
    """

    def __init__(self, why: str, *, by_the_recording: bool = True) -> None:
        super().__init__(why)
        self.by_the_recording = by_the_recording


class _Child:
    """A process that runs `diarist.audio.sandboxed.serve`."""

    def __init__(self) -> None:
        ours, its = socket.socketpair()
        environment = {name: os.environ[name] for name in _ENVIRONMENT if name in os.environ}
        environment["PYTHONPATH"] = os.pathsep.join(path for path in sys.path if path)
        with its:
            self._process = subprocess.Popen(  # noqa: S603 - this Python and this module
                [sys.executable, "-P", "-m", "diarist.audio.sandboxed", str(its.fileno())],
                pass_fds=[its.fileno()],
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
        self._socket = ours
        self._received = b""
        self._ready = False
        self._files: list[int] = []

    def __del__(self) -> None:
        self.end()

    @property
    def lives(self) -> bool:
        return self._process.poll() is None

    def end(self) -> None:
        """Kill it."""
        self._socket.close()
        while self._files:
            os.close(self._files.pop())
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()

    def ask(self, file: BinaryIO, request: dict[str, Any], progress: Progress) -> _Told:
        """Let it look at a file from where that stands.

        Raises:
            InputError: the recording is at fault.
            EngineError: no child can be started (``no_decoder``).
            _ChildEndedError: the child is no more.
        """
        request["offset"] = file.tell()
        try:
            socket.send_fds(self._socket, [json.dumps(request).encode() + b"\n"], [file.fileno()])
            answer = self._answer(progress)
            if "broke" in answer:
                log.error("decoder broke: %s", str(answer["broke"])[:500])
                raise self._ended("the decoder broke")
            if "error" not in answer:
                return self._told(answer)
            code, message, hint = map(str, answer["error"])
            refusal = InputError(code, message, hint, http_status=int(answer["status"]))
        except OSError:
            raise self._ended() from None
        except (LookupError, TypeError, ValueError):  # no answer of `serve`, which somebody else's code replaced
            raise self._ended("the decoder broke") from None
        raise refusal

    def _told(self, answer: dict[str, Any]) -> _Told:
        heard = []
        for each in answer.get("heard", ()):
            samples = _samples(self._files.pop(0), int(each["samples"]))
            heard.append(Audio(samples, tuple(map(str, each["warnings"]))))
        seconds = answer.get("seconds")
        if not heard and "seconds" not in answer:
            raise ValueError("neither sound nor its length")
        return _Told(tuple(heard), None if seconds is None else float(seconds))

    def _answer(self, progress: Progress) -> dict[str, Any]:
        done, heard = 0.0, time.monotonic()
        while True:
            line, newline, rest = self._received.partition(b"\n")
            if newline:
                self._received, heard = rest, time.monotonic()
                told = _read_line(line)
                self._ready = True
                if "done" not in told:
                    return told
                done = float(told["done"])
            progress("decode", done)
            if newline:
                continue
            if select.select([self._socket], [], [], _TICK)[0]:
                data, files, _, _ = socket.recv_fds(self._socket, LINE_BYTES, MOST_CHANNELS)
                self._files += files
                self._received += data
                if not data:
                    raise self._ended()
                if len(self._received) > _MOST_UNREAD:
                    raise TypeError("a line without end")
            elif time.monotonic() - heard > _SILENT_SECONDS:
                raise self._ended("it takes too long")

    def _ended(self, why: str = "") -> _ChildEndedError | EngineError:
        """End it, if it has not ended already, and say why it did."""
        if not why:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(5)
        status = self._process.poll()
        self.end()
        if not self._ready:
            return EngineError(
                "no_decoder", "The process that decodes recordings does not start.", "Look into it with: diarist doctor"
            )
        if status == -signal.SIGXCPU:
            why = "it takes too long"
        elif status is not None and status < 0:
            why = f"the decoder broke ({signal.Signals(-status).name})"
        return _ChildEndedError(why or "the decoder broke", by_the_recording=status != -signal.SIGKILL)


def _read_line(line: bytes) -> dict[str, Any]:
    told = json.loads(line)
    if not isinstance(told, dict):
        raise TypeError("no object")
    return told


@contextlib.contextmanager
def _as_file(stream: BinaryIO) -> Iterator[BinaryIO]:
    """A stream's bytes as a file that another process can read, from where the stream stands."""
    try:
        stream.fileno()
        stream.flush()
    except OSError:
        with memory_file() as file:
            shutil.copyfileobj(stream, file)
            file.seek(0)
            yield file
    else:
        yield stream


def _samples(number: int, length: int) -> NDArray[np.float32]:
    """Samples in shared memory as an array, which alone keeps that memory."""
    try:
        if hasattr(fcntl, "F_ADD_SEALS"):  # a file that shrinks under an array ends the process
            fcntl.fcntl(number, fcntl.F_ADD_SEALS, fcntl.F_SEAL_SHRINK)
        if os.fstat(number).st_size < length * 4 or length < 1:
            raise ValueError("no samples")
        # Private: what is written into the array by whoever has it stays in this process.
        return np.frombuffer(mmap.mmap(number, length * 4, access=mmap.ACCESS_COPY), np.float32)
    finally:
        os.close(number)
