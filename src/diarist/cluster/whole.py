"""What a worker of an archive does: from one recording's name to its transcript in all formats, as bytes."""

from __future__ import annotations

import asyncio
import contextlib
import importlib.util
import os
import threading
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from diarist.audio.recording import WHOLE, Cut, Recording, as_recording
from diarist.cluster.manifest import output_name
from diarist.cluster.store import Entry, Store
from diarist.cluster.stores import open_store
from diarist.formats import render
from diarist.model.errors import InputError
from diarist.model.options import Options
from diarist.places import Wanted, open_place

if TYPE_CHECKING:
    from diarist.model.transcript import Transcript
    from diarist.pipelines.base import Naming, Pipeline

_TRIES = 2  # readings of a recording that changes meanwhile


@dataclass(frozen=True, slots=True, kw_only=True)
class Setup:
    """What all recordings of a run have in common.

    Attributes:
        source: SRC, as `open_store` takes it.
        out: OUT, likewise; for pages, which show the way from there to the recording.
        formats: to render.
        place: where the engines are.
        wanted: which engines.
        options: what was asked.
        part: of each recording.
        separate: whether each channel is a party of its own.
        named: whether known voices get their names.
    """

    source: str
    out: str
    formats: tuple[str, ...] = ("txt",)
    place: str = "local"
    wanted: Wanted = field(default_factory=Wanted)
    options: Options = field(default_factory=Options)
    part: Cut = WHOLE
    separate: bool = False
    named: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """A recording's transcript.

    Attributes:
        entry: the recording's file as it was read.
        sha256: of its bytes.
        contents: what to write, by format.
        digest: of the transcript, without timings and place.
        models: what made it.
        duration: seconds of audio.
        seconds: that it took.
        cpu_seconds: that this process computed meanwhile; None where it was computed elsewhere.
        warnings: how many the transcript carries.
    """

    entry: Entry
    sha256: str
    contents: Mapping[str, bytes]
    digest: str
    models: tuple[dict[str, str | None], ...]
    duration: float
    seconds: float
    cpu_seconds: float | None
    warnings: int


class Worker:
    """Transcribes recordings of an archive, one after the other.

    Args:
        setup: what all have in common.
        threads: CPU threads of this worker; None as ``setup`` says.

    Raises:
        DiaristError: the engines cannot be loaded.
    """

    def __init__(self, setup: Setup, threads: int | None = None) -> None:
        self._setup = setup
        self._store = open_store(setup.source)
        self._out = open_store(setup.out)
        wanted = setup.wanted if threads is None else replace(setup.wanted, threads=threads)
        self._pipeline: Pipeline = open_place(setup.place, wanted)
        self._naming = _naming(setup.named)

    def __call__(self, name: str) -> Done:
        """Transcribe one.

        Raises:
            InputError: it cannot be read, or does not stop changing.
            DiaristError: as the pipeline says.
        """
        began, computed = time.monotonic(), time.process_time()
        for _ in range(_TRIES):
            before = self._stat(name)
            with self._store.opened(name) as path:
                recording = self._recording(path, name)
                sha256 = recording.digest()
                heard = self._hear(recording)
            if self._store.stat(name) == before:
                return self._done(before, sha256, heard, began, time.process_time() - computed)
        raise _changes(name)

    async def elsewhere(self, name: str) -> Done:
        """Have one transcribed by engines elsewhere; no thread waits meanwhile, and cancelling stops it there too.

        Raises:
            DiaristError: as when it is called.
        """
        began = time.monotonic()
        for _ in range(_TRIES):
            before = await asyncio.to_thread(self._stat, name)
            with contextlib.ExitStack() as stack:
                path = await asyncio.to_thread(stack.enter_context, self._store.opened(name))
                recording = self._recording(path, name)
                sha256 = await asyncio.to_thread(recording.digest)
                if self._setup.separate:
                    heard = await asyncio.to_thread(self._hear, recording)
                else:
                    part, options = self._part(recording), self._setup.options
                    heard = await self._pipeline.atranscribe(part, options, naming=self._naming)
            if await asyncio.to_thread(self._store.stat, name) == before:
                return await asyncio.to_thread(self._done, before, sha256, heard, began, None)
        raise _changes(name)

    def _stat(self, name: str) -> Entry:
        found = self._store.stat(name)
        if found is None:
            raise InputError("audio_not_found", f"{name} is no longer there.")
        return found

    @staticmethod
    def _recording(path: Path, name: str) -> Recording:
        recording = as_recording(path)
        recording.name = PurePosixPath(name).name
        return recording

    def _done(self, entry: Entry, sha256: str, heard: Transcript, began: float, cpu_seconds: float | None) -> Done:
        transcript = heard.shifted(self._setup.part.start)
        return Done(
            entry=entry,
            sha256=sha256,
            contents=render_all(transcript, entry.name, self._setup.formats, self._store, self._out),
            digest=transcript.digest,
            models=tuple(asdict(model) for model in transcript.models),
            duration=heard.duration,
            seconds=time.monotonic() - began,
            cpu_seconds=cpu_seconds,
            warnings=len(transcript.warnings),
        )

    def _part(self, recording: Recording) -> Recording:
        cut = self._setup.part
        return recording.part(cut.start, cut.stop, cut.track)

    def _hear(self, recording: Recording) -> Transcript:
        part, options = self._part(recording), self._setup.options
        if not self._setup.separate:
            return self._pipeline.transcribe(part, options, naming=self._naming)
        from diarist.pipelines.channels import transcribe_channels

        return transcribe_channels(part, self._pipeline, options, naming=self._naming)


def start_worker(setup: Setup, threads: int | None = None) -> Worker:
    """Load a worker's engines, in a process of its own."""
    # Where memory runs out, the system is to end a worker, whose recording is then known, and not who leads the work.
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("1000")
    if threads is not None:  # numpy, which reads this when it is first imported, would use all cores
        os.environ.setdefault("OPENBLAS_NUM_THREADS", str(threads))
    # As in `diarist.cluster.one_recording.start_worker`: a lock between processes that a killed one would leave behind.
    if importlib.util.find_spec("tqdm"):
        importlib.import_module("tqdm").tqdm.set_lock(threading.RLock())
    return Worker(setup, threads)


def render_all(
    transcript: Transcript, name: str, formats: tuple[str, ...], source: Store, out: Store
) -> dict[str, bytes]:
    """Render a transcript in several formats.

    Args:
        transcript: what to render.
        name: of the recording in SRC.
        formats: which.
        source: SRC.
        out: OUT.
    """
    found = {}
    for each in formats:
        way = None
        if source.root is not None and out.root is not None:
            folder = (out.root / output_name(name, each)).parent
            way = Path(os.path.relpath(source.root / name, folder)).as_posix()
        content = render(transcript, each, name=PurePosixPath(name).stem, recording=way)
        found[each] = content if isinstance(content, bytes) else content.encode()
    return found


def _naming(named: bool) -> Naming | None:
    if not named:
        return None
    from diarist.speakers.identify import identify
    from diarist.speakers.store import default_store

    return partial(identify, voices=default_store().load())


def _changes(name: str) -> InputError:
    return InputError("audio_changes", f"{name} changes while it is read.", "Wait until it is written.")
