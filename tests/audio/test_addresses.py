"""Every spelling of an inner address that was ever tried on a recording's URL, and none gets through.

Add what comes to mind; a list that only grows is the point.
"""

import contextlib
import io
import socket
import ssl
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import quote, unquote

import httpcore
import pytest
from hypothesis import given
from hypothesis import strategies as st

from diarist.audio import network
from diarist.audio.download import download
from diarist.audio.url_rules import UrlRules
from diarist.model.errors import InputError

HOSTS = (
    # this machine
    "localhost", "LOCALHOST", "LocalHost", "localhost.", "localhost.localdomain", "ip6-localhost", "127.0.0.1",
    "127.0.0.1.", "127.1", "127.0.1", "127.255.255.254", "127.00.00.01", "127.000.000.001", "0177.0.0.1", "0177.1",
    "0177.0.0.01", "0x7f.0.0.1", "0x7f.1", "0x7F.0.0.1", "0X7f.0x0.0x0.0x1", "0x7f000001", "0x7f.0x1", "2130706433",
    "017700000001", "0x7f.0.1", "127.0x1", "127.0.0x1", "127.0.01", "0", "0.0.0.0", "0x0", "00", "0.0", "0.0.0.0.",
    "[::1]", "[::]", "[0:0:0:0:0:0:0:1]", "[0000:0000:0000:0000:0000:0000:0000:0001]", "[::0001]", "[::0]",
    "[0::1]", "[::1%25lo]", "[::1%lo]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[0:0:0:0:0:ffff:127.0.0.1]",
    "[::FFFF:127.0.0.1]", "[::127.0.0.1]", "[::7f00:1]", "[64:ff9b::127.0.0.1]", "[64:ff9b::7f00:1]",
    "[64:ff9b:1::7f00:1]", "[2002:7f00:1::]", "[2002:7f00:1::1]", "[2001:0:7f00:1::]",
    # digits and dots that are others' digits and dots
    "127。0。0。1", "127．0．0．1", "127｡0｡0｡1", "１２７.0.0.1", "①②⑦.⓪.⓪.①", "⑯⑨。②⑤④。⑯⑨｡②⑤④",
    "ⓛⓞⓒⓐⓛⓗⓞⓢⓣ", "ｌｏｃａｌｈｏｓｔ",
    "𝟏𝟐𝟕.0.0.1", "127.0.0.1\u200b", "127.0.0.1\u00ad", "loc\u00adalhost", "%31%32%37.0.0.1", "127%2e0%2e0%2e1",
    "localhost%00", "localhost%00.example.org", "127.0.0.1%00", "127.0.0.1%20", "127.0.0.1%09", "localhost%0a",
    # who tells clouds' machines what they are, and their secrets
    "169.254.169.254", "[::ffff:169.254.169.254]", "[::ffff:a9fe:a9fe]", "[fd00:ec2::254]", "[fe80::a9fe:a9fe]",
    "[64:ff9b::a9fe:a9fe]", "2852039166", "0xa9fea9fe", "0xa9.0xfe.0xa9.0xfe", "0251.0376.0251.0376", "169.254.43518",
    "169.16689662", "0251.254.169.254", "0xa9.254.0251.254", "169.254.169.254.", "169.254.170.2", "100.100.100.200",
    "192.0.0.192", "168.63.129.16", "169.254.0.23", "[fd20:ce::254]",
    # networks inside
    "10.0.0.1", "10.1", "0xa.0.0.1", "012.0.0.1", "167772161", "172.16.0.1", "172.31.255.255", "192.168.0.1",
    "192.168.1", "3232235777", "0xc0a80001", "100.64.0.1", "100.127.255.255", "198.18.0.1", "198.19.255.255",
    "[fc00::1]", "[fd12:3456:789a::1]", "[fe80::1]", "[fe80::1%25eth0]", "[febf::1]", "[fec0::1]", "[::ffff:10.0.0.1]",
    "[::ffff:192.168.0.1]", "[::10.0.0.1]", "[64:ff9b::10.0.0.1]", "[2002:a00:1::]", "[::ffff:0:10.0.0.1]",
    # everybody, nobody and those of examples
    "224.0.0.1", "239.255.255.250", "255.255.255.255", "240.0.0.1", "[ff02::1]", "[ff05::2]", "[ff0e::1]",
    "192.0.2.1", "198.51.100.7", "203.0.113.9", "[2001:db8::1]", "[3fff::1]", "[100::1]", "[5f00::1]", "192.88.99.1",
    # more than one host in one
    "127.0.0.1:443@8.8.8.8", "8.8.8.8@127.0.0.1", "8.8.8.8:80@127.0.0.1", "user:secret@127.0.0.1", "@127.0.0.1",
    "8.8.8.8#@127.0.0.1", "127.0.0.1#@8.8.8.8", "127.0.0.1?@8.8.8.8", "127.0.0.1\\@8.8.8.8", "8.8.8.8\\@127.0.0.1",
    "8.8.8.8\\.127.0.0.1", "127.0.0.1:80:443", "127.0.0.1:", "[::1]:", "[::1", "::1", "[127.0.0.1]", "[localhost]",
    "[::1]8.8.8.8", "8.8.8.8[::1]", "8.8.8.8 127.0.0.1", "8.8.8.8\t@127.0.0.1", "8.8.8.8\r\nHost: 127.0.0.1", "",
    # names that are none
    "xn--zzzzzzzz", "xn--a", "xn--", "xn--zzzz.example", "a.xn--zzzzzzzz", "\ud800", "a\udfff.example", ".", "..",
    ".localhost", "localhost..", "a" * 64, "a" * 64 + ".example", "a." * 130, "a:0", "a:65536", "a:99999", "a:-1",
    "a:٣", "a:1e3", "☃.net\u200d", "-", "_", "*", "%", "%zz", "[]", "[:]", "[v1.a]", "[::g]", "[1:2:3:4:5:6:7:8:9]",
)  # fmt: skip

