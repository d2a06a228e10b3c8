"""Settings of the platform's client."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from urllib.parse import urlsplit

from diarist.model.errors import InputError
from diarist.runpod.client import API


def platform_url(environ: Mapping[str, str]) -> str:
    """RunPod's address, or the emulator's from ``DIARIST_RUNPOD_URL``, which must be on this machine.

    Nothing else is accepted: the API key goes to whoever is named here.

    Raises:
        InputError: the URL is not on the loopback interface.
    """
    url = environ.get("DIARIST_RUNPOD_URL")
    if not url:
        return API
    host = urlsplit(url).hostname or ""
    try:
        local = ipaddress.ip_address(host).is_loopback
    except ValueError:
        local = host == "localhost"
    if not local:
        raise InputError(
            "bad_setting", f"DIARIST_RUNPOD_URL may only name this machine, not {host!r}.", "It is for the emulator."
        )
    return url.rstrip("/")
