"""What is wrong with a deployment, and the command that fixes it.

`gather` asks the platform; `diagnose` is pure: it looks at the answers only.

A worker that crashes as soon as it starts looks like a lack of machines: its state says running or initializing, the
count of unhealthy ones stays 0, jobs wait (four of five "capacity timeouts" that runpod-mcp#62 looked into were
crashes). So workers are judged by their logs and by the release that they run.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TypeVar

from diarist.architectures import ARCHITECTURES, NEW_ACCOUNT_WORKERS, ROLES, RoleName
from diarist.checks import Finding, Status
from diarist.model.errors import DiaristError, EndpointError, InputError
from diarist.runpod.deploy.api import Json, RunpodApi, key_from_environment, model_reference
from diarist.runpod.deploy.apply import changes, endpoint_body, same_model
from diarist.runpod.deploy.plan_file import Settings
from diarist.runpod.deploy.state import read_endpoints, read_settings
from diarist.runpod.deploy.stock import condition, level, usable

T = TypeVar("T")

PRICE_CHANGE = 0.10  # that is worth a word
WORKERS_LOOKED_AT = 3  # logs take seconds each
_STARTED = re.compile(r"Starting Serverless Worker|cannot serve:")
_EXITED = re.compile(r"exited with (exit )?code (?!0\b)-?\d+|OOMKilled|out of memory|no space left", re.IGNORECASE)
_ERROR = re.compile(r"cannot serve:|^\w*(Error|Exception)\b|Error:|exec format error", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What the platform answered. None where it was not, or could not be, asked; then ``refused`` says why.

    Attributes:
        settings: what the deployment should be.
        ids: endpoint ids by role.
        endpoints: all endpoints of the account.
        workers: answers of ``/workers`` by endpoint id.
        releases: answers of ``/releases`` by endpoint id.
        logs: last log lines by worker id.
        health: answers of ``/health`` by endpoint id.
        gpus: the GPU catalog, its stock that of hosts with the CUDA that is needed.
        quota: workers that the account may have.
        cached: endpoints as GraphQL knows them, by id.
        refused: messages of the calls that failed, by what they would have told.
    """

    settings: Settings
    ids: Mapping[RoleName, str]
    endpoints: Sequence[Json] | None = None
    workers: Mapping[str, Json] = field(default_factory=dict)
    releases: Mapping[str, Json] = field(default_factory=dict)
    logs: Mapping[str, Sequence[str]] = field(default_factory=dict)
    health: Mapping[str, Json] = field(default_factory=dict)
    gpus: Sequence[Json] | None = None
    quota: int | None = None
    cached: Mapping[str, Json] | None = None
    refused: Mapping[str, EndpointError] = field(default_factory=dict)


def diagnose_deployment(config: Path, known_prices: Mapping[str, float] | None = None) -> list[Finding]:
    """Look at the deployment that ``diarist.toml`` describes: the hook of ``diarist doctor``.

    Args:
        config: the file.
        known_prices: USD per second by pool, to say what has changed; the cheapest GPU of a pool counts.

    Returns:
        Findings; a missing key, a damaged file or a platform out of reach is a finding too.
    """
    try:
        settings, ids = Settings(**read_settings(config)), read_endpoints(config)
        with RunpodApi(key_from_environment()) as api:
            facts = gather(api, settings, ids)
    except TypeError:
        return [Finding("deployment", "fail", f"{config} does not say what is deployed", "diarist deploy --help")]
    except DiaristError as error:
        return [Finding("deployment", "fail", error.message.rstrip("."), error.hint)]
    return list(diagnose(facts, known_prices or {}))


