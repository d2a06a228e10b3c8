"""The docs cannot rot: every command they show exists with those options, and every link leads somewhere."""

import re
import shlex
import textwrap
from pathlib import Path

import numpy as np
import pytest
import typer.main
from typer.testing import CliRunner

from diarist.attribution import segment
from diarist.audio.audio import Audio
from diarist.audio.decode import decode
from diarist.audio.transport import encode_flac
from diarist.cli.app import app
from diarist.editing import Assign, Rename, Replace, read_edits
from diarist.formats import FORMATS
from diarist.formats.text import printable
from diarist.model.transcript import Segment, Transcript, Word
from diarist.weights.fetch import ensure

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("**/*.md"))]
TARGETS = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))

STRANGERS = r"pip install [^\n`]*?['\" ]diarist(\[\w+\])?['\"]?(\s*$|[`'\"])"


def shown():
    """Yield (page, command) for every `diarist …` and `make …` line in a shell block."""
    for page in PAGES:
        blocks = re.findall(r"^```(?:sh|bash|console)?\n(.*?)^```", page.read_text(), re.MULTILINE | re.DOTALL)
        for line in "".join(blocks).replace("\\\n", " ").splitlines():
            command = re.sub(r"^(\$ )?(\.venv/bin/)?", "", line.strip())
            if command.startswith(("diarist ", "make ")):
                yield pytest.param(command, id=f"{page.name}: {command}")


def helped_by(command):
    """The help of a command, as it is written there."""
    return typer.main.get_command(app).commands[command].help


def helped():
    """Yield every `diarist …` line of the help of every command, as it is written there."""
    nodes = [typer.main.get_command(app)]
    while nodes:
        node = nodes.pop()
        nodes += getattr(node, "commands", {}).values()
        for line in f"{node.help or ''}\n{node.epilog or ''}".splitlines():
            if found := re.match(r"(?:.*: )?(diarist [a-z].*)$", line.strip()):
                for command in found[1].split(" && "):
                    yield pytest.param(command, id=f"{node.name} --help: {command}")


@pytest.mark.parametrize("command", [*shown(), *helped()])
def test_every_command_in_the_docs_and_in_help_exists(command):
    words = shlex.split(command, comments=True)
    if words[0] == "make":
        assert words[1] in TARGETS
        return
    node, rest = typer.main.get_command(app), words[1:]
    while rest and rest[0] in getattr(node, "commands", {}):
        node, rest = node.commands[rest[0]], rest[1:]
    assert not hasattr(node, "commands"), f"{rest[0]} is not a command"
    options = {name for parameter in node.params for name in (*parameter.opts, *parameter.secondary_opts)} | {"--help"}
    assert {word.split("=")[0] for word in rest if re.match(r"--?[a-z]", word)} <= options
    # What is asked for at a prompt need not be shown.
    asked = [p.opts[0] for p in node.params if getattr(p, "prompt", None)]
    rest += [word for name in asked if name not in rest for word in (name, "answer")]
    # Parses, and converts every value, without running it.
    context = node.make_context(node.name, list(rest))
    assert set(context.params.get("formats") or ()) <= set(FORMATS)


@pytest.mark.parametrize("command", [param for param in (*shown(), *helped()) if "diarist plan" in param.values[0]])
def test_every_plan_that_the_docs_show_is_answered(command):
    words = shlex.split(command, comments=True)[1:]
    if not {"--profile", "--chart", "--refresh"} & set(words) or "cpu-2core" in words:
        done = CliRunner().invoke(app, [*words, "--quick"])
        assert done.exit_code == 0, done.output


def test_nothing_says_to_install_diarist_from_an_index_where_anyone_may_take_the_name():
    told = [*PAGES, *(ROOT / "src").glob("**/*.py"), ROOT / "Makefile"]
    for page in told:
        text = page.read_text(encoding="utf-8")
        assert not re.search(STRANGERS, text, re.MULTILINE), page


def test_a_hint_that_would_run_a_strangers_package_is_noticed():
    assert re.search(STRANGERS, "pip install 'diarist[plan]'", re.MULTILINE)
    assert re.search(STRANGERS, "-m pip install --force-reinstall diarist", re.MULTILINE)
    assert not re.search(STRANGERS, 'pip install "diarist @ git+https://example.org/x"', re.MULTILINE)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_between_pages_leads_somewhere(page):
    for target, heading in re.findall(r"\]\(([^)#\s]*)(?:#([^)]*))?\)", page.read_text()):
        if re.match(r"[a-z]+:", target):
            continue
        linked = page.parent / target if target else page
        assert linked.exists(), f"{page.name} links to {target}"
        assert not heading or heading in anchors(linked), f"{page.name} links to {target}#{heading}"


