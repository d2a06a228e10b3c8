"""The emulator with real workers and the real SDK; engines are stubs except where a test says otherwise."""

import contextlib
import os
import socket
from pathlib import Path

import numpy as np
import pytest

from diarist.audio.audio import SAMPLE_RATE, Audio

pytest.importorskip("runpod", reason="needs the extra runpod")
pytest.importorskip("aiohttp", reason="needs the extra runpod")

STUB = Path(__file__).with_name("stub_handlers.py")


@pytest.fixture(scope="session", autouse=True)
def _state(tmp_path_factory):
    """What diarist remembers of jobs is kept apart from the user's."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_STATE_HOME", str(tmp_path_factory.mktemp("state")))
        yield


def handler_files(folder):
    """Write handler files with stub engines, one per role."""
    files = {}
    for role in ("single", "transcription", "diarization", "digest"):
        files[role] = folder / f"{role}.py"
        files[role].write_text(
            "import os, runpy\n"
            f"os.environ['DIARIST_STUB'] = {role!r}\n"
            f"runpy.run_path({str(STUB)!r}, run_name='__main__')\n"
        )
    return files


@pytest.fixture
def handlers(tmp_path):
    """Handler files with stub engines, by role."""
    return handler_files(tmp_path)


@contextlib.contextmanager
def loopback(answer):
    """A server on this machine, in a thread of its own, that answers every request with ``await answer(request)``."""
    from aiohttp import web
    from anyio.from_thread import start_blocking_portal

    from diarist.runpod.emulator.control_plane import serve

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", answer)
    with start_blocking_portal() as portal:
        runner = portal.call(serve, app, socket.create_server(("127.0.0.1", 0)))
        try:
            yield f"http://127.0.0.1:{runner.addresses[0][1]}"
        finally:
            portal.call(runner.cleanup)


def sound(*peaks):
    """One second of noise per number, as loud as it says: the stub transcriber reads the numbers back as words."""
    noise = np.random.default_rng(7).uniform(-1, 1, SAMPLE_RATE)
    noise /= np.abs(noise).max()
    samples = np.concatenate([noise * peak / 1000 for peak in peaks])
    return Audio((np.round(samples * 32768) / 32768).clip(-1, 32767 / 32768).astype(np.float32))


def processes_of(folder):
    """Processes that still have the emulator's folder as their home, the heartbeat's too."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            try:
                if str(folder).encode() in (entry / "environ").read_bytes():
                    found.append(int(entry.name))
            except OSError:
                continue
    return found
