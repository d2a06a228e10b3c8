"""What help calls things, and how a command line that cannot be is refused."""

import re
import subprocess
import sys

import pytest
import typer.main

from diarist.cli.app import app

from ..terminal import DIARIST, on_a_terminal


def walk(command, *path):
    """All commands with their paths; a group is one too."""
    yield path, command
    for name, child in getattr(command, "commands", {}).items():
        yield from walk(child, *path, name)


COMMANDS = dict(walk(typer.main.get_command(app)))


@pytest.fixture(scope="module")
def helped():
    """The help of each command, as a terminal of 80 columns shows it."""
    shown = {}

    def show(path):
        if path not in shown:
            code, terminal, _ = on_a_terminal(*DIARIST, *path, "--help")
            assert code == 0
            shown[path] = terminal.lines
        return shown[path]

    return show


@pytest.mark.parametrize("path", COMMANDS, ids=" ".join)
class TestHelp:
    def test_values_are_called_by_words_and_not_by_types(self, path, helped):
        text = "\n".join(helped(path))
        assert not re.search(r"<\w", text)
        assert not re.search(r"(?<![\w-])(TEXT|INTEGER|FLOAT|BOOLEAN|str|int|float|list\[)(?![\w-])", text)

    def test_the_usage_line_names_the_arguments(self, path, helped):
        usage = next(line for line in helped(path) if "Usage:" in line)
        words = usage.split("[OPTIONS]")[1].split()
        assert "{" not in usage
        if hasattr(COMMANDS[path], "commands"):
            assert words == ["COMMAND", "[ARGS]..."]
        else:
            assert all(re.fullmatch(r"[A-Z0-9=]+(\.\.\.)?|\[[A-Z0-9=]+(\.\.\.)?\]", word) for word in words)
            arguments = [param for param in COMMANDS[path].params if param.param_type_name == "argument"]
            assert [word.strip("[].") for word in words] == [argument.metavar for argument in arguments]
            assert [not word.startswith("[") for word in words] == [argument.required for argument in arguments]
            assert [word.strip("[]").endswith("...") for word in words] == [a.nargs == -1 for a in arguments]

    def test_options_and_their_words_are_shown_whole(self, path, helped):
        text = "\n".join(helped(path))
        for param in COMMANDS[path].params:
            if param.param_type_name == "option" and not param.hidden:
                for name in (*param.opts, *param.secondary_opts):
                    assert re.search(rf"(?<![\w-]){name}(?![\w-])", text)
                if not param.is_flag:
                    assert param.metavar in text


WRONG = [
    (("transcribe", "a.wav", "--start", "1:70"), "--start: '1:70' has more than 59 seconds beside its minutes."),
    (("transcribe", "a.wav", "--stop", "soon"), "--stop takes a time, not 'soon'."),
    (("transcribe", "a.wav", "--speakers", "two"), "Invalid value for '--speakers': 'two' is not a whole number."),
    (("transcribe", "a.wav", "--speakers", "1.5"), "Invalid value for '--speakers': '1.5' is not a whole number."),
    (("transcribe", "a.wav", "--speakers", "99"), "Invalid value for '--speakers': '99' is more than 64."),
    (("transcribe", "a.wav", "--threads", "0"), "Invalid value for '--threads': '0' is less than 1."),
    (("transcribe", "a.wav", "--temperature", "hot"), "Invalid value for '--temperature': 'hot' is not a number."),
    (
        ("transcribe", "a.wav", "--task", "sing"),
        "Invalid value for '--task': 'sing' is not one of 'transcribe', 'translate'.",
    ),
    (
        ("transcribe", "a.wav", "--channels", "3"),
        "Invalid value for '--channels': '3' is not one of 'mix', 'separate'.",
    ),
    (("transcribe", "a.wav", "--chanels", "mix"), "No such option: --chanels (Possible options: --channels, --help)."),
    (("transcribe",), "Missing argument 'PATH'."),
    (("transcribe", "a.wav", "--out"), "Option '--out' requires an argument."),
    (
        ("emulate", "double"),
        "Invalid value for 'ARCHITECTURE': 'double' is not one of 'single', 'split', 'orchestrator'.",
    ),
    (("plan", "--seed=-1"), "Invalid value for '--seed': '-1' is less than 0."),
    (("plan", "--per-day", "many"), "Invalid value for '--per-day': 'many' is not a number."),
    (("plan", "extra"), "Got unexpected extra argument(s) (extra)."),
    (("modls",), "No such command 'modls'. Did you mean 'models'?"),
    (("models", "lst"), "No such command 'lst'. Did you mean 'list'?"),
]


@pytest.mark.parametrize(("arguments", "message"), WRONG, ids=[" ".join(arguments) for arguments, _ in WRONG])
def test_a_command_line_that_cannot_be_is_refused_in_one_line_with_a_hint(arguments, message, diarist):
    done = diarist(*arguments)
    assert done.returncode == 2
    assert done.stdout == ""
    error, hint = done.stderr.splitlines()
    assert error == f"error: {message}"
    assert hint.startswith("  hint: ")
    assert "--help" in hint or "0:01:30.5" in hint


def test_a_value_from_the_environment_is_refused_in_the_same_way(diarist, monkeypatch):
    monkeypatch.setenv("DIARIST_DEPLOY_DISK", "big")
    done = diarist("deploy", "single", "--dry-run")
    assert done.stderr.splitlines()[0] == "error: Invalid value for '--disk': 'big' is not a whole number."


@pytest.mark.parametrize("group", [(), ("models",), ("deploy",), ("voices",)])
def test_a_group_alone_prints_its_help(group, diarist):
    done = diarist(*group)
    assert done.returncode == 2
    assert "COMMAND [ARGS]..." in done.stdout
    assert done.stderr == ""


def test_a_question_that_nobody_answers_is_one_line_too(tmp_path):
    command = [sys.executable, "-m", "diarist", "voices", "add", "Anna", "anna.wav"]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert "error: The question was not answered." in done.stderr


@pytest.mark.parametrize("arguments", [("--version",), ("formats", "--help"), ("formats",)])
def test_what_went_well_ends_with_0(arguments, diarist):
    assert diarist(*arguments).returncode == 0
