"""OpenAI's routes below ``/v1/audio`` and ``/v1/models``, and Azure's names for them."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable
from pathlib import Path
from typing import Any, Final

import anyio
from fastapi import APIRouter, Request
from starlette.responses import JSONResponse, Response, StreamingResponse

from diarist.formats.answers import Shape, answer, body, content_type
from diarist.formats.openai_stream import STREAMED, Events
from diarist.jobs.job import Job
from diarist.jobs.wire_errors import FieldError
from diarist.model.errors import Cancelled, DiaristError
from diarist.model.transcript import Transcript
from diarist.server.ask import Ask
from diarist.server.desk import Desk
from diarist.server.errors import error_body
from diarist.server.fields import File, Pairs, read_diarization, read_transcription, read_translation
from diarist.server.forms import FILE_FIELDS, Form, Upload
from diarist.server.house import house_of
from diarist.server.models import Models
from diarist.server.uploads import read_form

Read = Callable[..., Ask]

PING_SECONDS: Final = 10.0
"""A comment is sent at least so often: proxies close what is silent for a minute."""

router = APIRouter(tags=["audio"])


@router.post("/v1/audio/transcriptions", summary="Transcribe a recording, with speakers if asked")
@router.post("/openai/deployments/{deployment}/audio/transcriptions", include_in_schema=False)
async def transcriptions(request: Request) -> Response:
    """OpenAI's ``audio.transcriptions.create``; see docs/server.md for our own fields."""
    return await plain(request, _deployed(request, read_transcription))


@router.post("/v1/audio/translations", summary="Translate a recording into English")
@router.post("/openai/deployments/{deployment}/audio/translations", include_in_schema=False)
async def translations(request: Request) -> Response:
    """OpenAI's ``audio.translations.create``."""
    return await plain(request, _deployed(request, read_translation))


@router.post("/v1/audio/diarizations", summary="Find who speaks when")
async def diarizations(request: Request) -> Response:
    """Turns of speakers and no words, as JSON or RTTM; ``diarist`` is the whole transcript."""
    return await plain(request, read_diarization)


@router.get("/v1/models", summary="List the models and their other names")
async def models(request: Request) -> Response:
    """OpenAI's ``models.list``."""
    return JSONResponse({"object": "list", "data": house_of(request).models.listing()})


@router.get("/v1/models/{name:path}", summary="Describe a model")
async def model(request: Request, name: str) -> Response:
    """OpenAI's ``models.retrieve``."""
    return JSONResponse(house_of(request).models.entry(name))


def _deployed(request: Request, read: Read) -> Read:
    """Where Azure's address names a deployment and the form no model, the deployment's name is the model's."""
    deployment = request.path_params.get("deployment")
    if deployment is None:
        return read

    def reading(fields: Pairs, files: Iterable[File], *, models: Models) -> Ask:
        named = any(name.strip() == "model" and value.strip() for name, value in fields)
        return read(fields if named else (*fields, ("model", deployment)), files, models=models)

    return reading


async def plain(
    request: Request,
    read: Read,
    query: Iterable[tuple[str, str]] = (),
    *,
    answered: Callable[[Transcript, Ask], Response] | None = None,
) -> Response:
    """Answer a request that waits for its result.

    Args:
        request: a form with a recording, or with a URL.
        read: makes an `Ask` of fields and files.
        query: fields that came in the address.
        answered: writes the answer; None for the format that was asked for.
    """
    house = house_of(request)
    with await read_form(request, folder=house.uploads, bounds=house.form_bounds) as form:
        models = house.models
        # In a thread: a form may hold megabytes of reference clips.
        ask = await anyio.to_thread.run_sync(lambda: read((*query, *form.fields), form.files, models=models))
        upload = recording(form)
        later = "respond-async" in request.headers.get("prefer", "")
        job = await house.desk.submit(
            request.state.caller,
            ask,
            upload,
            transient=not later,
            idempotency_key=request.headers.get("idempotency-key") if later else None,
        )
    ignored = {"diarist-ignored": ", ".join(ask.ignored)} if ask.ignored else {}
    if later:
        headers = {**ignored, "location": f"/v1/jobs/{job.id}", "preference-applied": "respond-async"}
        return JSONResponse({"id": job.id, "object": "job", "status": "queued"}, status_code=202, headers=headers)
    if ask.stream and ask.response_format in STREAMED:
        return stream(events(house.desk, job, ask), ignored)
    async with house.desk.attending(job):
        await until_done(house.desk, job.id, request)
        response = await written(house.desk, job, ask, answered)
    response.headers.update(ignored)
    return response


