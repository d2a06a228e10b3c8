"""Whether a browser may have been made to ask by somebody else's page: names that lead here, and pages that ask."""

from __future__ import annotations

import ipaddress
from collections.abc import Collection
from typing import Final
from urllib.parse import urlsplit

from starlette.datastructures import Headers

from diarist.model.errors import InputError


def check_host(headers: Headers, hosts: Collection[str]) -> None:
    """Refuse a request for a name that is not this server's.

    A page may make its own name lead to this machine (DNS rebinding), and is then no other site for the browser. An
    address has no name that could be made to lead elsewhere, and so is always taken, as localhost is.

    Raises:
        InputError: 403; or 400 where no host or several are named.
    """
    named = headers.getlist("host")
    if len(named) > 1 or (not named and "*" not in hosts):
        raise InputError("bad_host", "A request names one host.", "Send one Host header.")
    if "*" in hosts:
        return
    name = _name(named[0])
    if name in hosts or name == "localhost" or _is_address(name):
        return
    hint = "Ask whoever runs the server to start it with --allow-host NAME, or use its address."
    raise InputError("wrong_host", "This server does not answer to the name it was called by.", hint, http_status=403)


def check_origin(headers: Headers, method: str, origins: Collection[str]) -> None:
    """Refuse what a browser sends for a page of another site, unless that page may ask.

    A form needs no permission to be sent across sites, so that reading none of the answer is no protection. Programs
    send neither Origin nor Sec-Fetch-Site.

    Raises:
        InputError: 403.
    """
    origin = headers.get("origin")
    if origin is not None:
        if origin.lower() in origins or _is_own(origin, headers.get("host", "")):
            return
        raise _other_site()
    if headers.get("sec-fetch-site", "none") in {"none", "same-origin"}:
        return
    # A link to this server's page, followed by somebody: a page of its own, which no other can read.
    follows = headers.get("sec-fetch-mode") == "navigate" and headers.get("sec-fetch-dest") == "document"
    if not (follows and method in {"GET", "HEAD"}):
        raise _other_site()


def _is_own(origin: str, host: str) -> bool:
    try:
        parts = urlsplit(origin.lower())
        port = parts.port
    except ValueError:
        return False
    if parts.scheme not in _PORTS or not parts.netloc:
        return False
    usual = f":{_PORTS[parts.scheme]}"
    return parts.netloc.removesuffix(usual if port == _PORTS[parts.scheme] else "") == host.lower().removesuffix(usual)


def _name(host: str) -> str:
    """A host's name or address, without its port."""
    host = host.lower()
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.partition(":")[0].rstrip(".")


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _other_site() -> InputError:
    hint = "Ask whoever runs the server to start it with --allow-origin URL, if that page may use it."
    return InputError("cross_site", "A page of another site asked a browser to send this.", hint, http_status=403)


_PORTS: Final = {"http": 80, "https": 443}