ANSWERS = (
    *("0.0.0.0", "0.0.0.1", "0.255.255.255", "10.0.0.0", "10.255.255.255", "100.64.0.0", "100.127.255.255"),
    *("127.0.0.0", "127.0.0.1", "127.255.255.255", "168.63.129.16", "169.254.0.0", "169.254.169.254"),
    *("169.254.255.255", "172.16.0.0", "172.31.255.255", "192.0.0.0", "192.0.0.8", "192.0.0.170", "192.0.0.255"),
    *("192.0.2.0", "192.88.99.1", "192.168.0.0", "192.168.255.255", "198.18.0.0", "198.19.255.255", "198.51.100.1"),
    *("203.0.113.1", "224.0.0.0", "239.255.255.255", "240.0.0.0", "255.255.255.255", "::", "::1", "::2", "::7f00:1"),
    *("::127.0.0.1", "::ffff:0.0.0.0", "::ffff:10.0.0.1", "::ffff:127.0.0.1", "::ffff:169.254.169.254"),
    *("::ffff:192.168.0.1", "::ffff:255.255.255.255", "::ffff:0:127.0.0.1", "64:ff9b::", "64:ff9b::7f00:1"),
    *("64:ff9b::a00:1", "64:ff9b::a9fe:a9fe", "64:ff9b::ffff:ffff", "64:ff9b:1::", "64:ff9b:1::808:808"),
    *("64:ff9b:1:ffff::1", "100::", "100::1", "2001::", "2001:0:7f00:1::", "2001:10::1", "2001:2::1", "2001:db8::"),
    *("2001:db8:ffff::1", "2002::", "2002:7f00:1::", "2002:a9fe:a9fe::", "2002:808:808::", "3fff::", "3fff:fff::1"),
    *("5f00::", "fc00::", "fd00:ec2::254", "fdff:ffff::1", "fe80::", "fe80::1", "fe80::1%eth0", "fe80::1%1"),
    *("2606:4700::1111%eth0", "febf::1", "fec0::", "feff::1", "ff00::", "ff02::1", "ff0e::1", "ffff::1"),
    *("", " ", "0", "127.1", "0x7f000001", "2130706433", "localhost", "8.8.8.8 ", " 8.8.8.8", "8.8.8.8\n", "8.8.8"),
    *("8.8.8.8.8", "08.8.8.8", "8.8.8.8/32", "[2606:4700::1111]", "2606:4700::1111%", "1.1.1.1,127.0.0.1", "::%lo"),
)

SCHEMES = (
    "file:///etc/passwd", "FILE:///etc/passwd", "file://localhost/etc/passwd", "ftp://8.8.8.8/x", "gopher://8.8.8.8/_x",
    "dict://8.8.8.8:11211/stat", "ldap://8.8.8.8/", "jar:https://8.8.8.8/x!/y", "data:audio/wav;base64,AAAA",
    "ws://8.8.8.8/", "javascript:1", "netdoc:///etc/passwd", "s3://bucket/key", "http+unix://%2Frun%2Fdocker.sock/x",
    "unix:/run/docker.sock", "view-source:https://8.8.8.8/", "blob:https://8.8.8.8/x", "sftp://8.8.8.8/",
    "tftp://8.8.8.8/", "//",
    "https",    "https:", "https:/", "https://", "https:///x", "://8.8.8.8/", "https:8.8.8.8", "-", "",
)  # fmt: skip


