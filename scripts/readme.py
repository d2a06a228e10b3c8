"""Walk README to the letter in a new clone with a core install, through a pipe and on a pseudo-terminal.

What a pipe is given must stand on the screen too, figures aside. Walks what is committed; prints what was run
and what was not, and why.
"""

from __future__ import annotations

import array
import fcntl
import os
import pty
import re
import shutil
import struct
import subprocess
import sys
import tempfile
import termios
import wave
from pathlib import Path

import pyte

ROOT = Path(__file__).parents[1]
LINES, COLUMNS = 3000, 200
# Not run, and why.
LEFT_OUT = {
    "make test": "runs by itself, for minutes",
    "git clone": "the clone is this script's",
    "uv tool install": "its URL is a placeholder",
    "@ git+": "its URL is a placeholder",
    "--on runpod": "needs an endpoint",
    "--on http": "needs a server; tests/server tries it",
    "diarist archive": "tests/cluster tries it",
    "diarist app": "runs until it is stopped; tests/server tries it",
    "diarist serve": "runs until it is stopped; tests/cli/test_serve.py tries it",
    "diarist bench": "measures for minutes",
}


def commands(readme: str) -> list[str]:
    """Shell lines of a page, comments and prompts taken off."""
    blocks = re.findall(r"^```sh\n(.*?)^```", readme, re.MULTILINE | re.DOTALL)
    lines = "".join(blocks).replace("\\\n", " ").splitlines()
    return [line.strip() for line in lines if line.strip() and not line.lstrip().startswith("#")]


def piped(command: str, folder: Path, env: dict[str, str]) -> tuple[int, str]:
    done = subprocess.run(["sh", "-c", command], cwd=folder, env=env, capture_output=True, text=True, check=False)
    if done.returncode:
        print(done.stdout[-2000:], done.stderr[-2000:], sep="\n")
    return done.returncode, done.stdout


def on_terminal(command: str, folder: Path, env: dict[str, str]) -> tuple[int, str]:
    screen = pyte.Screen(COLUMNS, LINES)
    stream = pyte.ByteStream(screen)
    child, master = pty.fork()
    if child == 0:
        os.chdir(folder)
        fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", LINES, COLUMNS, 0, 0))
        os.execve("/bin/sh", ["sh", "-c", command], {**env, "TERM": "xterm-256color"})
    while True:
        try:
            data = os.read(master, 65536)
        except OSError:  # Linux says so when the other end is closed
            break
        if not data:
            break
        stream.feed(data)
    os.close(master)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), "\n".join(screen.display)


def said(line: str) -> str:
    """Take time and name off a line of a transcript: a terminal shows them in columns of its own."""
    return re.sub(r"^(?:\[[\d:]+\] (?:[^:]+: )?|(?:\d+:)?\d+:\d\d +(?:SPEAKER_\d+)? *)", "", line)


def bare(text: str) -> str:
    """Leave only what a pipe and a terminal have in common."""
    return re.sub(r"[\d.,]+", "0", re.sub(r"\s+", "", text))


def main() -> int:
    failed = 0
    with tempfile.TemporaryDirectory() as temporary:
        clone = Path(temporary, "diarist")
        subprocess.run(["git", "clone", "-q", ROOT, clone], check=True)
        env = {
            name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "VIRTUAL_ENV", "MAKEFLAGS")
        }
        # What it writes for its user stays in the folder that goes.
        env |= {"DIARIST_VOICES": f"{temporary}/voices.json", "XDG_STATE_HOME": f"{temporary}/state"}
        for command in commands((clone / "README.md").read_text(encoding="utf-8")):
            if command.startswith(". .venv/bin/activate"):
                env["PATH"] = f"{clone}/.venv/bin:{env['PATH']}"  # as that line does for the shell it is typed into
            reason = next((why for part, why in LEFT_OUT.items() if part in command), None)
            if reason:
                print(f"not run   {command}  ({reason})", flush=True)
                continue
            before = _kept(clone)
            code, through_pipe = piped(command, clone, env)
            if command.startswith("make "):  # what it set up the first time it does not set up again
                again, through_pipe = piped(command, clone, env)
                code = code or again
            if command.startswith("diarist rename"):  # what has a new name cannot be renamed again
                for path, content in before.items():
                    path.write_bytes(content)
            seen, screen = on_terminal(command, clone, env) if "pip install" not in command else (0, through_pipe)
            shown = bare("".join(said(line) for line in screen.splitlines()))
            # A table goes through a pipe as fields between tabs, for programs: its rows must be there, by their names.
            rows = [line.partition("\t")[0] for line in through_pipe.splitlines()]
            lost = [row for row in rows if bare(said(row)) not in shown]
            good = code == seen == 0 and not lost
            failed += not good
            print(f"{'works  ' if good else 'FAILS  '}   {command}", flush=True)
            if not good:
                print(f"          exit {code} through a pipe, {seen} on a terminal; only in the pipe: {lost[:3]}")
            if command.startswith("make demo"):
                _recordings(clone, env)
    return 1 if failed else 0


def _kept(clone: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in clone.glob("meeting.*")}


def _recordings(clone: Path, env: dict[str, str]) -> None:
    """Copies of the sample under the names that README uses for a reader's own recordings."""
    pull = [clone / ".venv/bin/diarist", "models", "pull", "sample-telephone"]
    sample = Path(
        subprocess.run(pull, env=env, capture_output=True, text=True, check=True).stdout.strip(), "sample.wav"
    )
    (clone / "recordings").mkdir(exist_ok=True)
    for name in ("meeting.mp3", "interview.mp3", "call.mp3", "film.mp4", "panel.mp3", "next.mp3", "recordings/one.wav"):
        shutil.copy(sample, clone / name)
    (clone / "edits.json").write_text(
        '[{"op": "replace", "first": 0, "stop": 1, "text": "Hello!"}]\n', encoding="utf-8"
    )
    with wave.open(str(sample), "rb") as file:
        sound = file.readframes(file.getnframes())
        rate = file.getframerate()
    half = len(sound) // 4 * 2
    # Two parties in turn, each in a channel of its own.
    left = array.array("h", sound[:half] + bytes(len(sound) - half))
    right = array.array("h", bytes(half) + sound[half:])
    both = array.array("h", [sample for pair in zip(left, right, strict=True) for sample in pair])
    for name, channels, samples in (("call.wav", 2, both.tobytes()), ("long.wav", 1, sound * 24)):
        with wave.open(str(clone / name), "wb") as file:
            file.setnchannels(channels)
            file.setsampwidth(2)
            file.setframerate(rate)
            file.writeframes(samples)


if __name__ == "__main__":
    sys.exit(main())
