"""OpenAI's client for Node, unmodified: every format, streamed or not, with every kind of file it takes.

The work behind is scripted; what it gets from the server's routes is real.
"""

from pathlib import Path

import pytest

from diarist.server.desk import DeskBounds
from diarist.server.keys import Keys, Limits

pytestmark = [pytest.mark.slow, pytest.mark.heavy]

MB = 1_000_000
TEXT = "Hello there. Good morning."
SPOKEN = "A: Hello\nB: there.\nA: Good\nB: morning."

MATRIX = """
import OpenAI, { toFile } from "openai";
import fs from "node:fs";
const [, , address, file] = process.argv;
const client = new OpenAI({ baseURL: `${address}/v1`, apiKey: "none", maxRetries: 0 });
const bytes = fs.readFileSync(file);
const kinds = {
  createReadStream: () => fs.createReadStream(file),
  Blob: async () => new File([bytes], "talk.wav"),
  openAsBlob: async () => toFile(await fs.openAsBlob(file), "talk.wav"),
  buffer: () => toFile(bytes, "talk.wav"),
  unnamed: () => toFile(bytes),
  fetched: () => new Response(bytes),
};
const told = {};
for (const [kind, make] of Object.entries(kinds))
  for (const response_format of ["json", "text", "srt", "verbose_json", "vtt", "diarized_json"])
    for (const stream of [false, true]) {
      const name = `${kind} ${response_format}${stream ? " streamed" : ""}`;
      try {
        const answer = await client.audio.transcriptions.create({
          model: "gpt-4o-transcribe", file: await make(), response_format, stream,
        });
        if (stream) {
          told[name] = [];
          for await (const event of answer) told[name].push(event);
        } else told[name] = answer;
      } catch (error) {
        told[name] = { error: error.constructor.name, status: error.status, param: error.param };
      }
    }
console.log(JSON.stringify(told));
"""

ONE = """
import OpenAI from "openai";
import fs from "node:fs";
const [, , address, key, file] = process.argv;
const client = new OpenAI({ baseURL: `${address}/v1`, apiKey: key, maxRetries: 0 });
try {
  console.log(JSON.stringify(await client.audio.transcriptions.create({
    model: "gpt-4o-transcribe-diarize", file: fs.createReadStream(file), response_format: "verbose_json",
    timestamp_granularities: ["word"], include: [], chunking_strategy: { type: "server_vad", threshold: 0.5 },
  })));
} catch (error) {
  console.log(JSON.stringify({
    name: error.constructor.name, status: error.status, code: error.code, message: error.message, id: error.requestID,
  }));
}
"""

TRIES = """
import OpenAI from "openai";
import fs from "node:fs";
const [, , address, file] = process.argv;
const client = new OpenAI({ baseURL: `${address}/v1`, apiKey: "none", maxRetries: 2, timeout: 1000 });
const bytes = new File([fs.readFileSync(file)], "talk.wav");
try {
  await client.audio.transcriptions.create({ model: "whisper-1", file: bytes });
} catch (error) {
  console.log(JSON.stringify({ name: error.constructor.name }));
}
"""

KINDS = ["createReadStream", "Blob", "openAsBlob", "buffer", "unnamed", "fetched"]


@pytest.fixture(scope="module")
def talk(wav, tmp_path_factory):
    path = tmp_path_factory.mktemp("talk") / "talk.wav"
    path.write_bytes(wav())
    return path


@pytest.fixture(scope="module")
def told(node, start_module, scripted_class, talk):
    """What the client gave for each kind of file and format; a list of events where it streamed."""
    address = str(start_module(scripted_class()).base_url).rstrip("/")
    return node(MATRIX, address, talk)


