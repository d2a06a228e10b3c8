"""What ``diarist plan`` shows on a real terminal of the usual width."""

import fcntl
import os
import pty
import re
import struct
import subprocess
import sys
import termios

import pytest


def on_a_terminal(columns, *arguments):
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
    environment = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "NO_COLOR")}
    command = [sys.executable, "-c", "from diarist.cli.app import main; main()", *arguments]
    process = subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs, env=environment)
    os.close(theirs)
    said = b""
    try:
        while part := os.read(ours, 4096):
            said += part
    except OSError:  # Linux says so at the end of a terminal
        pass
    os.close(ours)
    assert process.wait() == 0, said
    return re.sub(r"\x1b\[[0-9;]*m", "", said.decode()).replace("\r\n", "\n")


@pytest.mark.parametrize("arguments", [(), ("--gpu", "all")])
def test_no_column_of_plan_is_lost_at_80_columns(arguments):
    text = on_a_terminal(80, "plan", "--per-day", "200", "--quick", *arguments)
    table = text.partition("\n  diarist deploy")[0]
    for word in (
        "architecture",
        "workers",
        "$/month",
        "$/request",
        "$/audio hour",
        "p50",
        "p95",
        "p99",
        "cold",
        "start",
    ):
        assert word in table
    assert "…" not in table
    assert re.search(r"(single|split|orchestrator) \(idle \d+ s\)", table)


def test_plan_does_not_fail_at_40_columns():
    assert "…" not in on_a_terminal(40, "plan", "--per-day", "200", "--quick")
