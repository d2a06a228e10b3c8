"""What a transcript can be written as, listed."""

import os
import pty
import struct
import subprocess
import sys
from contextlib import suppress
from fcntl import ioctl
from termios import TIOCSWINSZ

from diarist.formats import FORMATS


def test_each_format_has_a_line_with_its_use(diarist):
    lines = [line.split("\t") for line in diarist("formats").stdout.splitlines()]
    assert [line[0] for line in lines] == list(FORMATS)
    assert ["srt", "srt", "SubRip subtitles"] in lines


def test_the_table_fits_eighty_columns():
    ours, theirs = pty.openpty()
    ioctl(theirs, TIOCSWINSZ, struct.pack("HHHH", 40, 80, 0, 0))
    environment = {key: value for key, value in os.environ.items() if key not in ("COLUMNS", "LINES")}
    command = [sys.executable, "-m", "diarist", "formats"]
    with subprocess.Popen(command, stdout=theirs, env={**environment, "TERM": "dumb"}) as running:
        os.close(theirs)
        shown = b""
        with suppress(OSError):  # Linux says so when the other end is closed
            while part := os.read(ours, 4096):
                shown += part
    os.close(ours)
    assert running.returncode == 0
    lines = shown.decode().splitlines()
    assert all(len(line) <= 80 for line in lines)
    assert sum(line.split()[0] in FORMATS for line in lines if line.split()) == len(FORMATS)
