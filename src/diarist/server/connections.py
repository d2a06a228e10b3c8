"""Connections whose requests begin in time: what the door cannot see, since it is asked once a request's head is whole.

uvicorn bounds a head's size with h11 only: with httptools, 50 MB of headers are taken in. It waits without end for a
head that never ends, and answers what is no HTTP in plain text.
"""

from __future__ import annotations

import asyncio
import secrets
import socket
from collections.abc import Callable
from typing import ClassVar

import h11
import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from diarist.model.errors import InputError
from diarist.server.errors import error_response


class Listener(uvicorn.Server):
    """A server that says when it is told to end, so that those who wait for an answer get one before it does.

    Args:
        config: uvicorn's.
        stopping: called on the event loop, once nobody new is let in.
    """

    def __init__(self, config: uvicorn.Config, stopping: Callable[[], None]) -> None:
        super().__init__(config)
        self._stopping = stopping

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """End."""
        self._stopping()
        await super().shutdown(sockets)


class Connection(H11Protocol):
    """For ``uvicorn.Config(http=Connection, ws="none")``.

    Attributes:
        head_seconds: in which a request's head is whole, from the connection's beginning or its own first byte.
    """

    head_seconds: ClassVar[float] = 30.0
    _timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn's
        """Begin to wait for the first request."""
        super().connection_made(transport)
        self._watch()

    def data_received(self, data: bytes) -> None:
        """Take in what came; it may have begun or ended a request's head."""
        super().data_received(data)
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait no more."""
        super().connection_lost(exc)
        self._stop()

    def _watch(self) -> None:
        waits_for_head = self.cycle is None or self.cycle.response_complete
        if not waits_for_head or self.transport.is_closing():
            self._stop()
        elif self._timer is None:
            self._timer = self.loop.call_later(self.head_seconds, self.transport.close)

    def _stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002  # uvicorn's words
        """Answer what is no HTTP in the shape of all errors."""
        error = InputError("bad_http", "The request is no HTTP, or its head is too large.", "Let a library write it.")
        answer = error_response(error, f"req_{secrets.token_hex(16)}")
        headers = [*answer.raw_headers, (b"connection", b"close")]
        for event in (
            h11.Response(status_code=answer.status_code, headers=headers, reason=b"Bad Request"),
            h11.Data(data=bytes(answer.body)),
            h11.EndOfMessage(),
        ):
            self.transport.write(self.conn.send(event) or b"")
        self.transport.close()
