"""The command line as users run it: a process of its own."""

import subprocess
import sys

import pytest

from diarist.weights.fetch import ensure


@pytest.fixture(scope="session", autouse=True)
def _state(tmp_path_factory):
    """What diarist remembers of its own files is kept apart from the user's."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_STATE_HOME", str(tmp_path_factory.mktemp("state")))
        yield


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
