"""URLs from strangers, against real servers on loopback.

Loopback is let through by an explicit rule; where a test is about inner addresses, the rule is off and the resolver
says what a hostile name server would say.
"""

import contextlib
import io
import ipaddress
import logging
import ssl
import tempfile
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
import trustme
from hypothesis import given
from hypothesis import strategies as st

from diarist.audio.decode import decode
from diarist.audio.download import download
from diarist.audio.network import is_public
from diarist.audio.recording import WORKER_KINDS, parse_recording
from diarist.audio.url_rules import UrlRules, url_name
from diarist.model.errors import Cancelled, InputError

BODY = bytes(range(256)) * 400


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.server.hits.append((self.headers["Host"], self.path))
        route = self.path.partition("?")[0].removeprefix("/")
        with contextlib.suppress(BrokenPipeError, ConnectionResetError, ssl.SSLError):
            getattr(self, f"get_{route.replace('.', '_')}", lambda: self.send(404, b""))()

    def send(self, status, body, **headers):
        self.send_response(status)
        for key, value in {"Content_Length": len(body), **headers}.items():
            self.send_header(key.replace("_", "-"), str(value))
        self.end_headers()
        self.wfile.write(body)

    def get_file(self):
        self.send(200, BODY)

    def get_call_wav(self):
        self.send(200, self.server.recording)

    def get_page(self):
        self.send(200, b"<html>Please log in</html>", Content_Type="text/html; charset=utf-8")

    def get_forbidden(self):
        self.send(403, b"")

    def get_loop(self):
        self.send(302, b"", Location="/loop")

    def get_to(self):
        self.send(302, b"", Location=self.path.partition("?")[2])

    def get_nowhere(self):
        self.send(302, b"")

    def get_countdown(self):
        left = int(self.path.partition("?")[2])
        self.send(302, b"", Location=f"/countdown?{left - 1}") if left else self.send(200, BODY)

    def get_lies_long(self):
        self.send(200, BODY, Content_Length=len(BODY) + 1000)
        self.close_connection = True

    def get_endless(self):
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for _ in range(10_000):
            self.wfile.write(b"1000\r\n" + bytes(0x1000) + b"\r\n")

    def get_claims_much(self):
        self.send(200, b"", Content_Length=10**12)

    def get_drip(self):
        self.send(200, b"", Content_Length=1000)
        for _ in range(200):
            self.wfile.write(b"x")
            self.wfile.flush()
            time.sleep(0.05)

    def get_silent(self):
        self.send(200, b"", Content_Length=1000)
        time.sleep(15)

    def get_drip_headers(self):
        self.wfile.write(b"HTTP/1.1 200 OK\r\nX-Drip: ")
        for _ in range(200):
            self.wfile.write(b"x")
            self.wfile.flush()
            time.sleep(0.05)

    def log_message(self, *args):
        pass


class Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def handle_error(self, request, client_address):
        """A client that hangs up is what these tests are about."""


@contextlib.contextmanager
def serving(context=None):
    server = Server(("127.0.0.1", 0), Handler)
    server.hits, server.recording = [], b""
    if context is not None:
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.fixture(scope="module")
def authority():
    return trustme.CA()


@pytest.fixture
def server(authority):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("files.example", "other.example").configure_cert(context)
    with serving(context) as server:
        yield server


@pytest.fixture
def rules(authority):
    """Names resolve to loopback, our authority is trusted, and loopback is let through."""
    trusted = ssl.create_default_context()
    authority.configure_trust(trusted)

    def make(**changes):
        settings = {"allow_private": True, "resolve": lambda host, port: ["127.0.0.1"], "ssl_context": trusted}
        return UrlRules(**{**settings, **changes})

    return make


def fetch(url, rules):
    file = io.BytesIO()
    download(url, file, rules)
    return file.getvalue()


def refusal(url, rules):
    with pytest.raises(InputError) as caught:
        fetch(url, rules)
    error = caught.value
    assert "\n" not in str(error)
    assert "secret" not in str(error)
    assert error.__cause__ is None
    return error.code, error.http_status, str(error)


def url(server, path):
    return f"https://files.example:{server.server_port}/{path}"


