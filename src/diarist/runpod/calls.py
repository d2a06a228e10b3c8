"""One request to RunPod's API, until it is answered: what is tried again, for how long, and what is told if it fails.

* 429, 5xx, a refused or lost connection: tried again with back-off, jitter and ``Retry-After``, until the caller's
  deadline; somebody is told, now and then, why it takes so long;
* a platform that never answered anything is given up after a minute: the name, the network or a proxy is wrong;
* a request that may have been carried out (a POST that lost its answer) is not repeated here: `NoAnswerError`;
* answers are read up to `MAX_ANSWER_BYTES`, and refused when they are nested without end.

Whatever httpx raises becomes an `EndpointError`. The API key is in no message.
"""

from __future__ import annotations

import asyncio
import email.utils
import json
import random
import re
import time
from collections.abc import Awaitable, Callable
from typing import Any, Final

import anyio
import httpx
import tenacity

from diarist.model.errors import EndpointError, InputError

MAX_ANSWER_BYTES: Final = 24_000_000
"""The platform's own limit is about 20 MB."""
GIVE_UP_SECONDS: Final = 60.0
"""How long a platform is tried that has never answered."""
LATE_SECONDS: Final = 5.0
"""How long a submission that is under way may take to be answered once its caller is gone."""
_AGAIN: Final = frozenset({408, 425, 429, 500, 502, 503, 504, 520, 522, 524})
_NOT_MADE: Final = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.ProxyError)
_READ_SECONDS: Final = 30.0
_QUIET_SECONDS: Final = 2.0  # trouble that passes within is not worth a line
_TELL_SECONDS: Final = 60.0
_MOST_ASKED: Final = 120.0  # seconds, of Retry-After

Note = Callable[[str], None]


def usable_key(key: str, name: str = "RUNPOD_API_KEY") -> str:
    """Return an API key without space around it.

    Args:
        key: as somebody pasted it.
        name: of the setting, for messages.

    Raises:
        InputError: it is empty, or no key at all. The message does not show it.
    """
    key = key.strip()
    if "{{" in key:
        raise InputError(
            "bad_setting",
            f"{name} is a reference to a secret that nobody filled in.",
            "Make the secret in the console under Settings, Secrets, by the very name of the reference.",
        )
    if not re.fullmatch(r"[!-~]{1,1000}", key):
        what = "holds characters that no key has" if key else "is empty"
        raise InputError("bad_setting", f"{name} {what}.", "Copy the key once more from the console.")
    return key


class NoAnswerError(EndpointError):
    """A request was sent, or half of it, and its answer is lost: it may have been carried out."""


