"""One recording on many workers: how long it takes, what it costs, and from which number on more workers are no help.

What is simulated is what `diarist.cluster` does today. The caller decodes the recording and finds the voice in all of
it; then it makes one unit after the other ready, so many at a time; the worker that is free first takes the next; at
the end the caller tells the speakers apart, once. Chance has no part in it.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from diarist.architectures import (
    BYTES_ON_THE_WAY,
    FEWEST_UNIT_CHUNKS,
    IDLE_TIMEOUT,
    QUEUE_DELAY,
    RANGES,
    TASKS_PER_WORKER,
    UNIT_CHUNKS,
    UNIT_MARGIN,
    WHOLE_UNIT_CHUNKS,
)
from diarist.model.errors import InputError
from diarist.planning.caller import PACKAGED, Caller
from diarist.planning.coldstart import start_of
from diarist.planning.profiles import Profile
from diarist.planning.question import check_range

MOST_WORKERS: Final = 64
NEAR_THE_FLOOR: Final = 1.10
"""The knee is the smallest number of workers that takes at most so many times what the fastest takes."""
UNITS: Final = tuple(range(FEWEST_UNIT_CHUNKS, UNIT_CHUNKS + 1, WHOLE_UNIT_CHUNKS))
"""How long a unit may be, in chunks: for each number of workers, the fastest is taken."""
_CHUNK = 10.0  # seconds; each begins a second after the one before
_BYTES_PER_SECOND = 2 * 16_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Spreading:
    """One recording, and the machines that it shall be spread over.

    Attributes:
        audio: its seconds.
        profile: how fast a worker is.
        usd_per_second: what a worker costs.
        disk_usd_per_second: what its container disk costs.
        caller: how fast the caller is.
        queue_delay: seconds that units wait before all but the first worker are started.
        idle_timeout: seconds that a worker stays up, and is paid for, after its last unit.

    Raises:
        InputError: a value is out of range.
    """

    audio: float
    profile: Profile
    usd_per_second: float
    disk_usd_per_second: float = 0.0
    caller: Caller = PACKAGED
    queue_delay: float = QUEUE_DELAY
    idle_timeout: float = IDLE_TIMEOUT

    def __post_init__(self) -> None:
        if not 0 < self.audio < math.inf:
            raise InputError("bad_length", f"A recording is longer than 0 s, not {self.audio:g} s.")
        check_range("usd_per_second", self.usd_per_second, 0.0, 1.0)
        check_range("queue_delay", self.queue_delay, *RANGES["queue_delay"])
        check_range("idle_timeout", self.idle_timeout, *RANGES["idle_timeout"])

    @property
    def price(self) -> float:
        """USD per second of a worker, its container disk included."""
        return self.usd_per_second + self.disk_usd_per_second

    @property
    def before(self) -> float:
        """Seconds before the first unit can be cut, which no number of workers shortens."""
        return self.audio * (self.caller.decoding.value + self.caller.voice.value)

    @property
    def single_pass(self) -> float:
        """Seconds of one worker that is up and gets the whole recording, as `diarist plan` has it."""
        profile = self.profile
        return profile.preparation.seconds(self.audio) + profile.both.seconds(self.audio) + profile.overhead.value


@dataclass(frozen=True, slots=True)
class Spread:
    """What came of a number of workers.

    Attributes:
        workers: how many may be used.
        chunks: of a unit.
        units: how many there are.
        seconds: from the recording to its transcript.
        worker_seconds: that are billed. Workers that are up: from the first unit to the end of their last. Others: from
            their container's start to the end of their idle timeout, each rounded up to a second.
        usd: what they cost.
    """

    workers: int
    chunks: int
    units: int
    seconds: float
    worker_seconds: float
    usd: float


@dataclass(frozen=True, slots=True)
class FanOut:
    """The answer.

    Attributes:
        warm: for 1, 2, … `MOST_WORKERS` workers that are up, what came of it.
        cold: likewise, where each has to be started.
        worth_starting: the most workers of which no more is paid for their starts than for what they compute.
        known_voice: ``warm`` if the voice of the whole recording were not looked for before the first unit.
    """

    warm: tuple[Spread, ...]
    cold: tuple[Spread, ...]
    worth_starting: int
    known_voice: tuple[Spread, ...]

    @property
    def warm_choice(self) -> Spread:
        """The knee, of workers that are up."""
        return knee(self.warm)

    @property
    def cold_choice(self) -> Spread:
        """The knee, of workers that must be started; less where more would be paid for starts than for computing."""
        return self.cold[min(knee(self.cold).workers, self.worth_starting) - 1]


def plan_fan_out(asked: Spreading) -> FanOut:
    """Simulate 1 to `MOST_WORKERS` workers, up and not, each with the best length of a unit."""
    counts = range(1, MOST_WORKERS + 1)
    warm, cold = (tuple(_best(asked, workers, cold=is_cold) for workers in counts) for is_cold in (False, True))
    start = start_of(asked.profile, "single").billed
    computing = asked.profile.both.seconds(asked.audio)
    worth = MOST_WORKERS if start == 0 else max(1, min(MOST_WORKERS, int(computing / start)))
    told = replace(asked, caller=replace(asked.caller, voice=replace(asked.caller.voice, value=0.0)))
    return FanOut(warm, cold, worth, tuple(_best(told, workers, cold=False) for workers in counts))


def knee(spreads: Sequence[Spread]) -> Spread:
    """The one of fewest workers that takes at most a tenth longer than the fastest."""
    near = (spread for spread in spreads if spread.seconds <= NEAR_THE_FLOOR * floor(spreads))
    return min(near, key=lambda spread: spread.workers)


def floor(spreads: Sequence[Spread]) -> float:
    """Seconds that the fastest takes."""
    return min(spread.seconds for spread in spreads)


def _best(asked: Spreading, workers: int, *, cold: bool) -> Spread:
    found = (spread_over(asked, workers, chunks, cold=cold) for chunks in UNITS)
    return min(found, key=lambda spread: (spread.seconds, spread.usd, -spread.chunks))


def spread_over(asked: Spreading, workers: int, chunks: int, *, cold: bool) -> Spread:
    """Simulate a number of workers with one length of units.

    Args:
        asked: recording and machines.
        workers: how many may be used.
        chunks: of a unit.
        cold: whether the workers have to be started.

    Raises:
        InputError: a unit of so many chunks would be too short, or not give what a single pass does.
    """
    if chunks < FEWEST_UNIT_CHUNKS or chunks % WHOLE_UNIT_CHUNKS:
        raise InputError(
            "bad_unit",
            f"A unit cannot have {chunks} chunks.",
            f"Choose a multiple of {WHOLE_UNIT_CHUNKS}, {FEWEST_UNIT_CHUNKS} at least.",
        )
    profile, caller, start = asked.profile, asked.caller, start_of(asked.profile, "single")
    lengths = unit_lengths(asked.audio, chunks)
    again = caller.again.value * profile.diarization.per_audio_second.value if len(lengths) > 1 else 0.0
    sent = min(asked.audio, lengths[0] + UNIT_MARGIN)
    preparing = profile.preparation.seconds(sent)
    encoding = sent * caller.encoding.value
    most = _most_on_the_way(workers, sent)
    first = ready = asked.before + encoding  # when a unit can be taken
    ups = [0.0] * min(workers, len(lengths))
    if cold:  # the first unit starts a worker at once; the rest start when others have waited
        ups = [ready + start.seconds + (asked.queue_delay if worker else 0.0) for worker in range(len(ups))]
    free = [(up, up) for up in ups]  # when a worker is, and since when it is up
    back: list[float] = []  # when the caller has what came of a unit
    last = 0.0
    for number, length in enumerate(lengths):
        if number:
            ready = max(ready, heapq.heappop(back) if len(back) == most else 0.0) + encoding
        at, up = heapq.heappop(free)
        begins = max(at, max(up, ready) + preparing)
        ends = begins + profile.both.seconds(length) + again
        heapq.heappush(free, (ends, up))
        heapq.heappush(back, ends + profile.overhead.value)
        last = max(last, ends)
    seconds = last + profile.overhead.value + asked.audio * caller.together.value
    if cold:
        billed = float(sum(math.ceil(start.billed + end - up + asked.idle_timeout) for end, up in free))
    else:
        billed = sum(end - first for end, _ in free)
    return Spread(workers, chunks, len(lengths), seconds, billed, billed * asked.price)


def unit_lengths(audio: float, chunks: int) -> list[float]:
    """Seconds of each unit of a recording, in order."""
    number = math.ceil((1 + max(0, math.ceil(audio - _CHUNK))) / chunks)
    return [float(chunks)] * (number - 1) + [audio - (number - 1) * chunks]


def _most_on_the_way(workers: int, sent: float) -> int:
    """How many units of so many seconds are computed or on their way at a time."""
    return max(1, min(TASKS_PER_WORKER * workers, int(BYTES_ON_THE_WAY / (sent * _BYTES_PER_SECOND))))
