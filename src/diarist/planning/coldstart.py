"""How long the first request waits: the phases of a worker's start, and who waits for whom."""

from __future__ import annotations

from dataclasses import dataclass

from diarist.architectures import ARCHITECTURES, ArchitectureName
from diarist.planning.profiles import Profile


@dataclass(frozen=True, slots=True)
class Start:
    """Seconds of a worker's start.

    Attributes:
        free: not billed: a host is found, the image pulled.
        billed: from the container's start to the first job.
    """

    free: float
    billed: float

    @property
    def seconds(self) -> float:
        """All of it."""
        return self.free + self.billed


def start_of(profile: Profile, role: str) -> Start:
    """Add up the phases of a role's start."""
    phases = profile.start(role).values()
    return Start(
        sum(phase.seconds.value for phase in phases if not phase.billed),
        sum(phase.seconds.value for phase in phases if phase.billed),
    )


def cold_start(profile: Profile, name: ArchitectureName) -> float:
    """Seconds that a request adds to its own work when nothing is running.

    A front has to be up before it can call the legs, which start together.
    """
    architecture = ARCHITECTURES[name]
    legs = max(start_of(profile, role).seconds for role in architecture.legs)
    return legs + (start_of(profile, architecture.front).seconds if architecture.front else 0.0)
