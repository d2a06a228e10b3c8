"""Whatever the world around it is like, the command answers in one clear line."""

import os
import pwd
import subprocess
import sys

import pytest

from diarist.cli import app
from diarist.planning.prices import load_prices
from diarist.speakers.store import default_store
from diarist.weights.locate import places


def run(line, **environment):
    """Run a shell line in which ``diarist`` is ours."""
    command = f"diarist() {{ '{sys.executable}' -m diarist \"$@\"; }}; {line}"
    env = {**os.environ, **environment}
    return subprocess.run(["bash", "-c", command], capture_output=True, timeout=120, check=False, env=env)


@pytest.mark.parametrize(
    "line", ["diarist --help", "diarist models list", "diarist doctor --json", "diarist --version"]
)
@pytest.mark.parametrize(("to", "says"), [(">&-", "standard output is closed"), (">/dev/full", "No space left on")])
def test_where_nothing_can_be_printed_it_says_so(line, to, says):
    done = run(f"{line} {to}")
    assert done.returncode == 2
    assert done.stderr.decode().startswith(f"error: Cannot print: {says}")
    assert b"Traceback" not in done.stderr
    assert done.stdout == b""


def test_with_every_stream_closed_it_works_still():
    assert run("diarist --version <&- 2>&-").stdout.startswith(b"diarist ")
    assert run("diarist --version <&- >&- 2>&-").returncode == 2


def test_a_name_with_line_breaks_and_codes_for_the_terminal_stays_one_harmless_line(tmp_path):
    done = run("diarist transcribe $'a\\nb\\e[31m\\xff.wav'")
    assert done.stderr.decode().splitlines()[0] == r"error: a\nb\x1b[31m\udcff.wav does not exist."


def test_a_transcript_that_could_not_be_printed_is_not_begun():
    done = run("diarist transcribe /dev/null >&-")
    assert done.returncode == 2
    done = run("diarist transcribe - -f srt </dev/zero >&-")
    assert done.stderr.decode().startswith("error: Standard output is closed.")


@pytest.mark.parametrize("encoding", ["latin-1", "ascii", "cp1252"])
@pytest.mark.parametrize("command", ["", "transcribe", "plan", "bench", "deploy", "models"])
def test_help_can_be_read_whatever_letters_the_terminal_has(command, encoding):
    done = run(f"diarist {command} --help", PYTHONIOENCODING=encoding)
    assert done.returncode == 0, done.stderr
    assert b"Usage" in done.stdout
    assert done.stdout.decode(encoding)


class TestNobody:
    """A user without a home, as in a container that runs under a number."""

    @pytest.fixture(autouse=True)
    def _nobody(self, monkeypatch):
        def nobody(uid):
            raise KeyError(uid)

        for name in [name for name in os.environ if name.startswith(("XDG_", "HF_", "DIARIST_"))]:
            monkeypatch.delenv(name)
        monkeypatch.delenv("HOME", raising=False)
        monkeypatch.setattr(pwd, "getpwuid", nobody)

    @pytest.mark.parametrize("command", ["models list", "doctor", "voices list", "transcribe setup.py"])
    def test_is_told_what_to_set(self, command, capsys, monkeypatch, tmp_path):
        monkeypatch.chdir(tmp_path)
        (tmp_path / "setup.py").touch()
        monkeypatch.setattr("signal.signal", lambda *_: None)
        with pytest.raises(SystemExit) as caught:
            app.main(command.split())
        assert caught.value.code == 2
        assert "has no home folder" in capsys.readouterr().err
        assert os.listdir(tmp_path) == ["setup.py"]  # and no folder called ~

    def test_can_say_where_things_go(self, monkeypatch, tmp_path):
        monkeypatch.setenv("DIARIST_CACHE", str(tmp_path))
        monkeypatch.setenv("DIARIST_VOICES", str(tmp_path / "voices.json"))
        assert places().cache == tmp_path
        assert places().hub_cache == tmp_path / "hub"
        assert default_store().load() == ()
        assert load_prices().gpus


@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        ("transcribe -f s", {"srt", "stm", "seglst"}),
        ("transcribe --on runpod:s", {"runpod:single", "runpod:split"}),
        ("transcribe --model whisper-b", {"whisper-base"}),
        ("transcribe --language e", {"el", "en", "es", "et", "eu"}),
        ("transcribe --diarizer emb", {"embedded"}),
        ("convert -f ve", {"verbose_json"}),
        ("plan --gpu al", {"all"}),
    ],
)
def test_the_shell_offers_values(typed, offered):
    words = f"diarist {typed}"
    environment = {**os.environ, "_DIARIST_COMPLETE": "complete_bash", "COMP_WORDS": words}
    environment["COMP_CWORD"] = str(len(words.split()) - 1)
    program = "import sys; from diarist.cli.app import main; sys.argv[0] = 'diarist'; main()"
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=False)
    assert set(done.stdout.split()) == offered, done.stderr


@pytest.mark.parametrize("architecture", ["single", "split", "orchestrator"])
def test_what_must_be_typed_is_whole_in_eighty_columns(architecture):
    environment = {**os.environ, "COLUMNS": "80", "TERM": "dumb"}
    command = [sys.executable, "-m", "diarist", "deploy", architecture, "--help"]
    shown = subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout
    assert "…" not in shown
    assert "--cached-diarization-model " in shown or architecture == "single"
    assert "<" not in shown.replace("<bool>", "")
