"""Transcripts of jobs: reading them exactly, correcting them, finding the speakers again, and finding words."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import anyio.to_thread
import msgspec
from fastapi import APIRouter, Request
from starlette.responses import JSONResponse, Response

from diarist.editing import read_edits
from diarist.jobs.job import Conflict, Job
from diarist.jobs.wire_errors import FieldError
from diarist.model import codec
from diarist.model.errors import InputError
from diarist.model.options import Options
from diarist.model.transcript import Transcript
from diarist.server import revisions
from diarist.server.desk import Desk
from diarist.server.house import House, house_of
from diarist.server.jobs import ask_of, owner_of, told

router = APIRouter(tags=["transcripts"])

_MOST_FOUND: Final = 100


class _Edits(msgspec.Struct, forbid_unknown_fields=True):
    operations: msgspec.Raw = msgspec.Raw()
    undo: bool = False
    redo: bool = False


class _Counts(msgspec.Struct, forbid_unknown_fields=True):
    num_speakers: int | None = None
    min_speakers: int | None = None
    max_speakers: int | None = None


@router.get("/v1/jobs/{job_id}/transcript", summary="The transcript, with all that is known")
async def transcript(request: Request, job_id: str, edited: bool = True) -> Response:
    """With its edits, or as it was computed. The ``ETag`` is the revision, which a change names in ``If-Match``."""
    text, revision = await _read(house_of(request).desk, job_id, owner_of(request), edited=edited)
    return Response(text, media_type="application/json", headers={"etag": f'"{revision}"'})


@router.post("/v1/jobs/{job_id}/edits", summary="Correct the transcript")
async def edit(request: Request, job_id: str) -> Response:
    """``{"operations": […]}``, done one after the other or not at all; or ``{"undo": true}``, ``{"redo": true}``.

    ``If-Match`` names the revision that was read, so that nobody overwrites what somebody else wrote. The answer is the
    new revision and transcript; with ``Prefer: return=minimal``, only the revision.
    """
    house = house_of(request)
    desk, owner = house.desk, owner_of(request)
    body = codec.read(_Edits, await request.body(), called="list of edits")
    operations = bytes(body.operations)
    if bool(operations) + body.undo + body.redo != 1:
        hint = 'Send {"operations": […]}, {"undo": true} or {"redo": true}.'
        raise InputError("bad_document", "It must be said what to do, and one thing only.", hint, http_status=422)
    text, revision = await _matching(request, desk, job_id, owner)
    done = await desk.call(desk.store.history, job_id, owner) if body.undo or body.redo else ()

    def change() -> tuple[str, revisions.Change]:
        before = codec.read(Transcript, text.encode())
        if operations:
            after, made = revisions.edited(before, read_edits(operations))
        else:
            after, made = (revisions.undone if body.undo else revisions.redone)(before, done)
        return _written(after), made

    after, made = await anyio.to_thread.run_sync(change, limiter=house.thinking)
    revision = await desk.call(
        desk.store.edit, job_id, owner, if_match=revision, operations=made.write(), transcript=after
    )
    return _changed(request, revision, after)


@router.get("/v1/jobs/{job_id}/edits", summary="What was changed since the transcript was computed")
async def history(request: Request, job_id: str) -> Response:
    """Oldest first, with what was taken back."""
    desk = house_of(request).desk
    edits = await desk.call(desk.store.history, job_id, owner_of(request))
    data = [
        {"revision": edit.revision, "at": edit.at, "kind": change.kind, "operations": change.operations}
        for edit, change in zip(edits, map(revisions.read_change, edits), strict=True)
    ]
    return Response(msgspec.json.encode({"object": "list", "data": data}), media_type="application/json")


@router.post("/v1/jobs/{job_id}/speakers", summary="Find the speakers again, for another number of them")
async def speakers(request: Request, job_id: str) -> Response:
    """``{"num_speakers": 3}``, or ``min_speakers`` and ``max_speakers``; ``{}`` leaves it open. Takes milliseconds.

    ``If-Match`` names the revision that was read. What was edited goes: words, names and the history.
    """
    house = house_of(request)
    desk, owner = house.desk, owner_of(request)
    counts = codec.read(_Counts, await request.body() or b"{}", called="number of speakers")
    wanted = Options(
        num_speakers=counts.num_speakers, min_speakers=counts.min_speakers, max_speakers=counts.max_speakers
    )
    _, revision = await _matching(request, desk, job_id, owner)
    job = await desk.call(desk.store.get, job_id, owner)
    after = await _found_again(house, job, wanted)
    written = _written(after)
    revision = await desk.call(desk.store.replace_transcript, job_id, owner, if_match=revision, transcript=written)
    return _changed(request, revision, written)


@router.get("/v1/search", summary="Find transcripts by their words")
async def search(request: Request, q: str = "", limit: int = 20) -> Response:
    """Those that hold all words of ``q``, by their beginnings; each with the first place that holds any."""
    if not 1 <= limit <= _MOST_FOUND:
        raise FieldError("bad_field", f"limit must be from 1 to {_MOST_FOUND}.", field="limit", http_status=400)
    if not q.strip():
        raise FieldError(
            "missing_field", "What is looked for is missing.", "Write ?q=WORDS.", field="q", http_status=400
        )
    desk = house_of(request).desk
    hits = await desk.call(desk.store.search, owner_of(request), q, limit=limit)
    data = [{"job": await told(desk, hit.job), "text": hit.text, "start": hit.start} for hit in hits]
    return JSONResponse({"object": "list", "data": data})


async def _found_again(house: House, job: Job, wanted: Options) -> Transcript:
    desk, ask = house.desk, ask_of(job)
    workshop = desk.ready()
    parts = await desk.call(desk.store.parts, job.id)
    hint = "Submit the recording again, with the number of speakers."
    if not ask.options.diarize:
        raise InputError("no_speakers", "This job was asked for words only.", hint, http_status=409)
    if "transcription" not in parts or "evidence" not in parts:
        message = "What the speakers were found from was not kept."
        if ask.channels == "separate":
            message = "The speakers of this job are the channels of its recording."
        raise InputError("no_evidence", message, hint, http_status=409)
    options = replace(
        ask.options,
        num_speakers=wanted.num_speakers,
        min_speakers=wanted.min_speakers,
        max_speakers=wanted.max_speakers,
    )
    voices = await desk.voices_for(job.owner, ask)
    try:
        return await anyio.to_thread.run_sync(
            lambda: workshop.recluster(ask, options, parts["transcription"], parts["evidence"], voices),
            limiter=house.thinking,
        )
    except InputError as error:
        # Whatever it is, it is no fault of the request: the job, or this server's models, cannot.
        raise InputError(error.code, error.message, error.hint or hint, http_status=409) from None


async def _matching(request: Request, desk: Desk, job_id: str, owner: str) -> tuple[str, int]:
    """The transcript and its revision, if it is the one that ``If-Match`` names.

    Raises:
        InputError: it is not named (HTTP 428).
        Conflict: it is another.
    """
    named = request.headers.get("if-match")
    text, revision = await _read(desk, job_id, owner, edited=True)
    if named is None:
        hint = f'Send If-Match: "{revision}" if you have read that revision.'
        raise InputError("no_revision", "It is not said which revision is changed.", hint, http_status=428)
    if named.strip() != f'"{revision}"':
        raise Conflict(revision)
    return text, revision


async def _read(desk: Desk, job_id: str, owner: str, *, edited: bool) -> tuple[str, int]:
    """A transcript, and the revision that it is of."""
    job = await desk.call(desk.store.get, job_id, owner)
    while True:
        text = await desk.call(desk.store.transcript, job_id, owner, edited=edited)
        again = await desk.call(desk.store.get, job_id, owner)
        if again.revision == job.revision:
            return text, job.revision
        job = again  # somebody changed it between


def _written(transcript: Transcript) -> str:
    return msgspec.json.encode(codec.dump(transcript)).decode()


def _changed(request: Request, revision: int, transcript: str) -> Response:
    document: dict[str, object] = {"revision": revision}
    headers = {"etag": f'"{revision}"'}
    if "return=minimal" in request.headers.get("prefer", "").replace(" ", ""):
        headers["preference-applied"] = "return=minimal"
    else:
        document["transcript"] = msgspec.Raw(transcript.encode())
    return Response(msgspec.json.encode(document), media_type="application/json", headers=headers)
