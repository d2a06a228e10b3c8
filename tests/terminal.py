"""A real pseudo-terminal for tests: what a command leaves on the screen of whoever runs it."""

import fcntl
import os
import pty
import re
import struct
import subprocess
import sys
import termios

import pytest

DIARIST = (sys.executable, "-m", "diarist")


class Terminal:
    """What a terminal of endless height shows. It knows what rich writes; anything else is a test that fails."""

    def __init__(self, columns):
        self.columns, self.rows, self.row, self.column, self.cursor = columns, [[]], 0, 0, True

    def feed(self, output):
        for numbers, final, letter in re.findall(r"\x1b\[([?\d;]*)([A-Za-z])|([\s\S])", output):
            if letter and letter.isprintable():
                self.put(letter)
            elif letter == "\t":
                self.column = min(self.column // 8 * 8 + 8, self.columns - 1)
            elif letter == "\n":
                self.row += 1
                self.rows += [[]] if self.row == len(self.rows) else []
            elif letter == "\r":
                self.column = 0
            elif final == "A":
                self.row = max(0, self.row - int(numbers or 1))
            elif final == "K" and numbers == "2":
                self.rows[self.row] = []
            elif final in ("h", "l") and numbers == "?25":
                self.cursor = final == "h"
            elif final != "m":  # colours are not looked at
                pytest.fail(f"the terminal was told {numbers}{final or letter!r}")

    def put(self, letter):
        if self.column == self.columns:
            self.feed("\r\n")
        line = self.rows[self.row]
        line += [" "] * (self.column + 1 - len(line))
        line[self.column] = letter
        self.column += 1

    @property
    def lines(self):
        return [line for line in ("".join(row).rstrip() for row in self.rows) if line]


def on_a_terminal(*command, columns=80, stdout=None, then=lambda process, output: None, **environment):
    """Run a command on a pseudo-terminal; return its exit code, the terminal and all that was written to it.

    Args:
        command: the program and its arguments.
        columns: how wide the terminal is.
        stdout: where standard output goes, if not to the terminal.
        then: called with the process and all output so far, whenever there is more.
        environment: variables to set.
    """
    leader, follower = pty.openpty()
    fcntl.ioctl(follower, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    environ = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "LINES", "NO_COLOR")}
    process = subprocess.Popen(
        [os.fspath(word) for word in command], stdin=follower, stdout=stdout or follower, stderr=follower,
        env={**environ, "TERM": "xterm-256color", **environment}, start_new_session=True,
    )  # fmt: skip
    os.close(follower)
    raw = b""
    try:
        while chunk := os.read(leader, 65536):
            raw += chunk
            then(process, raw.decode(errors="replace"))
    except OSError:  # how Linux says that the other end is closed
        pass
    os.close(leader)
    terminal = Terminal(columns)
    terminal.feed(raw.decode())
    assert terminal.cursor, "the cursor was left hidden"
    return process.wait(60), terminal, raw.decode()
