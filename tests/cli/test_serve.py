"""``diarist serve`` as it is started: settings, refusals before anything is loaded, and a clean end."""

import os
import signal
import socket
import subprocess
import sys
import time

import httpx
import pytest

from diarist.cli.serve import parse_keep, parse_span
from diarist.model.errors import InputError


class TestKeep:
    @pytest.mark.parametrize(
        ("text", "audio", "words"),
        [
            ("audio=1d,text=30d", 86_400, 30 * 86_400),
            ("text=0", 86_400, 0),
            ("audio=0, text=ever", 0, None),
            ("audio=90s,text=12h", 90, 12 * 3600),
            ("", 86_400, 30 * 86_400),
        ],
    )
    def test_spans(self, text, audio, words):
        keep = parse_keep(text)
        assert (keep.audio, keep.text) == (audio, words)

    @pytest.mark.parametrize("text", ["1d", "audio=soon", "sound=1d", "text=-1", "text=1w", "text=99999999d"])
    def test_what_is_no_span(self, text):
        with pytest.raises(InputError, match="--keep"):
            parse_keep(text)


class TestSpan:
    @pytest.mark.parametrize(("text", "seconds"), [("15m", 900), ("90", 90), ("2h", 7200), ("never", None)])
    def test_spans(self, text, seconds):
        assert parse_span(text) == seconds

    @pytest.mark.parametrize("text", ["", "0", "soon", "-1m", "1.5h", "15 m"])
    def test_what_is_no_span(self, text):
        with pytest.raises(InputError, match="--unload-after"):
            parse_span(text)


def serve(tmp_path, *arguments, **environ):
    return subprocess.Popen(
        [sys.executable, "-m", "diarist", "serve", "--state", str(tmp_path / "state"), *arguments],
        env={**os.environ, **environ},
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def refused(tmp_path, *arguments, **environ):
    """Start a server that does not start; returns what it says."""
    with serve(tmp_path, *arguments, **environ) as process:
        said = process.communicate(timeout=60)[1]
    assert process.returncode == 2
    assert said.startswith("error: ")
    assert "Traceback" not in said
    return said


class TestRefusals:
    def test_beyond_this_machine_it_wants_keys(self, tmp_path):
        assert "diarist keys add" in refused(tmp_path, "--host", "0.0.0.0", "--port", "0")

    def test_a_port_that_is_taken(self, tmp_path):
        with socket.create_server(("127.0.0.1", 0)) as taken:
            said = refused(tmp_path, "--port", str(taken.getsockname()[1]))
        assert "Address already in use." in said

    @pytest.mark.parametrize("host", ["no such host", "256.1.1.1"])
    def test_a_host_that_is_none(self, tmp_path, host):
        assert "Cannot listen" in refused(tmp_path, "--no-keys", "--host", host)

    def test_a_setting_that_is_none(self, tmp_path):
        (tmp_path / "diarist.toml").write_text("[serve]\nprot = 9000\n")
        assert "'prot'" in refused(tmp_path)

    def test_a_secret_that_is_none_is_not_repeated(self, tmp_path):
        said = refused(tmp_path, "--port", "0", DIARIST_WEBHOOK_SECRET="whsec_hunter2")
        assert "DIARIST_WEBHOOK_SECRET" in said
        assert "hunter2" not in said

    def test_a_place_that_is_none(self, tmp_path):
        assert "no place 'moon'" in refused(tmp_path, "--on", "moon", "--port", "0")


def test_flags_go_before_the_environment_and_that_before_the_file(tmp_path):
    (tmp_path / "diarist.toml").write_text('[serve]\nkeep = "from the file"\n')
    assert "'from the file'" in refused(tmp_path, "--port", "0")
    assert "'from outside'" in refused(tmp_path, "--port", "0", DIARIST_KEEP="from outside")
    assert "'from a flag'" in refused(tmp_path, "--port", "0", "--keep", "from a flag", DIARIST_KEEP="from outside")


@pytest.mark.models
def test_it_starts_answers_and_ends_when_told(tmp_path):
    with serve(tmp_path, "--port", "0") as process:
        try:
            line = process.stdout.readline() or process.stderr.readline()
            url = line.split("listens on ")[1].split(";")[0]
            end = time.monotonic() + 120
            while httpx.get(f"{url}/health").status_code == 503:
                assert time.monotonic() < end
                time.sleep(0.1)
            assert httpx.get(f"{url}/ping").status_code == 200
            with serve(tmp_path, "--port", "0") as second:
                assert "Another server uses" in second.communicate(timeout=60)[1]
            process.send_signal(signal.SIGTERM)
            assert "stopped" in "".join(process.communicate(timeout=60))
        finally:
            process.kill()
    assert process.returncode == 0
