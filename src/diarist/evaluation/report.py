"""Show scores: a table, JSON, or one HTML page with plots."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any, Final

from diarist.evaluation.measures import MEASURES, Ratio
from diarist.evaluation.suite import Estimate, Report


def as_json(report: Report) -> dict[str, Any]:
    """Return JSON-ready values; rates are fractions, times seconds."""
    return {
        "settings": dict(report.settings),
        "pooled": estimates(report.pooled),
        "items": {
            item: {name: {"rate": r.rate, "errors": r.errors, "total": r.total} for name, r in ratios.items()}
            for item, ratios in report.items.items()
        },
        "unmatched": list(report.unmatched),
        "measures": {name: measure.meaning for name, measure in MEASURES.items()},
    }


def estimates(found: Mapping[str, Estimate]) -> dict[str, Any]:
    """Return JSON-ready estimates by measure."""
    return {
        name: {"rate": e.rate, "low": e.low, "high": e.high, "recordings": e.recordings} for name, e in found.items()
    }


GROUPS: Final[Mapping[str, Sequence[str]]] = {
    "words": ("wer", "cpwer", "tcpwer", "orcwer", "oracle_cpwer", "attribution_cost"),
    "speakers of words": ("wder", "abstained", "boundary_wder", "speaker_count", "wrong_count"),
    "time": ("der", "jer", "word_start", "word_end"),
}
"""Measures that make one table of a terminal's width."""


def rows(report: Report, names: Sequence[str]) -> tuple[Sequence[str], Sequence[Sequence[str]]]:
    """Return the header and the rows of a table: one per recording, then all of them with their 95 % interval."""
    body = [[item, *(shown(name, ratios.get(name)) for name in names)] for item, ratios in report.items.items()]
    if len(report.items) > 1:
        body.append(["all", *(shown(name, report.pooled[name]) for name in names)])
        body.append(["95 % interval", *(interval(name, report.pooled[name]) for name in names)])
    return ["recording", *(heading(name) for name in names)], body


def heading(name: str) -> str:
    """Return a measure's title with its unit."""
    measure = MEASURES[name]
    return f"{measure.title} ({measure.unit})" if measure.unit else measure.title


def shown(name: str, figure: Ratio | Estimate | None) -> str:
    """Write a figure in its measure's unit; empty where there is none."""
    if figure is None or figure.rate is None:
        return ""
    match MEASURES[name].unit:
        case "%":
            return f"{100 * figure.rate:.1f}"
        case "s":
            return f"{figure.rate:.3f}"
        case _:
            return f"{figure.rate:.2f}"


def interval(name: str, estimate: Estimate) -> str:
    """Write ``low-high``; empty with fewer than two recordings."""
    if estimate.low is None or estimate.high is None:
        return ""
    low, high = (shown(name, Estimate(end, None, None, 0)) for end in (estimate.low, estimate.high))
    return f"{low} to {high}"


def difference(found: Mapping[str, Estimate], first: str, second: str) -> list[str]:
    """Return lines that tell by how much the second system's rates differ from the first's."""
    lines = [f"{second} minus {first}, on the same recordings:"]
    for name, estimate in found.items():
        if estimate.rate is None:
            continue
        span = interval(name, estimate)
        lines.append(f"{heading(name)}: {shown(name, estimate)}" + (f", 95 % interval {span}" if span else ""))
    if all(estimate.low is None for estimate in found.values()):
        lines.append("One recording has no interval: compare folders.")
    return lines


def html(report: Report) -> str:
    """Write one page: settings, the table, and per measure a plot of recordings and the pooled interval."""
    header, body = rows(report, list(report.pooled))
    head = "".join(f"<th>{escape(title)}</th>" for title in header)
    table = "".join("<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in body)
    plots = "".join(
        _plot(name, report.items, estimate)
        for name, estimate in report.pooled.items()
        if len(report.items) > 1 and estimate.rate is not None
    )
    settings = ", ".join(f"{escape(key)}: {escape(str(value))}" for key, value in report.settings.items())
    meanings = "".join(
        f"<dt>{escape(MEASURES[name].title)}</dt><dd>{escape(MEASURES[name].meaning)}</dd>" for name in report.pooled
    )
    missing = f"<p>Not scored, no hypothesis: {escape(', '.join(report.unmatched))}</p>" if report.unmatched else ""
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        f"<title>diarist eval</title><style>{_STYLE}</style><h1>Evaluation of {len(report.items)} recordings</h1>"
        f'<p>{settings}</p>{missing}<div class="wide"><table><thead><tr>{head}</tr></thead><tbody>{table}</tbody>'
        f"</table></div>{plots}<h2>What the figures say</h2><dl>{meanings}</dl></html>\n"
    )


def _plot(name: str, items: Mapping[str, Mapping[str, Ratio]], pooled: Estimate) -> str:
    """Draw one dot per recording and the pooled figure with its interval, on one axis from 0."""
    dots = [(item, ratios[name].rate) for item, ratios in items.items() if name in ratios]
    known = [(item, rate) for item, rate in dots if rate is not None]
    values = [rate for _, rate in known] + [end for end in (pooled.rate, pooled.low, pooled.high) if end is not None]
    low, high = min(0.0, *values), max(*values, 1e-9)

    def x(value: float) -> float:
        return 190 + 440 * (value - low) / (high - low)

    marks, y = [], 14
    for item, rate in known:
        marks.append(f'<text x="180" y="{y + 4}" class="name">{escape(item[:26])}</text>')
        marks.append(f'<circle cx="{x(rate):.1f}" cy="{y}" r="4"/>')
        marks.append(f'<text x="{x(rate) + 9:.1f}" y="{y + 4}">{shown(name, Ratio(rate, 1))}</text>')
        y += 18
    if pooled.rate is not None:
        marks.append(f'<text x="180" y="{y + 4}" class="name all">all</text>')
        right = x(pooled.rate)
        if pooled.low is not None and pooled.high is not None:
            right = x(pooled.high)
            marks.append(f'<line x1="{x(pooled.low):.1f}" x2="{right:.1f}" y1="{y}" y2="{y}"/>')
        marks.append(f'<circle cx="{x(pooled.rate):.1f}" cy="{y}" r="5" class="all"/>')
        marks.append(f'<text x="{right + 9:.1f}" y="{y + 4}" class="all">{shown(name, pooled)}</text>')
    measure = MEASURES[name]
    return (
        f"<h2>{escape(heading(name))}</h2><p>{escape(measure.meaning)}</p>"
        f'<svg viewBox="0 0 700 {y + 14}" role="img" aria-label="{escape(measure.title)} per recording">'
        f'<line class="axis" x1="{x(0):.1f}" x2="{x(0):.1f}" y1="0" y2="{y + 14}"/>{"".join(marks)}</svg>'
    )


_STYLE = (
    "body{font:15px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#1c2733}"
    ".wide{overflow-x:auto}table{border-collapse:collapse;font-variant-numeric:tabular-nums}"
    "td,th{padding:.25rem .6rem;text-align:right;border-bottom:1px solid #dde3ea;white-space:nowrap}"
    "td:first-child,th:first-child{text-align:left}svg{width:100%;max-width:700px}svg text{font-size:11px}"
    "circle{fill:#7796b5}circle.all{fill:#b3411e}line{stroke:#b3411e;stroke-width:2}line.axis{stroke:#dde3ea}"
    ".name{text-anchor:end}.all{font-weight:600}dt{font-weight:600}"
)