def recording(form: Form) -> Upload | None:
    """The file of a form that is the recording; None where its address came instead.

    Raises:
        FieldError: it is empty.
    """
    upload = next((file for file in form.files if file.field in FILE_FIELDS), None)
    if upload is not None and not upload.num_bytes:
        raise FieldError("audio_empty", "The file is empty.", "Send the recording itself.", field=upload.field)
    return upload


async def until_done(desk: Desk, job_id: str, request: Request) -> None:
    """Wait for a job's end, or for its client to leave; raises `Cancelled` for the latter."""
    left = False
    async with anyio.create_task_group() as group:

        async def leave() -> None:
            nonlocal left
            while (await request.receive())["type"] != "http.disconnect":
                pass
            left = True
            group.cancel_scope.cancel()

        group.start_soon(leave)
        async for _ in desk.follow(job_id):
            pass
        group.cancel_scope.cancel()
    if left:
        raise Cancelled("The client left before the answer was there.")


async def written(
    desk: Desk, job: Job, ask: Ask, answered: Callable[[Transcript, Ask], Response] | None = None
) -> Response:
    """The answer of a job that ended."""
    transcript = await desk.result(job.id)
    if answered is not None:
        return answered(transcript, ask)
    content = await anyio.to_thread.run_sync(rendered, transcript, ask.shape, job.name)
    return Response(content, media_type=None, headers={"content-type": content_type(ask.response_format)})


def rendered(transcript: Transcript, shape: Shape, filename: str) -> bytes:
    """The body of an answer."""
    return body(answer(transcript, shape, name=Path(filename).stem or "recording"))


async def events(desk: Desk, job: Job, ask: Ask) -> AsyncIterator[bytes]:
    """The events of ``stream=true``: what is said as it is final, and how far the work is as comments."""
    told, shown = Events(ask.shape, ask.options.language), dict[str, str]()
    try:
        async with desk.attending(job), contextlib.aclosing(pinged(desk.follow(job.id))) as updates:
            async for update in updates:
                if update is None:
                    yield b": waiting\n\n"
                    continue
                for stage, done in update.stages.items():
                    if shown.get(stage) != (share := f"{done:.2f}"):
                        shown[stage] = share
                        yield f": progress {stage} {share}\n\n".encode()
                for event in told.heard(update.words):
                    yield sse(event)
            transcript = await desk.result(job.id)
            for written_event in await anyio.to_thread.run_sync(lambda: [sse(each) for each in told.done(transcript)]):
                yield written_event
            yield b"data: [DONE]\n\n"
    except DiaristError as error:
        # The status is sent already. Clients of OpenAI raise what an event named error says.
        yield b"event: error\n" + sse(error_body(error))


async def pinged(updates: AsyncIterator[Any], seconds: float = PING_SECONDS) -> AsyncGenerator[Any]:
    """Give updates as they come, and None where none came for a while."""
    following = aiter(updates)
    coming: asyncio.Future[Any] | None = None
    try:
        while True:
            coming = coming or asyncio.ensure_future(anext(following))
            done, _ = await asyncio.wait({coming}, timeout=seconds)
            if not done:
                yield None
                continue
            try:
                update = coming.result()
            except StopAsyncIteration:
                return
            finally:
                coming = None
            yield update
    finally:
        if coming is not None:
            coming.cancel()
            with contextlib.suppress(BaseException):
                await coming
        await updates.aclose()  # type: ignore[attr-defined]


def sse(event: dict[str, Any]) -> bytes:
    """One event, as Server-Sent Events are written."""
    return b"data: " + json.dumps(event, ensure_ascii=False).encode() + b"\n\n"


def stream(content: AsyncIterator[bytes], headers: dict[str, str]) -> StreamingResponse:
    """Answer with events that no proxy holds back."""
    return StreamingResponse(
        content,
        media_type="text/event-stream",
        headers={**headers, "cache-control": "no-store", "x-accel-buffering": "no"},
    )
