"""A plan as data, for programs and for ``--json``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from diarist.planning.plan import Option, Plan
from diarist.planning.question import Question


def as_data(plan: Plan, question: Question) -> dict[str, Any]:
    """Everything a plan says, as plain values."""
    chosen = plan.chosen
    return {
        "schema": "diarist.plan/1",
        "recommended": {
            "architecture": chosen.architecture,
            **_settings(chosen),
            "reasons": list(plan.decision.reasons) if plan.decision else [],
            "deploy": deploy_command(plan, question),
        },
        "options": [_option(option, chosen=option is chosen) for option in plan.options],
        "gpu": question.gpu,
        "profile": question.profile.name,
        "prices": {"as_of": question.prices.as_of, "source": question.prices.source},
        "assumptions": list(plan.assumptions),
    }


def deploy_command(plan: Plan, question: Question) -> str:
    """The command that deploys what a plan recommends; image and tag are the user's."""
    scaling = plan.chosen.scaling
    words = [f"diarist deploy {plan.chosen.architecture} --image-prefix you/parakeet --tag VERSION"]
    pools = [gpu.pool for gpu in question.prices.gpus if gpu.name == question.gpu]
    words += [f"--pool {pool}" for pool in pools]
    words.append(f"--min-workers {scaling.min_workers} --max-workers {scaling.max_workers}")
    words.append(f"--idle-timeout {scaling.idle_timeout:.0f} --queue-delay {scaling.queue_delay:g}")
    return " ".join(words)


def _settings(option: Option) -> dict[str, Any]:
    scaling = option.scaling
    return {
        "min_workers": scaling.min_workers,
        "max_workers": scaling.max_workers,
        "idle_timeout": scaling.idle_timeout,
        "queue_delay": scaling.queue_delay,
    }


def _option(option: Option, *, chosen: bool) -> dict[str, Any]:
    return {
        "architecture": option.architecture,
        "recommended": chosen,
        "objection": option.objection,
        **_settings(option),
        "simulated": option.simulated,
        "usd_per_month": _rounded(option.usd_per_month),
        "usd_per_request": _rounded(option.usd_per_request),
        "usd_per_audio_hour": _rounded(option.usd_per_audio_hour),
        "latency": {"p50": _rounded(option.p50), "p95": _rounded(option.p95), "p99": _rounded(option.p99)},
        "cold_share": _rounded(option.cold_share),
        "cold_start": _rounded(option.cold_start),
        "worker_seconds_per_request": _all_rounded(option.worker_seconds),
        "peak_workers": dict(option.peak_workers),
    }


def _rounded(value: float | None) -> float | None:
    return None if value is None else float(f"{value:.6g}")


def _all_rounded(values: Mapping[str, float]) -> dict[str, float | None]:
    return {name: _rounded(value) for name, value in values.items()}
