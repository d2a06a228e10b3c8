"""Known voices: those that a key added are its own, to list, to take away and to delete."""

from __future__ import annotations

import re
from functools import partial
from typing import Any, Final

import anyio.to_thread
import msgspec
from fastapi import APIRouter, Request
from starlette.responses import JSONResponse, Response

from diarist.audio.audio import Audio
from diarist.model import codec
from diarist.model.progress import Progress
from diarist.model.transcript import Transcript
from diarist.samples import best_stretches, labels
from diarist.server.clips import MAX_NAME
from diarist.server.errors import Busy
from diarist.server.forms import FILE_FIELDS, FormBounds
from diarist.server.house import House, house_of
from diarist.server.jobs import ask_of, owner_of, sent
from diarist.server.said import Said, refused
from diarist.server.sounds import recording_of
from diarist.speakers.identify import Voice

router = APIRouter(prefix="/v1/voices", tags=["voices"])

MAX_CONSENT: Final = 500
_MOST_BYTES: Final = 32 << 20
"""Of a clip: a minute of a studio's sound."""
_MOST_WAITING: Final = 8
_TAKEN: Final = re.compile(r"SPEAKER_\d+|[A-Za-z]")
"""How speakers are called whom nobody knows, here and by OpenAI."""


@router.get("", summary="List the voices that are known to you")
async def listing(request: Request) -> Response:
    """Without what they sound like."""
    desk = house_of(request).desk
    voices = await desk.call(desk.voices.of, owner_of(request))
    return JSONResponse({"object": "list", "data": [_described(voice) for voice in voices]})


@router.get("/{name:path}", summary="Take a voice away")
async def export(request: Request, name: str) -> Response:
    """All that is kept of it, the embedding included: it is biometric data."""
    desk = house_of(request).desk
    voice = await desk.call(desk.voices.get, owner_of(request), name)
    return Response(
        msgspec.json.encode({"object": "voice", **codec.dump(voice)}),
        media_type="application/json",
        headers={"cache-control": "no-store"},
    )


@router.delete("/{name:path}", status_code=204, summary="Forget a voice")
async def delete(request: Request, name: str) -> Response:
    """Transcripts that name it stay as they are."""
    desk = house_of(request).desk
    await desk.call(desk.voices.remove, owner_of(request), name)
    return Response(status_code=204)


@router.post("", status_code=201, summary="Remember a voice")
async def add(request: Request) -> Response:
    """Of a job's speaker, ``{"name", "consent", "job", "speaker"}``; or a form with ``name``, ``consent`` and a clip.

    A voice is biometric data: ``consent`` says how the person agreed. More speech of one name is averaged.
    """
    house, owner = house_of(request), owner_of(request)
    house.desk.ready()
    if house.learning.statistics().tasks_waiting >= _MOST_WAITING:
        raise Busy("too_many_voices", "Other voices are being learnt.", "Try again.", retry_after=5)
    async with sent(request, FormBounds(total_bytes=_MOST_BYTES)) as form:
        said = Said(form.fields)
        name, consent = _name(said), _consent(said)
        job_id, speaker = said.text("job"), said.text("speaker")
        said.finish()
        clip = next((file for file in form.files if file.field in FILE_FIELDS), None)
        if (clip is None) == (job_id is None):
            raise refused(
                "job", "A voice is learnt from a job's speaker or from a clip.", "Send job and speaker, or a file."
            )
        async with house.learning:
            if clip is not None:
                audio = await anyio.to_thread.run_sync(house.desk.ready().decode_clip, clip.path)
            else:
                audio = await _heard(house, job_id or "", owner, speaker)
            learn = partial(_learn, house, audio, name, consent)
            voice = await house.desk.computing(owner, audio.duration, learn)
    known = await house.desk.call(house.desk.voices.add, owner, voice)
    return JSONResponse(_described(known), status_code=201)


def _learn(house: House, audio: Audio, name: str, consent: str, progress: Progress) -> Voice:
    return house.desk.ready().learn(audio, name, consent, progress)


async def _heard(house: House, job_id: str, owner: str, speaker: str | None) -> Audio:
    """What a speaker of a job says while nobody else talks.

    Raises:
        FieldError: there is no such speaker, or never alone.
        InputError: the job has no transcript, or its recording is not kept any more.
    """
    from diarist.audio.clips import cut

    desk = house.desk
    job = await desk.call(desk.store.get, job_id, owner)
    read = codec.read(Transcript, (await desk.call(desk.store.transcript, job_id, owner)).encode())
    known = labels(read)
    if speaker is None or speaker not in known:
        hint = f"Choose from: {', '.join(known[:20])}." if known else "Nobody was told apart in this job."
        raise refused("speaker", "There is no such speaker." if speaker else "Which speaker is it?", hint)
    stretches = best_stretches(read, speaker, at_most=30, seconds=10.0, total=30.0)
    if not stretches:
        raise refused("speaker", "This speaker never talks alone for a second.", "Send a clip.", code="never_alone")
    decode = partial(desk.ready().decode, ask_of(job), recording_of(desk, job), job.name)
    return await anyio.to_thread.run_sync(lambda: cut(decode(), stretches), limiter=house.decoding)


def _name(said: Said) -> str:
    name = " ".join((said.text("name") or "").split())
    if not 0 < len(name) <= MAX_NAME or not name.isprintable():
        raise refused(
            "name", f"A voice has a name, of 1 to {MAX_NAME} printable characters.", "Send the person's name."
        )
    if _TAKEN.fullmatch(name):
        raise refused("name", "Speakers whom nobody knows are called so.", "Send the person's name.")
    return name


def _consent(said: Said) -> str:
    consent = " ".join((said.text("consent") or "").split())
    if not 0 < len(consent) <= MAX_CONSENT:
        hint = f"Write it in 1 to {MAX_CONSENT} characters."
        raise refused("consent", "A voice is kept only with a note of how the person agreed.", hint)
    return consent


def _described(voice: Voice) -> dict[str, Any]:
    return {
        "object": "voice",
        "name": voice.name,
        "model": voice.model,
        "seconds": voice.seconds,
        "consent": voice.consent,
        "added": voice.added,
    }