CONTEXT = ssl.create_default_context()


@pytest.fixture
def connections(monkeypatch):
    """Addresses to which a connection was tried; none is made."""
    tried = []

    def connect(self, host, port, *args):
        tried.append(host)
        raise httpcore.ConnectError("not in this test")

    monkeypatch.setattr(httpcore.SyncBackend, "connect_tcp", connect)
    return tried


def numbers_only(host, port):
    """Every spelling of a number that the system's own resolver knows, and the names that it knows without asking."""
    if host.lower().rstrip(".") in ("localhost", "localhost.localdomain", "ip6-localhost"):
        return ["127.0.0.1", "::1"]
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST)
    return [str(entry[4][0]) for entry in found]


def refused(url, rules):
    with pytest.raises(InputError) as caught:
        download(url, io.BytesIO(), rules)
    error = caught.value
    assert error.code in ("url_refused", "url_unreachable")
    assert "\n" not in str(error)
    assert "secret" not in str(error)
    assert str(error).isprintable()
    return error


@pytest.mark.parametrize("host", HOSTS, ids=ascii)
def test_no_spelling_of_a_host_leads_inside(host, connections):
    for tail in ("/secret", ":8000/secret", "", "?secret", "#secret"):
        refused(f"https://{host}{tail}", UrlRules(resolve=numbers_only, ssl_context=CONTEXT))
    # A second host may hide behind the first: what is connected to then is the public one, and it does not answer.
    assert set(connections) <= {"8.8.8.8"}


@pytest.mark.parametrize("answer", ANSWERS, ids=ascii)
def test_no_answer_of_a_resolver_leads_inside(answer, connections):
    for answers in ([answer], ["8.8.8.8", answer], [answer, "8.8.8.8"]):
        refused(
            "https://files.example/x?secret",
            UrlRules(resolve=lambda host, port, given=answers: given, ssl_context=CONTEXT),
        )
    assert connections == []


@pytest.mark.parametrize("url", SCHEMES)
def test_no_other_scheme_is_followed(url, connections):
    refused(url, UrlRules(resolve=numbers_only, ssl_context=CONTEXT))
    assert connections == []


@pytest.fixture(scope="module")
def redirector():
    """A server that redirects to what its path says; it listens on every address of this machine, and 127.0.0.2
    passes for a public one."""
    hits = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            hits.append(self.path)
            self.send_response_only(302)
            self.wfile.write(b"HTTP/1.1 302 x\r\nContent-Length: 0\r\nLocation: ")
            self.wfile.write(unquote(self.path[1:], errors="surrogatepass").encode("utf-8", "surrogatepass"))
            self.wfile.write(b"\r\n\r\n")

        def log_message(self, *args):
            pass

    server = ThreadingHTTPServer(("0.0.0.0", 0), Handler)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    with pytest.MonkeyPatch.context() as patch:
        real = network.is_public
        patch.setattr(network, "is_public", lambda address: address == "127.0.0.2" or real(address))
        yield server.server_port, hits
    server.shutdown()
    server.server_close()


def redirected(redirector, location):
    port, hits = redirector
    hits.clear()

    def resolve(host, port):
        return ["127.0.0.2"] if host == "files.example" else numbers_only(host, port)

    first = f"http://files.example:{port}/{quote(location, safe='', errors='surrogatepass')}"
    with pytest.raises(InputError) as caught:
        download(first, io.BytesIO(), UrlRules(allow_http=True, resolve=resolve, max_seconds=5, ssl_context=CONTEXT))
    assert len(hits) == 1
    assert str(caught.value).isprintable()
    return caught.value


REDIRECTS = tuple(host for host in HOSTS if host and "8.8.8.8" not in host and not set(host) & set("\r\n\t#?"))


@pytest.mark.parametrize("host", REDIRECTS, ids=ascii)
def test_no_redirect_leads_inside(host, redirector):
    for start in ("http://", "//", "https://"):
        redirected(redirector, f"{start}{host}/x")
        redirected(redirector, f"{start}{host}:{redirector[0]}/x")


@pytest.mark.parametrize("location", [url for url in SCHEMES if ":" in url and "8.8.8.8" not in url])
def test_no_redirect_changes_to_another_scheme(location, redirector):
    redirected(redirector, location)


@given(host=st.text(max_size=30), base=st.sampled_from(["https://", "https://xn--", "https://a.", "https://["]))
def test_any_host_is_refused_in_one_line_or_not_known(host, base):
    def unknown(host, port):
        raise OSError

    with contextlib.suppress(InputError):
        download(base + host, io.BytesIO(), UrlRules(resolve=unknown, ssl_context=CONTEXT))