def gather(api: RunpodApi, settings: Settings, ids: Mapping[RoleName, str]) -> Facts:
    """Ask the platform everything that `diagnose` looks at; what it refuses is noted, not raised.

    Raises:
        EndpointError: the key is refused, or the platform cannot be reached.
    """
    refused: dict[str, EndpointError] = {}

    def ask(what: str, call: Callable[[], T]) -> T | None:
        try:
            return call()
        except EndpointError as error:
            if error.code in ("key_refused", "runpod_unreachable"):
                raise
            refused[what] = error
            return None

    endpoints = ask("endpoints", api.endpoints)
    existing = {endpoint["id"] for endpoint in endpoints or ()}
    mine = [endpoint_id for endpoint_id in ids.values() if endpoint_id in existing]
    workers: dict[str, Json] = {}
    releases: dict[str, Json] = {}
    health: dict[str, Json] = {}
    for endpoint_id in mine:
        for what, call, answers in (
            ("workers", api.workers, workers),
            ("releases", api.releases, releases),
            ("jobs", api.health, health),
        ):
            answer = ask(what, partial(call, endpoint_id))
            if answer is not None:
                answers[endpoint_id] = answer
    logs: dict[str, Sequence[str]] = {}
    for endpoint_id, answer in workers.items():
        for worker in answer.get("workers", [])[:WORKERS_LOOKED_AT]:
            lines = ask("logs", partial(api.log_tail, endpoint_id, worker["id"]))
            if lines is not None:
                logs[worker["id"]] = lines
    wants_cache = any(settings.model_for(role) for role in ids)
    return Facts(
        settings=settings,
        ids=ids,
        endpoints=endpoints,
        workers=workers,
        releases=releases,
        logs=logs,
        health=health,
        gpus=ask("catalog", partial(api.gpus, settings.min_cuda)),
        quota=ask("quota", api.worker_quota),
        cached=ask("cached models", api.cached_models) if wants_cache else None,
        refused=refused,
    )


def diagnose(facts: Facts, known_prices: Mapping[str, float]) -> Iterator[Finding]:
    """Judge the answers.

    Args:
        facts: what the platform answered.
        known_prices: USD per second by pool, as a plan would assume.
    """
    yield from _key(facts)
    if facts.endpoints is None:
        return
    by_id = {endpoint["id"]: endpoint for endpoint in facts.endpoints}
    again = _deploy_command(facts.settings)
    for role in ARCHITECTURES[facts.settings.architecture].roles:
        endpoint = by_id.get(facts.ids.get(role, ""))
        name = facts.settings.endpoint_name(role)
        if endpoint is None:
            yield Finding(f"{name}: endpoint", "fail", "there is none", again)
            continue
        yield Finding(f"{name}: endpoint", "ok", endpoint["id"])
        yield from _max_workers(facts, role, endpoint)
        yield from _image(facts, role, endpoint)
        yield from _settings(facts, role, endpoint)
        yield from _workers(facts, role, endpoint)
        yield from _cached_model(facts, role, endpoint)
    yield from _quota(facts)
    yield from _prices(facts, known_prices)


def _key(facts: Facts) -> Iterator[Finding]:
    allowed = {"endpoints": "manage endpoints", "jobs": "send jobs", "catalog": "read prices"}
    missing = [what for name, what in allowed.items() if _forbidden(facts.refused.get(name))]
    if missing:
        fix = "console → Settings → API Keys: give the key read and write access to these endpoints"
        status: Status = "fail" if "manage endpoints" in missing or "send jobs" in missing else "warn"
        yield Finding("key", status, f"the key may not {', nor '.join(missing)}", fix)
    elif "endpoints" in facts.refused:
        yield Finding("key", "fail", facts.refused["endpoints"].message, "diarist doctor, again later")
    else:
        yield Finding("key", "ok", "it may manage the endpoints and send jobs")


def _max_workers(facts: Facts, role: RoleName, endpoint: Json) -> Iterator[Finding]:
    name = f"{facts.settings.endpoint_name(role)}: workers"
    wanted, most = facts.settings.scaling(role).max_workers, endpoint["workers"].get("max", 0)
    again = _deploy_command(facts.settings)
    if most == 0:
        detail = "at most 0, so nothing runs; the platform lowers it after 7 days without requests"
        yield Finding(name, "fail", detail, again)
    elif most < wanted:
        detail = f"at most {most}, not {wanted}; the platform lowers it after 3 days without requests"
        yield Finding(name, "warn", detail, again)
    else:
        yield Finding(name, "ok", f"at most {most}")


