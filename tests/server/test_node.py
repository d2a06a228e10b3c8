"""Node's clients, unmodified: they send the file first and in chunks, and read why they are refused.

The openai package comes from the npm registry, once for all these tests.
"""

import pytest
from fastapi import FastAPI, Request

from diarist.server.admission import Admission, Bounds
from diarist.server.connections import Connection
from diarist.server.errors import add_handlers
from diarist.server.keys import Keys
from diarist.server.uploads import read_form

pytestmark = pytest.mark.slow

MB = 1_000_000

OPENAI = """
import OpenAI, { toFile } from "openai";
import fs from "node:fs";
const [, , address, key, file] = process.argv;
const client = new OpenAI({ baseURL: `${address}/v1`, apiKey: key, maxRetries: 0 });
try {
  const answer = await client.audio.transcriptions.create({
    model: "whisper-1", file: fs.createReadStream(file), timestamp_granularities: ["word"],
  });
  console.log(JSON.stringify(answer));
} catch (error) {
  console.log(JSON.stringify({
    name: error.constructor.name, status: error.status, code: error.code, message: error.message, id: error.requestID,
  }));
}
"""

FETCH = """
import fs from "node:fs";
const [, , address, key, file] = process.argv;
const form = new FormData();
form.append("file", await fs.openAsBlob(file), "ü.wav");
form.append("model", "whisper-1");
const headers = { authorization: `Bearer ${key}` };
const answer = await fetch(`${address}/v1/audio/transcriptions`, { method: "POST", body: form, headers });
console.log(JSON.stringify({ status: answer.status, ...(await answer.json()) }));
"""


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "uploads"


@pytest.fixture
def keys(tmp_path):
    with Keys(tmp_path / "state") as keys:
        yield keys


@pytest.fixture(params=[Connection, "httptools"])
def address(request, serve, keys, folder):
    app = FastAPI()
    add_handlers(app)

    @app.post("/v1/audio/transcriptions")
    async def transcribe(request: Request):
        with await read_form(request, folder=folder) as form:
            return {"text": "", "fields": form.fields, "files": [(f.filename, f.num_bytes) for f in form.files]}

    door = Admission(app, keys=keys, bounds=Bounds(form_bytes=300 * MB, drain_seconds=120))
    return f"http://127.0.0.1:{serve(door, http=request.param)}"


@pytest.fixture
def sparse(tmp_path):
    """Give a file of so many bytes, which takes no room."""

    def make(num_bytes):
        with (tmp_path / "talk.wav").open("wb") as file:
            file.truncate(num_bytes)
        return tmp_path / "talk.wav"

    return make


def test_openais_client_sends_the_file_first(node, address, keys, sparse):
    told = node(OPENAI, address, keys.add("anna"), sparse(3 * MB))
    assert told["files"] == [["talk.wav", 3 * MB]]
    assert sorted(told["fields"]) == [["model", "whisper-1"], ["timestamp_granularities[]", "word"]]


def test_fetch_sends_a_form(node, address, keys, sparse):
    told = node(FETCH, address, keys.add("anna"), sparse(3 * MB))
    assert told["files"] == [["ü.wav", 3 * MB]]


def test_openais_client_reads_that_its_key_is_bad_after_200_megabytes(node, address, sparse, folder):
    told = node(OPENAI, address, "bad", sparse(200 * MB))
    assert (told["name"], told["status"], told["code"]) == ("AuthenticationError", 401, "invalid_api_key")
    assert told["id"].startswith("req_")
    assert "This key is not known here" in told["message"]
    assert not folder.exists()


def test_fetch_reads_that_its_key_is_bad_after_200_megabytes(node, address, sparse, folder):
    told = node(FETCH, address, "bad", sparse(200 * MB))
    assert (told["status"], told["error"]["code"]) == (401, "invalid_api_key")
    assert not folder.exists()


@pytest.mark.parametrize("script", [OPENAI, FETCH])
def test_a_file_that_is_too_large_is_refused_with_the_reason(node, address, keys, sparse, folder, script):
    told = node(script, address, keys.add("anna"), sparse(400 * MB))
    assert told["status"] == 413
    assert not folder.exists() or not list(folder.iterdir())
