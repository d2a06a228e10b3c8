"""Jobs: work that goes on while nobody waits, and what became of it."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager, suppress
from typing import Any, Final

import anyio
import anyio.to_thread
import msgspec
from fastapi import APIRouter, Request
from starlette.responses import JSONResponse, Response

from diarist.formats.answers import content_type
from diarist.jobs.job import Job, StoreError
from diarist.jobs.wire_errors import FieldError
from diarist.model.errors import InputError
from diarist.server.ask import Ask, ask_from
from diarist.server.desk import Desk
from diarist.server.fields import flattened, in_format, read_job
from diarist.server.forms import Form, FormBounds
from diarist.server.house import house_of
from diarist.server.openai import pinged, recording, rendered, stream
from diarist.server.uploads import read_form
from diarist.server.webhooks import read_webhook

router = APIRouter(prefix="/v1/jobs", tags=["jobs"])

_MOST_LISTED: Final = 200
_STATES: Final = ("queued", "running", "completed", "failed", "cancelled")


@router.post("", status_code=202, summary="Submit a recording, and come back for the result")
async def submit(request: Request) -> Response:
    """A form as for ``/v1/audio/transcriptions``, or JSON with ``url``; ``Idempotency-Key`` makes repeats safe.

    ``webhook_url`` is called when the job ends, signed with ``webhook_secret``.
    """
    house = house_of(request)
    models = house.models
    async with sent(request) as form:
        fields, webhook = read_webhook(
            form.fields,
            server=str(request.base_url).rstrip("/"),
            rules=house.webhook_rules,
            has_secret=house.signs_webhooks,
        )
        ask = await anyio.to_thread.run_sync(lambda: read_job(fields, form.files, models=models))
        job = await house.desk.submit(
            request.state.caller,
            ask,
            recording(form),
            transient=False,
            idempotency_key=_key(request),
            webhook=webhook,
        )
    return JSONResponse(await told(house.desk, job), status_code=202, headers={"location": f"/v1/jobs/{job.id}"})


@router.get("", summary="List jobs, newest first")
async def listing(request: Request, state: str | None = None, before: str | None = None, limit: int = 50) -> Response:
    """``before`` is the last id of the page before."""
    if state is not None and state not in _STATES:
        raise FieldError(
            "bad_field", f"There is no state {state!r}.", f"Choose from {', '.join(_STATES)}.", field="state"
        )
    if not 1 <= limit <= _MOST_LISTED:
        raise FieldError("bad_field", f"limit must be from 1 to {_MOST_LISTED}.", field="limit")
    desk = house_of(request).desk
    found = await desk.call(desk.store.list, owner_of(request), state=state, before=before, limit=limit + 1)
    data = [await told(desk, job) for job in found[:limit]]
    return JSONResponse({"object": "list", "data": data, "has_more": len(found) > limit})


@router.get("/{job_id}", summary="How far a job is")
async def state(request: Request, job_id: str) -> Response:
    """Its state, and each stage's share."""
    desk = house_of(request).desk
    return JSONResponse(await told(desk, await desk.call(desk.store.get, job_id, owner_of(request))))


@router.get("/{job_id}/events", summary="Watch a job: progress, words as they are final, the end")
async def events(request: Request, job_id: str) -> Response:
    """Server-Sent Events. After a broken connection, ``Last-Event-ID`` goes on where it was."""
    desk = house_of(request).desk
    job = await desk.call(desk.store.get, job_id, owner_of(request))
    last = request.headers.get("last-event-id", "0")
    offset = int(last) if last.isascii() and last.isdigit() and len(last) < 10 else 0
    return stream(_events(desk, job, offset), {})


@router.get("/{job_id}/result", summary="The transcript, in any format")
async def result(request: Request, job_id: str, format: str | None = None) -> Response:  # noqa: A002
    """With its edits. ``format`` is one of ``diarist formats``, or OpenAI's; by default what the job asked for."""
    desk = house_of(request).desk
    job = await desk.call(desk.store.get, job_id, owner_of(request))
    if job.state in ("queued", "running"):
        raise InputError(
            "not_ready", "The job is not done yet.", f"GET /v1/jobs/{job_id} says how far.", http_status=409
        )
    transcript = await desk.result(job_id)
    ask = ask_of(job)
    shape = (ask if format is None else in_format(ask, format)).shape
    content = await anyio.to_thread.run_sync(rendered, transcript, shape, job.name)
    return Response(content, headers={"content-type": content_type(shape.response_format), "etag": f'"{job.revision}"'})


