"""How long the first request waits: the phases of a worker's start, and who waits for whom."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from diarist.planning.profiles import Profile

Architecture = Literal["single", "split", "orchestrator"]

# Which workers a request needs. The orchestrator has to be up before it can call the two others, which start together.
LEGS: Mapping[Architecture, tuple[str, ...]] = {
    "single": ("single",),
    "split": ("transcription", "diarization"),
    "orchestrator": ("transcription", "diarization"),
}
FRONT: Mapping[Architecture, str | None] = {"single": None, "split": None, "orchestrator": "orchestrator"}


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


def cold_start(profile: Profile, architecture: Architecture) -> float:
    """Seconds that a request adds to its own work when nothing is running."""
    legs = max(start_of(profile, role).seconds for role in LEGS[architecture])
    front = FRONT[architecture]
    return legs + (start_of(profile, front).seconds if front else 0.0)
