"""The guide that diarist replaces: its tables from its assumptions, and what they leave out.

Facts: DEPLOYMENT_COMPARISON.md and QUICK_START_RUNPOD.md of cd-slash/parakeet-diarized, 2025. A 2-minute file, RTX 3090
at $0.00034/s, diarization 5 to 8 s, transcription 3 to 5 s, orchestrator $0.0001 per request; cold starts of 30 to 60 s
(single), 10 s (split) and 15 to 20 s (orchestrator, one after the other); idle timeout 5 s.
"""

import re
from pathlib import Path

import pytest

from diarist.planning.plan import make_plan
from diarist.planning.prices import packaged_prices
from diarist.planning.profiles import load_profile
from diarist.planning.question import Question
from diarist.planning.simulate import SimulatedEndpoint, System, Work, simulate
from diarist.planning.workload import DAY, Request, Workload

PRICE = 0.00034
SPEEDS = {"low": {"diarization": 5.0, "transcription": 3.0}, "high": {"diarization": 8.0, "transcription": 5.0}}
ORCHESTRATOR_PER_REQUEST = 0.0001
PAGE = Path(__file__).parents[2] / "docs" / "planning.md"
GUIDE = {  # USD for requests a month, low to high
    "single": {100: (0.27, 0.44), 1000: (2.70, 4.40), 10_000: (27, 44)},
    "split": {100: (0.27, 0.44), 1000: (2.70, 4.40), 10_000: (27, 44)},
    "orchestrator": {100: (0.28, 0.45), 1000: (2.80, 4.50), 10_000: (28, 45)},
}


def bill(architecture, bound, requests, *, start=0.0, idle_timeout=0.0):
    """USD for requests that do not meet each other, as the guide reckons; with its starts and idling where given."""
    seconds = SPEEDS[bound]
    if architecture == "single":
        works = {"single": Work(0.0, sum(seconds.values()))}
    else:
        works = {role: Work(0.0, compute) for role, compute in seconds.items()}
    endpoints = {
        role: SimulatedEndpoint(max_workers=1, billed_start=start, idle_timeout=idle_timeout) for role in works
    }
    gap = 30 * DAY / requests
    trace = [Request(index * gap, 120.0, True) for index in range(requests)]
    outcome = simulate(System(endpoints, lambda _: works), trace, 30 * DAY)
    gpu = PRICE * sum(usage.worker_seconds for usage in outcome.usage.values())
    return gpu + (ORCHESTRATOR_PER_REQUEST * requests if architecture == "orchestrator" else 0.0)


@pytest.mark.parametrize("architecture", GUIDE)
@pytest.mark.parametrize("requests", [100, 1000, 10_000])
def test_its_monthly_table_follows_from_its_assumptions(architecture, requests):
    low, high = GUIDE[architecture][requests]
    assert bill(architecture, "low", requests) == pytest.approx(low, rel=0.02)
    assert bill(architecture, "high", requests) == pytest.approx(high, rel=0.02)


def test_its_own_cold_starts_and_idle_timeout_are_not_in_its_table():
    told = GUIDE["single"][100][1]
    billed = bill("single", "high", 100, start=60.0, idle_timeout=5.0)
    assert billed == pytest.approx(100 * (60 + 13 + 5) * PRICE)
    assert billed > 5 * told


@pytest.mark.parametrize("requests", [100, 1000, 10_000])
def test_the_page_beside_it_says_what_diarist_plans_with_the_same_speeds(requests):
    profile = load_profile("rtx-3090")
    asked = Question(workload=Workload(requests / 30), profile=profile, prices=packaged_prices(), gpu=profile.hardware)
    ours = make_plan(asked, enough=requests).chosen.usd_per_month
    with_its_own = bill("single", "high", requests, start=60.0, idle_timeout=5.0)
    row = re.search(rf"^\| {requests:,} \|.*\| ([\d.]+) \| ([\d.]+) \|$", PAGE.read_text(), re.MULTILINE)
    assert row.groups() == (f"{with_its_own:.2f}", f"{ours:.2f}")


def test_split_costs_more_than_single_where_every_request_is_cold():
    """The guide gives both the same price; with two starts and two idle timeouts for each request they differ."""
    single = bill("single", "high", 100, start=10.0, idle_timeout=5.0)
    split = bill("split", "high", 100, start=10.0, idle_timeout=5.0)
    assert split / single == pytest.approx((13 + 2 * 15) / (13 + 15))


def test_its_orchestrator_calls_one_after_the_other_and_ours_both_at_once():
    seconds = SPEEDS["high"]
    works = {role: Work(0.0, compute) for role, compute in seconds.items()}
    endpoints = {role: SimulatedEndpoint(max_workers=1) for role in (*works, "orchestrator")}
    outcome = simulate(System(endpoints, lambda _: works, front="orchestrator"), Workload(50).trace(1, seed=1)[:1], DAY)
    assert outcome.latencies[0] == pytest.approx(max(seconds.values()))
    assert sum(seconds.values()) == 13.0  # what the guide's takes, besides starts