class Calls:
    """Sends the requests that are about one endpoint.

    Args:
        http: an open client with the platform's address and the key.
        endpoint_id: of the endpoint.
        name: of it, for messages.
        note: told in one line why it takes longer.
        key_name: the setting that the key came from, for messages.
        give_up: seconds after which a platform that never answered is given up.
    """

    def __init__(
        self,
        http: httpx.AsyncClient,
        endpoint_id: str,
        name: str,
        *,
        note: Note = lambda _: None,
        key_name: str = "RUNPOD_API_KEY",
        give_up: float = GIVE_UP_SECONDS,
    ) -> None:
        self._http = http
        self._id = endpoint_id
        self._name = name
        self._note = note
        self._key_name = key_name
        self._give_up = give_up
        self._answered = False
        self._told: tuple[str, float] = ("", 0.0)
        self.trouble = ""
        """What went wrong with the last request, in a few words; empty where it went well."""

    async def call(
        self,
        method: str,
        path: str,
        content: bytes | None = None,
        *,
        wait: float = 0.0,
        late: Callable[[dict[str, Any]], Awaitable[None]] | None = None,
    ) -> dict[str, Any]:
        """Send one request until it is answered. The deadline around it ends the trying.

        Args:
            method: GET or POST.
            path: below the endpoint.
            content: JSON to send.
            wait: seconds that the platform may take longer than usual.
            late: told of an answer that comes after the caller was cancelled; then the request is not abandoned at
                once, for it may make a job whose id nobody would know.

        Raises:
            NoAnswerError: a POST was sent and its answer lost.
            EndpointError: it was refused, or the platform cannot be reached.
        """
        retrying = tenacity.AsyncRetrying(
            retry=tenacity.retry_if_exception(_worth_again(safe=method == "GET")),
            wait=_back_off,
            stop=self._stops,
            before_sleep=self._before_sleep,
            reraise=True,
        )
        try:
            async for attempt in retrying:
                with attempt:
                    sent = self._once(method, path, content, wait)
                    answer = await (sent if late is None else _seen_through(sent, late))
        except _RefusedError as refused:
            raise self._refusal(refused) from None
        except httpx.HTTPError as error:
            raise self._failure(error, sent=not isinstance(error, (*_NOT_MADE, httpx.LocalProtocolError))) from None
        except httpx.InvalidURL:
            raise EndpointError("endpoint_missing", f"{self._name} has an id that is none.", "Check it.") from None
        self.trouble = ""
        return answer

    async def _once(self, method: str, path: str, content: bytes | None, wait: float) -> dict[str, Any]:
        async with self._http.stream(
            method,
            f"{self._id}/{path}",
            content=content,
            headers={"Content-Type": "application/json"} if content is not None else {},
            timeout=httpx.Timeout(_READ_SECONDS, connect=10.0, read=_READ_SECONDS + wait),
        ) as response:
            self._answered = True
            body = bytearray()
            async for piece in response.aiter_bytes():
                body += piece
                if len(body) > MAX_ANSWER_BYTES:
                    raise self._strange(f"answers with more than {MAX_ANSWER_BYTES / 1e6:.0f} MB")
        if not response.is_success:
            raise _RefusedError(response, bytes(body[:2000]))
        try:
            answer = json.loads(body)
        except RecursionError:
            raise self._strange("answers with JSON that is nested without end") from None
        except ValueError:
            answer = None
        if not isinstance(answer, dict):
            raise self._strange("answered with something that is not a JSON object")
        return answer

    def _strange(self, what: str) -> EndpointError:
        return EndpointError("endpoint_answer", f"{self._name} {what}.", "Is there a proxy or a login page between?")

    def _stops(self, state: tenacity.RetryCallState) -> bool:
        error = state.outcome.exception() if state.outcome else None
        elapsed = state.seconds_since_start or 0.0
        return isinstance(error, httpx.TransportError) and not self._answered and elapsed >= self._give_up

    def _before_sleep(self, state: tenacity.RetryCallState) -> None:
        error = state.outcome.exception() if state.outcome else None
        self.trouble = _what(error)
        told, at = self._told
        now = time.monotonic()
        pause = state.next_action.sleep if state.next_action else 0.0
        if (state.seconds_since_start or 0.0) + pause < _QUIET_SECONDS:
            return
        if told != self.trouble or now - at > _TELL_SECONDS:
            self._told = (self.trouble, now)
            self._note(f"{self._name}: {self.trouble}; trying again.")

    def _failure(self, error: httpx.HTTPError, *, sent: bool) -> EndpointError:
        self.trouble = what = _what(error)
        if isinstance(error, httpx.TransportError) and sent:
            return NoAnswerError("endpoint_silent", f"{self._name} gave no answer: {what}.", "Check the network.")
        hint = "Check the network, and HTTPS_PROXY where there is a proxy."
        return EndpointError("endpoint_unreachable", f"{self._name} cannot be reached: {what}.", hint)

    def _refusal(self, refused: _RefusedError) -> EndpointError:
        self.trouble = _what(refused)
        key = self._http.headers.get("Authorization", "").removeprefix("Bearer ")
        said = refused.said.replace(key, "…")[:200] if key else refused.said[:200]
        match refused.status:
            case 401 | 403:
                hint = f"Is {self._key_name} right, and allowed to use this endpoint?"
                return EndpointError("endpoint_key", f"{self._name} refuses the API key ({refused.status}).", hint)
            case 402:
                hint = "Add credit in the console under Billing."
                return EndpointError("endpoint_unpaid", f"{self._name} wants payment (402): {said}.", hint)
            case 404:
                hint = "Check the endpoint id and the account."
                return EndpointError("endpoint_missing", f"{self._name} does not exist.", hint)
            case 409:
                hint = "Somebody may be changing the endpoint; diarist deploy status shows what it is."
                return EndpointError("endpoint_conflict", f"{self._name} cannot do that now (409): {said}.", hint)
            case 413:
                return EndpointError("request_too_large", f"{self._name} refuses the size: {said}.", http_status=413)
            case status:
                return EndpointError("endpoint_refused", f"{self._name} answers {status}: {said}.")


