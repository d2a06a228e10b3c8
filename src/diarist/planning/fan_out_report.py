"""A plan for one recording on many workers: as data, and what its figures rest on."""

from __future__ import annotations

from typing import Any

from diarist.architectures import BYTES_ON_THE_WAY, TASKS_PER_WORKER, UNIT_MARGIN
from diarist.planning.fan_out import NEAR_THE_FLOOR, UNITS, FanOut, Spread, Spreading, floor, knee
from diarist.planning.prices import PriceTable


def as_data(answer: FanOut, asked: Spreading, hardware: str, prices: PriceTable) -> dict[str, Any]:
    """Everything that it says, as plain values; seconds and USD of 1, 2, … workers are in ``table``."""
    return {
        "schema": "diarist.fan_out/1",
        "minutes": asked.audio / 60,
        "workers_are": hardware,
        "profile": asked.profile.name,
        "prices": {"as_of": prices.as_of, "source": prices.source},
        "single_pass_seconds": _rounded(asked.single_pass),
        "before_the_first_unit": {
            "decoding_seconds": _rounded(asked.audio * asked.caller.decoding.value),
            "voice_seconds": _rounded(asked.audio * asked.caller.voice.value),
        },
        "warm": {
            "floor_seconds": _rounded(floor(answer.warm)),
            "knee": knee(answer.warm).workers,
            "workers": answer.warm_choice.workers,
        },
        "cold": {
            "floor_seconds": _rounded(floor(answer.cold)),
            "knee": knee(answer.cold).workers,
            "worth_starting": answer.worth_starting,
            "workers": answer.cold_choice.workers,
        },
        "warm_without_finding_the_voice_first": {
            "floor_seconds": _rounded(floor(answer.known_voice)),
            "knee": knee(answer.known_voice).workers,
        },
        "table": [
            {"workers": warm.workers, "warm": _spread(warm), "cold": _spread(cold)}
            for warm, cold in zip(answer.warm, answer.cold, strict=True)
        ],
        "assumptions": list(assumptions(asked, hardware)),
    }


def assumptions(asked: Spreading, hardware: str) -> tuple[str, ...]:
    """Say all that the figures rest on."""
    profile, caller = asked.profile, asked.caller
    per_second = "s per second of audio"
    start = profile.start("single")
    return (
        f"Workers: {hardware} at ${asked.price:.6f}/s, container disk included; one task at a time.",
        f"Speeds: profile {profile.name} ({profile.hardware}; {profile.models}).",
        profile.both.per_audio_second.told("Both in one worker", per_second),
        profile.both.per_request.told("Both in one worker, also", "s per unit"),
        profile.preparation.per_audio_second.told("Download and decoding, beside the unit before", per_second),
        profile.preparation.per_request.told("Download and decoding, also", "s per unit"),
        profile.overhead.told("Outside of workers", "s per unit"),
        *(
            details.seconds.told(f"Start, {phase}", "s" if details.billed else "s, not billed")
            for phase, details in start.items()
        ),
        caller.decoding.told("The caller decodes", per_second),
        caller.voice.told("It finds the voice of the whole recording before it cuts the first unit", per_second),
        caller.encoding.told("It makes FLAC of a unit", per_second),
        caller.together.told("It tells the speakers apart, at the end", per_second),
        caller.again.told("Diarization computes again where a unit is cut off", "s of audio per unit"),
        f"A unit is {UNITS[0]} to {UNITS[-1]} s long, whichever is fastest, and is sent with {UNIT_MARGIN} s more.",
        f"On the way: {TASKS_PER_WORKER} units for each worker, and {BYTES_ON_THE_WAY >> 20} MiB of samples at most.",
        "Warm: workers are up; each is paid for from the first unit to the end of its last.",
        f"Cold: one is started for the first unit, all others together {asked.queue_delay:g} s later; each is paid for"
        f" from its container's start until {asked.idle_timeout:g} s after its last unit.",
        f"The knee is the smallest number of workers within {NEAR_THE_FLOOR - 1:.0%} of the fastest.",
        "Left out: the network between caller and workers, how late the end of a unit is noticed, telling the language,"
        " failures, and that some speech takes longer than other.",
    )


def _spread(spread: Spread) -> dict[str, Any]:
    return {
        "seconds": _rounded(spread.seconds),
        "usd": _rounded(spread.usd),
        "worker_seconds": _rounded(spread.worker_seconds),
        "unit_chunks": spread.chunks,
        "units": spread.units,
    }


def _rounded(value: float) -> float:
    return float(f"{value:.6g}")
