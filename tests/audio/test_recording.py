"""What a user may name, and what each face refuses."""

import base64
import contextlib
import io
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from diarist.audio import recording as source_module
from diarist.audio.recording import CLI_KINDS, WORKER_KINDS, Kind, as_recording, parse_recording
from diarist.audio.url_rules import UrlRules
from diarist.model.errors import InputError


def read(source):
    with source.open() as file:
        assert file.seekable()
        return file.read()


def refusal(text, allowed, **options):
    with pytest.raises(InputError) as caught:
        read(parse_recording(text, allowed, **options))
    assert "\n" not in str(caught.value)
    return caught.value.code, str(caught.value)


class TestKinds:
    def test_a_person_may_name_a_path(self, tmp_path):
        (tmp_path / "a b.wav").write_bytes(b"sound")
        source = parse_recording(str(tmp_path / "a b.wav"), CLI_KINDS)
        assert source.name == "a b.wav"
        assert read(source) == b"sound"

    def test_a_worker_never_opens_a_path(self, tmp_path, monkeypatch):
        path = tmp_path / "c2VjcmV0"  # also valid base64
        path.write_bytes(b"the worker's own file")
        monkeypatch.chdir(tmp_path)
        assert read(parse_recording("c2VjcmV0", WORKER_KINDS)) == b"secret"
        for text in (str(path), "./c2VjcmV0", "../etc/passwd", "/etc/passwd!", "~/x.wav", "-"):
            with contextlib.suppress(InputError):  # some paths are base64 of something
                assert read(parse_recording(text, WORKER_KINDS)) != b"the worker's own file"

    @pytest.mark.parametrize("url", ["file:///etc/passwd", "s3://bucket/a.wav", "ftp://h/a", "http://h/a.wav"])
    def test_only_https(self, url):
        for allowed in (CLI_KINDS, WORKER_KINDS):
            code, says = refusal(url, allowed)
            assert code == "url_refused"
            assert "Only https" in says

    def test_what_is_not_accepted_is_told_with_what_is(self):
        code, says = refusal("data:audio/wav;base64,AAAA", CLI_KINDS)
        assert code == "audio_source_refused"
        assert "a data URL, which is not accepted here" in says
        assert "Give a path, - for standard input or an https URL." in says
        assert refusal("-", frozenset({Kind.URL}))[1].endswith("Give an https URL.")

    def test_paths_and_base64_cannot_both_be_accepted(self):
        with pytest.raises(ValueError, match="cannot both"):
            parse_recording("x", frozenset(Kind))

    def test_strings_need_rules(self):
        with pytest.raises(TypeError):
            as_recording(12)

    @given(st.text(max_size=80))
    def test_any_text_is_a_source_or_refused(self, text):
        for allowed in (CLI_KINDS, WORKER_KINDS):
            with contextlib.suppress(InputError):
                parse_recording(text, allowed, volume=Path("/nonexistent-volume"))


class TestHeldByTheCaller:
    def test_bytes(self):
        assert read(as_recording(bytearray(b"sound"))) == b"sound"

    def test_a_source_is_one_already(self):
        source = as_recording(b"x")
        assert as_recording(source) is source

    def test_a_file_stays_open(self):
        file = io.BytesIO(b"sound")
        assert read(as_recording(file)) == b"sound"
        assert not file.closed

    def test_a_stream_that_cannot_seek(self):
        reader, writer = os.pipe()
        with os.fdopen(reader, "rb", buffering=0) as stream:
            with os.fdopen(writer, "wb") as file:
                file.write(b"sound")
            assert read(as_recording(stream)) == b"sound"

    def test_a_named_pipe(self, tmp_path):
        path = tmp_path / "pipe"
        os.mkfifo(path)
        writer = threading.Thread(target=path.write_bytes, args=(b"sound",))
        writer.start()
        assert read(as_recording(path)) == b"sound"
        writer.join()

    def test_a_stream_without_end(self, monkeypatch):
        monkeypatch.setattr(source_module, "MAX_STREAM_BYTES", 1 << 20)

        class Endless(io.RawIOBase):
            def readable(self):
                return True

            def read(self, size=-1):
                return bytes(size)

        with pytest.raises(InputError) as caught:
            read(as_recording(Endless()))
        assert caught.value.http_status == 413


def test_standard_input():
    code = (
        "from diarist.audio.recording import *\n"
        "with parse_recording('-', CLI_KINDS).open() as file: print(file.seekable(), file.read())"
    )
    result = subprocess.run([sys.executable, "-c", code], input=b"sound", capture_output=True, check=True)
    assert result.stdout.decode().strip() == "True b'sound'"


