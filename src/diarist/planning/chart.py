"""A plan as a picture: what each option costs, and how long its callers wait.

matplotlib draws; rejected: plotly (its PNG export needs a browser) and altair (the same).
"""

from __future__ import annotations

from pathlib import Path

from diarist.model.errors import InputError
from diarist.planning.plan import Plan

FORMATS = ("png", "svg")


def draw(plan: Plan, file: Path) -> None:
    """Draw a simulated plan.

    Args:
        plan: must have been simulated.
        file: ends in ``.png`` or ``.svg``.

    Raises:
        InputError: the file's name has another ending, it cannot be written, or the plan was not simulated.
    """
    kind = file.suffix.lower().removeprefix(".")
    if kind not in FORMATS:
        raise InputError("bad_chart", f"A chart is a .png or .svg file, not {file.name!r}.")
    if not plan.outcomes:
        raise InputError("bad_chart", "Only a simulated plan can be drawn.", "Leave out --quick.")
    import numpy as np
    from matplotlib.figure import Figure  # no pyplot: no display, no global state
    from matplotlib.ticker import LogLocator, NullFormatter, StrMethodFormatter

    figure = Figure(figsize=(11, 0.5 * len(plan.options) + 3.5), layout="constrained")
    costs, waits = figure.subplots(1, 2)
    names = [option.name for option in plan.options]
    colors = [f"C{index}" for index in range(len(names))]
    bars = costs.barh(names, [option.usd_per_month for option in plan.options], color=colors)
    costs.bar_label(bars, [f"${option.usd_per_month:,.2f}" for option in plan.options], padding=3)
    costs.set_xlabel("USD per month")
    costs.set_title("Cost")
    costs.margins(x=0.25)
    costs.invert_yaxis()
    for label, option in zip(costs.get_yticklabels(), plan.options, strict=True):
        label.set_fontweight("bold" if option is plan.chosen else "normal")
    for option, color in zip(plan.options, colors, strict=True):
        latencies = np.sort(plan.outcomes[option.name].latencies)
        waits.plot(latencies, np.arange(1, len(latencies) + 1) / len(latencies) * 100, color=color, label=option.name)
    waits.set_xscale("log")
    waits.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    waits.xaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
    waits.xaxis.set_minor_formatter(NullFormatter())
    waits.set_xlabel("seconds from request to result")
    waits.set_ylabel("% of the requests")
    waits.set_title("Latency")
    waits.grid(alpha=0.3, which="both")
    waits.legend(fontsize="small", loc="lower right")
    try:
        # The same plan gives the same file.
        metadata = {"Software": None} if kind == "png" else {"Date": None}
        figure.savefig(file, format=kind, dpi=150, metadata=metadata)
    except OSError as error:
        raise InputError("cannot_write", f"Cannot write {file}: {error.strerror}.") from error
