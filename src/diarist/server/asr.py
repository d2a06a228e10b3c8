"""The routes of whisper-asr-webservice, which Speakr and Bazarr speak: whole recordings, with speaker counts."""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.responses import JSONResponse, Response

from diarist.model.errors import InputError
from diarist.model.languages import language_name
from diarist.model.transcript import Transcript
from diarist.server.ask import Ask
from diarist.server.fields import read_asr, read_detect_language
from diarist.server.openai import plain

router = APIRouter(tags=["asr"])


@router.post("/asr", summary="Transcribe a recording: whisper-asr-webservice's contract")
async def asr(request: Request) -> Response:
    """Options are in the address, the recording is the form's ``audio_file``."""
    return await plain(request, read_asr, request.query_params.multi_items())


@router.post("/detect-language", summary="Say which language is spoken")
async def detect_language(request: Request) -> Response:
    """Transcribes the recording, and says which language it was; how sure that is, no engine here measures."""
    return await plain(request, read_detect_language, request.query_params.multi_items(), answered=_language)


def _language(transcript: Transcript, ask: Ask) -> Response:  # noqa: ARG001
    code = transcript.spoken_language or transcript.language
    if code is None:
        raise InputError("no_speech", "No language was heard: the recording has no speech.", http_status=422)
    return JSONResponse({"detected_language": language_name(code), "language_code": code})
