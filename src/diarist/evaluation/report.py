"""Show scores: a table, JSON, or one HTML page with plots."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any, Final

from diarist.evaluation import differences
from diarist.evaluation.differences import CONTEXT, Kind, Pair, Run, Stretch
from diarist.evaluation.measures import MEASURES, Ratio
from diarist.evaluation.suite import Comparison, Estimate, Report
from diarist.formats.text import clock


def as_json(report: Report, comparison: Comparison | None = None) -> dict[str, Any]:
    """Return JSON-ready values; rates are fractions, times seconds; what was not asked for is None."""
    words = report.differences
    return {
        "settings": dict(report.settings),
        "pooled": estimates(report.pooled),
        "items": {
            item: {name: {"rate": r.rate, "errors": r.errors, "total": r.total} for name, r in ratios.items()}
            for item, ratios in report.items.items()
        },
        "unmatched": list(report.unmatched),
        "unreferenced": list(report.unreferenced),
        "comparison": comparison
        and {
            "measures": estimates(comparison.measures),
            "recordings": list(comparison.recordings),
            "only_first": list(comparison.only_first),
            "only_second": list(comparison.only_second),
        },
        "differences": words
        if words is None
        else [entry for name, pairs in words.items() for entry in _entries(name, pairs)],
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


def comparison_lines(found: Comparison, first: str, second: str) -> list[str]:
    """Return lines that tell by how much the second system's rates differ from the first's."""
    count = len(found.recordings)
    lines = [f"{second} minus {first}, on {count} recording{'s' * (count != 1)} of both:"]
    for name, estimate in found.measures.items():
        if estimate.rate is None:
            continue
        span = interval(name, estimate)
        lines.append(f"{heading(name)}: {shown(name, estimate)}" + (f", 95 % interval {span}" if span else ""))
    if all(estimate.low is None for estimate in found.measures.values()):
        lines.append("One recording has no interval: compare folders.")
    return lines


def left_out(report: Report, comparison: Comparison | None, first: str, second: str) -> list[str]:
    """Return warnings that name the recordings that were not scored or not compared."""
    compared = comparison or Comparison({}, (), (), ())
    shown = report.items if report.differences is None else report.differences
    wordless = [name for name in report.items if name not in shown]
    return [
        f"{len(names)} of {len(names) + among} recordings {meaning}: {', '.join(names)}"
        for names, among, meaning in (
            (report.unmatched, len(report.items), "of the reference have no hypothesis and are not scored"),
            (report.unreferenced, len(report.items), f"in {first} have no reference and are not scored"),
            (wordless, len(shown), "have no words on both sides, so no differences to show"),
            (compared.only_first, len(compared.recordings), f"scored for {first} are not in {second}, so not compared"),
            (
                compared.only_second,
                len(compared.recordings),
                f"scored for {second} are not in {first}, so not compared",
            ),
        )
        if names
    ]


def differing(pairs: Sequence[Pair]) -> list[Stretch]:
    """Return the stretches of a recording that differ, in order of time."""
    found = [stretch for turn in differences.turns(pairs) for stretch in differences.stretches(turn)]
    return sorted(found, key=lambda stretch: stretch.time)


def summary(pairs: Sequence[Pair]) -> str:
    """Say in a line how many words differ."""
    found = differences.counts(pairs)
    total = sum(pair.said is not None for pair in pairs)
    parts = [
        f"{found[name]} {meaning}"
        for name, meaning in (
            (Kind.WRONG, "wrong"),
            (Kind.MISSING, "missing"),
            (Kind.EXTRA, "extra"),
            (Kind.REORDERED, "in another order"),
            ("speaker", "with the wrong speaker"),
        )
        if found[name]
    ]
    return f"{', '.join(parts) or 'no difference'}; {total} word{'s' * (total != 1)} in the reference"


def _entries(recording: str, pairs: Sequence[Pair]) -> list[dict[str, Any]]:
    """Return an entry for each run that differs, in order of time, with the reference's words around it.

    ``kind`` is one of `Kind`, or ``"speaker"`` where only the speaker is wrong.
    """
    entries = []
    for turn in differences.turns(pairs):
        end = 0
        for run in differences.runs(turn):
            start, end = end, end + len(run.pairs)
            if not run.first.differs:
                continue
            tokens = [token for pair in run.pairs if (token := pair.said or pair.heard)]
            entries.append(
                {
                    "recording": recording,
                    "kind": "speaker" if run.first.kind == Kind.SAME else str(run.first.kind),
                    "start": round(tokens[0].start, 3),
                    "end": round(max(token.end for token in tokens), 3),
                    "said": run.said,
                    "heard": run.heard,
                    "speaker": run.speaker,
                    "heard_speaker": run.label,
                    "wrong_speaker": run.first.wrong_speaker,
                    "given_to": run.first.given_to,
                    "before": Run(turn[max(0, start - CONTEXT) : start]).said,
                    "after": Run(turn[end : end + CONTEXT]).said,
                }
            )
    return sorted(entries, key=lambda entry: float(str(entry["start"])))


def html(report: Report, comparison: Comparison | None = None, first: str = "HYP", second: str = "HYP2") -> str:
    """Write one page: settings, figures, per measure a plot with the pooled interval; comparison and differences.

    Args:
        report: the scores.
        comparison: how another system differs.
        first: name of the system that was scored.
        second: name of the other.
    """
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
    notes = "".join(f"<p>{escape(note)}</p>" for note in left_out(report, comparison, first, second))
    against = ""
    if comparison is not None:
        title, *lines = comparison_lines(comparison, first, second)
        items = "".join(f"<li>{escape(line)}</li>" for line in lines)
        against = f"<h2>Comparison</h2><p>{escape(title)}</p><ul>{items}</ul>"
    count = len(report.items)
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        f"<title>diarist eval</title><style>{_STYLE}</style><main>"
        f"<h1>Evaluation of {count} recording{'s' * (count != 1)}</h1><p>{settings}</p>{notes}"
        f'<div class="wide" role="region" aria-label="Figures" tabindex="0"><table><thead><tr>{head}</tr></thead>'
        f"<tbody>{table}</tbody></table></div>{plots}{against}{_differences(report.differences)}"
        f"<h2>What the figures say</h2><dl>{meanings}</dl></main></html>\n"
    )


def _differences(found: Mapping[str, Sequence[Pair]] | None) -> str:
    """Write the stretches that differ; the marks are letters, colour and lines only repeat them."""
    if found is None:
        return ""
    legend = "".join(
        f"<dt><code>{escape(mark)}</code></dt><dd>{escape(meaning)}</dd>"
        for mark, meaning in differences.LEGEND.items()
    )
    parts = [f"<h2>Differences</h2><dl>{legend}</dl>"]
    for name, pairs in found.items():
        parts.append(f"<h3>{escape(name)}</h3><p>{escape(summary(pairs))}</p>")
        for stretch in differing(pairs):
            words = "".join(
                f"<{element}{_OWN_WAY.get(element, '')}>{escape(text)}</{element}>" if element else escape(text)
                for element, text in differences.marked(stretch)
            )
            parts.append(f'<p dir="auto"><span class="clock">{clock(stretch.time)}</span> {words}</p>')
    return "".join(parts)


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


# Names run their own way, so that the paragraph's way is that of its words.
_OWN_WAY: Final[Mapping[str, str]] = {"b": ' dir="auto"', "i": ' dir="auto"'}

_STYLE = (
    "body{font:15px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#1c2733}"
    ".wide{overflow-x:auto}table{border-collapse:collapse;font-variant-numeric:tabular-nums}"
    "td,th{padding:.25rem .6rem;text-align:right;border-bottom:1px solid #dde3ea;white-space:nowrap}"
    "td:first-child,th:first-child{text-align:left}svg{width:100%;max-width:700px}svg text{font-size:11px}"
    "circle{fill:#7796b5}circle.all{fill:#b3411e}line{stroke:#b3411e;stroke-width:2}line.axis{stroke:#dde3ea}"
    ".name{text-anchor:end}.all{font-weight:600}dt{font-weight:600}"
    "p,li,h3{overflow-wrap:anywhere}del{color:#8c2f14}ins{color:#1d5c34}i{color:#5a3a8a}.clock{color:#52616f;font-variant-numeric:tabular-nums}"
)