class TestWhatWorks:
    def test_a_file(self, server, rules):
        assert fetch(url(server, "file?sig=secret"), rules()) == BODY
        assert server.hits == [(f"files.example:{server.server_port}", "/file?sig=secret")]

    def test_up_to_five_redirects(self, server, rules):
        assert fetch(url(server, "countdown?5"), rules()) == BODY

    def test_a_redirect_to_another_host(self, server, rules):
        there = f"https://other.example:{server.server_port}/file"
        assert fetch(url(server, f"to?{there}"), rules()) == BODY
        assert [host.partition(":")[0] for host, _ in server.hits] == ["files.example", "other.example"]

    def test_the_next_address_is_tried(self, server, rules):
        assert fetch(url(server, "file"), rules(resolve=lambda host, port: ["127.0.0.99", "127.0.0.1"])) == BODY

    def test_from_url_to_samples(self, server, rules, wav, tone):
        server.recording = wav(tone(0.5))
        source = parse_recording(url(server, "call.wav?X-Amz-Signature=secret"), WORKER_KINDS, rules=rules())
        assert source.name == "call.wav on files.example"
        assert decode(source).duration == 0.5

    def test_http_where_it_is_allowed(self, rules):
        with serving() as plain:
            there = f"http://files.example:{plain.server_port}/file"
            assert fetch(there, rules(allow_http=True)) == BODY
            assert refusal(there, rules())[0] == "url_refused"
            assert len(plain.hits) == 1


class TestInnerAddresses:
    INNER = (
        *("127.0.0.1", "127.9.9.9", "10.0.0.1", "172.16.0.1", "192.168.1.1", "169.254.169.254", "0.0.0.0"),
        *("100.64.0.1", "192.0.0.192", "198.18.0.1", "224.0.0.1", "239.255.255.250", "240.0.0.1", "255.255.255.255"),
        *("168.63.129.16", "192.0.2.1", "203.0.113.9", "::", "::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1"),
        *("::ffff:169.254.169.254", "::127.0.0.1", "fe80::1", "fe80::1%eth0", "fc00::1", "fd00:ec2::254", "ff02::1"),
        *("64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe", "64:ff9b:1::1", "2002:7f00:1::", "2001:0:7f00:1::", "2001:db8::1"),
        *("fec0::1", "3fff::1", "5f00::1", "not an address", ""),
    )
    PUBLIC = ("8.8.8.8", "1.1.1.1", "93.184.215.14", "2606:4700:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808")

    @pytest.mark.parametrize("address", INNER)
    def test_are_refused_before_connecting(self, address, server, rules):
        assert not is_public(address)
        strict = rules(allow_private=False, resolve=lambda host, port: [address])
        assert refusal(url(server, "file?secret"), strict)[:2] == ("url_refused", 400)
        assert server.hits == []

    @pytest.mark.parametrize("address", PUBLIC)
    def test_public_ones_are_not(self, address):
        assert is_public(address)

    def test_one_inner_address_among_public_ones_is_enough(self, server, rules):
        strict = rules(allow_private=False, resolve=lambda host, port: ["93.184.215.14", "127.0.0.1"])
        assert refusal(url(server, "file"), strict)[0] == "url_refused"

    @pytest.mark.parametrize("host", ["127.0.0.1", "[::1]", "2130706433", "0x7f.1", "127.1", "localhost", "0", "[::]"])
    def test_every_spelling_of_this_machine(self, host, server):
        code = refusal(f"https://{host}:{server.server_port}/file", UrlRules())[0]
        assert code in {"url_refused", "url_unreachable"}
        assert server.hits == []

    def test_after_a_redirect(self, server, rules):
        def resolve(host, port):
            return ["127.0.0.1"] if host == "files.example" else ["169.254.169.254"]

        def only_first_is_public(address):
            return address == "127.0.0.1"

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("diarist.audio.network.is_public", only_first_is_public)
            strict = rules(allow_private=False, resolve=resolve)
            there = "https://metadata.example/latest/meta-data?secret"
            assert refusal(url(server, f"to?{there}"), strict)[0] == "url_refused"
        assert len(server.hits) == 1

    @pytest.mark.parametrize("there", ["http://files.example/x", "file:///etc/passwd", "ftp://files.example/x"])
    def test_a_redirect_to_another_scheme(self, there, server, rules):
        assert refusal(url(server, f"to?{there}"), rules())[0] == "url_refused"
        assert len(server.hits) == 1

    def test_a_name_that_changes_its_address_is_resolved_once_and_pinned(self, server, rules):
        answers = iter([["127.0.0.1"], ["169.254.169.254"]])
        asked = []

        def rebinding(host, port):
            asked.append(host)
            return next(answers)

        assert fetch(url(server, "file"), rules(resolve=rebinding)) == BODY
        assert asked == ["files.example"]

    @given(st.integers(0, 2**32 - 1))
    def test_wrapping_an_address_does_not_launder_it(self, number):
        plain = is_public(str(ipaddress.IPv4Address(number)))
        assert is_public(f"::ffff:{ipaddress.IPv4Address(number)}") == plain
        assert is_public(str(ipaddress.IPv6Address((0x64FF9B << 96) | number))) == plain


