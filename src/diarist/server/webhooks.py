"""Webhooks: whoever wants to know is called when a job ends, as Standard Webhooks says (standardwebhooks.com).

The store writes down that a call is due in the transaction that ends the job, so none is lost with the process. A call
holds ids and addresses, and no word of a recording.
"""

from __future__ import annotations

import base64
import ipaddress
import json
import logging
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Final

import anyio
import anyio.to_thread
import msgspec

from diarist.audio.url_rules import UrlRules, checked_url
from diarist.jobs.job import Webhook
from diarist.jobs.outbound import post
from diarist.jobs.store import JobStore
from diarist.jobs.wire_errors import FieldError
from diarist.model.errors import DiaristError, InputError
from diarist.server.errors import note_unforeseen
from diarist.server.said import Pairs, refused

log = logging.getLogger("diarist.server")

PAUSES: Final = (5.0, 60.0, 600.0, 3600.0, 3 * 3600.0, 6 * 3600.0, 49_735.0)
"""Seconds from one try to the next: eight tries in 24 hours."""

_URL: Final = "webhook_url"
_SECRET: Final = "webhook_secret"  # noqa: S105  # a field's name
_HOLD: Final = 600.0
_AT_A_TIME: Final = 16
_LOOK_SECONDS: Final = 1.0
_NO_SECRET: Final = "no secret"  # noqa: S105
_FOR_EVER: Final = ("url_refused", "status 410", _NO_SECRET)
_MAX_URL: Final = 4096


class Target(msgspec.Struct, frozen=True):
    """Where a job's end is told, as the store keeps it.

    Attributes:
        url: that is called.
        secret: that signs the call; empty for the server's own.
        server: how the caller addresses this server, e.g. ``https://notes.example``.
    """

    url: str
    secret: str
    server: str


def read_webhook(
    fields: Pairs, *, server: str, rules: UrlRules, has_secret: bool
) -> tuple[Sequence[tuple[str, str]], str | None]:
    """Take ``webhook_url`` and ``webhook_secret`` out of the fields of a job.

    Args:
        fields: of the request.
        server: how it addresses this server.
        rules: what may be called.
        has_secret: whether the server has a secret of its own for jobs without one.

    Returns:
        The other fields, and what the store keeps; None for no call.

    Raises:
        FieldError: the URL is none that is called, or the secret is missing or none.
    """
    found = {name: [value.strip() for key, value in fields if key.strip() == name] for name in (_URL, _SECRET)}
    others = [(key, value) for key, value in fields if key.strip() not in found]
    url, secret = (_one(name, [value for value in values if value]) for name, values in found.items())
    if not url:
        if secret:
            raise refused(_SECRET, "It signs calls, and there is nobody to call.", f"Send {_URL}, too.")
        return others, None
    if len(url) > _MAX_URL:
        raise refused(_URL, f"It has more than {_MAX_URL} characters.")
    _check_url(url, rules)
    if secret:
        check_secret(secret)
    elif not has_secret:
        raise refused(_SECRET, "Without one, nobody can tell our calls from others'.", _SECRET_HINT)
    return others, msgspec.json.encode(Target(url, secret, server)).decode()


def _check_url(url: str, rules: UrlRules) -> None:
    """Refuse what is never called. Where a name leads to is looked at when it is called, each time."""
    from diarist.audio.network import is_public

    try:
        host = checked_url(url, rules).host
    except InputError as error:
        raise FieldError(error.code, error.message, error.hint, field=_URL, http_status=400) from None
    if _is_address(host) and not (rules.allow_private or is_public(host)):
        raise refused(_URL, "It is an address inside a private network.", "Give a public one.", code="url_refused")


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def check_secret(secret: str) -> None:
    """Raise `FieldError` where a secret is none as Standard Webhooks wants it: 24 to 64 bytes."""
    text = secret.removeprefix("whsec_")
    try:
        size = len(base64.b64decode(text + "=" * (-len(text) % 4), validate=True))
    except ValueError:
        size = 0
    if not 24 <= size <= 64:
        raise refused(_SECRET, "It is no secret of 24 to 64 bytes.", _SECRET_HINT)


