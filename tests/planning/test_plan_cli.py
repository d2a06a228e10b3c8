"""``diarist plan`` as users type it."""

import json
import re
import shlex
from pathlib import Path

import pytest
from typer.testing import CliRunner

from diarist.cli.app import app
from diarist.model.errors import DiaristError

ROOT = Path(__file__).parents[2]


@pytest.fixture
def plan(monkeypatch, tmp_path):
    """Run ``diarist plan``; errors that the command line would print come back as they are."""
    monkeypatch.setenv("DIARIST_PRICES", str(tmp_path / "prices.json"))
    monkeypatch.delenv("RUNPOD_API_KEY", raising=False)

    def run(*arguments):
        result = CliRunner().invoke(app, ["plan", *map(str, arguments)])
        if isinstance(result.exception, DiaristError):
            assert "\n" not in result.exception.message
            raise result.exception
        assert result.exit_code == 0, result.output
        return result.stdout

    return run


def test_it_prints_a_table_reasons_a_command_and_all_assumptions(plan):
    text = plan("--per-day", 200)
    for words in (
        "single",
        "split",
        "orchestrator",
        "p95",
        "cheapest",
        "diarist deploy single",
        "Assumed:",
        "published:",
    ):
        assert words in text


def test_json_is_for_programs(plan):
    data = json.loads(plan("--per-day", 200, "--audio", "2/30:3", "--audio", 60, "--shape", "day", "--json"))
    assert data["schema"] == "diarist.plan/1"
    assert data["gpu"] == "RTX 3090"


def test_all_gpus_the_cheapest_first(plan):
    data = json.loads(plan("--per-day", 200, "--gpu", "all", "--json"))
    costs = [
        next(option["usd_per_month"] for option in one["options"] if option["recommended"]) for one in data["plans"]
    ]
    assert costs == sorted(costs)
    assert {"RTX 3090", "RTX 4090", "H100"} <= {one["gpu"] for one in data["plans"]}


def test_gpus_that_are_too_slow_are_named(plan):
    data = json.loads(plan("--per-day", 200, "--gpu", "all", "--latency", 25, "--audio", 10, "--json"))
    assert data["refused"]
    assert data["plans"]


def test_a_chart_is_written(plan, tmp_path):
    plan("--per-day", 50, "--chart", tmp_path / "plan.svg", "--json")
    assert (tmp_path / "plan.svg").stat().st_size > 1000


def an_hour_costs(answer):
    """USD for an hour of audio, as the docs print it: single, split, orchestrator."""
    found = {option["architecture"]: option["usd_per_audio_hour"] for option in json.loads(answer)["options"]}
    return [f"${found[name]:.3f}" for name in ("single", "split", "orchestrator")]


def test_an_hour_costs_what_the_readme_says(plan):
    text = (ROOT / "README.md").read_text()
    rows = [re.findall(r"\$\d\.\d{3}", line) for line in text.splitlines() if line.startswith("| speeds that")]
    commands = re.findall(r"^diarist plan (.*#.* row|.*# the second)$", text, re.MULTILINE)
    assert len(rows) == len(commands) == 2
    for row, command in zip(rows, commands, strict=True):
        assert an_hour_costs(plan(*shlex.split(command, comments=True), "--json")) == row


def test_an_hour_costs_what_the_page_about_planning_says(plan):
    table = (ROOT / "docs" / "planning.md").read_text().partition("## What an hour of audio costs")[2]
    rows = [[cell.strip() for cell in line.split("|")] for line in table.partition("\n## ")[0].splitlines()]
    rows = [row for row in rows if len(row) > 2 and row[1].startswith(("measured", "published"))]
    assert len(rows) == 5
    for _, speeds, gpu, *_, single, split, orchestrator, _ in rows:
        measured = ("--profile", "cpu-2core") if speeds.startswith("measured on a 2-core CPU") else ()
        answer = plan("--per-day", 100, "--audio", 60, "--gpu", gpu, *measured, "--json")
        assert an_hour_costs(answer) == [single, split, orchestrator]


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("--per-day", -1), "bad_volume"),
        (("--gpu", "RTX 9999"), "unknown_gpu"),
        (("--gpu", "5090"), "missing_price"),
        (("--gpu", "A40"), "no_profile"),
        (("--profile", "abacus"), "unknown_profile"),
        (("--audio", "long"), "bad_length"),
        (("--shape", "round"), "bad_shape"),
        (("--plain", 2), "bad_share"),
        (("--client", "fax"), "bad_client"),
        (("--latency", 0.1), "contradictory_targets"),
        (("--latency", -1), "bad_target"),
        (("--min-workers", 3, "--max-workers", 1), "contradictory_settings"),
        (("--gpu", "all", "--price", 1), "contradictory_settings"),
        (("--chart", "plan.gif"), "bad_chart"),
        (("--refresh",), "no_key"),
    ],
)
def test_bad_input_is_one_clear_line(plan, arguments, code):
    with pytest.raises(DiaristError) as caught:
        plan(*arguments)
    assert caught.value.code == code
