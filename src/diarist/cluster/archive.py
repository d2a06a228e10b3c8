"""A folder of recordings to a folder of transcripts, whatever ends the work meanwhile: run again, it goes on.

This process finds what is to be done, gives it to a pool, and is the only one that writes. It knows no engine.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from pathlib import PurePosixPath
from typing import Any, Final

from diarist import __version__
from diarist.audio.containers import MEDIA_SUFFIXES
from diarist.cluster.lease import Lease
from diarist.cluster.manifest import Manifest, Record, Trouble, digest_of, fits, key_of
from diarist.cluster.run import Outcome, Pool, Task, run
from diarist.cluster.store import Entry, Store
from diarist.cluster.whole import Done, Setup, render_all
from diarist.model import codec
from diarist.model.errors import EndpointError, EngineError, InputError
from diarist.model.transcript import Transcript

BYTES_A_SECOND: Final = {"wav": 32_000, "aif": 176_400, "aiff": 176_400, "au": 16_000, "flac": 50_000, "w64": 176_400}
"""Of recordings whose length nobody has looked at yet, by suffix: enough to know the long ones."""
_OTHERS: Final = 12_000
_FILMS: Final = 100_000
_FILM_SUFFIXES: Final = frozenset({"mp4", "mkv", "mov", "avi", "m4v", "mpg", "mpeg", "ts", "webm", "wmv"})
_SLOWEST: Final = 20.0  # seconds of work for a second of audio, before a worker counts as hanging
_PATIENCE: Final = 900.0

_IN_A_ROW: Final = 10  # recordings at which engines or endpoints fail, one after the other: it is not the recordings


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """Which recordings are meant.

    Attributes:
        include: patterns as `matches` takes them; none means all.
        exclude: likewise; they come after.
        shard: which part of how many, from 1.
        limit: so many at most, of those that are to be done; None: all.
        retry: whether those that were set aside are tried again.
        overwrite: whether files are replaced that this archive did not write, or that were changed since.
    """

    include: Sequence[str] = ()
    exclude: Sequence[str] = ()
    shard: tuple[int, int] = (1, 1)
    limit: int | None = None
    retry: bool = False
    overwrite: bool = False

    def has(self, name: str) -> bool:
        """Whether a recording is one of those, going by its name alone."""
        if self.include and not any(matches(name, pattern) for pattern in self.include):
            return False
        return not any(matches(name, pattern) for pattern in self.exclude) and in_shard(name, self.shard)


@dataclass(slots=True)
class Plan:
    """What is to be done.

    Attributes:
        pending: to be computed.
        rendered: whose transcript is there, and which want other formats of it.
        done: how many need nothing.
        set_aside: those that were given up before, and are not tried again.
        refused: those that cannot be done as things are, and why.
    """

    pending: list[Entry] = field(default_factory=list)
    rendered: list[Entry] = field(default_factory=list)
    done: int = 0
    set_aside: list[Record] = field(default_factory=list)
    refused: list[tuple[str, InputError]] = field(default_factory=list)

    @property
    def found(self) -> int:
        """How many recordings are meant."""
        return len(self.pending) + len(self.rendered) + self.done + len(self.set_aside) + len(self.refused)


def matches(name: str, pattern: str) -> bool:
    """Whether a recording's path below SRC is one that a pattern means.

    ``*`` stands for any letters, ``/`` too; a pattern without ``/`` is for the file's own name, in any folder; one that
    ends in ``/`` is for all that is in such a folder.
    """
    if pattern.endswith("/"):
        return fnmatchcase(name, f"{pattern}*") or fnmatchcase(name, f"*/{pattern}*")
    return fnmatchcase(name if "/" in pattern else PurePosixPath(name).name, pattern)


def in_shard(name: str, shard: tuple[int, int]) -> bool:
    """Whether a recording is in a part of an archive. Each is in one of ``N``, whatever else is there."""
    return int(key_of(name)[:16], 16) % shard[1] == shard[0] - 1


def find(source: Store, choice: Choice) -> list[Entry]:
    """The recordings in SRC that are meant: what is named like one, and not hidden."""
    return [
        entry
        for entry in source.list()
        if PurePosixPath(entry.name).suffix.lower() in MEDIA_SUFFIXES
        and not any(part.startswith(".") for part in PurePosixPath(entry.name).parts)
        and choice.has(entry.name)
    ]


def asked(setup: Setup, models: Sequence[str]) -> dict[str, Any]:
    """All that was asked and can change a transcript, as JSON.

    Args:
        setup: of the run.
        models: what ``auto`` means here.
    """
    return {
        "options": codec.dump(setup.options),
        "part": asdict(setup.part),
        "separate": setup.separate,
        "named": setup.named,
        "place": setup.place,
        "models": list(models),
    }


def seconds_of(entry: Entry) -> float:
    """About how long a recording is, going by its size."""
    suffix = PurePosixPath(entry.name).suffix.lower().lstrip(".")
    return entry.size / BYTES_A_SECOND.get(suffix, _FILMS if suffix in _FILM_SUFFIXES else _OTHERS)


class Archive:
    """One run on an archive. Its caller holds the lease.

    Args:
        source: SRC.
        out: OUT.
        setup: what all recordings have in common.
        options: as `asked` gives them.
        choice: which recordings.
        manifest: of OUT, loaded before the plan is made.
        limit: seconds that one recording may take; None: by its length.
    """

    def __init__(
        self,
        source: Store,
        out: Store,
        setup: Setup,
        options: dict[str, Any],
        choice: Choice,
        manifest: Manifest,
        *,
        limit: float | None = None,
    ) -> None:
        self._source, self._out, self._setup = source, out, setup
        self._options, self._digest = options, digest_of(options)
        self._choice, self.manifest, self._limit = choice, manifest, limit

    def plan(self, entries: Iterable[Entry]) -> Plan:
        """Find out what is to be done. Nothing is computed or written."""
        found = Plan()
        for entry in entries:
            record = self.manifest.about(entry, self._digest)
            if record is not None and record.error is not None and not self._choice.retry:
                found.set_aside.append(record)
                continue
            lacking = self._lacking(record)
            if not lacking:
                found.done += 1
            elif refused := self._refusal(entry.name, lacking):
                found.refused.append((entry.name, refused))
            elif (
                record
                and not record.error
                and "json" in record.outputs
                and self.manifest.intact(record.outputs["json"])
            ):
                found.rendered.append(entry)
            else:
                found.pending.append(entry)
        if self._choice.limit is not None:
            found.pending = found.pending[: self._choice.limit]
        return found

    def work(self, pending: Iterable[Entry], pool: Pool[Any], lease: Lease | None = None) -> Iterator[Record]:
        """Have recordings transcribed, the long ones first; yields what became of each, once that is in OUT.

        A recording that is at fault, or at which an engine fails or ends twice, is set aside. Where an endpoint fails,
        the recording is told of, and the next run takes it again.

        Raises:
            StoreError: SRC or OUT fails.
            DiaristError: no recording can be done: models are missing, or all fail one after the other.
        """
        in_a_row = 0
        for outcome in run(map(self._task, pending), pool):
            if lease is not None:
                lease.check()
            if outcome.error is None:
                in_a_row = 0
                yield self._keep(outcome)
                continue
            in_a_row += isinstance(outcome.error, EndpointError | EngineError)
            if in_a_row >= _IN_A_ROW or not isinstance(outcome.error, InputError | EngineError | EndpointError):
                raise outcome.error
            yield self._set_aside(outcome)

    def render(self, entries: Iterable[Entry]) -> Iterator[Record]:
        """Write other formats of transcripts that are there; yields each record when it is in OUT."""
        for entry in entries:
            record = self.manifest.records[key_of(entry.name)]
            content = self._out.read(record.outputs["json"].file) or b""
            transcript = codec.read(Transcript, content)
            lacking = tuple(self._lacking(record))
            contents = render_all(transcript, entry.name, lacking, self._source, self._out)
            yield self.manifest.publish(record, contents)

    def _lacking(self, record: Record | None) -> list[str]:
        """The formats that are to be written. A file that a person has changed is not: it stays."""
        if record is None or record.error is not None:
            return list(self._setup.formats)
        files = self.manifest.files
        return [
            each for each in self._setup.formats if each not in record.outputs or record.outputs[each].file not in files
        ]

    def _refusal(self, name: str, formats: Sequence[str]) -> InputError | None:
        if not fits(name):
            return InputError(
                "name_too_long", "Its name is too long to add a format's ending.", "Give it a shorter one."
            )
        taken = None if self._choice.overwrite else self.manifest.taken(name, formats)
        if taken is None:
            return None
        return InputError(
            "would_replace",
            f"{taken} is there already, and not as this archive wrote it.",
            "Move it, or replace what is there with --overwrite.",
        )

    def _task(self, entry: Entry) -> Task:
        seconds = seconds_of(entry)
        limit = self._limit if self._limit is not None else _PATIENCE + _SLOWEST * seconds
        return Task(entry.name, lambda: entry.name, cost=seconds, limit=limit)

    def _keep(self, outcome: Outcome) -> Record:
        done: Done = outcome.result
        before = self.manifest.about(done.entry, self._digest)
        record = replace(
            self._record(done.entry, outcome),
            sha256=done.sha256,
            models=done.models,
            outputs=dict(before.outputs) if before else {},
            digest=done.digest,
            duration=done.duration,
            seconds=round(done.seconds, 3),
            cpu_seconds=None if done.cpu_seconds is None else round(done.cpu_seconds, 3),
            warnings=done.warnings,
        )
        return self.manifest.publish(record, done.contents)

    def _set_aside(self, outcome: Outcome) -> Record:
        error, name = outcome.error, outcome.task.key
        assert error is not None  # noqa: S101  # its caller looked
        trouble = Trouble(error.code, error.message, error.hint)
        entry = self._source.stat(name) or Entry(name, 0, "")
        before = self.manifest.records.get(key_of(name))
        record = replace(self._record(entry, outcome), error=trouble, outputs=dict(before.outputs) if before else {})
        if isinstance(error, EndpointError):  # the recording is not to blame
            return record
        return self.manifest.publish(record, {})

    def _record(self, entry: Entry, outcome: Outcome) -> Record:
        return Record(
            source=entry.name,
            size=entry.size,
            version=entry.version,
            asked=self._digest,
            options=self._options,
            attempts=outcome.starts,
            place=self._setup.place,
            finished=datetime.now(UTC).isoformat(timespec="seconds"),
            diarist=__version__,
        )
