"""The architectures as systems to simulate."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from diarist.architectures import ARCHITECTURES, LOOK_SHARE, QUEUE_DELAY, ROLES, ArchitectureName, RoleName, scaling_of
from diarist.planning.coldstart import start_of
from diarist.planning.profiles import Profile
from diarist.planning.simulate import SimulatedEndpoint, System, Work
from diarist.planning.workload import Request


@dataclass(frozen=True, slots=True, kw_only=True)
class Scaling:
    """Worker settings of an architecture.

    Attributes:
        min_workers: for each endpoint.
        max_workers: for each GPU endpoint.
        idle_timeout: seconds, for each GPU endpoint.
        queue_delay: seconds.
        restore_share: share of starts that FlashBoot restores.
        restore: seconds of such a start.
    """

    min_workers: int
    max_workers: int
    idle_timeout: float
    queue_delay: float = QUEUE_DELAY
    restore_share: float = 0.0
    restore: float = 0.0


def system_of(name: ArchitectureName, profile: Profile, scaling: Scaling) -> System:
    """Build the system to simulate."""
    architecture = ARCHITECTURES[name]
    endpoints: dict[str, SimulatedEndpoint] = {role: _endpoint(role, profile, scaling) for role in architecture.roles}

    def works(request: Request) -> Mapping[str, Work]:
        prepare = profile.preparation.seconds(request.audio)
        if name == "single":
            speed = profile.both if request.diarize else profile.transcription
            return {"single": Work(prepare, speed.seconds(request.audio))}
        legs = {"transcription": Work(prepare, profile.transcription.seconds(request.audio))}
        if request.diarize:
            legs["diarization"] = Work(prepare, profile.diarization.seconds(request.audio))
        return legs

    return System(endpoints, works, front=architecture.front, overhead=profile.overhead.value, looks=LOOK_SHARE)


def _endpoint(role: RoleName, profile: Profile, scaling: Scaling) -> SimulatedEndpoint:
    start = start_of(profile, role)
    workers = scaling_of(
        role,
        min_workers=scaling.min_workers,
        max_workers=scaling.max_workers,
        idle_timeout=scaling.idle_timeout,
    )
    return SimulatedEndpoint(
        max_workers=workers.max_workers,
        min_workers=workers.min_workers,
        idle_timeout=workers.idle_timeout,
        queue_delay=scaling.queue_delay,
        jobs=ROLES[role].jobs,
        free_start=start.free,
        billed_start=start.billed,
        restore_share=scaling.restore_share,
        restore=scaling.restore,
    )
