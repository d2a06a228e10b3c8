"""The quick reference: what it computes is what its command computes now, and its tree is the one that a plan walks."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from diarist.architectures import ARCHITECTURES
from diarist.planning.decision import CHECKS, Candidate, Needs, misfit, too_slow

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/DEPLOYMENT_COMPARISON.md").read_text()
TREE = PAGE.partition("```text\n")[2].partition("\n```")[0].splitlines()
# Every end of the tree: what stands before it, from the root, and how a plan is asked the same.
ENDS = [
    (("within 12 s? yes", "diarist"), ["--latency", "12"]),
    (("within 12 s? yes", "HTTP"), ["--latency", "12", "--client", "http"]),
    (("within 12 s? no", "over 10 s at most once in 100? yes", "diarist"), ["--cold-start", "10"]),
    (("within 12 s? no", "over 10 s at most once in 100? yes", "HTTP"), ["--cold-start", "10", "--client", "http"]),
    (("within 12 s? no", "once in 100? no", "within 22 s? yes", "diarist"), ["--latency", "22"]),
    (("within 12 s? no", "once in 100? no", "within 22 s? yes", "HTTP"), ["--latency", "22", "--client", "http"]),
    (("within 12 s? no", "once in 100? no", "within 22 s? no", "diarist"), []),
    (("within 12 s? no", "once in 100? no", "within 22 s? no", "HTTP"), ["--client", "http"]),
]


def ends():
    """Paths of the drawn tree with what stands at their ends."""
    path = []
    for line in TREE:
        depth = (len(line) - len(line.lstrip())) // 2
        path = [*path[:depth], line.strip()]
        if "→" in line:
            yield [*path[:-1], path[-1].partition(" →")[0]], line.partition("→ ")[2]


def test_the_page_is_what_its_command_computes():
    done = subprocess.run(
        [sys.executable, ROOT / "scripts/guide.py", "--check"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_the_command_mends_a_page_that_is_not(tmp_path):
    for folder in ("scripts", "docs"):
        (tmp_path / folder).mkdir()
    (tmp_path / "scripts/guide.py").write_text((ROOT / "scripts/guide.py").read_text())
    page = tmp_path / "docs/DEPLOYMENT_COMPARISON.md"
    page.write_text(re.sub(r"\$\d+\.\d+", "$7.77", PAGE))
    command = [sys.executable, tmp_path / "scripts/guide.py"]
    checked = subprocess.run([*command, "--check"], capture_output=True, text=True, check=False)
    assert (checked.returncode, "make guide" in checked.stderr) == (1, True)
    subprocess.run(command, check=True, capture_output=True)
    prose = re.sub(r"<!-- computed.*?<!-- end -->", "", PAGE, flags=re.DOTALL)
    assert re.sub(r"<!-- computed.*?<!-- end -->", "", page.read_text(), flags=re.DOTALL) == re.sub(
        r"\$\d+\.\d+", "$7.77", prose
    )
    assert "7.77" not in page.read_text().partition("## What it costs")[2].partition("## By volume")[0]


def test_the_tree_has_these_ends_and_no_others():
    drawn = [path for path, _ in ends()]
    assert len(drawn) == len(ENDS)
    for path, (words, _) in zip(drawn, ENDS, strict=True):
        assert len(path) == len(words)
        assert all(word in step for word, step in zip(words, path, strict=True))


@pytest.mark.parametrize("end", range(len(ENDS)), ids=[" ".join(options) or "nothing" for _, options in ENDS])
def test_at_each_end_a_plan_recommends_what_stands_there(end, diarist_plan):
    _, said = list(ends())[end]
    recommended = diarist_plan("--per-day", "50", *ENDS[end][1])["recommended"]
    up = ", one always up" if recommended["min_workers"] else ""
    assert said.startswith(f"{recommended['architecture']} (idle {recommended['idle_timeout']:g} s{up}), $")


@pytest.fixture
def diarist_plan(capsys):
    """Run ``diarist plan`` with these options; its answer as data."""
    from diarist.cli.app import app

    def run(*options):
        app(["plan", *options, "--json"], standalone_mode=False)
        return json.loads(capsys.readouterr().out)

    return run


GOOD = Candidate("single", "single", False, 10.0, 8.0, 0.5, 9.0, 2)
FAILING = [  # one candidate and need for each check, in the order of the checks
    (Candidate("split", "split", False, 10.0, 8.0, 0.5, 9.0, 2), Needs(client="http"), misfit),
    (GOOD, Needs(worker_quota=1), misfit),
    (GOOD, Needs(latency=7.9), too_slow),
    (GOOD, Needs(cold_start=8.9), too_slow),
]


@pytest.mark.parametrize(("check", "failing"), list(zip(CHECKS, FAILING, strict=True)), ids=range(len(FAILING)))
def test_each_question_on_the_page_is_one_that_rules_out(check, failing):
    candidate, needs, asks = failing
    assert f". {check.question}\n" in PAGE
    assert asks(candidate, needs) == check.objection(candidate, needs) is not None
    assert [other for other in CHECKS if other.objection(candidate, needs)] == [check]
    assert not any(other.objection(candidate, Needs()) for other in CHECKS)


def test_it_has_everything_that_one_looks_up():
    for volume in ("100", "1,000", "10,000"):
        for way in ("single", "split, in parallel", "split, in sequence", "orchestrator"):
            row = re.search(rf"^\| {volume} \| {way} \|(.*)\|$", PAGE, re.MULTILINE)
            usd = [float(cell) for cell in re.findall(r"\$([\d.]+)", row[1])]
            month, computing, request, minute = usd
            assert request == pytest.approx(month / int(volume.replace(",", "")), rel=0.02)
            assert minute == pytest.approx(request / 2, rel=0.02)
            assert computing < month
    for name in ARCHITECTURES:
        for command in ("emulate", "deploy"):
            assert f"diarist {command} {name} " in PAGE
        assert f"--on runpod:{name}\n" in PAGE


def test_in_sequence_costs_what_split_costs_and_takes_both_steps_one_after_the_other():
    rows = dict(re.findall(r"^\| 100 \| ([^|]+) \| (.*) \|$", PAGE, re.MULTILINE))
    parallel, sequence = rows["split, in parallel"], rows["split, in sequence"]
    assert parallel.split(" | ")[0] == sequence.split(" | ")[0]
    half = {name: int(re.search(r"(\d+) s", row)[1]) for name, row in rows.items()}
    assert half["split, in parallel"] < half["single"] < half["split, in sequence"]


def test_it_is_read_in_five_minutes():
    prose = re.sub(r"```.*?```|<!--.*?-->|^\|.*$", "", PAGE, flags=re.DOTALL | re.MULTILINE)
    assert len(prose.split()) < 5 * 200
