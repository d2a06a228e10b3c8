"""The fuzzer finds what falls: another error, a process that dies or never ends, one that eats memory."""

import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

RUN = Path(__file__).parents[1] / "fuzz" / "run.py"


def fuzz(folder: Path, body: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a target that says what it does with its input, of which number 7 is the bad one."""
    folder.mkdir()
    target = "import os, time\nfrom diarist.model.errors import InputError\n\ndef make(rng):\n    return b'x'\n\n"
    counted = "calls = 0\n\ndef run(data, folder):\n    global calls\n    calls += 1\n    bad = calls == 3 + 8\n"
    (folder / "toy.py").write_text(target + counted + textwrap.indent(textwrap.dedent(body), "    "))
    return subprocess.run(
        [sys.executable, str(RUN), "--folder", str(folder), "--inputs", "12", *arguments],
        capture_output=True,
        text=True,
        timeout=120,
    )


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ("if bad: raise KeyError", "toy, input 7: KeyError in toy.py"),
        ("if bad: os.kill(os.getpid(), 11)", "toy, input 7: the process ended (SIGSEGV)"),
        ("while bad: pass", "toy, input 7: the process ended (SIGPROF)"),
        ("if bad: bytearray(2 << 30)", "toy, input 7: MemoryError in toy.py"),
        ("if bad: raise InputError('x', 'two' + chr(10) + 'lines')", "toy, input 7: a message of 9 characters"),
    ],
)
def test_what_falls_is_named_and_the_rest_goes_on(tmp_path, body, says):
    done = fuzz(tmp_path / "targets", body, "--cpu-seconds", "1", "--keep", str(tmp_path / "kept"))
    assert done.returncode == 1
    assert says in done.stdout
    assert "12 inputs" in done.stdout
    assert (tmp_path / "kept" / "toy-7").is_file()


def test_what_is_refused_in_one_line_is_no_find(tmp_path):
    done = fuzz(tmp_path / "targets", "raise InputError('x', 'It is no such file.')")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines()[1].split()[:5] == ["toy", "12", "0", "12", "0"]


def test_every_target_takes_some_of_its_inputs_and_what_was_found_stays_mended():
    done = subprocess.run([sys.executable, str(RUN), "--inputs", "40"], capture_output=True, text=True, timeout=280)
    assert (done.returncode, done.stderr) == (0, ""), done.stdout
    rows = [line.split() for line in done.stdout.splitlines()[1:-1]]
    assert len(rows) == len(list((RUN.parent / "targets").glob("*.py")))
    assert all(int(taken) > 0 for _name, _inputs, taken, *_ in rows)