def _image(facts: Facts, role: RoleName, endpoint: Json) -> Iterator[Finding]:
    name = f"{facts.settings.endpoint_name(role)}: image"
    image = str(endpoint.get("image") or "")
    tag = image.rpartition("/")[2].partition(":")[2]
    wanted = facts.settings.image(role)
    if not tag or tag == "latest":
        detail = f"{image or 'none'}: workers keep what they have when this tag moves"
        yield Finding(name, "warn", detail, _deploy_command(facts.settings, tag="VERSION"))
    elif image != wanted:
        yield Finding(name, "warn", f"{image}, not {wanted}", _deploy_command(facts.settings))
    else:
        yield Finding(name, "ok", image)


def _settings(facts: Facts, role: RoleName, endpoint: Json) -> Iterator[Finding]:
    name = f"{facts.settings.endpoint_name(role)}: settings"
    legs = {leg: facts.ids.get(leg, "") for leg in ARCHITECTURES["orchestrator"].legs}
    try:
        differing = changes(endpoint, endpoint_body(role, facts.settings, legs))
    except InputError as error:
        yield Finding(name, "fail", error.message, error.hint)
        return
    # Those have findings of their own.
    differing.pop("image", None)
    if differing.get("workers", {}).get("max") not in (None, endpoint["workers"].get("max")):
        differing.pop("workers")
    again = _deploy_command(facts.settings)
    wired = {*(ROLES[leg].id_variable for leg in legs), "CHILD_API_KEY"}
    env = endpoint.get("env") or {}
    lost = sorted(key for key, value in differing.get("env", {}).items() if key in wired and env.get(key) != value)
    if lost:
        yield Finding(name, "fail", f"{', '.join(lost)} does not lead to the other endpoints", again)
    elif differing:
        yield Finding(name, "warn", f"changed since they were deployed: {', '.join(differing)}", again)
    else:
        yield Finding(name, "ok", "as deployed")


def _workers(facts: Facts, role: RoleName, endpoint: Json) -> Iterator[Finding]:
    name = f"{facts.settings.endpoint_name(role)}: health"
    answer = facts.workers.get(endpoint["id"])
    if answer is None:
        return
    workers = answer.get("workers", [])
    crashing = {
        worker["id"]: reason for worker in workers if (reason := crash_reason(facts.logs.get(worker["id"], ())))
    }
    if crashing:
        release = _blamed(facts.releases.get(endpoint["id"]), [one for one in workers if one["id"] in crashing])
        detail = f"{len(crashing)} of {len(workers)} workers crash as they start: {next(iter(crashing.values()))}"
        before = str(release["old"]).rpartition(":")[2] if release else ""
        fix = (
            _deploy_command(facts.settings, tag=before) if before else "fix the image, then diarist deploy with its tag"
        )
        since = f"; since the release of {release['new']}" if release else ""
        yield Finding(name, "fail", detail + since, fix)
        return
    states = answer.get("summary", {})
    stuck = states.get("unhealthy", 0)
    if stuck:
        yield Finding(name, "fail", f"{stuck} unhealthy workers", "read their logs in the console")
    elif states.get("throttled") and not states.get("running") and not states.get("idle"):
        more = _deploy_command(facts.settings) + " --pool MORE"
        yield Finding(name, "warn", f"{states['throttled']} workers wait for a machine: its pools are full", more)
    elif stale := [worker for worker in workers if worker.get("isStale")]:
        yield Finding(name, "ok", f"{len(stale)} of {len(workers)} workers still run the release before this one")
    else:
        running = ", ".join(f"{count} {state}" for state, count in states.items() if count and state != "total")
        yield Finding(name, "ok", running or "no worker now, the first job starts one")


def crash_reason(lines: Sequence[str]) -> str | None:
    """Say why a worker keeps dying as it starts, from its log; None if it does not.

    A worker that starts more than once within its log's tail, or whose container ended with an error, is crashing.
    Only lines that look like errors are quoted.
    """
    starts = sum(bool(_STARTED.search(line)) for line in lines)
    ends = [line for line in lines if _EXITED.search(line)]
    if starts < 2 and not ends:
        return None
    errors = [line for line in lines if _ERROR.search(line)] or ends
    return " ".join(errors[-1].split())[:200] if errors else f"it started {starts} times"


