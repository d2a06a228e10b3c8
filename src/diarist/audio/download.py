"""Fetch a recording from a URL that a stranger chose.

The danger is a server made to reach what only it can reach (SSRF). So every host name, also after each redirect, is
resolved once, every address is checked, and the connection goes to a checked address: the check sits in the function
that opens the socket (`diarist.audio.network`), so nothing can change in between. TLS still names
and verifies the host.

httpcore is used directly instead of httpx: its network backend is the public place for that check, it knows no
environment proxies, and httpx would log whole URLs, query (signatures!) included. `advocate` and `requests` with a
hook were rejected: unmaintained, and no pinning.
"""

from __future__ import annotations

import ssl
import time
from collections.abc import Callable
from typing import IO, TYPE_CHECKING, Final

from diarist.model.errors import InputError
from diarist.model.progress import Progress, ignore

if TYPE_CHECKING:
    import httpcore
    import httpx
from diarist.audio.url_rules import UrlRules, checked_url, host_and_file

MAX_REDIRECTS: Final = 5
_READ_TIMEOUT: Final = 30.0
_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})


def download(url: str, file: IO[bytes], rules: UrlRules = UrlRules(), progress: Progress = ignore) -> None:
    """Write what a URL holds to a file.

    Args:
        url: https, or http where the rules allow it.
        file: open for writing in binary.
        rules: what may be reached, and limits.
        progress: called as ``progress("download", done)``, 0 where the length is not known, also while nothing comes;
            may raise `Cancelled`.

    Raises:
        InputError: the URL or an address is refused (``url_refused``), does not answer as it should
            (``url_unreachable``, ``url_status``, ``url_timeout``, ``url_too_slow``, ``url_incomplete``,
            ``url_is_page``), or holds too much (``audio_too_large``). No message holds a query string.
    """
    import httpcore

    from diarist.audio.network import CheckedBackend, Watch

    target = checked_url(url, rules)
    name = host_and_file(target)
    deadline = time.monotonic() + rules.max_seconds
    done = 0.0

    def report(now_done: float) -> None:
        nonlocal done
        done = now_done
        progress("download", done)

    watch = Watch(name, rules, deadline, lambda: progress("download", done))
    try:
        with httpcore.ConnectionPool(
            ssl_context=rules.ssl_context or _ssl_context(), network_backend=CheckedBackend(rules, watch)
        ) as pool:
            for _ in range(MAX_REDIRECTS + 1):
                location = _get(pool, target, name, file, rules, deadline, report)
                if location is None:
                    return
                target = checked_url(location, rules, base=target)
    except httpcore.TimeoutException:
        limit = f"It took more than {rules.max_seconds:.0f} s" if time.monotonic() >= deadline else "It went silent"
        raise InputError(
            "url_timeout", f"{name} could not be downloaded in time. {limit}.", "Try a faster host.", http_status=422
        ) from None
    except (httpcore.ConnectError, httpcore.ConnectionNotAvailable) as error:
        reason = "its certificate is not valid" if "CERTIFICATE" in str(error).upper() else "no connection"
        raise InputError(
            "url_unreachable", f"{name} cannot be reached: {reason}.", "Check the host.", http_status=422
        ) from None
    except (httpcore.NetworkError, httpcore.ProtocolError):
        raise InputError(
            "url_incomplete", f"The download of {name} broke off.", "Try again.", http_status=422
        ) from None
    raise InputError(
        "url_refused", f"{name} redirects more than {MAX_REDIRECTS} times.", "Give the address of the file itself."
    )


def _get(
    pool: httpcore.ConnectionPool,
    target: httpx.URL,
    name: str,
    file: IO[bytes],
    rules: UrlRules,
    deadline: float,
    report: Callable[[float], None],
) -> str | None:
    """Follow one hop: write the body and return None, or return where it redirects to."""
    import httpcore

    url = httpcore.URL(scheme=target.raw_scheme, host=target.raw_host, port=target.port, target=target.raw_path or b"/")
    headers: dict[bytes | str, bytes | str] = {
        "Host": target.netloc,
        "Accept": "*/*",
        "Accept-Encoding": "identity",
        "User-Agent": "diarist",
    }
    timeout = {"connect": 10.0, "read": _READ_TIMEOUT, "write": _READ_TIMEOUT, "pool": _READ_TIMEOUT}
    with pool.stream("GET", url, headers=headers, extensions={"timeout": timeout}) as response:
        fields = {key.lower(): value.decode("latin-1") for key, value in response.headers}
        if response.status in _REDIRECTS:
            if b"location" not in fields:
                raise InputError("url_status", f"{name} redirects to nowhere.", http_status=422)
            return fields[b"location"]
        if response.status != 200:
            hint = "The link may have expired or need a login." if response.status in (401, 403, 410) else ""
            raise InputError("url_status", f"{name} answers {response.status}.", hint, http_status=422)
        if fields.get(b"content-type", "").lower().startswith("text/html"):
            raise InputError(
                "url_is_page",
                f"{name} is a web page, not a recording.",
                "Give the download link of the file itself.",
                http_status=415,
            )
        declared = fields.get(b"content-length", "")
        length = int(declared) if declared.isdigit() else 0
        _check_received(length, name, rules)
        received = 0
        for chunk in response.iter_stream():
            received += len(chunk)
            _check_received(received, name, rules)
            file.write(chunk)
            report(min(received / length, 1.0) if length else 0.0)
            if time.monotonic() >= deadline:
                raise httpcore.ReadTimeout
    return None


def _check_received(received: int, name: str, rules: UrlRules) -> None:
    if received > rules.max_bytes:
        raise InputError(
            "audio_too_large",
            f"{name} is larger than {rules.max_bytes / 1e6:.0f} MB.",
            "Send a compressed recording (Opus, MP3, M4A), or cut it into parts.",
            http_status=413,
        )


def _ssl_context() -> ssl.SSLContext:
    import httpx

    return httpx.create_ssl_context()
