"""What ``diarist plan`` shows on a real terminal, wide or narrow."""

import re

import pytest

from ..terminal import DIARIST, on_a_terminal

FIGURES = ("workers", "$/month", "$/request", "$/audio hour", "p50", "p95", "p99", "cold", "start")


def table(columns, *arguments):
    code, terminal, _ = on_a_terminal(
        *DIARIST, "plan", "--per-day", "200", "--quick", *arguments, columns=columns, DIARIST_CACHE="/nowhere"
    )
    assert code == 0
    lines = terminal.lines
    end = next(number for number, line in enumerate(lines) if line.lstrip().startswith("diarist "))
    assert "…" not in "".join(lines)
    return lines[:end]


@pytest.mark.parametrize("arguments", [(), ("--gpu", "all")])
def test_no_column_of_plan_is_lost_at_80_columns(arguments):
    lines = table(80, *arguments)
    for word in ("architecture", *FIGURES):
        assert any(word in line for line in lines)
    named = [line for line in lines if re.search(r"(single|split|orchestrator) \(idle \d+ s\)", line)]
    assert len(named) == len(lines) - 2  # but for the headings of two tables


@pytest.mark.parametrize("arguments", [(), ("--gpu", "all")])
@pytest.mark.parametrize("columns", [30, 40])
def test_at_40_columns_each_row_is_a_list_with_its_name_above(columns, arguments):
    lines = table(columns, *arguments)
    rows = [number for number, line in enumerate(lines) if not line.startswith(" ")]
    assert len(rows) >= 3
    for begin, end in zip(rows, [*rows[1:], len(lines)], strict=True):
        assert re.fullmatch(r"(→ |.* )?(single|split|orchestrator) \(idle \d+ s\)", lines[begin])
        figures = [re.split(r"  +", line.strip()) for line in lines[begin + 1 : end]]
        assert tuple(heading for heading, _ in figures) == FIGURES
        assert re.fullmatch(r"\d+ to \d+", figures[0][1])
        assert re.fullmatch(r"[\d,]+\.\d\d", figures[1][1])


FAN_OUT = ("workers", "warm", "speed-up", "warm $", "warm unit", "cold", "cold $", "cold unit")


@pytest.mark.parametrize("columns", [30, 80, 120])
def test_nothing_of_a_plan_for_one_recording_is_lost(columns):
    arguments = ("plan", "--fan-out", "--audio", "180", "--gpu", "H100")
    code, terminal, _ = on_a_terminal(*DIARIST, *arguments, columns=columns, DIARIST_CACHE="/nowhere")
    assert code == 0
    lines = terminal.lines
    end = next(number for number, line in enumerate(lines) if line.startswith("Workers that are up"))
    assert "…" not in "".join(lines)
    for heading in FAN_OUT[1:] if columns == 30 else FAN_OUT:
        assert any(heading in line for line in lines[:end])
    for workers in (1, 2, 4, 8, 16, 32, 64):
        assert any(re.match(rf"(→ \w+)? *{workers}( |$)", line) for line in lines[:end])
