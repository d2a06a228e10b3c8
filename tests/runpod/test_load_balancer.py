"""``diarist serve`` as a load-balancing worker, started as ``deploy server`` has it, behind what a balancer does.

The balancer is ours, after RunPod's documents: no request before ``/ping`` says 200, its own name as the host, 30 MB at
most. Nothing here was tried on the platform.
"""

import asyncio
import os
import shlex
import socket
import subprocess
import sys

import httpx
import pytest
from aiohttp import ClientSession, web

from diarist.audio.audio import SAMPLE_RATE, Audio
from diarist.audio.decode import decode
from diarist.audio.transport import encode_flac
from diarist.runpod.deploy.plan_file import Settings
from diarist.runpod.deploy.server import server_body
from diarist.weights.fetch import ensure

from .conftest import loopback

NAME = "4m7x2k9q.api.runpod.ai"


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return taken.getsockname()[1]


@pytest.fixture
def balanced(tmp_path):
    """A worker and a balancer before it; gives the balancer's address and what the worker's pings said."""
    body = server_body(Settings(architecture="single", image_prefix="you/parakeet", tag="1.0.0"))
    assert {"PORT", "PORT_HEALTH"} <= body["env"].keys()
    port, health = str(free_port()), str(free_port())
    here = {"PORT": port, "PORT_HEALTH": health, "DIARIST_STATE": str(tmp_path), "DIARIST_MODEL": "whisper-tiny.en"}
    program, *arguments = shlex.split(body["args"])
    assert program == "diarist"
    said = []

    async def answer(request):
        data = await request.read()
        if len(data) > 30_000_000:
            return web.Response(status=413)
        async with ClientSession() as session:
            while 200 not in said:
                try:
                    async with session.get(f"http://127.0.0.1:{health}/ping", headers={"Host": NAME}) as ping:
                        said.append(ping.status)
                except OSError:
                    await asyncio.sleep(0.1)
            headers = {**request.headers, "Host": NAME}
            url = f"http://127.0.0.1:{port}{request.path}"
            async with session.request(request.method, url, data=data, headers=headers) as found:
                kind = found.headers["content-type"].partition(";")[0]
                return web.Response(status=found.status, body=await found.read(), content_type=kind)

    command = [sys.executable, "-m", "diarist", *arguments]
    with (
        (tmp_path / "log").open("wb") as log,
        subprocess.Popen(command, env={**os.environ, **body["env"], **here}, stdout=log, stderr=log) as worker,
    ):
        try:
            with loopback(answer) as url:
                yield url, said
        finally:
            worker.terminate()
            assert worker.wait(60) == 0


@pytest.mark.models
@pytest.mark.timeout(180)
def test_a_clip_comes_back_with_its_speakers_once_models_are_loaded(balanced):
    url, said = balanced
    samples = decode(ensure("sample-telephone") / "sample.wav").samples[4 * SAMPLE_RATE : 19 * SAMPLE_RATE]
    headers = {"Authorization": "Bearer rpa_the_callers_runpod_key"}  # for the platform; the server asks for none
    answer = httpx.post(
        f"{url}/v1/audio/transcriptions",
        headers=headers,
        files={"file": ("call.flac", encode_flac(Audio(samples)))},
        data={"model": "diarist", "response_format": "diarized_json"},
        timeout=120,
    )
    assert answer.status_code == 200, answer.text
    assert len({segment["speaker"] for segment in answer.json()["segments"]}) == 2
    assert set(said[:-1]) <= {204}
    large = httpx.post(f"{url}/v1/audio/transcriptions", headers=headers, content=b"x" * 30_000_001, timeout=60)
    assert large.status_code == 413
