"""The docs cannot rot: every command they show exists with those options, and every link leads somewhere."""

import re
import shlex
from pathlib import Path

import pytest
import typer.main

from diarist.cli.app import app

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("**/*.md"))]
TARGETS = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))


def shown():
    """Yield (page, command) for every `diarist …` and `make …` line in a shell block."""
    for page in PAGES:
        blocks = re.findall(r"^```(?:sh|bash|console)\n(.*?)^```", page.read_text(), re.MULTILINE | re.DOTALL)
        for line in "".join(blocks).replace("\\\n", " ").splitlines():
            command = re.sub(r"^(\$ )?(\.venv/bin/)?", "", line.strip())
            if command.startswith(("diarist ", "make ")):
                yield pytest.param(command, id=f"{page.name}: {command}")


@pytest.mark.parametrize("command", tuple(shown()))
def test_every_command_in_the_docs_exists(command):
    words = shlex.split(command, comments=True)
    if words[0] == "make":
        assert words[1] in TARGETS
        return
    node, rest = typer.main.get_command(app), words[1:]
    while rest and rest[0] in getattr(node, "commands", {}):
        node, rest = node.commands[rest[0]], rest[1:]
    assert not hasattr(node, "commands"), f"{rest[0]} is not a command"
    options = {name for parameter in node.params for name in (*parameter.opts, *parameter.secondary_opts)} | {"--help"}
    used = {word.split("=")[0] for word in rest if re.match(r"--?[a-z]", word)}
    assert used <= options


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_between_pages_leads_somewhere(page):
    for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", page.read_text()):
        if not re.match(r"[a-z]+:", target):
            assert (page.parent / target).exists(), f"{page.name} links to {target}"
