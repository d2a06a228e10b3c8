"""The architectures on a serverless platform: which endpoints each has, what an endpoint runs, how its workers scale.

The only place that says so. The planner, ``diarist deploy``, ``diarist doctor``, the emulator and the workers read it;
``tests/test_architectures.py`` holds the Dockerfiles, the handlers, the Hub's listing and the guides to it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

RoleName = Literal["single", "transcription", "diarization", "orchestrator"]
ArchitectureName = Literal["single", "split", "orchestrator"]

JOBS_PER_GPU_WORKER: Final = 2
"""It computes one and prepares the next. A job that is held by a busy worker cannot be taken by an idle one, starts no
new one, and the platform's clock for it runs; so no more than it takes to keep the engines busy."""
TAKING_PAUSE: Final = 1.0
"""Seconds for which a worker of RunPod's SDK takes no more jobs when it has all that it may hold; it counts a job that
it took a moment ago twice."""
SYNC_WAIT: Final = 2.0
"""Seconds that our client's submission waits for a quick result. It cannot be cancelled meanwhile, so it is short."""
LOOK_SHARE: Final = 0.05
"""Beyond that, our client looks at a job again after at most this share of the time waited.

So late, at worst, it learns of the end."""
LONGEST_LOOK: Final = 5.0
"""Seconds between two looks, at most."""
JOBS_PER_ORCHESTRATOR: Final = 16
"""They only wait for the legs, so many fit into one small worker."""

MIN_WORKERS: Final = 0
IDLE_TIMEOUT: Final = 5
"""Seconds that a GPU worker stays up without jobs: what ``diarist plan`` finds cheapest up to 10,000 requests of two
minutes a day. More than that is for those who pay for shorter waits."""
ORCHESTRATOR_IDLE_TIMEOUT: Final = 60
"""At least. Every request waits for it first, and its seconds cost about a tenth of a GPU's."""
EMULATED_IDLE_TIMEOUT: Final = 60.0
"""Of ``diarist emulate``, where nobody pays and the next command that a person types shall not meet a cold start."""
QUEUE_DELAY: Final = 1.0
"""Seconds that a job waits before another worker is started; the platform's own 4 are long for short clips."""

TIME_LIMIT: Final = 1800
"""Seconds that one job may run in a GPU worker."""
LEGS_MAY_QUEUE: Final = 600
"""Seconds that the orchestrator's legs may wait in their queues, on top of their own time limit."""
LAST_WORDS: Final = 60
"""Seconds between the orchestrator's own deadline and the platform's, so that the caller gets its error."""

GPU_POOLS: Final = ("AMPERE_24", "ADA_24")
"""24 GB are plenty, and two pools find a machine more often than one."""
LOWEST_CUDA: Final[Mapping[str, str]] = {"gpu": "12.8", "cuda13": "13.0"}
"""CUDA that a host's driver must know, by what an image was built with: ``ENGINES``, ``requirements/NAME.txt``."""
MIN_CUDA: Final = LOWEST_CUDA["gpu"]
"""That of an image built without arguments."""
CPU_FLAVOR: Final = "cpu3c"
CPU_VCPUS: Final = 2

NEW_ACCOUNT_WORKERS: Final = 5
"""Workers that a new account may have, of all its endpoints together."""

