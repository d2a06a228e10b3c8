"""``diarist plan --fan-out``: one recording on many workers, how long it takes and what it costs."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

import typer

from diarist.architectures import CPU_VCPUS, IDLE_TIMEOUT
from diarist.cli.terminal import say
from diarist.model.errors import InputError

if TYPE_CHECKING:
    from diarist.planning.fan_out import FanOut, Spreading

SHOWN: Final = (1, 2, 4, 8, 16, 32, 64)
CPU_PROFILE: Final = "cpu-2core"
TAKEN: Final = frozenset(
    ("fan_out", "audio", "gpu", "cpu", "profile", "price", "refresh", "queue_delay", "idle_timeout", "quick", "as_json")
)
"""The options that say something here; it is always quick."""
WARM = ("warm", "speed-up", "warm $", "warm unit")
COLD = ("cold", "cold $", "cold unit")


def refuse_others(context: typer.Context) -> None:
    """Refuse options of the plan for many requests, which would change nothing.

    Raises:
        InputError: one was given.
    """
    for parameter in context.command.params:
        source = context.get_parameter_source(parameter.name or "")
        if parameter.name not in TAKEN and source is not None and source.name == "COMMANDLINE":
            raise InputError("contradictory_settings", f"--fan-out takes no {parameter.opts[0]}.", "Leave one out.")
    given = context.get_parameter_source("gpu")
    if context.params["cpu"] and given is not None and given.name == "COMMANDLINE":
        raise InputError("contradictory_settings", "A worker has a GPU, or --cpu.", "Leave one out.")


def print_fan_out(
    audio: Sequence[str],
    gpu: str | None,
    profile: str | None,
    price: float | None,
    queue_delay: float,
    idle_timeout: float | None,
    as_json: bool,
) -> None:
    """Print the plan for one recording.

    Args:
        audio: how long it is, once, in minutes.
        gpu: what the workers have; None for CPU workers.
        profile: how fast they are, by name or file.
        price: USD per second of a worker.
        queue_delay: as in ``deploy``.
        idle_timeout: as in ``deploy``.
        as_json: whether to print JSON.

    Raises:
        InputError: an option makes no sense.
    """
    from diarist.planning.fan_out import Spreading, plan_fan_out
    from diarist.planning.fan_out_report import as_data, assumptions
    from diarist.planning.prices import load_prices
    from diarist.planning.profiles import profile_of
    from diarist.planning.question import GPU_DISK_GB
    from diarist.planning.workload import parse_length

    lengths = [parse_length(text) for text in audio]
    if len(lengths) != 1 or lengths[0].p95 is not None:
        raise InputError("bad_length", "--fan-out is for one recording.", "Say how long it is: --audio 180.")
    if gpu == "all":
        raise InputError("contradictory_settings", "--fan-out takes no --gpu all.", "Name one GPU, or --cpu.")
    prices = load_prices()
    if gpu is None:
        hardware = f"CPU, {CPU_VCPUS} vCPU"
        listed = prices.cpu_usd_per_second(CPU_VCPUS)
    else:
        hardware = gpu if price is not None else prices.gpu(gpu).name
        listed = 0.0 if price is not None else prices.gpu(gpu).usd_per_second or 0.0
    asked = Spreading(
        audio=60 * lengths[0].minutes,
        profile=profile_of(hardware, profile or (CPU_PROFILE if gpu is None else None)),
        usd_per_second=listed if price is None else price,
        disk_usd_per_second=prices.disk_usd_per_second(GPU_DISK_GB),
        queue_delay=queue_delay,
        idle_timeout=IDLE_TIMEOUT if idle_timeout is None else idle_timeout,
    )
    answer = plan_fan_out(asked)
    if as_json:
        typer.echo(json.dumps(as_data(answer, asked, hardware, prices), indent=2))
        return
    _table(answer)
    for line in _told(answer, asked):
        say(line)
    typer.echo("\nAssumed:")
    source = prices.cpu_source if gpu is None else prices.source
    for line in (f"Price: {source if price is None else 'given'}.", *assumptions(asked, hardware)):
        say(f"- {line}")


def _table(answer: FanOut) -> None:
    from rich.console import Console

    from diarist.cli.tables import show

    best = {answer.warm_choice.workers: "warm"}
    cold = answer.cold_choice.workers
    best[cold] = f"{best[cold]}, cold" if cold in best else "cold"
    rows = []
    for workers in sorted({*SHOWN, *best}):
        warm, started = answer.warm[workers - 1], answer.cold[workers - 1]
        rows.append(
            {
                "": f"→ {best[workers]}" if workers in best else "",
                "workers": str(workers),
                "warm": f"{warm.seconds:,.1f} s",
                "speed-up": f"{answer.warm[0].seconds / warm.seconds:.1f}",
                "warm $": f"{warm.usd:.3f}",
                "warm unit": f"{warm.chunks} s",
                "cold": f"{started.seconds:,.1f} s",
                "cold $": f"{started.usd:.3f}",
                "cold unit": f"{started.chunks} s",
            }
        )
    names = ("", "workers")
    show(
        # As in the plan for many requests: a pipe has no width.
        Console(width=None if sys.stdout.isatty() else 160),
        rows,
        [[names + WARM + COLD], [names + WARM, names + COLD]],
        names=names,
        right=("workers", *WARM, *COLD),
    )


def _told(answer: FanOut, asked: Spreading) -> list[str]:
    from diarist.planning.fan_out import floor, knee

    def workers(number: int) -> str:
        return f"{number} worker{'s' * (number > 1)}"

    warm, cold = answer.warm_choice, answer.cold_choice
    lines = [
        f"Workers that are up: the knee is {workers(warm.workers)}, {warm.seconds:.1f} s for ${warm.usd:.3f}; the"
        f" fastest take {floor(answer.warm):.1f} s."
    ]
    at = f"{cold.seconds:.1f} s for ${cold.usd:.3f}"
    found = knee(answer.cold).workers
    if cold.workers < found:
        lines.append(
            f"Workers to be started: {workers(cold.workers)}, {at}. The knee is {found}, but beyond {cold.workers} more"
            " is paid for starts than for computing."
        )
    else:
        lines.append(
            f"Workers to be started: the knee is {workers(found)}, {at}; the fastest take {floor(answer.cold):.1f} s."
        )
    decoding, voice = (asked.audio * figure.value for figure in (asked.caller.decoding, asked.caller.voice))
    lines += [
        f"Before the first unit the caller decodes ({decoding:.1f} s) and finds the voice of the whole recording"
        f" ({voice:.1f} s): no number of workers shortens that. Without the latter the fastest would take"
        f" {floor(answer.known_voice):.1f} s, and the knee be {workers(knee(answer.known_voice).workers)}.",
        f"One worker that is up takes {asked.single_pass:.1f} s in a single pass.",
    ]
    return lines
