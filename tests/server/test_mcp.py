"""``diarist mcp`` as an assistant uses it: the real process, the official client, in front of a real server."""

import os
import sys

import anyio
import pytest
from mcp import Client, StdioServerParameters, stdio_client

from diarist.audio.decode import decode
from diarist.audio.transport import encode_flac
from diarist.engines import load
from diarist.weights.fetch import ensure


@pytest.fixture
def assistant():
    """Run asynchronous work with a client that has started ``diarist mcp`` in front of a server."""

    def run(url, work):
        async def talk():
            command = StdioServerParameters(
                command=sys.executable, args=["-m", "diarist", "mcp", "--on", url], env=dict(os.environ)
            )
            async with Client(stdio_client(command)) as client:
                return await work(client)

        return anyio.run(talk)

    return run


def text(result):
    return result.content[0].text


@pytest.mark.models
@pytest.mark.slow
def test_an_assistant_transcribes_and_names_a_speaker(start, assistant, tmp_path):
    call = tmp_path / "call.flac"
    call.write_bytes(encode_flac(decode(ensure("sample-telephone") / "sample.wav").part(6, 18)))
    server = start(load("whisper-base", "embedded"))

    async def work(client):
        tools = {tool.name for tool in (await client.list_tools()).tools}
        first = text(await client.call_tool("transcribe", {"recording": str(call), "num_speakers": 2}))
        job = first.split()[1]
        renamed = await client.call_tool("rename_speaker", {"job": job, "speaker": "SPEAKER_00", "name": "Diane"})
        read = text(await client.call_tool("get_transcript", {"job": job, "format": "srt"}))
        return tools, first, text(renamed), read

    tools, first, renamed, read = assistant(str(server.base_url), work)
    assert tools == {"transcribe", "get_transcript", "rename_speaker"}
    assert "there" in first
    assert "SPEAKER_00" in first
    assert "Diane" in renamed
    assert "Diane" in read


def test_what_goes_wrong_is_told_in_a_line(assistant):
    async def work(client):
        return await client.call_tool("get_transcript", {"job": "../../etc/passwd"})

    result = assistant("http://127.0.0.1:9", work)
    assert result.is_error
    assert "cannot be reached" in text(result)
