"""The routes of whisper-asr-webservice, which Speakr and Bazarr speak: whole recordings, with speaker counts."""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.responses import Response

from diarist.server.fields import read_asr, read_detect_language
from diarist.server.openai import plain

router = APIRouter(tags=["asr"])


@router.post("/asr", summary="Transcribe a recording: whisper-asr-webservice's contract")
async def asr(request: Request) -> Response:
    """Options are in the address, the recording is the form's ``audio_file``."""
    return await plain(request, read_asr, request.query_params.multi_items())


@router.post("/detect-language", summary="Say which language is spoken")
async def detect_language(request: Request) -> Response:
    """Transcribes the recording, and says which language it was."""
    return await plain(request, read_detect_language, request.query_params.multi_items())
