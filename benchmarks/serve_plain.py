"""The plainest server around faster-whisper, to measure `diarist serve` against; see `serve.py`.

python benchmarks/serve_plain.py MODEL_FOLDER PORT
"""

import sys
import threading
from typing import Annotated

import uvicorn
from fastapi import FastAPI, File, UploadFile
from faster_whisper import WhisperModel

model = WhisperModel(sys.argv[1], device="cpu", compute_type="int8")
one = threading.Lock()
app = FastAPI()


@app.get("/health")
def health() -> str:
    return "ok"


@app.post("/v1/audio/transcriptions")
def transcribe(file: Annotated[UploadFile, File()]) -> dict[str, str]:
    with one:
        segments, _ = model.transcribe(file.file, language="en", word_timestamps=True, vad_filter=True)
        return {"text": " ".join(segment.text.strip() for segment in segments)}


uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[2]), log_level="warning")
