"""The command line as users run it: a process of its own."""

import subprocess
import sys

import pytest

from diarist.weights.fetch import ensure


@pytest.fixture(scope="session")
def diarist():
    """Run ``diarist …`` and return the finished process."""

    def run(*arguments, **options):
        command = [sys.executable, "-m", "diarist", *map(str, arguments)]
        return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False, **options)

    return run


@pytest.fixture(scope="session")
def call():
    """A real telephone call: two speakers, 30 s."""
    return ensure("sample-telephone") / "sample.wav"