def message(webhook: Webhook, target: Target) -> bytes:
    """What is sent: as Standard Webhooks and as OpenAI's clients read it."""
    address = f"{target.server}/v1/jobs/{webhook.job}"
    data = {"id": webhook.job, "object": "job", "status": webhook.state, "url": address}
    if webhook.state == "completed":
        data |= {"result_url": f"{address}/result", "transcript_url": f"{address}/transcript"}
    document = {
        "id": webhook.id,
        "object": "event",
        "type": f"job.{webhook.state}",
        "created_at": int(webhook.ended),
        "timestamp": datetime.fromtimestamp(webhook.ended, UTC).isoformat(timespec="milliseconds"),
        "data": data,
    }
    return json.dumps(document).encode()


class Caller:
    """Makes the calls that are due.

    Args:
        store: says which.
        rules: what may be called.
        secret: signs calls of jobs that brought none.
        clock: unix seconds.
    """

    def __init__(
        self, store: JobStore, rules: UrlRules, secret: str = "", *, clock: Callable[[], float] = time.time
    ) -> None:
        self._store = store
        self._rules = rules
        self._secret = secret
        self._clock = clock
        self._limit = anyio.CapacityLimiter(_AT_A_TIME)

    async def run(self) -> None:
        """Make calls until cancelled; one that is cut short is made again."""
        async with anyio.create_task_group() as group:
            while True:
                try:
                    due = await anyio.to_thread.run_sync(lambda: self._store.due(hold=_HOLD))
                except DiaristError as error:
                    log.warning("webhooks: %s", error.code)
                    due = ()
                for webhook in due:
                    group.start_soon(self._call, webhook)
                await anyio.sleep(_LOOK_SECONDS)

    async def _call(self, webhook: Webhook) -> None:
        try:
            # At the server's end nobody waits for an answer: the call is made again after the next start.
            await anyio.to_thread.run_sync(self.call, webhook, limiter=self._limit, abandon_on_cancel=True)
        except DiaristError as error:
            log.warning("job %s: its webhook waits: %s", webhook.job, error.code)
        except Exception as error:  # noqa: BLE001  # one call must not end the others
            note_unforeseen(error, webhook.job)

    def call(self, webhook: Webhook) -> None:
        """Make one call, and note what became of it."""
        said = self._told(webhook)
        if said is None:
            self._store.delivered(webhook.id)
        elif said in _FOR_EVER or webhook.tries >= len(PAUSES):
            log.warning("job %s: its webhook is given up: %s", webhook.job, said)
            self._store.dropped(webhook.id)
        else:
            self._store.retry_at(webhook.id, self._clock() + PAUSES[webhook.tries])

    def _told(self, webhook: Webhook) -> str | None:
        """Why a call did not arrive; None if it did. No URL: its path may be a secret."""
        from standardwebhooks import Webhook as Signer

        target = msgspec.json.decode(webhook.webhook, type=Target)
        secret = target.secret or self._secret
        if not secret:
            return _NO_SECRET
        body, now = message(webhook, target), datetime.fromtimestamp(self._clock(), UTC)
        headers = {
            "webhook-id": webhook.id,
            "webhook-timestamp": str(int(now.timestamp())),
            "webhook-signature": Signer(secret).sign(webhook.id, now, body.decode()),
            "user-agent": "diarist",
        }
        try:
            status = post(target.url, body, headers, self._rules)
        except InputError as error:
            return error.code
        return None if 200 <= status < 300 else f"status {status}"


def _one(name: str, values: list[str]) -> str:
    if len(set(values)) > 1:
        raise refused(name, "It has several values.", "Send one.")
    return values[0] if values else ""


_SECRET_HINT: Final = "It is whsec_ and base64 of 24 to 64 random bytes."  # noqa: S105
