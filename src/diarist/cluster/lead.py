"""Leading the work on an archive: one run from the lease to the last record, and what it will take."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, field
from typing import Any, Final

from diarist.audio.recording import as_recording
from diarist.cluster.archive import Archive, Choice, Plan, asked, find, in_shard, seconds_of
from diarist.cluster.index import Index, index_file
from diarist.cluster.lease import Lease, holding
from diarist.cluster.manifest import Manifest, Record, digest_of
from diarist.cluster.run import Pool
from diarist.cluster.store import Entry, Store
from diarist.cluster.whole import Setup
from diarist.model.errors import InputError

LOOK_SECONDS: Final = 5.0
"""Between two looks at SRC for new recordings; one that did not change between them is finished."""
_RESAMPLES: Final = 1000
_ENOUGH: Final = 3  # recordings before an interval is told

MakePool = Callable[[], AbstractContextManager[Pool[Any]]]


@dataclass(slots=True)
class Tally:
    """How far a run is.

    Attributes:
        found: recordings that are meant.
        before: of these, those that needed nothing.
        new: those that were transcribed, or rendered, by this run.
        adopted: those whose transcripts were there when a run before this one died.
        troubles: those that have no transcript, and why.
        audio: seconds of recordings transcribed by this run.
        waiting: recordings that are not computed yet.
        cost: of those, about how many seconds of audio.
        worked: of those that were computed, likewise.
        began: when, by the clock that never goes back.
    """

    found: int = 0
    before: int = 0
    new: int = 0
    adopted: list[str] = field(default_factory=list)
    troubles: dict[str, str] = field(default_factory=dict)
    audio: float = 0.0
    waiting: int = 0
    cost: float = 0.0
    worked: float = 0.0
    began: float = field(default_factory=time.monotonic)

    @property
    def seconds(self) -> float:
        """Since the work began."""
        return time.monotonic() - self.began

    @property
    def speed(self) -> float | None:
        """Seconds of audio in a second; None before the first."""
        return self.audio / self.seconds if self.audio else None

    @property
    def left(self) -> float | None:
        """Seconds that the rest will take, if it goes on like this; None before anybody can tell."""
        return self.cost * self.seconds / self.worked if self.worked else None


@dataclass(frozen=True, slots=True)
class Forecast:
    """What is to be done, and what it will take.

    Attributes:
        recordings: how many.
        audio: their length in seconds, by their own headers; by their size, where SRC is elsewhere.
        unknown: those whose headers tell no length; counted by their size.
        unreadable: those that cannot be read, and why.
        cpu: seconds of processor time: the least, the likely and the most, in 19 of 20 cases; None where nothing like
            it was done before.
        wall: likewise, seconds of workers that are shared by as many as there are.
        by: how many recordings that were done before say so.
    """

    recordings: int
    audio: float
    unknown: list[str]
    unreadable: dict[str, str]
    cpu: tuple[float, float, float] | None
    wall: tuple[float, float, float] | None
    by: int


class Run:
    """One run on an archive.

    Args:
        source: SRC.
        out: OUT.
        setup: what all recordings have in common.
        models: what ``auto`` means here.
        choice: which recordings.
        pool: makes the pool; asked once, and only if there is something to compute.
        limit: seconds that one recording may take; None: by its length.
        say: told of each record, and how far the work is.
        note: told other things worth knowing.
    """

    def __init__(
        self,
        source: Store,
        out: Store,
        setup: Setup,
        models: Sequence[str],
        choice: Choice,
        pool: MakePool,
        *,
        limit: float | None = None,
        say: Callable[[Record, Tally], None] = lambda _, __: None,
        note: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._source, self._out, self._choice, self._make = source, out, choice, pool
        self._say, self._note = say, note
        options = asked(setup, models)
        self._asked = digest_of(options)
        shard = "" if choice.shard == (1, 1) else f"-{choice.shard[0]}-of-{choice.shard[1]}"
        self.manifest = Manifest(out, Index(index_file(out, shard)))
        self._archive = Archive(source, out, setup, options, choice, self.manifest, limit=limit)

    def forecast(self) -> Forecast:
        """Say what is to be done, and what it will take by what was done before. Writes nothing, and takes no lease."""
        self.manifest = Manifest(self._out)
        self.manifest.load()
        self._archive.manifest = self.manifest
        plan = self._archive.plan(find(self._source, self._choice))
        lengths, unknown, unreadable = _lengths(self._source, plan.pending)
        audio = sum(lengths)
        samples = [each for each in self.manifest.records.values() if each.asked == self._asked and each.duration]
        return Forecast(
            len(plan.pending),
            audio,
            unknown,
            {**unreadable, **{name: error.message for name, error in plan.refused}},
            _interval([(each.cpu_seconds or 0.0, each.duration or 0.0) for each in samples], audio),
            _interval([(each.seconds or 0.0, each.duration or 0.0) for each in samples], audio),
            len(samples),
        )

    def go(self, *, calibrate: int = 0, only: bool = False, watch: bool = False) -> Tally:
        """Do all that is to be done.

        Args:
            calibrate: so many go first, chosen by chance.
            only: do no others.
            watch: go on looking for new recordings, until somebody stops it.

        Raises:
            InputError: another run works on this archive.
            DiaristError: the work cannot go on; what is done is done, and the same command goes on from there.
        """
        tally = Tally()
        with ExitStack() as stack:
            lease = stack.enter_context(holding(self._out, self._choice.shard, note=self._note))
            tally.adopted = self._tidy(lease)
            pool: Pool[Any] | None = None
            settled: set[Entry] | None = None
            while True:
                entries = find(self._source, self._choice)
                plan = self._archive.plan([each for each in entries if settled is None or each in settled])
                self._count(tally, plan)
                for record in self._archive.render(plan.rendered):
                    tally.new += 1
                    self._say(record, tally)
                for part in _parts(plan.pending, calibrate, only=only):
                    if pool is None:
                        pool = stack.enter_context(self._make())
                    self._work(part, pool, lease, tally)
                calibrate = 0
                if not watch:
                    return tally
                settled = set(entries)
                time.sleep(LOOK_SECONDS)

    def _tidy(self, lease: Lease) -> list[str]:
        adopted = self.manifest.sweep(lambda name: in_shard(name, self._choice.shard), alone=lease.alone)
        self.manifest.load()
        return adopted

    def _count(self, tally: Tally, plan: Plan) -> None:
        tally.found, tally.before = plan.found, plan.done - tally.new
        for record in plan.set_aside:
            tally.troubles[record.source] = record.error.message if record.error else ""
        for name, error in plan.refused:
            tally.troubles[name] = f"{error.message} {error.hint}"
        tally.waiting, tally.cost = len(plan.pending), sum(map(seconds_of, plan.pending))

    def _work(self, entries: Sequence[Entry], pool: Pool[Any], lease: Lease, tally: Tally) -> None:
        costs = {each.name: seconds_of(each) for each in entries}
        for record in self._archive.work(entries, pool, lease):
            tally.waiting -= 1
            tally.cost -= costs[record.source]
            tally.worked += costs[record.source]
            tally.audio += record.duration or 0.0
            if record.error is None:
                tally.new += 1
                tally.troubles.pop(record.source, None)
            else:
                tally.troubles[record.source] = record.error.message
            self._say(record, tally)


def _parts(pending: Sequence[Entry], first: int, *, only: bool) -> list[list[Entry]]:
    """What is computed first, and the rest; none of them empty."""
    # Seeded, so that the same archive is calibrated by the same recordings.
    chosen = set(random.Random(0).sample(pending, min(first, len(pending))))  # noqa: S311  # no secret
    parts = (
        [each for each in pending if each in chosen],
        [each for each in pending if each not in chosen and not only],
    )
    return [part for part in parts if part]


def _lengths(source: Store, entries: Iterable[Entry]) -> tuple[list[float], list[str], dict[str, str]]:
    """The lengths of recordings by their headers, those that tell none, and those that cannot be read."""
    from diarist.audio.sandbox import Sandbox

    lengths, unknown, unreadable = [], [], {}
    sandbox = Sandbox()
    try:
        for entry in entries:
            if source.root is None:
                lengths.append(seconds_of(entry))
                continue
            try:
                told = sandbox.probe(as_recording(source.root / entry.name))
            except InputError as error:
                unreadable[entry.name] = error.message
                continue
            if told is None:
                unknown.append(entry.name)
            lengths.append(seconds_of(entry) if told is None else told)
    finally:
        sandbox.close()
    return lengths, unknown, unreadable


def _interval(samples: Sequence[tuple[float, float]], audio: float) -> tuple[float, float, float] | None:
    """What ``audio`` seconds take where ``samples`` took (seconds, of audio): by resampling them; None without any."""
    total, heard = (sum(each[at] for each in samples) for at in (0, 1))
    if len(samples) < _ENOUGH or not total:
        return None
    chance = random.Random(0)  # noqa: S311  # no secret
    rates = []
    for _ in range(_RESAMPLES):
        again = chance.choices(samples, k=len(samples))
        rates.append(sum(each[0] for each in again) / (sum(each[1] for each in again) or 1.0))
    rates.sort()
    return audio * rates[_RESAMPLES // 40], audio * total / heard, audio * rates[-_RESAMPLES // 40]
