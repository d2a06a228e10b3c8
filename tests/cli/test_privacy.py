"""docs/privacy.md, held: once its models are here, transcribing speaks to no host."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from diarist.weights.fetch import ensure

# Every attempt to reach or look up a host is written down; Python tells of all of them, whichever library asks.
WATCHED = """
import json, sys

asked = []


def watch(event, arguments):
    if event in ("socket.connect", "socket.sendto", "socket.sendmsg"):
        asked.append((event, repr(arguments[1:])))
    elif event in ("socket.getaddrinfo", "socket.gethostbyname", "urllib.Request"):
        asked.append((event, repr(arguments)))


sys.addaudithook(watch)
seen, command = sys.argv[1], sys.argv[2:]
from diarist.cli.app import main

try:
    main(command)
finally:
    with open(seen, "w") as file:
        json.dump(asked, file)
"""


def watched(folder: Path, *command: str) -> tuple[subprocess.CompletedProcess[str], list[list[str]]]:
    """Run ``diarist …`` and return the finished process and the hosts it asked for."""
    # Nobody asks for offline mode here: this is how diarist is by itself.
    environ = {name: value for name, value in os.environ.items() if "OFFLINE" not in name}
    run = subprocess.run(
        [sys.executable, "-c", WATCHED, str(folder / "asked.json"), *command],
        capture_output=True,
        text=True,
        timeout=120,
        env=environ,
        check=False,
    )
    return run, json.loads((folder / "asked.json").read_text())


def test_the_watch_sees_a_host_that_is_asked_for(tmp_path: Path):
    run, asked = watched(tmp_path, "transcribe", "https://recording.invalid/call.mp3")
    assert run.returncode != 0
    assert "recording.invalid" in str(asked)


@pytest.mark.models
def test_transcribing_asks_for_no_host(tmp_path: Path):
    call = ensure("sample-telephone") / "sample.wav"
    for name in ("whisper-base", "silero-vad", "segmentation-3.0", "campplus"):
        ensure(name)
    out = tmp_path / "out"
    run, asked = watched(tmp_path, "transcribe", str(call), "-f", "json", "-f", "html", "-o", str(out))
    assert run.returncode == 0, run.stderr
    assert json.loads((out / "sample.json").read_text())["segments"]
    assert asked == []
