"""`make mutate` finds a number that no test holds. Tried on a tree of two files."""

import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[1] / "scripts" / "mutate.py"

SOURCE = """
LIMIT = 10
TABLE = {"held": 0.5, "loose": 0.5}

def late(seconds, by=2.0):
    return seconds > by
"""
TESTS = """
from tiny import LIMIT, TABLE, late

def test_limit():
    assert LIMIT == 10
    assert TABLE["held"] == 0.5

def test_late():
    assert late(3)
    assert not late(1.9)
"""


@pytest.fixture
def tree(tmp_path):
    for path, text in {"src/tiny.py": SOURCE, "tests/test_tiny.py": TESTS}.items():
        (tmp_path / path).parent.mkdir()
        (tmp_path / path).write_text(text)
    return tmp_path


def mutate(tree, listed):
    (tree / "scripts").mkdir()
    text = f'["tiny.py"]\ntests = ["tests/test_tiny.py"]\n{listed}\n'
    (tree / "scripts" / "mutations.toml").write_text(text)
    return subprocess.run(
        [sys.executable, SCRIPT, "--root", tree, "--jobs", "2"], capture_output=True, text=True, check=False
    )


def test_numbers_that_tests_hold_pass_and_the_tree_is_left_as_it_was(tree):
    done = mutate(tree, 'numbers = ["TABLE.held"]')
    assert done.returncode == 0, done.stderr
    assert [" ".join(line.split()) for line in done.stdout.splitlines()] == [
        "tiny.py TABLE.held = 0.6 noticed by tests/test_tiny.py::test_limit",
        "tiny.py TABLE.held = 0.4 noticed by tests/test_tiny.py::test_limit",
        "2 of 2 changes were noticed.",
    ]
    assert (tree / "src/tiny.py").read_text() == SOURCE
    assert {path.name for path in tree.iterdir()} == {"src", "tests", "scripts"}


def test_numbers_that_no_test_holds_or_only_from_one_side_are_named(tree):
    done = mutate(tree, 'numbers = ["LIMIT", "TABLE.loose", "late.by"]')
    assert done.returncode == 1
    assert "3 of 6 changes were noticed." in done.stdout
    assert done.stderr.splitlines() == [
        "not noticed: tiny.py: TABLE.loose = 0.6: tests/test_tiny.py",
        "not noticed: tiny.py: TABLE.loose = 0.4: tests/test_tiny.py",
        "not noticed: tiny.py: late.by = 2.4: tests/test_tiny.py",
    ]


def test_a_change_that_breaks_the_file_proves_nothing(tree):
    done = mutate(tree, 'edits = [["LIMIT = 10", "LIMIT = ("]]')
    assert done.returncode == 1
    assert "TESTS COULD NOT RUN" in done.stdout


@pytest.mark.parametrize(
    ("listed", "says"),
    [
        ('numbers = ["GONE"]', "tiny.py has no GONE"),
        ('numbers = ["TABLE.gone"]', "tiny.py has no TABLE.gone"),
        ('edits = [["gone", "there"]]', "tiny.py has not exactly one 'gone'"),
    ],
)
def test_a_list_that_no_longer_fits_the_source_is_refused(tree, listed, says):
    done = mutate(tree, listed)
    assert done.returncode == 1
    assert says in done.stderr


def test_the_list_of_this_repository_fits_its_source():
    done = subprocess.run([sys.executable, SCRIPT, "--list"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "diarist/attribution.py  MAX_DISTANCE = " in done.stdout


def test_tests_that_fail_as_it_is_prove_nothing(tree):
    (tree / "tests" / "test_tiny.py").write_text("def test_broken():\n    assert False\n")
    done = mutate(tree, 'numbers = ["LIMIT"]')
    assert done.returncode == 1
    assert "fail as it is" in done.stderr