def anchors(page):
    """What GitHub lets a link to a heading of this page say."""
    headings = re.findall(r"^#+ (.*)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_the_number_of_formats_is_what_the_docs_say():
    assert len(FORMATS) == 19
    for page in (ROOT / "README.md", ROOT / "docs" / "formats.md"):
        assert "nineteen formats" in page.read_text().lower()
    table = (ROOT / "docs" / "formats.md").read_text().split("## ")[0]
    assert set(re.findall(r"`([a-z_]+)`(?=[^|]*\| `\.)", table)) == set(FORMATS)


def test_the_format_that_contributing_adds_works():
    source = re.search(r"^ +```python\n(.*?)^ +```", (ROOT / "CONTRIBUTING.md").read_text(), re.MULTILINE | re.DOTALL)[
        1
    ]
    module = {"Transcript": Transcript, "printable": printable}
    exec(textwrap.dedent(source), module)
    segments = (Segment(0.5, 1, None, "Hello.", ()), Segment(3661.25, 3662, None, "Bye.", ()))
    spoken = Transcript(duration=3662, language="en", speakers=(), segments=segments, turns=(), models=())
    assert module["lrc"](spoken, "call") == "[ti:call]\n[00:00.50]Hello.\n[61:01.25]Bye.\n"


def examples():
    """Yield the code of docs/python.md that runs here; what needs RunPod runs with the guides of RunPod."""
    page = (ROOT / "docs" / "python.md").read_text()
    for part in page.split("\n## ")[1:]:
        found = re.search(r"<!-- runs -->\n```python\n(.*?)^```", part, re.MULTILINE | re.DOTALL)
        if found is None:
            continue
        title, code = part.partition("\n")[0], found[1]
        engines = re.search(r"transcribe\(", code)
        yield pytest.param(code, id=title, marks=[pytest.mark.models] if engines else [])


@pytest.fixture(scope="module")
def recordings(tmp_path_factory):
    """What the examples name: Anna reading, and a meeting in which she reads on and two others talk by telephone."""
    folder = tmp_path_factory.mktemp("recordings")
    reader = decode(ensure("sample-reader") / "two_cities.wav").samples
    call = decode(ensure("sample-telephone") / "sample.wav").samples
    second = 16_000
    (folder / "recordings").mkdir()
    for name, samples in {
        "anna.wav": reader[: 12 * second],
        "meeting.mp3": np.concatenate([reader[20 * second : 30 * second], call[7 * second : 15 * second]]),
        "recordings/monday.wav": reader[: 6 * second],
        "recordings/tuesday.wav": reader[20 * second : 26 * second],
    }.items():
        (folder / name).write_bytes(encode_flac(Audio(samples)))
    (folder / "recordings" / "notes.wav").write_text("no recording")
    return folder


@pytest.fixture
def files(tmp_path):
    """A transcript and subtitles."""
    words = Word(0, 1, "Hi!", None, "SPEAKER_00"), Word(2, 3, "Ho.", None, "SPEAKER_01")
    Transcript(
        duration=4, language="en", speakers=("SPEAKER_00", "SPEAKER_01"), segments=segment(words), turns=(), models=()
    ).save(tmp_path / "call.json")
    (tmp_path / "film.srt").write_text(
        "1\n00:00:01,000 --> 00:00:02,000\nAnna: Hi!\n\n2\n00:00:03,000 --> 00:00:04,000\nBen: Ho.\n"
    )
    return tmp_path


SHOWN = {
    "One recording": r"SPEAKER_0\d  .*heaven",
    "Many recordings": r"monday\.wav \('SPEAKER_00',\)\nnotes\.wav: .*\ntuesday\.wav \('SPEAKER_00',\)\n",
    "Known voices": r"\('Anna', ",
    "Progress, and stopping": r"transcription \d+%\n(.*\n)*stopped\n",
    "An engine of your own": r"Hello there\.\n",
    "Files": r"no times for words",
    "Corrections": r"Hello there! Ho\. True\n",
}
"""What an example prints."""


def test_the_page_on_python_has_these_examples():
    assert [param.id for param in examples()] == list(SHOWN)


@pytest.mark.slow
@pytest.mark.parametrize("code", [*examples()])
def test_an_example_of_the_page_on_python_works(code, request, monkeypatch, capsys):
    title = request.node.callspec.id
    folder = request.getfixturevalue("files" if title in ("Files", "Corrections") else "recordings")
    monkeypatch.chdir(folder)
    exec(compile(code, title, "exec"), {"__name__": "example"})
    shown = capsys.readouterr().out
    assert re.search(SHOWN[title], shown), shown


def test_the_files_of_the_page_on_python_are_those_formats(files, monkeypatch):
    monkeypatch.chdir(files)
    code = next(param.values[0] for param in examples() if param.id == "Files")
    exec(code, {})
    assert (files / "call.docx").read_bytes().startswith(b"PK")
    assert (files / "film.vtt").read_text().startswith("WEBVTT")


@pytest.mark.parametrize("text", [(ROOT / "docs" / "formats.md").read_text(), helped_by("convert")])
def test_the_edits_that_are_shown_can_be_read(text):
    shown = re.search(r"^ *\[\s*\{\"op\".*?\}\s*\]$", text, re.MULTILINE | re.DOTALL)
    assert {type(edit) for edit in read_edits(shown[0].encode())} >= {Rename, Assign, Replace}
