"""The sound of a job, for those who listen: what was decoded, and its outline for drawing.

Made once, when somebody first asks, and kept beside the recording, with which it goes: `Desk.unlink` takes along all
that begins with a recording's name.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Final

import anyio
import anyio.to_thread
from fastapi import APIRouter, Request
from starlette.responses import FileResponse, Response

from diarist.jobs.job import Job, JobNotFoundError
from diarist.model.errors import InputError
from diarist.server.ask import Ask
from diarist.server.desk import Desk
from diarist.server.forms import cannot_keep
from diarist.server.house import House, house_of
from diarist.server.jobs import ask_of, owner_of
from diarist.server.work import Workshop

router = APIRouter(prefix="/v1/jobs", tags=["jobs"])

FLAC: Final = ".flac"
PEAKS: Final = ".peaks"


@router.get("/{job_id}/audio", summary="Hear what was transcribed")
async def audio(request: Request, job_id: str) -> Response:
    """Mono FLAC at 16 kHz, as the models heard it; ``Range`` is honoured, so that players can seek."""
    path = await _found(request, job_id, FLAC)
    return await _file(request, path, "audio/flac")


@router.get("/{job_id}/peaks", summary="How loud the recording is over time, to draw it")
async def peaks(request: Request, job_id: str) -> Response:
    """``{"per_second": 50, "min": …, "max": …}``: base64 of one int8 each for every stretch of 20 ms."""
    path = await _found(request, job_id, PEAKS)
    return await _file(request, path, "application/json")


async def _found(request: Request, job_id: str, ending: str) -> Path:
    house = house_of(request)
    job = await house.desk.call(house.desk.store.get, job_id, owner_of(request))
    return await sound(house, job, ending)


async def sound(house: House, job: Job, ending: str) -> Path:
    """The file that holds the sound or the outline of a job's recording, made now if nobody asked before.

    Raises:
        InputError: the recording is not kept (HTTP 404), or no longer (410), or cannot be decoded.
        Busy: what decodes is not ready yet.
        DiskFullError: there is no room for it.
    """
    source = recording_of(house.desk, job)
    path = source.with_name(source.name + ending)
    async with house.making.setdefault(source.name, asyncio.Lock()):
        if not path.exists():
            workshop = house.desk.ready()
            await anyio.to_thread.run_sync(_make, workshop, ask_of(job), source, job.name, limiter=house.decoding)
            await _unless_deleted(house.desk, job)
    return path


def recording_of(desk: Desk, job: Job) -> Path:
    """The file of a job's recording.

    Raises:
        InputError: it is not kept (HTTP 404), or no longer (410).
    """
    path = desk.folder / job.audio if job.audio else None
    if path is not None and path.is_file():
        return path
    if ask_of(job).url is not None:
        hint = "Fetch it from where the server did; or submit it as a file."
        raise InputError("audio_not_kept", "This recording came from a URL, and is not here.", hint, http_status=404)
    hint = "Whoever runs the server says for how long recordings are kept: --keep audio=…"
    raise InputError("audio_gone", "This recording is not kept any more.", hint, http_status=410)


def _make(workshop: Workshop, ask: Ask, source: Path, name: str) -> None:
    from diarist.audio.peaks import PER_SECOND
    from diarist.audio.peaks import peaks as peaks_of
    from diarist.audio.transport import write_flac

    audio = workshop.decode(ask, source, name)
    lows, highs = (base64.b64encode(values).decode() for values in peaks_of(audio))
    with _whole(source.with_name(source.name + PEAKS)) as file:
        file.write(json.dumps({"per_second": PER_SECOND, "min": lows, "max": highs}).encode())
    with _whole(source.with_name(source.name + FLAC)) as file:
        write_flac(audio, file)


@contextlib.contextmanager
def _whole(path: Path) -> Iterator[BinaryIO]:
    """A file that is there once all of it is on the disk."""
    draft = path.with_name(f"{path.name}.part")
    try:
        with draft.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    except OSError as error:
        raise cannot_keep(error) from error
    finally:
        with contextlib.suppress(OSError):
            draft.unlink(missing_ok=True)


async def _unless_deleted(desk: Desk, job: Job) -> None:
    """Remove what was just made where its job went meanwhile; whoever deletes from now on sees it."""
    try:
        kept = (await desk.call(desk.store.get, job.id)).audio
    except JobNotFoundError:
        kept = None
    if kept != job.audio and job.audio not in await desk.call(desk.store.audio):
        desk.unlink([job.audio] if job.audio else [])
        raise InputError("audio_gone", "This recording is not kept any more.", http_status=410)


async def _file(request: Request, path: Path, media_type: str) -> Response:
    try:
        stat = await anyio.to_thread.run_sync(path.stat)
    except FileNotFoundError:
        raise InputError("audio_gone", "This recording is not kept any more.", http_status=410) from None
    answer = FileResponse(path, media_type=media_type, stat_result=stat, headers={"cache-control": "private, no-cache"})
    if answer.headers["etag"] in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers={"etag": answer.headers["etag"]})
    if not _is_range(request.headers.get("range", ""), stat.st_size):
        # What cannot be read is to be ignored (RFC 9110, 14.2); starlette would refuse it in a shape of its own.
        request.scope["headers"] = [pair for pair in request.scope["headers"] if pair[0] != b"range"]
    return answer


def _is_range(header: str, size: int) -> bool:
    """Whether a ``Range`` is one stretch of bytes that can be given.

    Raises:
        _RangeError: it is one, and begins behind the end.
    """
    asked = _RANGE.fullmatch(header)
    first, last = asked.groups() if asked else ("", "")
    if not (first or last) or (first and last and int(last) < int(first)):
        return False
    if int(first) >= size if first else int(last) == 0:
        raise _RangeError(size)
    return True


class _RangeError(InputError):
    """The stretch that was asked for is not in the file (HTTP 416)."""

    def __init__(self, size: int) -> None:
        message = f"The file has {size} bytes; the range begins behind them."
        super().__init__("bad_range", message, http_status=416)
        self.headers = {"content-range": f"bytes */{size}"}


_RANGE: Final = re.compile(r"\s*bytes\s*=\s*([0-9]{0,18})\s*-\s*([0-9]{0,18})\s*", re.IGNORECASE)