@router.post("/{job_id}/cancel", summary="Stop a job, and keep what is known of it")
async def cancel(request: Request, job_id: str) -> Response:
    """A job that ended stays as it is."""
    desk = house_of(request).desk
    return JSONResponse(await told(desk, await desk.cancel(job_id, owner_of(request))))


@router.delete("/{job_id}", status_code=204, summary="Stop a job and erase all of it")
async def delete(request: Request, job_id: str) -> Response:
    """Recording, words, voices and edits: nothing is left in any file of the server."""
    await house_of(request).desk.delete(job_id, owner_of(request))
    return Response(status_code=204)


async def told(desk: Desk, job: Job) -> dict[str, Any]:
    """A job as clients see it."""
    stages = desk.stages(job)
    if job.state == "completed":
        stages = dict.fromkeys(stages, 1.0)  # the last reports may not have been written down
    document: dict[str, Any] = {
        "id": job.id,
        "object": "job",
        "status": job.state,
        "name": job.name,
        "created": round(job.created, 3),
        "stages": {stage: round(done, 3) for stage, done in stages.items()},
        "attempts": job.attempts,
    }
    for name in ("seconds", "started", "ended", "expires"):
        value = getattr(job, name)
        if value is not None:
            document[name] = round(value, 3)
    if job.state == "queued":
        with suppress(StoreError):  # it was accepted, whatever cannot be read about it now
            waiting = await desk.look(desk.store.queued)
            document["position"] = 1 + next((place for place, each in enumerate(waiting) if each.id == job.id), 0)
    if job.state == "completed":
        document["revision"] = job.revision
        document["recording"] = job.audio is not None
    if job.error is not None:
        document["error"] = json.loads(job.error)
    return document


def ask_of(job: Job) -> Ask:
    """What a job asked."""
    return ask_from(msgspec.json.decode(job.request))


def owner_of(request: Request) -> str:
    """Whose jobs a request may see."""
    owner: str = request.state.caller.id
    return owner


def _key(request: Request) -> str | None:
    key = request.headers.get("idempotency-key")
    if key is not None and not (0 < len(key) <= 255 and key.isascii() and key.isprintable()):
        raise InputError(
            "bad_idempotency_key", "Idempotency-Key must be 1 to 255 printable characters.", "Send a UUID."
        )
    return key


@asynccontextmanager
async def sent(request: Request, bounds: FormBounds | None = None) -> AsyncIterator[Form]:
    """What was sent, as a form or as JSON.

    Args:
        request: its body is not read yet.
        bounds: of a form; None takes the server's.

    Raises:
        InputError: as `read_form`, or it is no JSON.
    """
    house = house_of(request)
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        with await read_form(request, folder=house.uploads, bounds=bounds or house.form_bounds) as form:
            yield form
        return
    yield await anyio.to_thread.run_sync(_form, await request.body())


def _form(body: bytes) -> Form:
    """JSON as if it were a form."""
    try:
        document = msgspec.json.decode(body, type=dict[str, Any])
    except (msgspec.DecodeError, msgspec.ValidationError, UnicodeError, RecursionError):
        raise InputError("not_json", "The body is no JSON object.", "Send a form, or JSON: {…}.") from None
    return Form(fields=tuple(flattened(document)))


async def _events(desk: Desk, job: Job, offset: int) -> AsyncIterator[bytes]:
    async with aclosing(pinged(desk.follow(job.id, offset))) as updates:
        async for update in updates:
            if update is None:
                yield b": waiting\n\n"
                continue
            if update.ended:
                break
            words = [{"word": w.text, "start": w.start, "end": w.end, "spaced": w.spaced} for w in update.words]
            place = update.offset + len(words)
            document = {"stages": update.stages, "words": words, "offset": update.offset}
            yield f"id: {place}\nevent: progress\ndata: {json.dumps(document, ensure_ascii=False)}\n\n".encode()
    ended = await desk.call(desk.store.get, job.id)
    yield b"event: end\ndata: " + json.dumps(await told(desk, ended), ensure_ascii=False).encode() + b"\n\n"
