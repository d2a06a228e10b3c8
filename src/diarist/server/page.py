"""The page: read a transcript, hear it, put it right.

Nothing in it is secret, so it needs no key; what it shows does, and it asks for one where the server wants it. Its
policy lets a browser run our own scripts and nothing else, and reach this server alone.
"""

from __future__ import annotations

import hashlib
import json
from functools import cache
from importlib.resources import files
from typing import Final

from fastapi import APIRouter, Request
from starlette.exceptions import HTTPException
from starlette.responses import Response

from diarist.formats import FORMATS
from diarist.web import asset

router = APIRouter(include_in_schema=False)

OPEN_PATHS: Final = ("/", "/favicon.ico", "/assets/*")
"""What needs no key."""

_POLICY: Final = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "connect-src 'self'",
        "media-src 'self' blob:",
        "img-src 'self' blob: data:",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
        "require-trusted-types-for 'script'",
        "trusted-types 'none'",
    )
)
_HEADERS: Final = {
    "content-security-policy": _POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "microphone=(self), camera=(), geolocation=(), payment=(), usb=()",
}
_ASKED_AGAIN: Final = "no-cache"
"""Looked at again each time, and sent only where it differs: a new release is seen at once."""
_KEPT: Final = "public, max-age=31536000, immutable"
"""Never asked for again: another release has another address."""
_TYPES: Final = {
    "js": "text/javascript; charset=utf-8",
    "css": "text/css; charset=utf-8",
    "svg": "image/svg+xml",
    "json": "application/json",
}


@router.get("/")
async def page(request: Request) -> Response:
    """The page."""
    return _answer(request, _page(), "text/html; charset=utf-8")


@router.get("/favicon.ico")
async def icon(request: Request) -> Response:
    """For browsers that ask for it unasked."""
    return _answer(request, asset("app/icon.svg"), _TYPES["svg"])


@router.get("/assets/formats.json")
async def formats(request: Request) -> Response:
    """The formats in which a transcript can be taken along, as ``GET /v1/jobs/{id}/result`` names them."""
    data = [
        # OpenAI's clients mean another document by this name.
        {
            "name": "diarist" if name == "json" else name,
            "extension": form.extension,
            "title": form.summary,
            "binary": form.binary,
        }
        for name, form in FORMATS.items()
    ]
    return _answer(request, json.dumps({"data": data}), _TYPES["json"])


@router.get("/assets/{version}/{name}")
async def part(request: Request, version: str, name: str) -> Response:
    """A script or a style, by the digest of all of them."""
    if name not in _names() or name.endswith(".html"):
        raise HTTPException(404)
    caching = _KEPT if version == _version() else _ASKED_AGAIN
    return _answer(request, asset(f"app/{name}"), _TYPES[name.rpartition(".")[2]], caching)


def _answer(request: Request, text: str, media_type: str, caching: str = _ASKED_AGAIN) -> Response:
    body = text.encode()
    etag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
    headers = {**_HEADERS, "etag": etag, "cache-control": caching}
    if etag in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers=headers)
    return Response(body, media_type=media_type, headers=headers)


@cache
def _page() -> str:
    """The page, which names all scripts, so that a browser fetches them at once and not one after the other."""
    links = (f'<link rel="modulepreload" href="/assets/{name}">' for name in _names() if name.endswith(".js"))
    whole = asset("app/index.html").replace("<!-- modules -->", "\n".join(links))
    return whole.replace('"/assets/', f'"/assets/{_version()}/')


@cache
def _version() -> str:
    digest = hashlib.sha256()
    for name in _names():
        digest.update(f"{name}\0{asset(f'app/{name}')}\0".encode())
    return digest.hexdigest()[:16]


@cache
def _names() -> tuple[str, ...]:
    return tuple(sorted(entry.name for entry in files("diarist.web").joinpath("app").iterdir() if entry.is_file()))
