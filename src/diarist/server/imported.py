"""A transcript that was made before, as a job that is done: to be read, heard and put right on the page."""

from __future__ import annotations

import hashlib
import os
import secrets
import shutil
from contextlib import suppress
from pathlib import Path

import msgspec

from diarist.files import why
from diarist.jobs.job import NewJob
from diarist.model import codec
from diarist.model.errors import InputError
from diarist.model.options import Options
from diarist.model.transcript import Transcript
from diarist.server.ask import Ask, identity
from diarist.server.desk import Desk

_WORKER = "import"
_SECONDS = 60.0


def take_in(desk: Desk, transcript: Transcript, name: str, recording: Path | None, *, owner: str = "") -> str:
    """Take a transcript in, before the desk begins to work; the same again is the same job, with its corrections.

    Args:
        desk: where.
        transcript: as it is in its file.
        name: the recording's, for people.
        recording: copied, so that it is there whatever becomes of the file; None where there is none.
        owner: whose it is.

    Returns:
        The job's id.

    Raises:
        InputError: the recording cannot be read.
        StoreError: it cannot be kept.
    """
    written = msgspec.json.encode(codec.dump(transcript)).decode()
    audio = _copied(recording, desk.folder) if recording is not None else None
    told = f"{_digest(desk.folder / audio) if audio else ''} {hashlib.sha256(written.encode()).hexdigest()}"
    new = NewJob(
        owner=owner,
        request=msgspec.json.encode(identity(Ask(options=Options()))).decode(),
        digest=hashlib.sha256(f"import {told}".encode()).hexdigest(),
        name=name,
        audio=audio,
        audio_bytes=(desk.folder / audio).stat().st_size if audio else 0,
        seconds=transcript.duration,
        idempotency_key=f"import {told}",
    )
    job, is_new = desk.store.add(new)
    if not is_new and audio:
        (desk.folder / audio).unlink()
    # One that was added and not finished, as power went, is finished now.
    if lease := desk.store.lease(job.id, _WORKER, _SECONDS):
        desk.store.finish(lease, written)
    return job.id


def _copied(recording: Path, folder: Path) -> str:
    """Copy a recording to where they are kept."""
    name = secrets.token_hex(16)
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        try:
            shutil.copyfile(recording, folder / name)
        except BaseException:
            with suppress(OSError):
                (folder / name).unlink(missing_ok=True)
            raise
        with (folder / name).open("rb") as file:
            os.fsync(file.fileno())
    except OSError as error:
        raise InputError(
            "unreadable_recording", f"Cannot copy {recording}: {why(error)}.", "See that it is there."
        ) from None
    return name


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