class TestEncoded:
    @given(st.binary(max_size=200), st.sampled_from([base64.b64encode, base64.urlsafe_b64encode, base64.encodebytes]))
    def test_base64_of_every_make(self, data, encoder):
        text = encoder(data).decode()
        for each in (text, text.rstrip("=\n")):
            assert read(parse_recording(each, WORKER_KINDS)) == data
            assert read(parse_recording(f"data:audio/wav;base64,{each}", WORKER_KINDS)) == data

    def test_data_urls(self):
        assert read(parse_recording("data:,a%20b", WORKER_KINDS)) == b"a b"
        assert read(parse_recording("data:audio/ogg;codecs=opus;base64,YQ%3D%3D", WORKER_KINDS)) == b"a"
        assert read(parse_recording("DATA:audio/wav;BASE64,YQ==", WORKER_KINDS)) == b"a"
        assert refusal("data:audio/wav", WORKER_KINDS)[0] == "bad_data_url"
        assert refusal("data:audio/wav;base64,??", WORKER_KINDS)[0] == "bad_base64"

    def test_base64_refusals_do_not_repeat_the_text(self):
        code, says = refusal("not base64 at all! " * 1000, WORKER_KINDS)
        assert code == "bad_base64"
        assert len(says) < 200

    def test_too_much(self):
        text = base64.b64encode(bytes(10_000)).decode()
        assert refusal(text, WORKER_KINDS, max_bytes=9_000)[0] == "audio_too_large"
        assert refusal(f"data:;base64,{text}", WORKER_KINDS, max_bytes=9_000)[0] == "audio_too_large"
        assert refusal("data:," + "a" * 10_000, WORKER_KINDS, max_bytes=9_000)[0] == "audio_too_large"
        assert len(read(parse_recording(text, WORKER_KINDS, max_bytes=10_000))) == 10_000

    @pytest.mark.parametrize("text", ["data:,\ud800", "data:;base64,%41\ud800", "data:;name=\ud800;base64,\udfff"])
    def test_half_a_surrogate_pair_is_refused(self, text):
        assert refusal(text, WORKER_KINDS)[0] in ("bad_data_url", "bad_base64")

    @given(st.text(st.characters(), max_size=60))
    def test_data_urls_never_raise_anything_else(self, text):
        with contextlib.suppress(InputError):
            parse_recording("data:" + text, WORKER_KINDS)


class TestVolume:
    @pytest.fixture
    def volume(self, tmp_path):
        root = tmp_path / "volume"
        (root / "calls").mkdir(parents=True)
        (root / "calls" / "a.wav").write_bytes(b"sound")
        (tmp_path / "secret.wav").write_bytes(b"secret")
        (tmp_path / "volume-evil").mkdir()
        (tmp_path / "volume-evil" / "x.wav").write_bytes(b"secret")
        (root / "inner.wav").symlink_to("calls/a.wav")
        (root / "outer.wav").symlink_to(tmp_path / "secret.wav")
        (root / "up").symlink_to(tmp_path)
        (root / "loop").symlink_to("loop")
        return root

    @pytest.mark.parametrize("path", ["calls/a.wav", "inner.wav", "calls/../inner.wav", "./calls//a.wav"])
    def test_files_inside(self, path, volume):
        assert read(parse_recording(f"volume:{path}", WORKER_KINDS, volume=volume)) == b"sound"

    @pytest.mark.parametrize(
        "path",
        [
            "../secret.wav",
            "calls/../../secret.wav",
            "outer.wav",
            "up/secret.wav",
            "../volume-evil/x.wav",
            "/etc/passwd",
            "//etc/passwd",
            "loop/a.wav",
            "..",
            "a\x00b",
        ],
    )
    def test_nothing_outside(self, path, volume):
        code, says = refusal(f"volume:{path}", WORKER_KINDS, volume=volume)
        assert code in {"volume_refused", "audio_not_found", "audio_unreadable"}
        assert str(volume) not in says

    @pytest.mark.parametrize("name", ["x" * 100_000, "a\nb\u202ec.wav", "../" + "y" * 100_000])
    def test_a_refusal_is_one_short_line_whatever_the_path(self, name, volume):
        for root in (volume, None):
            says = refusal(f"volume:{name}", WORKER_KINDS, volume=root)[1]
            assert len(says) < 500
            assert says.isprintable()

    def test_the_root_may_be_a_link(self, volume, tmp_path):
        (tmp_path / "mount").symlink_to(volume)
        assert read(parse_recording("volume:calls/a.wav", WORKER_KINDS, volume=tmp_path / "mount")) == b"sound"

    def test_missing_file_and_missing_volume(self, volume):
        assert refusal("volume:gone.wav", WORKER_KINDS, volume=volume)[0] == "audio_not_found"
        assert refusal("volume:a.wav", WORKER_KINDS)[0] == "volume_refused"
        assert refusal("volume:", WORKER_KINDS, volume=volume)[0] == "audio_is_folder"


def test_importing_sources_loads_nothing_heavy():
    code = "import sys, diarist.audio.recording; print({'av', 'numpy', 'httpx', 'httpcore'} & set(sys.modules))"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "set()"


def test_naming_a_url_resolves_nothing():
    def resolve(host, port):
        raise AssertionError("resolved before it was opened")

    source = parse_recording("https://example.org/call.mp3?sig=secret", CLI_KINDS, rules=UrlRules(resolve=resolve))
    assert source.name == "call.mp3 on example.org"