class TestHostileServers:
    def test_redirects_without_end(self, server, rules):
        code, status, says = refusal(url(server, "loop?secret"), rules())
        assert (code, status) == ("url_refused", 400)
        assert "more than 5 times" in says
        assert len(server.hits) == 6

    def test_redirect_to_nowhere(self, server, rules):
        assert refusal(url(server, "nowhere"), rules())[0] == "url_status"

    def test_a_body_without_end(self, server, rules):
        code, status, _ = refusal(url(server, "endless"), rules(max_bytes=1_000_000))
        assert (code, status) == ("audio_too_large", 413)

    def test_a_length_beyond_the_limit_is_not_waited_for(self, server, rules):
        assert refusal(url(server, "claims_much"), rules())[:2] == ("audio_too_large", 413)

    def test_a_body_shorter_than_declared(self, server, rules):
        assert refusal(url(server, "lies_long"), rules())[:2] == ("url_incomplete", 422)

    @pytest.mark.parametrize("path", ["drip", "drip_headers"])
    def test_a_drip_ends_at_the_deadline(self, path, server, rules):
        before = time.monotonic()
        assert refusal(url(server, path), rules(max_seconds=0.5))[:2] == ("url_timeout", 422)
        assert time.monotonic() - before < 5

    @pytest.mark.parametrize("path", ["drip", "drip_headers"])
    def test_a_drip_is_too_slow_long_before(self, path, server, rules):
        code, status, says = refusal(url(server, path), rules(rate_seconds=0.5))
        assert (code, status) == ("url_too_slow", 422)
        assert "8 kB are the least" in says

    def test_a_slow_beginning_is_not_held_against_what_comes_fast_enough(self, server, rules):
        # 20 bytes a second, where 10 are enough.
        before = time.monotonic()
        code, _, _ = refusal(url(server, "drip"), rules(rate_seconds=0.5, min_rate=10, max_seconds=2))
        assert code == "url_timeout"
        assert time.monotonic() - before >= 2

    @pytest.mark.parametrize("path", ["silent", "drip", "drip_headers"])
    def test_who_stops_it_need_not_wait_for_the_host(self, path, server, rules):
        asked = []

        def progress(stage, done):
            asked.append(stage)
            if len(asked) > 3:
                raise Cancelled

        before = time.monotonic()
        with pytest.raises(Cancelled), tempfile.TemporaryFile() as file:
            download(url(server, path), file, rules(), progress)
        assert time.monotonic() - before < 10
        assert set(asked) == {"download"}

    def test_a_web_page(self, server, rules):
        code, status, says = refusal(url(server, "page"), rules())
        assert (code, status) == ("url_is_page", 415)
        assert "web page" in says

    def test_an_error_status(self, server, rules):
        code, status, says = refusal(url(server, "forbidden?sig=secret"), rules())
        assert (code, status) == ("url_status", 422)
        assert "answers 403" in says
        assert "expired" in says

    def test_a_certificate_for_another_host(self, server, rules):
        code, _, says = refusal(f"https://evil.example:{server.server_port}/file", rules())
        assert code == "url_unreachable"
        assert "certificate" in says
        assert server.hits == []

    def test_an_unknown_authority(self, server, rules):
        assert "certificate" in refusal(url(server, "file"), rules(ssl_context=None))[2]

    def test_nobody_listens(self, rules):
        assert refusal("https://files.example:1/x", rules())[0] == "url_unreachable"

    def test_an_unknown_host(self, rules):
        def unknown(host, port):
            raise OSError("no such host")

        assert refusal("https://files.example/x", rules(resolve=unknown))[0] == "url_unreachable"


@pytest.mark.parametrize("text", ["https://", "https:///x", "https://user:secret@files.example/x", "https://[::1", "x"])
def test_malformed_urls(text):
    assert refusal(text, UrlRules())[0] == "url_refused"


@given(st.text(max_size=60))
def test_any_url_is_named_or_refused(text):
    with contextlib.suppress(InputError):
        name = url_name("https://" + text)
        assert "\n" not in name


def test_environment_proxies_are_ignored(server, rules, monkeypatch):
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "https_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    assert fetch(url(server, "file"), rules()) == BODY


def test_query_strings_are_not_logged(server, rules, caplog):
    caplog.set_level(logging.DEBUG)
    there = f"https://files.example:{server.server_port}/file?sig=secret"
    assert fetch(url(server, f"to?{there}"), rules()) == BODY
    assert "secret" not in caplog.text


@pytest.mark.parametrize("path", ["file", "endless", "lies_long"])
def test_the_temporary_file_is_gone_in_every_case(path, server, rules, tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr("diarist.audio.recording.SPOOL_BYTES", 1000)
    source = parse_recording(url(server, path), WORKER_KINDS, rules=rules(max_bytes=1_000_000))
    with contextlib.suppress(InputError), source.open() as file:
        assert file.read() == BODY
    assert list(tmp_path.iterdir()) == []
