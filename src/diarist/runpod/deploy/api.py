"""RunPod's management API: REST v2, and the GraphQL fields that REST lacks (cached models, the worker quota).

tenacity does the retrying, as in `diarist.runpod.calls`, and waits as long as ``Retry-After`` says. Rejected: httpx's
transport retries (lost connections only), httpx-retries (repeats an unanswered POST, which here makes a second
endpoint), the ``runpod`` SDK (GraphQL, drops error texts) and a client generated from the OpenAPI document (thousands
of lines for nine calls).

Facts: RunPod REST v2 OpenAPI document 2.0.0; GraphQL ``saveEndpoint`` as used by runpodctl.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote, urlsplit

import httpx
import tenacity

from diarist.model.errors import EndpointError, InputError
from diarist.runpod.calls import MAX_ANSWER_BYTES, usable_key

Json = dict[str, Any]

API_URL = "https://api.runpod.io"
RUN_URL = "https://api.runpod.ai"
ATTEMPTS = 5
FIRST_WAIT = 0.5  # seconds
LONGEST_WAIT = 60.0  # seconds that a Retry-After may ask for; the rate limits count in windows of a minute or less
MAX_ERROR_BYTES = 100_000
"""What is read of an answer that is no success, or of one line of a log."""
TIMEOUT = httpx.Timeout(30.0, connect=10.0)
LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})

# Everything saveEndpoint would reset to a default where it is not sent again (runpod-mcp, endpoint-gpus.ts).
MODELS_QUERY = """query { myself { endpoints { id name gpuIds gpuCount workersMin workersMax idleTimeout scalerType
 scalerValue executionTimeoutMs flashBootType type locations templateId allowedCudaVersions minCudaVersion compliance
 modelReferences networkVolumeIds { networkVolumeId dataCenterId } } } }""".replace("\n", "")
SAVE_MUTATION = "mutation($input: EndpointInput!) { saveEndpoint(input: $input) { id name } }"
QUOTA_QUERY = "query { myself { maxServerlessConcurrency } }"


def key_from_environment() -> str:
    """Read the API key: the environment is the only place it may be in.

    Raises:
        InputError: ``RUNPOD_API_KEY`` is not set, or is no key.
    """
    key = os.environ.get("RUNPOD_API_KEY", "").strip()
    if not key:
        raise InputError(
            "no_key", "RUNPOD_API_KEY is not set.", "Make a key in the console under Settings, API Keys, and export it."
        )
    return usable_key(key)


class RunpodApi:
    """A connection to the management API; a context manager.

    Args:
        key: API key; sent as a header to ``base_url`` and ``run_url``, and kept out of every message.
        base_url: where the management API is; by default ``RUNPOD_API_BASE_URL`` or RunPod.
        run_url: where jobs are sent to; by default ``RUNPOD_ENDPOINT_BASE_URL`` or RunPod.

    Raises:
        InputError: a URL would send the key unencrypted to another machine.
    """

    def __init__(self, key: str, base_url: str | None = None, run_url: str | None = None) -> None:
        self.base_url = _checked_url(base_url or os.environ.get("RUNPOD_API_BASE_URL") or API_URL)
        run_url = _checked_url(run_url or os.environ.get("RUNPOD_ENDPOINT_BASE_URL") or RUN_URL)
        self.run_url = run_url.removesuffix("/v2")
        self._http = httpx.Client(
            headers={"Authorization": f"Bearer {key}", "User-Agent": "diarist"}, timeout=TIMEOUT, follow_redirects=False
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._http.close()

    def endpoints(self) -> list[Json]:
        """All serverless endpoints of the account."""
        return list(self._rest("GET", "/v2/serverless").get("endpoints", []))

    def create_endpoint(self, body: Json) -> Json:
        """Create an endpoint, exactly once even if an answer is lost: before trying again its name is looked up."""
        with _translated("POST", "/v2/serverless"):
            for attempt in _attempts():
                with attempt:
                    if attempt.retry_state.attempt_number > 1 and (
                        made := find_endpoint(self.endpoints(), body["name"])
                    ):
                        return made
                    return self._once("POST", "/v2/serverless", body)
        raise AssertionError("unreachable: the last attempt raises")

    def update_endpoint(self, endpoint_id: str, changes: Json) -> Json:
        """Change only the fields in ``changes``."""
        return self._rest("PATCH", f"/v2/serverless/{quote(endpoint_id, safe='')}", changes)

    def delete_endpoint(self, endpoint_id: str) -> bool:
        """Delete an endpoint with its workers and queue; False if there was none."""
        try:
            self._rest("DELETE", f"/v2/serverless/{quote(endpoint_id, safe='')}")
        except EndpointError as error:
            if error.code == "endpoint_not_found":
                return False
            raise
        return True

    def workers(self, endpoint_id: str) -> Json:
        """``{"summary", "workers", "endpointVersion"}`` of an endpoint."""
        return self._rest("GET", f"/v2/serverless/{quote(endpoint_id, safe='')}/workers")

    def releases(self, endpoint_id: str) -> Json:
        """``{"rollout", "releases"}`` of an endpoint, newest first."""
        return self._rest("GET", f"/v2/serverless/{quote(endpoint_id, safe='')}/releases")

    def health(self, endpoint_id: str) -> Json:
        """Counts of jobs and workers, from where jobs are sent: it shows that the key may use the endpoint."""
        return self._rest("GET", f"/v2/{quote(endpoint_id, safe='')}/health", base_url=self.run_url)

    def gpus(self, min_cuda: str | None = None) -> list[Json]:
        """GPU types with pool, serverless price (USD per GPU and hour) and availability.

        Args:
            min_cuda: count only hosts with this CUDA or a later one as available.
        """
        hosts = f"&minCudaVersion={quote(min_cuda)}" if min_cuda else ""
        path = f"/v2/catalog/gpus?include=AVAILABILITY&product=SERVERLESS{hosts}"
        return list(self._rest("GET", path).get("gpus", []))

    def cpus(self) -> list[Json]:
        """CPU flavors with their serverless price (USD per vCPU and hour)."""
        return list(self._rest("GET", "/v2/catalog/cpus").get("cpus", []))

    def log_tail(self, endpoint_id: str, worker_id: str, lines: int = 200, patience: float = 3.0) -> list[str]:
        """Read the last log lines of a worker.

        The stream never ends by itself: it is left after ``patience`` quiet seconds, and after ten times that anyway.
        """
        path = f"/v2/serverless/{quote(endpoint_id, safe='')}/workers/{quote(worker_id, safe='')}/logs?tail={lines}"
        found: list[str] = []
        deadline = time.monotonic() + 10 * patience
        with _translated("GET", path):
            timeout = httpx.Timeout(patience, connect=10.0)
            try:
                with self._http.stream("GET", self.base_url + path, timeout=timeout) as answer:
                    if not answer.is_success:
                        _read(answer)
                    for line in _lines(answer, deadline):
                        if line.startswith("data:"):
                            found.append(_log_line(line.removeprefix("data:").strip()))
                        if len(found) >= lines:
                            break
            except httpx.ReadTimeout:
                pass
        return found

    def worker_quota(self) -> int | None:
        """How many workers the account may have in all; None where the platform does not say."""
        quota = self._graphql(QUOTA_QUERY)["myself"].get("maxServerlessConcurrency")
        return quota if isinstance(quota, int) else None

    def cached_models(self) -> dict[str, Json]:
        """Endpoints as GraphQL knows them, by id: the only place that tells ``modelReferences``."""
        return {endpoint["id"]: endpoint for endpoint in self._graphql(MODELS_QUERY)["myself"]["endpoints"]}

    def set_cached_models(self, endpoint: Json, references: Sequence[str]) -> None:
        """Assign cached models to an endpoint that `cached_models` returned; all its other settings are echoed."""
        self._graphql(SAVE_MUTATION, {"input": save_input(endpoint, references)})

    def _graphql(self, query: str, variables: Json | None = None) -> Json:
        body: Json = {"query": query}
        if variables is not None:
            body["variables"] = variables
        answer = self._rest("POST", "/graphql", body)
        if answer.get("errors") or not isinstance(answer.get("data"), dict):
            errors = answer.get("errors") or [{}]
            said = str(errors[0].get("message", "no data")) if isinstance(errors[0], dict) else str(errors[0])
            raise EndpointError("graphql_failed", f"RunPod's GraphQL API refused: {_one_line(said)}")
        data: Json = answer["data"]
        return data

    def _rest(self, method: str, path: str, body: Json | None = None, base_url: str | None = None) -> Json:
        """Send what may safely be sent twice."""
        with _translated(method, path):
            for attempt in _attempts():
                with attempt:
                    return self._once(method, path, body, base_url)
        raise AssertionError("unreachable: the last attempt raises")

    def _once(self, method: str, path: str, body: Json | None = None, base_url: str | None = None) -> Json:
        with self._http.stream(method, (base_url or self.base_url) + path, json=body) as answer:
            content = _read(answer)
        if not content:
            return {}
        try:
            found = json.loads(content)
        except (ValueError, RecursionError):
            found = None
        if not isinstance(found, dict):
            raise EndpointError("bad_answer", f"RunPod answered {method} {path} with something that is no object.")
        return found


def find_endpoint(endpoints: Sequence[Json], name: str) -> Json | None:
    """Find an endpoint by name; older ones carry `` -fb`` at the end, which once was how FlashBoot was asked for."""
    return next((endpoint for endpoint in endpoints if endpoint["name"].removesuffix(" -fb") == name), None)


def save_input(endpoint: Mapping[str, Any], references: Sequence[str]) -> Json:
    """Build the input of ``saveEndpoint``: what was read, merged with the cached models.

    The mutation resets what it is not sent, so all is echoed; some fields must be absent rather than null.
    """
    droppable = {"templateId", "allowedCudaVersions", "minCudaVersion", "compliance"}
    echoed = {name: value for name, value in endpoint.items() if not (name in droppable and value is None)}
    volumes = endpoint.get("networkVolumeIds") or []
    echoed["networkVolumeIds"] = [{"networkVolumeId": volume["networkVolumeId"]} for volume in volumes]
    return {**echoed, "modelReferences": list(references)}


def model_reference(model: str) -> str:
    """``org/name[:revision]`` as the URL that the platform stores."""
    repository, _, revision = model.partition(":")
    return f"https://huggingface.co/{repository}:{revision or 'main'}"


def _read(answer: httpx.Response) -> bytes:
    """Read an answer, as far as one is believed to go.

    Raises:
        httpx.HTTPStatusError: it is no success; the error holds how its body begins.
        EndpointError: it does not end.
    """
    body = bytearray()
    for piece in answer.iter_bytes():
        body += piece
        if len(body) > MAX_ANSWER_BYTES:
            break
    if not answer.is_success:
        headers = {name: value for name, value in answer.headers.items() if name in ("retry-after", "content-type")}
        httpx.Response(
            answer.status_code, headers=headers, content=bytes(body[:MAX_ERROR_BYTES]), request=answer.request
        ).raise_for_status()
    if len(body) > MAX_ANSWER_BYTES:
        what = f"{answer.request.method} {answer.request.url.path}"
        raise EndpointError("bad_answer", f"RunPod answered {what} with more than {MAX_ANSWER_BYTES / 1e6:.0f} MB.")
    return bytes(body)


def _lines(answer: httpx.Response, deadline: float) -> Iterator[str]:
    """Yield the lines of a stream: until ``deadline`` by `time.monotonic`, and no more than an answer may hold."""
    rest, size = b"", 0
    for piece in answer.iter_bytes():
        size += len(piece)
        *whole, rest = (rest + piece).split(b"\n")
        yield from (line.decode(errors="replace").rstrip("\r") for line in whole)
        if size > MAX_ANSWER_BYTES or len(rest) > MAX_ERROR_BYTES or time.monotonic() > deadline:
            return


def _checked_url(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in LOOPBACK):
        return url.rstrip("/")
    raise InputError("bad_api_url", f"The API key is not sent to {parts.scheme}://{parts.hostname}.", "Use https.")


def _attempts() -> tenacity.Retrying:
    return tenacity.Retrying(
        retry=tenacity.retry_if_exception(_worth_again),
        wait=_pause,
        stop=tenacity.stop_after_attempt(ATTEMPTS),
        reraise=True,
    )


def _worth_again(error: BaseException) -> bool:
    if isinstance(error, httpx.HTTPStatusError):
        return error.response.status_code == httpx.codes.TOO_MANY_REQUESTS or error.response.is_server_error
    return isinstance(error, httpx.TransportError)


def _pause(state: tenacity.RetryCallState) -> float:
    """Seconds until the next attempt: what the server says, else longer and longer, with jitter."""
    error = state.outcome.exception() if state.outcome else None
    if isinstance(error, httpx.HTTPStatusError):
        asked = _retry_after(error.response.headers.get("Retry-After"))
        if asked is not None:
            return min(asked, LONGEST_WAIT)
    return tenacity.wait_random_exponential(multiplier=FIRST_WAIT, max=LONGEST_WAIT)(state)


def _retry_after(value: str | None) -> float | None:
    """Seconds from a ``Retry-After`` header, which holds seconds or a date (RFC 9110, section 10.2.3)."""
    if not value:
        return None
    try:
        return max(0.0, float(value))
    except ValueError:
        pass
    try:
        when = parsedate_to_datetime(value)
    except ValueError:
        return None
    if when.tzinfo is None:
        when = when.replace(tzinfo=UTC)
    return max(0.0, (when - datetime.now(UTC)).total_seconds())


@contextmanager
def _translated(method: str, path: str) -> Iterator[None]:
    """Turn what httpx raises into one line that says what to do; never the key, never a body we sent."""
    path = path.partition("?")[0]
    try:
        yield
    except httpx.HTTPStatusError as error:
        raise _status_error(method, path, error.response) from None
    except httpx.TransportError as error:
        raise EndpointError(
            "runpod_unreachable",
            f"RunPod did not answer {method} {path}: {type(error).__name__}.",
            "Check the network, then run the same command again: it continues where it stopped.",
        ) from None
    except json.JSONDecodeError:
        raise EndpointError("bad_answer", f"RunPod answered {method} {path} with something that is no JSON.") from None


def _status_error(method: str, path: str, answer: httpx.Response) -> EndpointError:
    status = answer.status_code
    said = _problem(answer)
    if status == httpx.codes.UNAUTHORIZED:
        return EndpointError(
            "key_refused", f"RunPod refused the API key ({said}).", "Check RUNPOD_API_KEY; keys can expire."
        )
    if status == httpx.codes.FORBIDDEN:
        return EndpointError(
            "key_scope", f"The API key may not {method} {path} ({said}).", "Give the key read and write access."
        )
    if status == httpx.codes.NOT_FOUND:
        return EndpointError("endpoint_not_found", f"RunPod knows no {path} ({said}).")
    if status == httpx.codes.GONE:
        return EndpointError("api_gone", f"RunPod has switched off {path}.", "Update diarist.")
    if status == httpx.codes.TOO_MANY_REQUESTS:
        return EndpointError(
            "rate_limited", f"RunPod limits {method} {path} ({said}).", "Wait a minute and run it again."
        )
    hint = "Run the same command again: it continues where it stopped." if answer.is_server_error else ""
    return EndpointError("runpod_refused", f"RunPod answered {method} {path} with {status}: {said}", hint)


def _problem(answer: httpx.Response) -> str:
    """What an ``application/problem+json`` answer says (RFC 9457), in one line."""
    try:
        body = answer.json()
    except (ValueError, RecursionError):
        return answer.reason_phrase or str(answer.status_code)
    if not isinstance(body, dict):
        return answer.reason_phrase
    words = [str(body.get("detail") or body.get("title") or answer.reason_phrase)]
    words += [str(error) for error in body.get("errors") or []]
    return _one_line("; ".join(words))


def _one_line(text: str, limit: int = 300) -> str:
    line = " ".join(text.split())
    return line if len(line) <= limit else line[: limit - 1] + "…"


def _log_line(data: str) -> str:
    try:
        return str(json.loads(data)["line"])
    except (ValueError, KeyError, TypeError, RecursionError):
        return data
