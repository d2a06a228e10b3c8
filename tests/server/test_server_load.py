"""The server's process under more than it can do, and under what no client would send."""

import asyncio
import http.client
import random
import socket
import time
from collections import Counter
from urllib.parse import urlsplit

import httpx
import pytest

from .real import ended, real_server, recording, submit

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900), pytest.mark.heavy]

PLAIN = "/v1/audio/transcriptions"


@pytest.fixture
def server(tmp_path):
    with real_server(tmp_path) as server:
        yield server


@pytest.mark.heavy
def test_two_hundred_clients_get_their_answer_or_are_told_to_come_again(server):
    client = server.start("--queue", "40")
    before, most_queued = server.memory(), [0]
    statuses, texts = Counter(), []

    async def call(http, number):
        for turn in range(3):
            samples = 16_000 + 3 * number + turn
            answer = await http.post(PLAIN, files={"file": recording(samples)}, data={"model": "whisper-1"})
            statuses[answer.status_code] += 1
            if answer.status_code == 200:
                texts.append(answer.json()["text"] == f"said-in-{samples}")
            else:
                assert answer.json()["error"]["code"] == "queue_full"
                assert 1 <= int(answer.headers["retry-after"]) <= 30

    async def everybody():
        limits = httpx.Limits(max_connections=None)
        async with (
            httpx.AsyncClient(base_url=server.url, timeout=600, limits=limits) as http,
            asyncio.TaskGroup() as all_,
        ):
            watching = all_.create_task(watch(http))
            async with asyncio.TaskGroup() as clients:
                for number in range(200):
                    clients.create_task(call(http, number))
            watching.cancel()

    async def watch(http):
        while True:
            answer = await http.get("/health")
            statuses[f"health {answer.status_code}"] += 1
            most_queued[0] = max(most_queued[0], answer.json()["queued"])

    asyncio.run(everybody())
    assert set(statuses) <= {200, 429, "health 200"}, server.said()
    assert sum(count for status, count in statuses.items() if status in (200, 429)) == 600
    assert statuses[200] >= 40
    assert all(texts)
    assert most_queued[0] <= 40
    assert server.memory() < before + 200e6
    assert client.get("/health").json()["queued"] == 0
    assert ended(client, submit(client, 50_000))["status"] == "completed"


def test_a_connection_that_was_idle_for_as_long_as_clients_keep_theirs_is_still_open(server):
    """httpx, and so OpenAI's client, uses one again for 5 s; one that is closed just then is a broken answer."""
    server.start()
    connection = http.client.HTTPConnection(urlsplit(server.url).netloc, timeout=60)
    connection.request("GET", "/ping")
    assert connection.getresponse().read() == b""
    before = connection.sock
    time.sleep(7)
    connection.request("GET", "/ping")
    assert connection.getresponse().status == 200
    assert connection.sock is before
    connection.close()


class Malformed:
    """Requests that are wrong in one way or several; the same for the same seed."""

    def __init__(self, seed):
        self._chance = random.Random(seed)

    def body(self):
        """A content type and a body."""
        chance, boundary = self._chance, b"xYz"
        fields = [
            (b'name="model"', chance.choice([b"whisper-1", b"", b"\xff\xfe", b"no such model", b"x" * 5000])),
            (b'name="response_format"', chance.choice([b"json", b"xml", b"", b"diarized_json\x00", b"[]"])),
            (chance.choice([b'name="langauge"', b'name="temperature"', b'name="stream"']), chance.randbytes(6)),
            (b'name="known_speaker_references[]"', chance.choice([b"data:audio/wav;base64,%%%", b"data:,", b"x"])),
            (b'name="num_speakers"', chance.choice([b"-1", b"1e9", b"NaN", b"two", b"9" * 400])),
            (b'name="url"', chance.choice([b"http://169.254.169.254/", b"file:///etc/passwd", b"gopher://[::"])),
            (b'name="file"; filename="a.wav"', self._sound()),
            (b'name="file"; filename="' + chance.randbytes(8).replace(b'"', b"") + b'"', self._sound()),
        ]
        chosen = chance.sample(fields, chance.randint(0, len(fields)))
        made = b"".join(
            b"--" + boundary + b"\r\nContent-Disposition: form-data; " + name + b"\r\n\r\n" + value + b"\r\n"
            for name, value in chosen
        )
        made += chance.choice([b"--" + boundary + b"--\r\n", b"", b"--" + boundary, b"--xY", chance.randbytes(20)])
        for _ in range(chance.choice([0, 0, 1, 5])):  # some bytes are others
            if made:
                place = chance.randrange(len(made))
                made = made[:place] + chance.randbytes(chance.randint(0, 3)) + made[place + 1 :]
        kind = chance.choice(
            ["multipart/form-data; boundary=xYz"] * 6
            + ["multipart/form-data", "multipart/form-data; boundary=", "multipart/form-data; boundary=other"]
            + ["application/json", "application/x-www-form-urlencoded", "text/plain", ""]
        )
        return kind, made

    def _sound(self):
        whole = recording(16_000)
        cut = whole[: self._chance.randrange(len(whole))]
        noise = self._chance.randbytes(self._chance.randrange(4000))
        return self._chance.choice(
            [b"", cut, noise, whole[:44] + noise, b"ID3" + noise, b"OggS" + noise, b"fLaC" + noise]
        )


def test_two_thousand_malformed_uploads_crash_nothing_and_leave_nothing(server):
    server.start()
    place = urlsplit(server.url).netloc
    malformed, statuses = Malformed(7), Counter()
    paths = [PLAIN, "/v1/jobs", "/asr?output=json", "/v1/audio/translations", "/v1/audio/diarizations"]
    chance = random.Random(8)

    def send(times):
        connection = http.client.HTTPConnection(place, timeout=120)
        for _ in range(times):
            kind, body = malformed.body()
            headers = {"Content-Type": kind} if kind else {}
            path = chance.choice(paths)
            if kind.startswith("multipart"):
                path = path.replace("/asr?output=json", "/asr?output=nothing")
            try:
                connection.request("POST", path, body, headers)
                answer = connection.getresponse()
                told = answer.read()
            except (http.client.HTTPException, ConnectionError):
                statuses["broken"] += 1
                connection.close()
                continue
            statuses[answer.status] += 1
            assert answer.status < 500, (answer.status, told, kind, body)
            if answer.status >= 400:
                assert b'"error"' in told, told
        connection.close()
        for garbage in (b"\x16\x03\x01" + bytes(100), b"POST / HTTP/9\r\n\r\n", b"GET /\r\n" + b"a: b\r\n" * 9000):
            host, port = place.split(":")
            with socket.create_connection((host, int(port))) as raw:
                raw.sendall(garbage)

    send(300)  # until all that is loaded on first use is loaded
    before = server.memory()
    send(2000)
    assert server.process.poll() is None
    assert server.memory() < before * 1.1
    assert statuses["broken"] == 0
    assert statuses[400] > 200, statuses
    assert not list((server.state / "uploads").glob("*"))
    assert "Traceback" not in server.said()