@pytest.mark.parametrize("kind", KINDS)
class TestEveryKindOfFile:
    @pytest.mark.parametrize("name", ["json", "verbose_json", "diarized_json"])
    def test_json(self, told, kind, name):
        document = told[f"{kind} {name}"]
        assert document["text"] == (SPOKEN if name == "diarized_json" else TEXT)
        assert document["usage"] == {"type": "duration", "seconds": 2}
        assert None not in nested(document)
        if name != "json":
            assert document["segments"][0]["start"] == 0

    @pytest.mark.parametrize(("name", "starts"), [("text", "Hello"), ("srt", "1\n00:00:00,000"), ("vtt", "WEBVTT\n")])
    def test_text(self, told, kind, name, starts):
        assert told[f"{kind} {name}"].startswith(starts)

    @pytest.mark.parametrize(("name", "text"), [("json", TEXT), ("text", TEXT), ("diarized_json", SPOKEN)])
    def test_streams(self, told, kind, name, text):
        events = told[f"{kind} {name} streamed"]
        assert "".join(event["delta"] for event in events if event["type"] == "transcript.text.delta") == text
        assert (events[-1]["type"], events[-1]["text"]) == ("transcript.text.done", text)
        if name == "diarized_json":
            segments = [event for event in events if event["type"] == "transcript.text.segment"]
            assert [segment["speaker"] for segment in segments] == ["A", "B", "A", "B"]

    @pytest.mark.parametrize("name", ["srt", "verbose_json", "vtt"])
    def test_what_cannot_be_streamed_is_refused_by_name(self, told, kind, name):
        refused = told[f"{kind} {name} streamed"]
        assert refused == {"error": "BadRequestError", "status": 400, "param": "stream"}


class TestErrors:
    def ask(self, node, server, talk, key="none"):
        return node(ONE, str(server.base_url).rstrip("/"), key, talk)

    def test_a_key_that_is_bad_after_200_megabytes(self, node, start, scripted, tmp_path):
        large = tmp_path / "large.wav"
        with large.open("wb") as file:
            file.truncate(200 * MB)
        server = start(scripted, use_keys=True)
        before = written()
        told = self.ask(node, server, large, "bad")
        assert (told["name"], told["status"], told["code"]) == ("AuthenticationError", 401, "invalid_api_key")
        assert told["id"].startswith("req_")
        assert written() - before < MB

    def test_a_file_that_is_too_large(self, node, start, scripted, wav, tmp_path):
        (tmp_path / "long.wav").write_bytes(wav(10))
        told = self.ask(node, start(scripted, max_bytes=50_000), tmp_path / "long.wav")
        assert (told["status"], told["code"]) == (413, "too_large")

    def test_a_key_that_asks_too_often(self, node, start, scripted, talk, tmp_path):
        key = Keys(tmp_path / "state").add("anna", Limits(rpm=1))
        server = start(scripted, use_keys=True)
        first, second = (self.ask(node, server, talk, key) for _ in range(2))
        assert [word["speaker"] for word in first["words"]] == ["SPEAKER_00", "SPEAKER_01"] * 2
        assert (second["name"], second["status"], second["code"]) == ("RateLimitError", 429, "rate_limit_exceeded")

    def test_a_full_queue(self, node, start, scripted, talk):
        told = self.ask(node, start(scripted, bounds=DeskBounds(queued=0)), talk)
        assert (told["name"], told["code"]) == ("RateLimitError", "queue_full")

    def test_a_client_whose_tries_all_time_out_ran_the_engine_once(self, node, start, scripted, talk):
        server = start(scripted)
        scripted.go.clear()
        told = node(TRIES, str(server.base_url).rstrip("/"), talk)
        assert told == {"name": "APIConnectionTimeoutError"}
        scripted.go.set()
        assert self.ask(node, server, talk)["text"] == TEXT
        plain = server.post("/v1/audio/transcriptions", files={"file": talk.read_bytes()}, data={"model": "whisper-1"})
        assert plain.json()["text"] == TEXT
        assert len(scripted.begun) == 2  # words alone, which three tries and the last request asked for; and speakers


def nested(value):
    """Every value that a document holds."""
    if isinstance(value, dict):
        return [each for part in value.values() for each in nested(part)]
    return [each for part in value for each in nested(part)] if isinstance(value, list) else [value]


def written():
    """Bytes that this process, with the server in it, has given to disks."""
    told = dict(line.split(": ") for line in Path("/proc/self/io").read_text().splitlines())
    return int(told["write_bytes"])
