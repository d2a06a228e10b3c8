"""What docs/server.md shows, against a real server with real models on real speech."""

import re
from pathlib import Path

import pytest

from diarist.audio.decode import decode
from diarist.audio.transport import encode_flac
from diarist.engines import load
from diarist.weights.fetch import ensure

pytestmark = pytest.mark.models

PAGE = (Path(__file__).parents[2] / "docs" / "server.md").read_text()
EXAMPLES = re.findall(r"<!-- runs against a server -->\n```python\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)


@pytest.fixture(scope="module")
def server(start_module):
    return start_module(load("whisper-base", "embedded"))


def test_the_page_has_examples():
    assert len(EXAMPLES) == 2


@pytest.mark.parametrize("example", EXAMPLES, ids=["openai", "diarist"])
def test_examples_run(example, server, tmp_path, monkeypatch, capsys):
    call = decode(ensure("sample-telephone") / "sample.wav").part(6, 18)
    (tmp_path / "call.wav").write_bytes(encode_flac(call))
    monkeypatch.chdir(tmp_path)
    assert "http://127.0.0.1:8000" in example
    found = {}
    exec(example.replace("http://127.0.0.1:8000", str(server.base_url).rstrip("/")), found)
    if "client" in found:
        found["client"].close()
        assert "there" in capsys.readouterr().out
    else:
        assert found["transcript"].speakers
        assert server.get("/v1/jobs").json()["data"] == []
