"""Send something where a caller said, under the same rules as downloads: see `diarist.audio.download`."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Final

from diarist.audio.url_rules import UrlRules, url_name
from diarist.jobs.wire_errors import FieldError
from diarist.model.errors import InputError
from diarist.model.progress import Progress, ignore

MAX_SECONDS: Final = 120.0
"""For a whole upload: a worker that waits for a bucket does no other job."""

CALL_SECONDS: Final = 15.0
"""For a whole call: who is told something answers at once, and does the work later."""


class NotSentError(InputError):
    """There was no answer: no connection, or it broke off, or took too long (HTTP 502 would be its like)."""

    def __init__(self, name: str) -> None:
        super().__init__("not_sent", f"{name} cannot be reached.", http_status=422)


def put(
    url: str,
    body: bytes,
    rules: UrlRules = UrlRules(),
    *,
    content_type: str = "application/json",
    progress: Progress = ignore,
) -> None:
    """Upload ``body`` to a presigned URL with PUT.

    Args:
        url: https; redirects are not followed, for a signature is valid for one address only.
        body: what to upload.
        rules: what the URL may reach.
        content_type: what the body is.
        progress: called as ``progress("upload", 0)`` while it waits; may raise `Cancelled`.

    Raises:
        FieldError: the URL is refused, cannot be reached, or does not take the upload. No message holds the query.
    """
    try:
        name = url_name(url, rules)
        status = _send("PUT", url, body, {"Content-Type": content_type}, rules, MAX_SECONDS, progress)
    except NotSentError:
        raise FieldError(
            "upload_failed", "The result could not be uploaded: no connection.", field="result_put_url"
        ) from None
    except InputError as error:
        raise FieldError(error.code, error.message, error.hint, field="result_put_url") from None
    if not 200 <= status < 300:
        raise FieldError(
            "upload_failed",
            f"The result could not be uploaded: {name} answers {status}.",
            "Is the URL signed for PUT, and still valid?",
            field="result_put_url",
        )


def post(url: str, body: bytes, headers: Mapping[str, str], rules: UrlRules = UrlRules()) -> int:
    """Tell somebody something; returns the status of the answer, whatever it is.

    Args:
        url: https; redirects are not followed.
        body: JSON.
        headers: besides those of every request.
        rules: what the URL may reach.

    Raises:
        NotSentError: there is no answer.
        InputError: the URL is refused (``"url_refused"``).
    """
    return _send("POST", url, body, {"Content-Type": "application/json", **headers}, rules, CALL_SECONDS, ignore)


def _send(
    method: str,
    url: str,
    body: bytes,
    headers: Mapping[str, str],
    rules: UrlRules,
    most_seconds: float,
    progress: Progress,
) -> int:
    import httpcore
    import httpx

    from diarist.audio.network import CheckedBackend, Watch

    name = url_name(url, rules)
    target = httpx.URL(url)
    deadline = time.monotonic() + min(rules.max_seconds, most_seconds)
    watch = Watch(name, rules, deadline, lambda: progress("upload", 0.0))
    said = {"Content-Length": str(len(body)), **headers}
    context = rules.ssl_context or httpx.create_ssl_context()
    try:
        with httpcore.ConnectionPool(ssl_context=context, network_backend=CheckedBackend(rules, watch)) as pool:
            sending = pool.stream(
                method,
                httpcore.URL(scheme=target.raw_scheme, host=target.raw_host, port=target.port, target=target.raw_path),
                headers=[(b"Host", target.netloc), *((name.encode(), text.encode()) for name, text in said.items())],
                content=body,
                extensions={"timeout": {"connect": 10.0, "read": 30.0, "write": 30.0, "pool": 10.0}},
            )
            with sending as response:
                return response.status  # all that counts; whatever follows, and however much of it, is not read
    except (httpcore.NetworkError, httpcore.TimeoutException, httpcore.ProtocolError):
        raise NotSentError(name) from None
