"""What became of each recording of an archive: records beside the transcripts, which are the only truth.

``OUT/.diarist/<kk>/<key>.json`` is written when all outputs are, ``<key>.intent`` before the first of them. Who died
between the two left an intent: where the outputs are there as it says, it becomes the record; where not, they go.

Parquet, Delta and Lance were rejected: each writes whole files anew for one row.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import PurePosixPath
from typing import Any, Final

import msgspec

from diarist.cluster.index import Index
from diarist.cluster.store import DRAFT, Entry, Store
from diarist.files import MAX_DOCUMENT_BYTES
from diarist.formats import FORMATS

FOLDER: Final = ".diarist"
"""The folder in OUT that holds the records."""
MAX_NAME_BYTES: Final = 255
_SCHEMA: Final = 1


@dataclass(frozen=True, slots=True)
class Output:
    """A file that was written.

    Attributes:
        file: its path below OUT.
        size: bytes.
        sha256: of its bytes.
    """

    file: str
    size: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Trouble:
    """Why a recording was set aside: code, message and hint of the error."""

    code: str
    message: str
    hint: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """What became of a recording.

    Attributes:
        source: its path below SRC.
        size: bytes that it had.
        version: its time of change, or ETag: with the size, what tells whether it is still the same.
        asked: digest of ``options``.
        options: all that was asked and can change the result.
        sha256: of the recording's bytes; None where they were not read to the end.
        models: what made it: task, name, revision and engine of each.
        outputs: by format; none where it was set aside.
        digest: of the transcript, without timings and place.
        duration: seconds of audio.
        seconds: that it took its worker.
        cpu_seconds: likewise, of processor time; None where it was computed elsewhere.
        attempts: how many times a worker was sent it.
        place: where it was computed.
        warnings: how many the transcript carries.
        error: why it was set aside; None if it was transcribed.
        finished: when, in UTC.
        diarist: the version that wrote this.
        schema: of this document.
    """

    source: str
    size: int
    version: str
    asked: str
    options: dict[str, Any] = field(default_factory=dict)
    sha256: str | None = None
    models: tuple[dict[str, str | None], ...] = ()
    outputs: dict[str, Output] = field(default_factory=dict)
    digest: str | None = None
    duration: float | None = None
    seconds: float | None = None
    cpu_seconds: float | None = None
    attempts: int = 0
    place: str = "local"
    warnings: int = 0
    error: Trouble | None = None
    finished: str = ""
    diarist: str = ""
    schema: int = _SCHEMA


def key_of(source: str) -> str:
    """What a recording's record is called: one for each, whatever was asked, since their outputs are the same files."""
    return hashlib.sha256(source.encode(errors="surrogatepass")).hexdigest()  # any bytes may be a name


def digest_of(options: Mapping[str, Any]) -> str:
    """The digest of what was asked: equal for equal wishes, in whatever order they are given."""
    return hashlib.sha256(json.dumps(options, sort_keys=True).encode()).hexdigest()


def output_name(source: str, format_name: str) -> str:
    """Where a transcript goes below OUT: the recording's whole name, and the format's extension after it.

    It does not depend on what else is there, so that a recording that comes later changes no other's place.
    """
    return f"{source}.{FORMATS[format_name].extension}"


def fits(source: str) -> bool:
    """Whether file systems take the names of its outputs."""
    longest = max(len(form.extension) for form in FORMATS.values()) + 1
    return len(os.fsencode(PurePosixPath(source).name)) + longest <= MAX_NAME_BYTES


def to_bytes(record: Record) -> bytes:
    """A record as JSON, the same bytes for the same record. Names that are no UTF-8 come back as they were."""
    return json.dumps(asdict(record), sort_keys=True, indent=1).encode() + b"\n"


def from_bytes(content: bytes) -> Record | None:
    """Read a record; None if it is none, or of a later version."""
    try:
        record = msgspec.convert(json.loads(content), Record)
    except (ValueError, RecursionError, msgspec.ValidationError):
        return None
    return record if record.schema == _SCHEMA else None


