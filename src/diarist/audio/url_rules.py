"""Which URLs a recording may be fetched from, and at what cost."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from diarist.model.errors import InputError

if TYPE_CHECKING:
    import httpx


def _system_resolver(host: str, port: int) -> list[str]:
    return [str(entry[4][0]) for entry in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]


@dataclass(frozen=True, slots=True, kw_only=True)
class UrlRules:
    """What a URL may reach, and how much it may cost. The defaults are for URLs from strangers.

    Attributes:
        max_bytes: the largest download.
        max_seconds: the longest a download may take in all, redirects included (resolving a name excepted: the
            system's resolver has its own limits).
        min_rate: bytes a second that must come in every stretch of ``rate_seconds`` after the first byte.
        rate_seconds: length of such a stretch.
        allow_http: also accept plain http.
        allow_private: also connect to private, loopback and other inner addresses. For tests only.
        resolve: from host and port to addresses.
        ssl_context: which certificates are trusted; None is httpx's choice (certifi, or ``SSL_CERT_FILE``).
    """

    max_bytes: int = 4 << 30
    max_seconds: float = 900.0
    min_rate: float = 8_000.0
    rate_seconds: float = 30.0
    allow_http: bool = False
    allow_private: bool = False
    resolve: Callable[[str, int], Iterable[str]] = _system_resolver
    ssl_context: ssl.SSLContext | None = None


def url_name(url: str, rules: UrlRules = UrlRules()) -> str:
    """Short name of a URL for messages, without folders, credentials or query, e.g. ``call.mp3 on example.org``.

    Raises:
        InputError: not a URL that `download` accepts (``url_refused``).
    """
    return host_and_file(checked_url(url, rules))


def checked_url(url: str, rules: UrlRules, base: httpx.URL | None = None) -> httpx.URL:
    """Read a URL, from a page at ``base`` if given.

    Raises:
        InputError: it is none, or none that `rules` accept (``url_refused``).
    """
    import httpx

    try:
        target = httpx.URL(url) if base is None else base.join(url)
        _check_host(target.host, target.raw_host, target.port)
    except (httpx.InvalidURL, ValueError):  # a host name that does not decode is a ValueError too
        raise InputError("url_refused", "The URL is malformed.", "Write https://HOST/FILE.") from None
    after = " redirected" if base is not None else ""
    if target.scheme != "https" and not (rules.allow_http and target.scheme == "http"):
        raise InputError(
            "url_refused", f"A{after} URL starts with {target.scheme[:12]!r}.", "Only https URLs are accepted."
        )
    if not target.host:
        raise InputError("url_refused", f"A{after} URL names no host.", "Write https://HOST/FILE.")
    if target.userinfo:
        raise InputError("url_refused", f"A{after} URL holds a user name or password.", "Use a signed URL instead.")
    return target


def _check_host(host: str, raw_host: bytes, port: int | None) -> None:
    """Raise ValueError for names and ports that no address can have; what sockets say to them differs by system."""
    labels = [] if ":" in host else raw_host.removesuffix(b".").split(b".")
    if host and (len(raw_host) > 254 or not all(0 < len(label) < 64 for label in labels)):
        raise ValueError("no host name")
    if port is not None and not 0 < port < 65_536:
        raise ValueError("no port")


def host_and_file(target: httpx.URL) -> str:
    """Name a URL for messages; see `url_name`."""
    file = target.path.rstrip("/").rpartition("/")[2][-80:]
    name = f"{file} on {target.host}" if file else target.host
    return "".join(char if char.isprintable() else "?" for char in name)