def _blamed(releases: Json | None, crashing: Sequence[Json]) -> Json | None:
    """The change of image after which these workers crash, if the newest release made one and all of them run it."""
    newest = next(iter((releases or {}).get("releases", [])), None)
    if newest is None or any(worker.get("version") != newest.get("version") for worker in crashing):
        return None
    entries = newest.get("diff", [])
    return next((entry for entry in entries if entry["field"].endswith("imageName") and entry.get("old")), None)


def _cached_model(facts: Facts, role: RoleName, endpoint: Json) -> Iterator[Finding]:
    model = facts.settings.model_for(role)
    if model is None:
        return
    name = f"{facts.settings.endpoint_name(role)}: cached model"
    reference = model_reference(model)
    by_hand = f"runpodctl serverless update {endpoint['id']} --model-reference {reference}"
    if facts.cached is None:
        why = facts.refused.get("cached models")
        yield Finding(name, "warn", why.message if why else "unknown", by_hand)
    elif same_model(facts.cached.get(endpoint["id"], {}).get("modelReferences"), reference):
        yield Finding(name, "ok", model)
    else:
        yield Finding(
            name, "warn", f"{model} is not assigned, so it is loaded from the image", _deploy_command(facts.settings)
        )


def _quota(facts: Facts) -> Iterator[Finding]:
    used = sum(endpoint["workers"].get("max", 0) for endpoint in facts.endpoints or ())
    quota = facts.quota or NEW_ACCOUNT_WORKERS
    known = "" if facts.quota else ", as a new account has; the platform did not say"
    needed = sum(facts.settings.scaling(role).max_workers for role in ARCHITECTURES[facts.settings.architecture].roles)
    if needed > quota:
        detail = f"this deployment may use {needed} workers, the account {quota}{known}"
        yield Finding("quota", "warn", detail, _deploy_command(facts.settings) + " --max-workers FEWER")
    elif used > quota:
        detail = f"all endpoints together may use {used} workers, the account {quota}{known}"
        yield Finding("quota", "warn", detail, "lower the workers of endpoints you do not need, in the console")
    else:
        yield Finding("quota", "ok", f"{used} of {quota} workers{known}")


def _prices(facts: Facts, known_prices: Mapping[str, float]) -> Iterator[Finding]:
    if facts.gpus is None:
        return
    for pool in facts.settings.pools:
        gpus = usable(facts.gpus, pool, facts.settings)
        prices = [gpu["price"]["serverless"] / 3600 for gpu in gpus if gpu["price"].get("serverless")]
        if not gpus:
            fix = _deploy_command(facts.settings) + " --pool ANOTHER"
            yield Finding(f"pool {pool}", "fail", "the platform has no such pool, or all of it is left out", fix)
        elif (free := level(gpus)) == "none":
            fix = _deploy_command(facts.settings) + "".join(f" --pool {one}" for one in facts.settings.pools)
            yield Finding(
                f"pool {pool}", "warn", f"no machine{condition(facts.settings)} is free now", f"{fix} --pool ANOTHER"
            )
        elif prices and (known := known_prices.get(pool)) and abs(min(prices) / known - 1) > PRICE_CHANGE:
            detail = f"${min(prices):.6f}/s today, ${known:.6f}/s in the price table"
            yield Finding(f"pool {pool}", "warn", detail, "diarist plan --refresh")
        else:
            today = f"${min(prices):.6f}/s today" if prices else "the platform names no price"
            names = ", ".join(gpu["name"] for gpu in gpus)
            stock = f"; stock{condition(facts.settings)}: {free}" if free else ""
            yield Finding(f"pool {pool}", "ok", f"{today}; {names}{stock}")


def _forbidden(error: EndpointError | None) -> bool:
    return error is not None and error.code == "key_scope"


def _deploy_command(settings: Settings, tag: str | None = None) -> str:
    """The command that makes the endpoints what ``diarist.toml`` says."""
    return f"diarist deploy {settings.architecture}" + (f" --tag {tag}" if tag else "")
