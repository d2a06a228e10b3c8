"""Put a large result where the caller said, under the same rules as downloads: see `diarist.audio.download`."""

from __future__ import annotations

import time
from typing import Final

from diarist.audio.url_rules import UrlRules, url_name
from diarist.jobs.wire_errors import FieldError
from diarist.model.errors import InputError
from diarist.model.progress import Progress, ignore

MAX_SECONDS: Final = 120.0
"""For the whole upload: a worker that waits for a bucket does no other job."""


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
    import httpcore
    import httpx

    from diarist.audio.network import CheckedBackend, Watch

    try:
        name = url_name(url, rules)
        target = httpx.URL(url)
        watch = Watch(
            name, rules, time.monotonic() + min(rules.max_seconds, MAX_SECONDS), lambda: progress("upload", 0.0)
        )
        context = rules.ssl_context or httpx.create_ssl_context()
        with httpcore.ConnectionPool(ssl_context=context, network_backend=CheckedBackend(rules, watch)) as pool:
            sending = pool.stream(
                "PUT",
                httpcore.URL(scheme=target.raw_scheme, host=target.raw_host, port=target.port, target=target.raw_path),
                headers={"Host": target.netloc, "Content-Type": content_type, "Content-Length": str(len(body))},
                content=body,
                extensions={"timeout": {"connect": 10.0, "read": 30.0, "write": 30.0, "pool": 10.0}},
            )
            with sending as response:
                status = response.status  # all that counts; whatever follows, and however much of it, is not read
    except InputError as error:
        raise FieldError(error.code, error.message, error.hint, field="result_put_url") from None
    except (httpcore.NetworkError, httpcore.TimeoutException, httpcore.ProtocolError):
        raise FieldError(
            "upload_failed", "The result could not be uploaded: no connection.", field="result_put_url"
        ) from None
    if not 200 <= status < 300:
        raise FieldError(
            "upload_failed",
            f"The result could not be uploaded: {name} answers {status}.",
            "Is the URL signed for PUT, and still valid?",
            field="result_put_url",
        )
