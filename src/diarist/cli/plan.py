"""``diarist plan``: which architecture, what it will cost, how long people will wait."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from diarist.architectures import CPU_FLAVOR, QUEUE_DELAY
from diarist.cli import complete
from diarist.cli.terminal import say
from diarist.extras import install
from diarist.model.errors import InputError

if TYPE_CHECKING:
    from diarist.planning.plan import Option, Plan
    from diarist.planning.question import Question

ENOUGH_TO_COMPARE = 3000  # requests to simulate for each GPU of --gpu all
LOAD = "Load"
TARGETS = "Targets"
MACHINE = "Machine and price"
SETTINGS = "Settings; chosen if not given"
OUTPUT = "Output"
COSTS = ("workers", "$/month", "$/request", "$/audio hour")
WAITS = ("p50", "p95", "p99", "cold", "start")


def plan(
    context: typer.Context,
    fan_out: Annotated[
        bool, typer.Option("--fan-out", help="One recording on 1 to 64 workers instead.", rich_help_panel=LOAD)
    ] = False,
    per_day: Annotated[
        float, typer.Option("--per-day", metavar="NUMBER", help="Requests a day.", rich_help_panel=LOAD)
    ] = 100,
    audio: Annotated[
        list[str] | None,
        typer.Option(
            metavar="MINUTES|MEDIAN/P95[:SHARE]", help="Length; repeat for a mix.  [default: 2]", rich_help_panel=LOAD
        ),
    ] = None,
    shape: Annotated[
        str,
        typer.Option(
            metavar="SHAPE", help="Load over the day: flat, day, office, night or 24 weights.", rich_help_panel=LOAD
        ),
    ] = "flat",
    plain: Annotated[
        float, typer.Option(metavar="SHARE", help="Share of requests without speakers, 0 to 1.", rich_help_panel=LOAD)
    ] = 0.0,
    latency: Annotated[
        float | None,
        typer.Option(metavar="SECONDS", help="95 % of the answers within this.", rich_help_panel=TARGETS),
    ] = None,
    cold_start: Annotated[
        float | None,
        typer.Option(metavar="SECONDS", help="Longer starts for at most 1 % of requests.", rich_help_panel=TARGETS),
    ] = None,
    client: Annotated[
        str,
        typer.Option(
            metavar="CLIENT", help="python (can run diarist) or http (anything else).", rich_help_panel=TARGETS
        ),
    ] = "python",
    quota: Annotated[
        int | None, typer.Option(metavar="WORKERS", help="Workers the account may have.", rich_help_panel=TARGETS)
    ] = None,
    gpu: Annotated[
        str,
        typer.Option(
            metavar="GPU",
            autocompletion=complete.gpus,
            help="GPU that is paid for, or all to compare.",
            rich_help_panel=MACHINE,
        ),
    ] = "RTX 3090",
    cpu: Annotated[
        bool, typer.Option("--cpu", help="With --fan-out: workers without a GPU.", rich_help_panel=MACHINE)
    ] = False,
    profile: Annotated[
        str | None,
        typer.Option(metavar="NAME|FILE", help="Speeds; the GPU's own if not given.", rich_help_panel=MACHINE),
    ] = None,
    price: Annotated[
        float | None,
        typer.Option(metavar="USD", help="Per second of a GPU worker; else from the table.", rich_help_panel=MACHINE),
    ] = None,
    flashboot: Annotated[
        float, typer.Option(metavar="SHARE", help="Share of starts that FlashBoot restores.", rich_help_panel=MACHINE)
    ] = 0.0,
    refresh: Annotated[
        bool,
        typer.Option("--refresh", help="First fetch today's prices; needs RUNPOD_API_KEY.", rich_help_panel=MACHINE),
    ] = False,
    idle_timeout: Annotated[
        float | None, typer.Option(metavar="SECONDS", help="As in deploy.", rich_help_panel=SETTINGS)
    ] = None,
    min_workers: Annotated[
        int | None, typer.Option(metavar="N", help="As in deploy.", rich_help_panel=SETTINGS)
    ] = None,
    max_workers: Annotated[
        int | None, typer.Option(metavar="N", help="As in deploy.", rich_help_panel=SETTINGS)
    ] = None,
    queue_delay: Annotated[
        float, typer.Option(metavar="SECONDS", help="As in deploy.", rich_help_panel=SETTINGS)
    ] = QUEUE_DELAY,
    seed: Annotated[
        int, typer.Option(metavar="N", min=0, help="Of the simulated requests.", rich_help_panel=OUTPUT)
    ] = 0,
    quick: Annotated[
        bool, typer.Option("--quick", help="Closed form instead of simulation.", rich_help_panel=OUTPUT)
    ] = False,
    chart: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Draw it: .png or .svg.", rich_help_panel=OUTPUT)
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.", rich_help_panel=OUTPUT)] = False,
) -> None:
    """Plan a deployment: which architecture, what it costs, how long people wait. Every assumption is printed.

    Examples:
      diarist plan --per-day 1000 --audio 2/5 --shape day --latency 60

      diarist plan --per-day 10000 --latency 20 --client http --gpu "RTX 4090"

      diarist plan --per-day 200 --gpu all

      diarist plan --fan-out --audio 180 --gpu H100
    """
    if fan_out:
        from diarist.cli.plan_fan_out import print_fan_out, refuse_others

        refuse_others(context)
        if refresh:
            _refresh()
        print_fan_out(audio or [], None if cpu else gpu, profile, price, queue_delay, idle_timeout, as_json)
        return
    if cpu:
        raise InputError("contradictory_settings", "--cpu is for --fan-out alone.", "Name a GPU with --gpu.")
    from diarist.planning.decision import Needs
    from diarist.planning.workload import Workload, parse_length, parse_shape

    if client not in ("python", "http"):
        raise InputError("bad_client", f"The client is python or http, not {client!r}.")
    if refresh:
        _refresh()
    if gpu == "all" and (chart or profile or price is not None):
        raise InputError("contradictory_settings", "--gpu all takes no --chart, --profile or --price.", "Name one GPU.")
    workload = Workload(
        per_day=per_day,
        lengths=tuple(parse_length(text) for text in audio or ["2"]),
        plain_share=plain,
        shape=parse_shape(shape),
    )
    needs = Needs(
        client="python" if client == "python" else "http", latency=latency, cold_start=cold_start, worker_quota=quota
    )
    common: dict[str, Any] = {
        "workload": workload,
        "needs": needs,
        "usd_per_second": price,
        "idle_timeout": idle_timeout,
        "min_workers": min_workers,
        "max_workers": max_workers,
        "queue_delay": queue_delay,
        "restore_share": flashboot,
        "seed": seed,
    }
    if gpu == "all":
        _compare(common, quick, as_json)
        return
    question = _question(gpu, profile, common)
    answer = _answer(question, quick)
    if chart:
        _draw(answer, chart)
    if as_json:
        from diarist.planning.report import as_data

        typer.echo(json.dumps(as_data(answer, question), indent=2))
    else:
        _show(answer, question)


def _question(gpu: str, profile: str | None, common: dict[str, Any]) -> Question:
    from diarist.planning.prices import load_prices
    from diarist.planning.profiles import profile_of
    from diarist.planning.question import Question

    prices = load_prices()
    name = gpu if common["usd_per_second"] is not None else prices.gpu(gpu).name
    return Question(profile=profile_of(name, profile), prices=prices, gpu=name, **common)


def _answer(question: Question, quick: bool, enough: int | None = None) -> Plan:
    from diarist.planning.plan import ENOUGH_REQUESTS, make_estimate, make_plan

    return make_estimate(question) if quick else make_plan(question, enough or ENOUGH_REQUESTS)


def _compare(common: dict[str, Any], quick: bool, as_json: bool) -> None:
    """All GPUs with known speeds and a price, the cheapest that fits first."""
    from diarist.planning.prices import load_prices
    from diarist.planning.profiles import packaged_profiles
    from diarist.planning.report import as_data

    prices = load_prices()
    priced = {gpu.name for gpu in prices.gpus if gpu.usd_per_second is not None}
    found: list[tuple[Plan, Question]] = []
    refused: list[dict[str, str]] = []
    for profile in packaged_profiles().values():
        if profile.hardware in priced:
            question = _question(profile.hardware, None, common)
            try:
                found.append((_answer(question, quick, ENOUGH_TO_COMPARE), question))
            except InputError as error:
                if error.code != "contradictory_targets":
                    raise
                refused.append({"gpu": profile.hardware, "why": error.message})
    found.sort(key=lambda pair: pair[0].chosen.usd_per_month)
    if not found:
        raise InputError("contradictory_targets", f"No GPU does that. {refused[0]['gpu']}: {refused[0]['why']}")
    if as_json:
        plans = [as_data(answer, question) for answer, question in found]
        typer.echo(json.dumps({"schema": "diarist.plans/1", "plans": plans, "refused": refused}, indent=2))
        return
    _print("GPU", [(question.gpu, answer.chosen) for answer, question in found])
    for entry in refused:
        say(f"{entry['gpu']}: {entry['why']}")
    typer.echo("\ndiarist plan --gpu NAME prints one of them with its reasons and assumptions.")


def _show(answer: Plan, question: Question) -> None:
    from diarist.planning.report import deploy_command

    _print("", [("→" if option is answer.chosen else "", option) for option in answer.options])
    for reason in answer.decision.reasons if answer.decision else ():
        say(reason)
    say(f"\n  {deploy_command(answer, question)}\n")
    typer.echo("Assumed:")
    for line in answer.assumptions:
        say(f"- {line}")


def _print(first: str, rows: list[tuple[str, Option]]) -> None:
    """Print what it costs and how long people wait: one table where it fits, two below each other where it does not."""
    import sys

    from rich.console import Console

    from diarist.cli.tables import show

    names = (first, "architecture")
    show(
        # A pipe has no width; a table that is folded to 80 columns cannot be read.
        Console(width=None if sys.stdout.isatty() else 160),
        [_cells(first, mark, option) for mark, option in rows],
        [[names + COSTS + WAITS], [names + COSTS, names + WAITS]],
        names=names,
        right=COSTS + WAITS,
    )


def _cells(first: str, mark: str, option: Option) -> dict[str, str]:
    def seconds(value: float | None) -> str:
        return "–" if value is None else f"{value:.1f} s"

    return {
        first: mark,
        "architecture": option.name,
        "workers": f"{option.scaling.min_workers} to {option.scaling.max_workers}",
        "$/month": f"{option.usd_per_month:,.2f}",
        "$/request": f"{option.usd_per_request:.5f}",
        "$/audio hour": f"{option.usd_per_audio_hour:.4f}",
        "p50": seconds(option.p50),
        "p95": seconds(option.p95),
        "p99": seconds(option.p99),
        "cold": f"{option.cold_share:.1%}",
        "start": seconds(option.cold_start),
    }


def _draw(answer: Plan, file: Path) -> None:
    try:
        from diarist.planning.chart import draw

        draw(answer, file)
    except ImportError as error:
        raise InputError("missing_extra", f"A chart needs {error.name}.", install("plan")) from error


def _refresh() -> None:
    from diarist.planning.prices import from_catalog, save_prices
    from diarist.runpod.deploy.api import RunpodApi, key_from_environment

    with RunpodApi(key_from_environment()) as api:
        table = from_catalog(api.gpus(), api.cpus(), CPU_FLAVOR)
    if not table.gpus:
        raise InputError("no_prices", "The platform's catalog names no serverless GPU.", "Try again later.")
    typer.echo(f"Prices of {table.as_of} kept in {save_prices(table)}.", err=True)
