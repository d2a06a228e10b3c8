"""Writes the computed parts of docs/DEPLOYMENT_COMPARISON.md anew, between their markers: ``make guide``.

Prices and speeds are those that come with this version, so that everybody gets the same page.

    python scripts/guide.py [--check]    # --check changes nothing, and fails if the page is not what it would write
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from diarist.architectures import ARCHITECTURES, ROLES, ArchitectureName
from diarist.model.errors import InputError
from diarist.planning.coldstart import cold_start, start_of
from diarist.planning.decision import CHECKS, Needs
from diarist.planning.plan import DAYS_PER_MONTH, Option, Plan, make_plan
from diarist.planning.prices import packaged_prices
from diarist.planning.profiles import load_profile
from diarist.planning.question import Question
from diarist.planning.simulate import System, Work, simulate
from diarist.planning.systems import Scaling, system_of
from diarist.planning.workload import DAY, Request, Workload
from diarist.runpod.deploy.plan_file import Settings, by_hand

PAGE = Path(__file__).parents[1] / "docs" / "DEPLOYMENT_COMPARISON.md"
SPEEDS, MEASURED = load_profile("rtx-3090"), load_profile("cpu-2core")
PRICES = packaged_prices()
MINUTES = 2.0
VOLUMES = (100, 1000, 10_000)  # requests a month
A_DAY = {"under 10 a day": 5, "10 to 100 a day": 50, "above": 500}
ENOUGH = 3000  # requests to simulate, or a month
SHORT_START, SPLITS, WARM_ONLY = 10, 22, 12  # seconds that the tree asks for
IMAGE = "--image-prefix you/parakeet --tag 1.0.0"
# Facts: DEPLOYMENT_COMPARISON.md of cd-slash/parakeet-diarized, 2025; tests/planning/test_guide.py computes them.
REPLACED = {
    "single": ("30–60 s", "2.70–4.40"),
    "split": ("10 s", "2.70–4.40"),
    "orchestrator": ("15–20 s", "2.80–4.50"),
}


def ask(per_day: float, needs: Needs | None = None, **settings: float) -> Plan:
    """Plan for recordings of two minutes."""
    question = Question(
        workload=Workload(per_day),
        profile=SPEEDS,
        prices=PRICES,
        gpu=SPEEDS.hardware,
        needs=needs or Needs(),
        **settings,
    )
    return make_plan(question, ENOUGH)


def option(plan: Plan, architecture: ArchitectureName) -> Option:
    return next(one for one in plan.options if one.architecture == architecture)


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(cells)} |".replace("|  |", "| |") for cells in lines)


def facts() -> str:
    """What each architecture is, counted."""

    def row(name: str, say: Callable[[ArchitectureName], str]) -> list[str]:
        return [name, *(say(each) for each in ARCHITECTURES)]

    def hand(name: ArchitectureName) -> int:
        return len(by_hand(Settings(architecture=name, image_prefix="you/parakeet", tag="1.0.0")))

    def gpus(name: ArchitectureName) -> int:
        return sum(ROLES[role].gpu for role in ARCHITECTURES[name].roles)

    return table(
        ["", *ARCHITECTURES],
        [
            row("endpoints to deploy", lambda name: str(len(ARCHITECTURES[name].roles))),
            row("of them with a GPU, each caching one model", lambda name: str(gpus(name))),
            row("models that the image must hold", lambda name: str(len(ARCHITECTURES["split"].legs) - gpus(name))),
            row("images to build and push", lambda name: str(len(ARCHITECTURES[name].roles))),
            row("steps with diarist: key, `deploy --build`, by hand", lambda name: f"1 + 1 + {hand(name)}"),
            row("the same in the console: build, push, create, connect", lambda name: str(console_steps(name))),
            row("endpoints that a client calls, each with the recording", lambda n: str(len(ARCHITECTURES[n].called))),
            row("cold start, s, estimated", lambda name: f"{cold_start(SPEEDS, name):.1f}"),
            row("the same, small models on a CPU, s", lambda name: f"{cold_start(MEASURED, name):.1f}"),
        ],
    )


def console_steps(name: ArchitectureName) -> int:
    """Build, push and create for each endpoint; the front is told the ids of its legs and given a key."""
    architecture = ARCHITECTURES[name]
    return 3 * len(architecture.roles) + (len(architecture.legs) + 1 if architecture.front else 0)


def starts() -> str:
    """Phases of a start, by endpoint."""
    both = (*SPEEDS.starts.values(), *MEASURED.starts.values())
    phases = list(dict.fromkeys(phase for start in both for phase in start))

    def cell(role: str, phase: str) -> str:
        found = [start[phase].seconds for start in (SPEEDS.start(role), MEASURED.start(role)) if phase in start]
        return " · ".join(dict.fromkeys(f"{figure.value:.2g} {figure.kind[0]}" for figure in found)) or "–"

    rows = [[phase, *(cell(role, phase) for role in ROLES)] for phase in phases]
    for name, billed in (("**billed**", True), ("not billed", False)):
        cells = []
        for role in ROLES:
            sums = [start_of(profile, role) for profile in (SPEEDS, MEASURED)]
            cells.append(" · ".join(dict.fromkeys(f"{one.billed if billed else one.free:.1f}" for one in sums)))
        rows.append([name, *cells])
    return table(["seconds", *ROLES], rows)


@dataclass(frozen=True)
class Bill:
    """A month of one way."""

    usd: float
    computing: float
    p50: float
    p95: float
    cold: float


def computing(architecture: ArchitectureName, requests: int) -> float:
    """USD for the seconds that GPUs compute, without starts and idling."""
    speeds = [SPEEDS.both] if architecture == "single" else [SPEEDS.transcription, SPEEDS.diarization]
    question = Question(workload=Workload(1), profile=SPEEDS, prices=PRICES, gpu=SPEEDS.hardware)
    return requests * question.gpu_price * sum(speed.seconds(60 * MINUTES) for speed in speeds)


def in_sequence(requests: int, scaling: Scaling) -> Bill:
    """Split, called by a client that waits for the speakers before it asks for the words: two endpoints in a row."""
    system = system_of("split", SPEEDS, scaling)
    gpu_price = Question(workload=Workload(1), profile=SPEEDS, prices=PRICES, gpu=SPEEDS.hardware).gpu_price
    days = min(DAYS_PER_MONTH, round(DAYS_PER_MONTH * ENOUGH / requests))
    asked = Workload(requests / DAYS_PER_MONTH).trace(days, 0)
    waited, cold, usd = np.zeros(len(asked)), np.zeros(len(asked), bool), 0.0
    for leg in ("diarization", "transcription"):

        def works(request: Request, leg: str = leg) -> dict[str, Work]:
            return {leg: system.works(request)[leg]}

        arrivals = np.array([request.arrival for request in asked]) + waited
        order = np.argsort(arrivals)
        trace = [Request(float(arrivals[index]), asked[index].audio, True) for index in order]
        outcome = simulate(
            System({leg: system.endpoints[leg]}, works, overhead=system.overhead, looks=system.looks), trace, days * DAY
        )
        waited[order] += outcome.latencies
        cold[order] |= outcome.cold
        usd += outcome.usage[leg].worker_seconds * gpu_price * DAYS_PER_MONTH / days
    half, most = np.percentile(waited, [50, 95])
    return Bill(usd, computing("split", requests), float(half), float(most), float(cold.mean()))


def bills(requests: int) -> Iterator[tuple[str, Bill]]:
    """A month of each way to call the architectures."""
    plan = ask(requests / DAYS_PER_MONTH)
    for name in ARCHITECTURES:
        one = option(plan, name)
        alone = computing(name, requests)
        title = "split, in parallel" if name == "split" else name
        yield title, Bill(one.usd_per_month, alone, one.p50, one.p95 or 0.0, one.cold_share)
        if name == "split":
            yield "split, in sequence", in_sequence(requests, one.scaling)


def costs() -> str:
    """Cost and waiting at three volumes."""
    rows = []
    for requests in VOLUMES:
        for name, bill in bills(requests):
            each = bill.usd / requests
            usd = [f"${bill.usd:.2f}", f"${bill.computing:.2f}", f"${each:.5f}", f"${each / MINUTES:.5f}"]
            rows.append([f"{requests:,}", name, *usd, f"{bill.p50:.0f} s", f"{bill.p95:.0f} s", f"{bill.cold:.0%}"])
    head = ["requests a month", "", "a month", "computing alone", "a request", "a minute of audio"]
    return table([*head, "half within", "95 % within", "cold"], rows)


def volumes() -> str:
    """What a start to zero, a long idle timeout and a warm worker cost with one endpoint."""
    rows = []
    for name, per_day in A_DAY.items():
        cells = [f"{name} ({per_day})", f"{ask(per_day).chosen.architecture}"]
        for settings in ({}, {"idle_timeout": 600.0}, {"min_workers": 1}):
            one = option(ask(per_day, **settings), "single")
            cells.append(f"${one.usd_per_month:.2f}, {one.p95:.0f} s, {one.cold_share:.0%}")
        rows.append(cells)
    head = ["requests", "cheapest", "single: idle 5 s", "idle 10 min", "one always up"]
    return table(head, rows)


@dataclass(frozen=True)
class Leaf:
    """An end of the tree: what is asked for, and the words that lead there."""

    path: tuple[str, ...]
    needs: Needs


def leaves() -> list[Leaf]:
    """All ends of the tree, as `diarist plan` takes them."""
    fast, short, middle = (
        f"95 % of the answers within {WARM_ONLY} s?",
        f"starts over {SHORT_START} s at most once in 100?",
        f"95 % within {SPLITS} s?",
    )
    python, http = "client runs diarist", "any HTTP client"
    return [
        Leaf((f"{fast} yes", python), Needs(latency=WARM_ONLY)),
        Leaf((f"{fast} yes", http), Needs(latency=WARM_ONLY, client="http")),
        Leaf((f"{fast} no", f"{short} yes", python), Needs(cold_start=SHORT_START)),
        Leaf((f"{fast} no", f"{short} yes", http), Needs(cold_start=SHORT_START, client="http")),
        Leaf((f"{fast} no", f"{short} no", f"{middle} yes", python), Needs(latency=SPLITS)),
        Leaf((f"{fast} no", f"{short} no", f"{middle} yes", http), Needs(latency=SPLITS, client="http")),
        Leaf((f"{fast} no", f"{short} no", f"{middle} no", python), Needs()),
        Leaf((f"{fast} no", f"{short} no", f"{middle} no", http), Needs(client="http")),
    ]


def tree() -> str:
    """The decision for each end of the tree, at 50 requests a day."""
    lines, before = [], ()
    for leaf in leaves():
        shared = next((n for n, pair in enumerate(zip(before, leaf.path, strict=False)) if pair[0] != pair[1]), 0)
        lines += [f"{'  ' * depth}{leaf.path[depth]}" for depth in range(shared, len(leaf.path) - 1)]
        try:
            chosen = ask(A_DAY["10 to 100 a day"], leaf.needs).chosen
            end = f"{chosen.name}, ${chosen.usd_per_month:.2f} a month"
        except InputError as error:
            end = error.message
        lines.append(f"{'  ' * (len(leaf.path) - 1)}{leaf.path[-1]} → {end}")
        before = leaf.path
    asked = "\n".join(f"{number}. {check.question}" for number, check in enumerate(CHECKS, 1))
    return (
        "```text\n" + "\n".join(lines) + f"\n```\n\n`diarist plan` asks of each architecture, in this order:\n\n{asked}"
    )


def commands() -> str:
    """From nothing to a transcript, for each architecture."""
    blocks = [
        f"# {name}\ndiarist emulate {name} --transcribe meeting.mp3        # here, for nothing\n"
        f"diarist deploy {name} {IMAGE} --build\n"
        f"diarist transcribe meeting.mp3 --on runpod:{name}"
        for name in ARCHITECTURES
    ]
    return "```sh\nexport RUNPOD_API_KEY=...\n" + "\n".join(blocks) + "\n```"


def replaced() -> str:
    """The figures of the guide that this page replaces, beside ours."""
    ours = {name: bill.usd for name, bill in bills(1000)}
    rows = []
    for name in ARCHITECTURES:
        start, usd = REPLACED[name]
        here = ours["split, in parallel" if name == "split" else name]
        rows.append([name, start, f"{cold_start(SPEEDS, name):.1f} s", f"${usd}", f"${here:.2f}"])
    return table(["", "cold start, there", "here", "1,000 requests a month, there", "here"], rows)


def origins() -> str:
    """Where the figures are from."""
    price = PRICES.gpu(SPEEDS.hardware).usd_per_second
    words, speakers = SPEEDS.transcription.per_audio_second, SPEEDS.diarization.per_audio_second
    return (
        f"- Prices: {PRICES.source}; {SPEEDS.hardware} at ${price:.5f}/s. CPU: {PRICES.cpu_source}.\n"
        f"- Speeds: profile `{SPEEDS.name}`: {words.value * 60 * MINUTES:.0f} s for words and"
        f" {speakers.value * 60 * MINUTES:.0f} s for speakers of two minutes ({speakers.kind}: {SPEEDS.models}).\n"
        f"- Measured starts: profile `{MEASURED.name}`: {MEASURED.models}, {MEASURED.hardware}, `diarist bench`."
    )


BLOCKS: dict[str, Callable[[], str]] = {
    "facts": facts,
    "starts": starts,
    "costs": costs,
    "volumes": volumes,
    "tree": tree,
    "commands": commands,
    "replaced": replaced,
    "origins": origins,
}


def written(page: str) -> str:
    """The page with all computed parts written anew."""
    for name, block in BLOCKS.items():
        pattern = rf"(<!-- computed: {name} -->\n).*?(\n<!-- end -->)"
        page, count = re.subn(pattern, lambda found, text=block(): found[1] + text + found[2], page, flags=re.DOTALL)
        if count != 1:
            raise SystemExit(f"{PAGE.name} has {count} parts named {name}, not 1.")
    return page


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true")
    check = parser.parse_args().check
    before = PAGE.read_text()
    after = written(before)
    if check and after != before:
        raise SystemExit(f"{PAGE.name} is not what its command computes: make guide")
    if not check:
        PAGE.write_text(after)
    sys.stdout.write(f"{PAGE.name}: {'as computed' if after == before else 'written anew'}\n")


if __name__ == "__main__":
    main()
