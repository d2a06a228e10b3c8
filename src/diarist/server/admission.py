"""The door: who is let in, decided before a byte of the body is read.

FastAPI reads a form before its own checks run, so that a stranger could fill the disk. This is pure ASGI around the
whole application. In this order: the host's name (else a page of another site could reach a server on this machine by
a name that it owns), the page that asks, the key, the rate, room in the queue, the announced length. Then the body is
counted and timed while it comes.

An answer that comes before the body was read waits until the client has sent it, within bounds: closing at once shows
clients a broken connection instead of the reason.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Final

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import cookie_parser
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from diarist.model.errors import DiaristError, InputError
from diarist.server.errors import Busy, Unforeseen, as_diarist, error_response, note_unforeseen
from diarist.server.keys import SESSION_SECONDS, Caller, Keys
from diarist.server.origins import check_host, check_origin

COOKIE: Final = "diarist_session"
SESSION_PATH: Final = "/session"

Room = Callable[[Caller, str], Awaitable[None]]
"""Called with the caller and the path before the body of every POST: raises `Busy` where no work can be taken."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """What a body may be.

    Attributes:
        form_bytes: of a form, which goes to disk.
        document_bytes: of any other body, which goes to memory.
        idle_seconds: between two pieces.
        grace_seconds: of waiting that every body has, besides a second for each ``bytes_per_second``.
        bytes_per_second: the least pace of a long one.
        drain_seconds: how long an early answer waits for the rest of the body.
    """

    form_bytes: int = 4 << 30
    document_bytes: int = 32 << 20
    idle_seconds: float = 60.0
    grace_seconds: float = 60.0
    bytes_per_second: float = 1024.0
    drain_seconds: float = 10.0

    def patience(self, waited: float, received: int) -> float:
        """Say how many seconds the next piece of a body may take, after so many of waiting for so many bytes."""
        return min(self.idle_seconds, self.grace_seconds + received / self.bytes_per_second - waited)


class Admission:
    """ASGI around the application.

    What is let in finds ``request.state.caller`` (a `Caller`; None on an open path without a key) and
    ``request.state.request_id``, which every answer carries as ``x-request-id``.

    Args:
        app: the application; whatever it raises is answered, logged in one line, and raised no further.
        hosts: names that this server is called by, without port; ``*`` is any. Addresses and localhost always are.
        origins: pages of other sites that may ask, e.g. ``https://notes.example``.
        keys: who is let in; None lets in everybody who comes this far.
        room: see `Room`.
        bounds: of bodies.
        open_paths: need no key; an entry that ends in ``/*`` is everything below.
        clock: gives seconds, for rates and paces.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        hosts: Collection[str] = (),
        origins: Collection[str] = (),
        keys: Keys | None = None,
        room: Room | None = None,
        bounds: Bounds = Bounds(),
        open_paths: Collection[str] = ("/health", "/ping"),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._app = app
        self._hosts = frozenset(name.lower().rstrip(".") for name in hosts)
        self._origins = frozenset(origin.lower().rstrip("/") for origin in origins)
        self._keys = keys
        self._room = room
        self._bounds = bounds
        self._open = frozenset(path for path in open_paths if not path.endswith("/*"))
        self._open_below = tuple(path[:-1] for path in open_paths if path.endswith("/*"))
        self._rates = _Rates(clock)
        self._clock = clock

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection's request."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":  # no websockets here
            await send({"type": "websocket.close", "code": 1008})
            return
        request_id = f"req_{secrets.token_hex(16)}"
        scope.setdefault("state", {})["request_id"] = request_id
        visit = _Visit(scope, receive, send, self._bounds, self._clock, request_id)
        try:
            answer = await self._admit(scope)
            await (answer or self._app)(scope, visit.receive, visit.send)
        except Exception as error:  # noqa: BLE001  # the last place that can answer
            if isinstance(as_diarist(error), Unforeseen) and scope["state"].get("noted") is not error:
                note_unforeseen(error, request_id)
            if not visit.answered:
                await error_response(visit.refused or error, request_id)(scope, visit.receive, visit.send)

    async def _admit(self, scope: Scope) -> Response | None:
        """Check the request, and answer it where the door itself does; raises what refuses it."""
        headers, path, method = Headers(scope=scope), scope["path"], scope["method"]
        check_host(headers, self._hosts)
        check_origin(headers, method, self._origins)
        caller, by_cookie = self._caller(headers)
        if by_cookie and method not in _SAFE and not {"origin", "sec-fetch-site"}.intersection(headers):
            hint = "Programs send the key: Authorization: Bearer KEY."
            raise InputError("no_origin", "A browser's session is used without an Origin.", hint, http_status=403)
        if caller is None and not self._is_open(path):
            raise _no_key(headers)
        scope["state"]["caller"] = caller
        if path == SESSION_PATH and method in {"POST", "DELETE"}:
            return self._session(scope, headers, None if by_cookie else caller)
        if method == "POST" and caller is not None:
            self._rates.take(caller)
            if self._room is not None:
                await self._room(caller, path)
        _check_length(headers, self._bounds)
        return None

    def _is_open(self, path: str) -> bool:
        return path in self._open or path.startswith(self._open_below)

    def _caller(self, headers: Headers) -> tuple[Caller | None, bool]:
        """Say who asks, and whether a cookie says so: what a page of another site might make a browser send."""
        if self._keys is None:
            return Caller(), False
        if (key := _key(headers)) is not None:
            return self._keys.find(key), False
        token = _cookie(headers)
        caller = self._keys.find_session(token) if token else None
        return caller, caller is not None

    def _session(self, scope: Scope, headers: Headers, caller: Caller | None) -> Response:
        """Swap a key for a cookie, since ``<audio>`` and EventSource can send no header; or sign out.

        A cookie is not swapped for another: a stolen one ends with its week.
        """
        answer = Response(status_code=204, headers={"cache-control": "no-store"})
        if self._keys is None:
            return answer
        secure = scope.get("scheme") == "https"
        if scope["method"] == "DELETE":
            self._keys.close_session(_cookie(headers))
            answer.delete_cookie(COOKIE, httponly=True, samesite="strict", secure=secure)
        elif caller is not None:
            token = self._keys.open_session(caller)
            life = int(SESSION_SECONDS)
            answer.set_cookie(COOKIE, token, max_age=life, httponly=True, samesite="strict", secure=secure)
        return answer


class _Visit:
    """One request's body and answer: counts and times the one, and lets the other wait for it."""

    def __init__(
        self, scope: Scope, receive: Receive, send: Send, bounds: Bounds, clock: Callable[[], float], request_id: str
    ) -> None:
        headers = Headers(scope=scope)
        self.answered = False
        self.refused: DiaristError | None = None
        self._receive, self._send, self._bounds, self._clock = receive, send, bounds, clock
        self._request_id = request_id
        self._most = _most_bytes(headers, bounds)
        self._has_body = _length(headers) > 0 or "transfer-encoding" in headers
        self._waits_to_send = headers.get("expect", "").lower() == "100-continue"  # and sends nothing until asked
        self._whole = not self._has_body
        self._received = 0
        self._waited = 0.0  # for the client; what the application does meanwhile is not its fault
        self._asked = False

    async def receive(self) -> Message:
        """Give the application the next piece; raises `InputError` for a body too large or too slow."""
        if self._whole:
            return await self._receive()
        if self.refused is not None:
            raise self.refused
        self._asked = True
        patience = self._bounds.patience(self._waited, self._received)
        began = self._clock()
        try:
            async with asyncio.timeout(max(patience, 0)):
                message = await self._receive()
        except TimeoutError:
            self.refused = _too_slow()
            raise self.refused from None
        self._waited += self._clock() - began
        self._take(message)
        if self._received > self._most:
            self.refused = _too_large(self._most)
            raise self.refused
        return message

    async def send(self, message: Message) -> None:
        """Pass the answer on, once what the client sends has come."""
        if message["type"] == "http.response.start" and not self.answered:
            if self.refused is not None and message["status"] != self.refused.http_status:
                # The application saw a body that broke off, and made something of that.
                raise self.refused
            await self._drain()
            self.answered = True
            headers = MutableHeaders(raw=message.setdefault("headers", []))
            headers["x-request-id"] = self._request_id
            if not self._whole:
                headers["connection"] = "close"
        await self._send(message)

    async def _drain(self) -> None:
        if self._waits_to_send and not self._asked:
            return
        most = self._received + max(self._bounds.form_bytes, _LEAST_DRAINED)
        try:
            async with asyncio.timeout(self._bounds.drain_seconds):
                while not self._whole and self._received <= most:
                    self._take(await self._receive())
        except TimeoutError:
            return

    def _take(self, message: Message) -> None:
        self._received += len(message.get("body", b""))
        self._whole = message["type"] != "http.request" or not message.get("more_body", False)


class _Rates:
    """A bucket for each key: full at first, refilled evenly, one token a request."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._buckets: dict[str, tuple[float, float]] = {}  # tokens, and when they were counted

    def take(self, caller: Caller) -> None:
        """Use one token, or raise `Busy`."""
        rpm = caller.limits.rpm
        if rpm is None:
            return
        now = self._clock()
        tokens, counted = self._buckets.get(caller.id, (float(rpm), now))
        tokens = min(float(rpm), tokens + (now - counted) * rpm / 60)
        if tokens < 1:
            pause = (1 - tokens) * 60 / rpm
            self._buckets[caller.id] = tokens, now
            raise Busy(
                "rate_limit_exceeded",
                f"This key may send {rpm} requests a minute.",
                "Wait as Retry-After says.",
                retry_after=pause,
            )
        self._buckets[caller.id] = tokens - 1, now


def _key(headers: Headers) -> str | None:
    """Give the key a client sent: as OpenAI's, or as Azure's; empty where it is another kind of credential."""
    if "authorization" in headers:
        kind, _, key = headers["authorization"].partition(" ")
        return key.strip() if kind.lower() == "bearer" else ""
    return headers.get("api-key")


def _cookie(headers: Headers) -> str:
    """Give the session's token; other programs on this machine may have set cookies of any form beside it."""
    return cookie_parser(headers.get("cookie", "")).get(COOKIE, "")


def _no_key(headers: Mapping[str, str]) -> InputError:
    if not {"authorization", "api-key", "cookie"}.intersection(headers):
        message = "This server needs a key."
    else:
        message = "This key is not known here, or no longer."
    hint = "Send Authorization: Bearer KEY; whoever runs the server makes keys with: diarist keys add NAME"
    return InputError("invalid_api_key", message, hint, http_status=401)


def _check_length(headers: Headers, bounds: Bounds) -> None:
    if _length(headers) > (most := _most_bytes(headers, bounds)):
        raise _too_large(most)


def _most_bytes(headers: Headers, bounds: Bounds) -> int:
    is_form = headers.get("content-type", "").lower().startswith("multipart/form-data")
    return bounds.form_bytes if is_form else bounds.document_bytes


def _length(headers: Headers) -> int:
    said = headers.get("content-length", "0")
    return int(said) if said.isascii() and said.isdigit() and len(said) < 20 else 0


def _too_large(most: int) -> InputError:
    size = f"{most / 1e9:.1f} GB" if most >= 10**9 else f"{most / 1e6:.1f} MB"
    hint = "Compress the recording, e.g. as Opus or MP3, or cut it."
    return InputError(
        "too_large", f"More than {size} was sent, which is more than one request may hold.", hint, http_status=413
    )


def _too_slow() -> InputError:
    hint = "Try again over a faster connection."
    return InputError("too_slow", "The request's body came too slowly.", hint, http_status=408)


_LEAST_DRAINED: Final = 64 << 20
"""Bytes of a body that are waited for, though a server takes smaller ones only: else its clients see no reason."""
_SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS"})
