"""What the choice of an architecture has to respect, and the decision between the three."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from diarist.architectures import ARCHITECTURES, ArchitectureName
from diarist.model.errors import InputError

COLD_SHARE_LIMIT = 0.01  # what a cold-start limit lets through: one request in a hundred
SIMPLER_IS_WORTH = 1.10  # a simpler architecture is preferred up to this ratio of costs
_SIMPLEST_FIRST = tuple(ARCHITECTURES)


@dataclass(frozen=True, slots=True, kw_only=True)
class Needs:
    """What the choice has to respect.

    Attributes:
        client: ``python`` can run diarist's client, which split needs; ``http`` is any other.
        latency: 95 % of the requests shall be answered within these seconds.
        cold_start: starts longer than these seconds may be met by at most one request in a hundred.
        worker_quota: workers the account may have at most; None if that is not known.

    Raises:
        InputError: a value is out of range.
    """

    client: Literal["python", "http"] = "python"
    latency: float | None = None
    cold_start: float | None = None
    worker_quota: int | None = None

    def __post_init__(self) -> None:
        if self.client not in ("python", "http"):
            raise InputError("bad_client", f"The client is python or http, not {self.client!r}.")
        for name, value in (("latency", self.latency), ("cold_start", self.cold_start)):
            if value is not None and not 0 < value < float("inf"):
                raise InputError("bad_target", f"{name} must be more than 0 seconds, not {value:g}.")
        if self.worker_quota is not None and self.worker_quota < 1:
            raise InputError("bad_target", f"The worker quota must be at least 1, not {self.worker_quota}.")


@dataclass(frozen=True, slots=True)
class Candidate:
    """What the decision looks at.

    Attributes:
        architecture: which.
        name: what it is called in reasons.
        always_up: whether it keeps a worker of each endpoint running.
        usd_per_month: its cost.
        p95: seconds that 95 % of the requests do not exceed.
        cold_share: share of the requests that wait for a start.
        cold_start: seconds of a start.
        workers: workers that the busiest hour needs, of all endpoints.
    """

    architecture: ArchitectureName
    name: str
    always_up: bool
    usd_per_month: float
    p95: float
    cold_share: float
    cold_start: float
    workers: int


@dataclass(frozen=True, slots=True)
class Decision:
    """What to deploy, and why.

    Attributes:
        candidate: the choice.
        reasons: why this, and why not the others, a sentence each.
    """

    candidate: Candidate
    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Check:
    """One question of the decision.

    Attributes:
        question: what is asked of every architecture.
        objection: why a candidate is out; None if it is not.
        settings: whether other settings of the same architecture may do better.
    """

    question: str
    objection: Callable[[Candidate, Needs], str | None]
    settings: bool


def _client(candidate: Candidate, needs: Needs) -> str | None:
    if candidate.architecture == "split" and needs.client == "http":
        return "its client has to call two endpoints and put the answers together, which a plain HTTP client does not"
    return None


def _quota(candidate: Candidate, needs: Needs) -> str | None:
    if needs.worker_quota is not None and candidate.workers > needs.worker_quota:
        return f"it needs {candidate.workers} workers and the account has {needs.worker_quota}"
    return None


def _latency(candidate: Candidate, needs: Needs) -> str | None:
    if needs.latency is not None and candidate.p95 > needs.latency:
        return f"95 % of the requests take up to {candidate.p95:.1f} s, more than {needs.latency:g} s"
    return None


def _starts(candidate: Candidate, needs: Needs) -> str | None:
    if (
        needs.cold_start is not None
        and candidate.cold_start > needs.cold_start
        and candidate.cold_share > COLD_SHARE_LIMIT
    ):
        return (
            f"{candidate.cold_share:.0%} of the requests wait for a start of {candidate.cold_start:.1f} s,"
            f" more than {needs.cold_start:g} s"
        )
    return None


CHECKS: Final = (
    Check("Can its client be yours: split needs one that calls two endpoints and joins their answers?", _client, False),
    Check("Has the account the workers that its busiest hour needs?", _quota, False),
    Check("Are 95 % of its answers there in time?", _latency, True),
    Check("Are its starts short enough, or met by at most one request in a hundred?", _starts, True),
)
"""All that a candidate must pass, in this order; of those that do, the cheapest is taken, or a simpler one."""


def misfit(candidate: Candidate, needs: Needs) -> str | None:
    """Say why a candidate is out whatever its speed; None if it is not."""
    return _first_objection(candidate, needs, settings=False)


def too_slow(candidate: Candidate, needs: Needs) -> str | None:
    """Say which target a candidate misses; None if it misses none."""
    return _first_objection(candidate, needs, settings=True)


def _first_objection(candidate: Candidate, needs: Needs, *, settings: bool) -> str | None:
    objections = (check.objection(candidate, needs) for check in CHECKS if check.settings is settings)
    return next((why for why in objections if why is not None), None)


def decide(candidates: Sequence[Candidate], needs: Needs) -> Decision:
    """Choose the cheapest that does what is needed, or a simpler one that costs hardly more.

    Raises:
        InputError: none does.
    """
    refused: dict[ArchitectureName, str] = {}
    left = []
    for candidate in candidates:
        why = misfit(candidate, needs) or too_slow(candidate, needs)
        if why is None:
            left.append(candidate)
        else:
            # Of an architecture's settings the last are the fastest: what they miss, all miss.
            refused[candidate.architecture] = f"Not {candidate.name}: {why}."
    reasons = [why for architecture, why in refused.items() if architecture not in {one.architecture for one in left}]
    if not left:
        fastest = min(candidates, key=lambda candidate: candidate.p95)
        raise InputError(
            "contradictory_targets",
            f"No architecture does that; the fastest is {fastest.name}, with 95 % within {fastest.p95:.1f} s."
            f" {reasons[-1]}",
            "Loosen a target, take a faster GPU, or get a higher quota.",
        )
    cheapest = min(left, key=lambda candidate: candidate.usd_per_month)
    affordable = [one for one in left if one.usd_per_month <= cheapest.usd_per_month * SIMPLER_IS_WORTH]
    chosen = min(affordable, key=lambda one: (_SIMPLEST_FIRST.index(one.architecture), one.always_up))
    if len(left) == 1:
        why = f"{chosen.name} is the only one that does what is needed"
    elif chosen is cheapest:
        why = f"{chosen.name} is the cheapest that does what is needed"
    else:
        why = f"{chosen.name} is simpler than {cheapest.name} and costs at most {SIMPLER_IS_WORTH - 1:.0%} more"
    others: dict[ArchitectureName, Candidate] = {}
    for one in sorted(left, key=lambda candidate: -candidate.usd_per_month):
        if one.architecture != chosen.architecture:
            others[one.architecture] = one
    also = [f"{_capital(one.name)} does it too, for ${one.usd_per_month:.2f} a month." for one in others.values()]
    return Decision(chosen, (f"{_capital(why)}, at ${chosen.usd_per_month:.2f} a month.", *also, *reasons))


def _capital(text: str) -> str:
    return text[0].upper() + text[1:]