RANGES: Final[Mapping[str, tuple[float, float]]] = {
    "min_workers": (0, 1000),
    "max_workers": (1, 1000),
    "idle_timeout": (1, 3600),
    "queue_delay": (0.5, 3600),
}
"""What may be asked for, from and to."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Role:
    """One kind of endpoint.

    Attributes:
        name: what it is called, also in its endpoint's name and in ``diarist.toml``.
        gpu: whether its workers have one, and so the engines.
        jobs: how many jobs a worker holds at once.
        disk: its container disk, in GB.
        dockerfile: what its image is built from.
        image_suffix: what the image's name ends in.
        handler: the file that a worker runs.
        id_variable: the environment variable in which a client finds the endpoint's id.
    """

    name: RoleName
    gpu: bool = True
    jobs: int = JOBS_PER_GPU_WORKER
    disk: int = 20
    dockerfile: str
    image_suffix: str
    handler: str
    id_variable: str


ROLES: Final[Mapping[RoleName, Role]] = {
    role.name: role
    for role in (
        Role(
            name="single",
            dockerfile="Dockerfile",
            image_suffix="",
            handler="runpod_handler.py",
            id_variable="RUNPOD_ENDPOINT_ID",
        ),
        Role(
            name="transcription",
            dockerfile="Dockerfile.transcription",
            image_suffix="-trans",
            handler="runpod_handler_transcription.py",
            id_variable="TRANSCRIPTION_ENDPOINT_ID",
        ),
        Role(
            name="diarization",
            dockerfile="Dockerfile.diarization",
            image_suffix="-diar",
            handler="runpod_handler_diarization.py",
            id_variable="DIARIZATION_ENDPOINT_ID",
        ),
        Role(
            name="orchestrator",
            gpu=False,
            jobs=JOBS_PER_ORCHESTRATOR,
            disk=5,
            dockerfile="Dockerfile.orchestrator",
            image_suffix="-orch",
            handler="runpod_handler_orchestrator.py",
            id_variable="RUNPOD_ENDPOINT_ID",
        ),
    )
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Architecture:
    """Endpoints that work together.

    Attributes:
        name: what it is called.
        summary: what it is, in a line.
        legs: the endpoints with engines, which a request needs at the same time.
        front: the endpoint that calls the legs, where the client does not.
        max_workers: most workers of each leg, if nothing else is said: all endpoints fit into a new account.
    """

    name: ArchitectureName
    summary: str
    legs: tuple[RoleName, ...]
    front: RoleName | None = None
    max_workers: int

    @property
    def roles(self) -> tuple[RoleName, ...]:
        """All its endpoints, in the order they are made: the front has to know the ids of its legs."""
        return (*self.legs, *((self.front,) if self.front else ()))

    @property
    def called(self) -> tuple[RoleName, ...]:
        """The endpoints that a client calls."""
        return (self.front,) if self.front else self.legs

    def workers(self, max_workers: int, min_workers: int = MIN_WORKERS) -> int:
        """Most workers of all its endpoints together, where each leg has up to ``max_workers``."""
        return sum(max(min_workers, most_workers(role, max_workers)) for role in self.roles)

    def fitting(self, quota: int) -> int:
        """Most workers that each leg can have where all endpoints together may have ``quota``; 0 if that is too few."""
        return next(count for count in range(quota, -1, -1) if self.workers(count) <= quota)


ARCHITECTURES: Final[Mapping[ArchitectureName, Architecture]] = {  # simplest first
    architecture.name: architecture
    for architecture in (
        Architecture(
            name="single",
            summary="One endpoint that does it all: the least to run, for low volumes.",
            legs=("single",),
            max_workers=3,
        ),
        Architecture(
            name="split",
            summary="Two endpoints, one for words and one for speakers; diarist calls both at once.",
            legs=("transcription", "diarization"),
            max_workers=2,
        ),
        Architecture(
            name="orchestrator",
            summary="The two of split behind a CPU endpoint that any HTTP client can call.",
            legs=("transcription", "diarization"),
            front="orchestrator",
            max_workers=2,
        ),
    )
}


def most_workers(role: RoleName, leg_workers: int) -> int:
    """Most workers of an endpoint, where each leg has up to ``leg_workers``.

    An orchestrator's job computes nothing: it waits for one job at each leg. So what counts is how many jobs the
    orchestrator's workers hold, and they must hold as many as a leg's workers do, rounded up. With fewer, the last
    workers of the legs never start: a worker is started for jobs that wait in a queue, and none wait, since the workers
    before them take all that the orchestrator lets through. (Nine workers of 2 jobs behind one orchestrator of 16:
    eight of them take all.) With more, jobs would wait in the legs' queues rather than in the orchestrator's, no sooner
    done.
    """
    if ROLES[role].gpu:
        return leg_workers
    return math.ceil(leg_workers * JOBS_PER_GPU_WORKER / JOBS_PER_ORCHESTRATOR)


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointScaling:
    """How the workers of one endpoint come and go.

    Attributes:
        min_workers: workers that are always up.
        max_workers: most workers at once.
        idle_timeout: seconds a worker stays up without jobs.
    """

    min_workers: int
    max_workers: int
    idle_timeout: float


def scaling_of(role: RoleName, *, min_workers: int, max_workers: int, idle_timeout: float) -> EndpointScaling:
    """Work out an endpoint's scaling from what is asked for the whole architecture.

    Args:
        role: the endpoint's.
        min_workers: of each endpoint.
        max_workers: of each leg.
        idle_timeout: of each leg, in seconds.
    """
    return EndpointScaling(
        min_workers=min_workers,
        max_workers=max(min_workers, most_workers(role, max_workers)),
        idle_timeout=idle_timeout if ROLES[role].gpu else max(idle_timeout, ORCHESTRATOR_IDLE_TIMEOUT),
    )


def time_limit(role: RoleName, leg_limit: int = TIME_LIMIT) -> int:
    """Seconds after which the platform shall stop a job of this role, where a leg's job may run ``leg_limit``."""
    return leg_limit if ROLES[role].gpu else leg_limit + LEGS_MAY_QUEUE


def orchestrator_deadline(leg_limit: int = TIME_LIMIT) -> int:
    """Seconds after which the orchestrator gives up by itself: after its legs' time, before the platform stops it."""
    return time_limit("orchestrator", leg_limit) - LAST_WORDS