class Manifest:
    """The records of an archive.

    Args:
        store: OUT.
        index: holds what was read of them before; None reads all.
    """

    def __init__(self, store: Store, index: Index | None = None) -> None:
        self._store = store
        self._index = index
        self.records: dict[str, Record] = {}
        """By key."""
        self.files: dict[str, Entry] = {}
        """What lies in OUT, without the records, by name."""

    def load(self) -> None:
        """Read all records, and what lies in OUT."""
        held = self._index.all() if self._index else {}
        seen: dict[str, tuple[str, bytes]] = {}
        self.records, self.files = {}, {}
        for entry in self._store.list():
            if not entry.name.startswith(f"{FOLDER}/"):
                self.files[entry.name] = entry
                continue
            path = PurePosixPath(entry.name)
            if path.suffix != ".json" or len(path.parts) != 3 or entry.size > MAX_DOCUMENT_BYTES:
                continue
            version = f"{entry.size} {entry.version}"
            before = held.get(path.stem)
            content = before[1] if before and before[0] == version else self._store.read(entry.name)
            record = from_bytes(content) if content is not None else None
            if record is not None and content is not None and key_of(record.source) == path.stem:
                self.records[path.stem] = record
                seen[path.stem] = (version, content)
        if self._index:
            self._index.keep(seen, held)

    def sweep(self, mine: Callable[[str], bool], *, alone: bool) -> list[str]:
        """Clear up after who died: adopt what they had published whole, remove what they had not. Then `load`.

        Args:
            mine: whether this run may touch a recording, by its name.
            alone: whether nobody else works on this archive: then, drafts of files are nobody's.

        Returns:
            The recordings whose transcripts were adopted.
        """
        adopted = []
        for entry in list(self._store.list()):
            path = PurePosixPath(entry.name)
            if path.name.startswith(DRAFT) and alone:
                self._store.delete(entry.name)
            elif path.suffix == ".intent" and path.parts[0] == FOLDER:
                content = self._store.read(entry.name)
                record = from_bytes(content) if content else None
                if record is not None and not mine(record.source):
                    continue
                if record is not None and self._publish_intended(record):
                    adopted.append(record.source)
                self._store.delete(entry.name)
        return adopted

    def _publish_intended(self, record: Record) -> bool:
        there = {each.file: self.intact(each) for each in record.outputs.values()}
        final = _place(record.source, "json")
        if there and all(there.values()):
            known = self._store.read(final) == to_bytes(record)  # it died later, when all was done
            self._store.write(final, to_bytes(record))
            return not known
        for file, whole in there.items():
            if whole:  # as we wrote it: nobody else's
                self._store.delete(file)
        return False

    def intact(self, output: Output) -> bool:
        """Whether a file is there as it was written, byte for byte."""
        content = self._store.read(output.file)
        return content is not None and hashlib.sha256(content).hexdigest() == output.sha256

    def publish(self, record: Record, contents: Mapping[str, bytes]) -> Record:
        """Write the outputs, then the record.

        Args:
            record: with those outputs of before that stay as they are.
            contents: by format.

        Returns:
            The record with all outputs.

        Raises:
            StoreError: the place does not take it. The next run adopts or removes what was written.
        """
        outputs = {
            name: Output(output_name(record.source, name), len(content), hashlib.sha256(content).hexdigest())
            for name, content in contents.items()
        }
        record = replace(record, outputs={**record.outputs, **outputs})
        intent, final = (_place(record.source, kind) for kind in ("intent", "json"))
        if outputs:
            self._store.write(intent, to_bytes(record))
        for name, content in contents.items():
            self._store.write(outputs[name].file, content)
        self._store.write(final, to_bytes(record))
        if outputs:
            self._store.delete(intent)
        self.records[key_of(record.source)] = record
        for output in outputs.values():
            self.files[output.file] = Entry(output.file, output.size, "")
        return record

    def about(self, source: Entry, asked: str) -> Record | None:
        """The record of a recording that has not changed since, and of which the same was asked; None if there is none.

        The sizes and times of outputs are not looked at: what a person changed stays, and `verify` reads digests.
        """
        record = self.records.get(key_of(source.name))
        same = record is not None and (record.size, record.version, record.asked) == (
            source.size,
            source.version,
            asked,
        )
        return record if same else None

    def taken(self, source: str, formats: Iterable[str]) -> str | None:
        """A file where a transcript would go that this archive has not written, or not so; None if there is none."""
        record = self.records.get(key_of(source))
        for name in formats:
            file = output_name(source, name)
            if file in self.files:
                ours = record.outputs.get(name) if record else None
                if ours is None or not self.intact(ours):
                    return file
        return None

    def verify(self) -> list[tuple[str, str]]:
        """Read every transcript: each that is not as it was written, and what is wrong with it."""
        wrong = []
        for record in self.records.values():
            for output in record.outputs.values():
                content = self._store.read(output.file)
                if content is None:
                    wrong.append((output.file, "missing"))
                elif hashlib.sha256(content).hexdigest() != output.sha256:
                    wrong.append((output.file, "changed"))
        return wrong


def _place(source: str, kind: str) -> str:
    key = key_of(source)
    return f"{FOLDER}/{key[:2]}/{key}.{kind}"