class _RefusedError(Exception):
    """An answer that is no success."""

    def __init__(self, response: httpx.Response, body: bytes) -> None:
        super().__init__()
        self.status = response.status_code
        self.retry_after = response.headers.get("retry-after", "")
        self.said = " ".join(body.decode(errors="replace").split())


async def _seen_through(
    sent: Awaitable[dict[str, Any]], late: Callable[[dict[str, Any]], Awaitable[None]]
) -> dict[str, Any]:
    task = asyncio.ensure_future(sent)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        with anyio.CancelScope(shield=True):
            await asyncio.wait({task}, timeout=LATE_SECONDS)
            if not task.done():
                task.cancel()
            elif not task.cancelled() and task.exception() is None:
                await late(task.result())
        raise


def _what(error: BaseException | None) -> str:
    """An error in a few words."""
    match error:
        case _RefusedError(status=429):
            return "it asks for fewer requests (429)"
        case _RefusedError():
            return f"it answers {error.status}"
        case httpx.ConnectTimeout():
            return "no connection within 10 s"
        case httpx.ReadTimeout():
            return f"it took the request and then said nothing for {_READ_SECONDS:g} s"
        case httpx.WriteTimeout() | httpx.WriteError():
            return "sending stalled"
        case httpx.ConnectError() | httpx.ProxyError():
            said = re.sub(r"^\[Errno -?\d+\] ", "", str(error)).splitlines()
            return (said[0] if said else "no connection")[:200]
        case httpx.TransportError():
            return "the connection broke"
    return type(error).__name__


def _worth_again(*, safe: bool) -> Callable[[BaseException], bool]:
    """Which failures to try again; after others, a request that is not safe may have been carried out."""

    def again(error: BaseException) -> bool:
        if isinstance(error, _RefusedError):
            return error.status in _AGAIN
        if isinstance(error, (httpx.UnsupportedProtocol, httpx.LocalProtocolError)):
            return False
        if isinstance(error, _NOT_MADE):
            return "CERTIFICATE_VERIFY_FAILED" not in str(error)
        return safe and isinstance(error, httpx.TransportError)

    return again


def _back_off(state: tenacity.RetryCallState) -> float:
    """0.25 s doubling to 5 s, with jitter; longer where the server asks for it."""
    error = state.outcome.exception() if state.outcome else None
    grown = min(5.0, 0.25 * 2.0 ** min(state.attempt_number - 1, 10))
    asked = _seconds_asked(error.retry_after) if isinstance(error, _RefusedError) else 0.0
    if asked > grown:
        return min(asked, _MOST_ASKED) + random.uniform(0, 0.25)  # noqa: S311 - jitter
    return grown * random.uniform(0.5, 1.0)  # noqa: S311


def _seconds_asked(retry_after: str) -> float:
    """What ``Retry-After`` asks for: it holds seconds, or a date (RFC 9110)."""
    if re.fullmatch(r"[0-9]{1,9}(\.[0-9]{1,9})?", retry_after.strip()):
        return float(retry_after)
    try:
        return max(0.0, email.utils.parsedate_to_datetime(retry_after).timestamp() - time.time())
    except (ValueError, OverflowError, TypeError):
        return 0.0
