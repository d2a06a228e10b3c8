"""Put the endpoints of an architecture on RunPod: what differs from what they should be, and the calls that mend it.

Endpoints are found by name, so every run may be repeated: it creates what is missing, changes what differs, leaves the
rest alone, and goes on where a failed run stopped. Nothing here keeps a secret: values that are secret are references
(``{{ RUNPOD_SECRET_name }}``), which the platform replaces inside the worker.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from diarist.architectures import ARCHITECTURES, ROLES, RoleName, orchestrator_deadline, time_limit
from diarist.model.errors import EndpointError, InputError
from diarist.runpod.deploy.api import MODELS_QUERY, SAVE_MUTATION, Json, RunpodApi, find_endpoint, model_reference
from diarist.runpod.deploy.plan_file import Settings


def endpoint_body(role: RoleName, settings: Settings, ids: Mapping[RoleName, str]) -> Json:
    """Build the ``CreateEndpointRequest`` of a role (REST v2).

    Args:
        role: which endpoint.
        settings: what it should be.
        ids: endpoint ids the orchestrator is wired to.
    """
    scaling = settings.scaling(role)
    body: Json = {
        "name": settings.endpoint_name(role),
        "type": "QUEUE",
        "image": settings.image(role),
        "disk": settings.disk if ROLES[role].gpu else ROLES[role].disk,
        "env": _environment(role, settings, ids),
        "workers": {
            "min": scaling.min_workers,
            "max": scaling.max_workers,
            "idleTimeout": scaling.idle_timeout,
        },
        "scaling": {"type": "QUEUE_DELAY", "queueDelay": settings.queue_delay},
        # The platform's own limit, in milliseconds.
        "timeout": 1000 * time_limit(role, settings.timeout),
        "flashboot": settings.flashboot,
    }
    if not ROLES[role].gpu:
        flavor, _, vcpus = settings.cpu.partition(":")
        body["cpu"] = [{"id": flavor, "vcpuCount": int(vcpus)}]
    else:
        body["gpu"] = {"pools": list(settings.pools), "count": 1}
        if settings.excluded_gpus:
            body["gpu"]["excludedTypes"] = list(settings.excluded_gpus)
        if settings.min_cuda:
            body["gpu"]["minCudaVersion"] = settings.min_cuda
    if volumes := settings.volumes(role):
        body["networkVolumes"] = list(volumes)
    if settings.data_centers:
        body["dataCenterIds"] = list(settings.data_centers)
    if settings.registry:
        body["registry"] = settings.registry
    return body


def _environment(role: RoleName, settings: Settings, ids: Mapping[RoleName, str]) -> dict[str, str]:
    # At its default level the worker SDK prints every result, and logs are kept for 90 days.
    environment = {"RUNPOD_LOG_LEVEL": "INFO"}
    if role == "orchestrator":
        environment |= {
            # The SDK refuses to start below 4 GB of free memory; this worker has 4 GB in all.
            "RUNPOD_MIN_MEMORY_GB": "0.5",
            **{ROLES[leg].id_variable: ids[leg] for leg in ARCHITECTURES["orchestrator"].legs},
            "CHILD_API_KEY": f"{{{{ RUNPOD_SECRET_{settings.child_key_secret} }}}}",
            # It has to answer before the platform ends it, and the caller learns nothing.
            "DIARIST_DEADLINE": str(orchestrator_deadline(settings.timeout)),
        }
        return environment | settings.environment(role)
    if settings.hf_token_secret:
        environment["HF_TOKEN"] = f"{{{{ RUNPOD_SECRET_{settings.hf_token_secret} }}}}"
    return environment | settings.environment(role)


def changes(found: Json, wanted: Json) -> Json:
    """Build the ``UpdateEndpointRequest`` that turns the endpoint found into the one wanted; empty if it is that.

    Environment variables set elsewhere, e.g. in the console, are kept; of all else the settings are the whole truth.

    Raises:
        InputError: the difference is one the platform cannot change.
    """
    for family in ("gpu", "cpu"):
        if bool(found.get(family)) != bool(wanted.get(family)):
            raise _unchangeable(found, "runs on other hardware", "GPU and CPU cannot be exchanged")
    if found.get("type", wanted["type"]) != wanted["type"]:
        raise _unchangeable(
            found,
            "is a queue" if found.get("type") == "QUEUE" else "is no queue",
            "the type of an endpoint cannot be changed",
        )
    unset: Json = {"dataCenterIds": [], "registry": None, "networkVolumes": []}
    if "gpu" in wanted:
        # What is not wanted has to be cleared by name.
        no_limits = {"excludedTypes": [], "allowedCudaVersions": [], "minCudaVersion": ""}
        unset |= {"gpu": {**no_limits, **wanted["gpu"]}}
    whole = {**wanted, **{name: value for name, value in unset.items() if name == "gpu" or name not in wanted}}
    whole["env"] = {**(found.get("env") or {}), **wanted["env"]}
    return {
        name: value
        for name, value in whole.items()
        if name not in ("name", "type") and _differs(found.get(name), value)
    }


def _differs(there: Any, wanted: Any) -> bool:
    """Compare as far as something is wanted: answers hold more than requests, e.g. ``memory``, and null for nothing."""
    if not wanted and not there and not isinstance(wanted, int):
        return False
    if isinstance(wanted, dict):
        return not isinstance(there, dict) or any(_differs(there.get(name), value) for name, value in wanted.items())
    if isinstance(wanted, list) and isinstance(there, list):
        if wanted and isinstance(wanted[0], dict):
            return len(there) != len(wanted) or any(map(_differs, there, wanted))
        return sorted(there) != sorted(wanted)
    return bool(there != wanted)


@dataclass(frozen=True, slots=True)
class ApiCall:
    """One call to the management API, as ``--dry-run`` prints it."""

    method: str
    path: str
    body: Json


def dry_run(settings: Settings) -> list[ApiCall]:
    """All calls that deploying to an empty account makes; ids that only the platform gives are ``<id of NAME>``."""
    requests: list[ApiCall] = []
    ids: dict[RoleName, str] = {}
    for role in ARCHITECTURES[settings.architecture].roles:
        requests.append(ApiCall("POST", "/v2/serverless", endpoint_body(role, settings, ids)))
        ids[role] = f"<id of {settings.endpoint_name(role)}>"
        requests += model_calls(ids[role], settings.model_for(role))
    return requests


def model_calls(endpoint_id: str, model: str | None) -> list[ApiCall]:
    """The calls that give an endpoint a cached model."""
    if model is None:
        return []
    # The other fields of this input are what the query before it answers.
    merged = {"id": endpoint_id, "modelReferences": [model_reference(model)]}
    return [
        ApiCall("POST", "/graphql", {"query": MODELS_QUERY}),
        ApiCall("POST", "/graphql", {"query": SAVE_MUTATION, "variables": {"input": merged}}),
    ]


@dataclass(frozen=True, slots=True)
class Deployed:
    """What became of one endpoint.

    Attributes:
        role: what it is for.
        name: its name.
        id: its id on the platform.
        action: what was done.
        changed: names of the settings that were changed.
        not_set: what could not be set, and how to set it by hand.
    """

    role: RoleName | Literal["server"]
    name: str
    id: str
    action: Literal["created", "updated", "unchanged"]
    changed: tuple[str, ...] = ()
    not_set: tuple[str, ...] = ()


def deploy(
    api: RunpodApi,
    settings: Settings,
    made: Callable[[RoleName, str], None],
    known: Mapping[RoleName, str] | None = None,
) -> Iterator[Deployed]:
    """Make the endpoints what the settings say, one after the other.

    Args:
        api: the management API.
        settings: what they should be.
        made: called with a role and its id as soon as the endpoint exists, to remember it.
        known: ids from earlier; endpoints are looked up by id, then by name.

    Raises:
        EndpointError: the platform refused a call; what was done before stands, and another run goes on from there.
        InputError: an endpoint of that name cannot be turned into what is wanted.
    """
    existing = api.endpoints()
    ids: dict[RoleName, str] = {}
    for role in ARCHITECTURES[settings.architecture].roles:
        wanted = endpoint_body(role, settings, ids)

        def remember(endpoint_id: str, role: RoleName = role) -> None:
            ids[role] = endpoint_id
            made(role, endpoint_id)

        yield settle(api, existing, role, (known or {}).get(role), wanted, settings.model_for(role), remember)


def settle(
    api: RunpodApi,
    existing: Sequence[Json],
    role: RoleName,
    known: str | None,
    wanted: Json,
    model: str | None,
    made: Callable[[str], None] = lambda _: None,
) -> Deployed:
    """Make one endpoint what is wanted.

    Args:
        api: the management API.
        existing: all endpoints of the account.
        role: what it is for.
        known: its id from earlier; it is looked up by that, then by name.
        wanted: its ``CreateEndpointRequest``.
        model: that the platform shall cache for it.
        made: told its id as soon as it exists.

    Raises:
        EndpointError: the platform refused a call.
        InputError: an endpoint of that name cannot be turned into what is wanted.
    """
    found = _existing(existing, known, wanted["name"])
    changed: Json = {}
    if found is None:
        endpoint_id = str(api.create_endpoint(wanted)["id"])
    else:
        endpoint_id = str(found["id"])
        changed = changes(found, wanted)
    made(endpoint_id)
    if changed:
        api.update_endpoint(endpoint_id, changed)
    model_changed, not_set = _cache_model(api, endpoint_id, model)
    names = (*changed, *(("cached model",) if model_changed else ()))
    action: Literal["created", "updated", "unchanged"]
    action = "created" if found is None else "updated" if names else "unchanged"
    return Deployed(role, wanted["name"], endpoint_id, action, names, not_set)


def _existing(endpoints: Sequence[Json], endpoint_id: str | None, name: str) -> Json | None:
    return next((endpoint for endpoint in endpoints if endpoint["id"] == endpoint_id), None) or find_endpoint(
        endpoints, name
    )


def _cache_model(api: RunpodApi, endpoint_id: str, model: str | None) -> tuple[bool, tuple[str, ...]]:
    """Assign the cached model; whether that was a change, and what to do by hand where it failed."""
    if model is None:
        return False, ()
    reference = model_reference(model)
    try:
        endpoint = api.cached_models().get(endpoint_id)
        if endpoint is None:
            raise EndpointError("endpoint_not_found", "GraphQL does not list the endpoint.")
        if same_model(endpoint.get("modelReferences"), reference):
            return False, ()
        api.set_cached_models(endpoint, [reference])
    except EndpointError as error:
        by_hand = f"runpodctl serverless update {endpoint_id} --model-reference {reference}"
        return False, (f"cached model {model}: {error.message} By hand: {by_hand}",)
    return True, ()


def same_model(references: Sequence[str] | None, reference: str) -> bool:
    """Whether an endpoint has just this cached model; the platform writes it as a URL or as ``org/name[:revision]``."""
    there = [one if one.startswith("https://") else model_reference(one) for one in references or ()]
    return there == [reference]


def destroy(
    api: RunpodApi, ids: Mapping[RoleName, str], gone: Callable[[RoleName], None]
) -> Iterator[tuple[RoleName, bool]]:
    """Delete endpoints, callers before the called.

    Args:
        api: the management API.
        ids: the endpoints.
        gone: called with a role as soon as its endpoint is deleted, to forget it.

    Yields:
        The role, and whether its endpoint was still there.
    """
    for role in reversed([role for role in ROLES if role in ids]):
        existed = api.delete_endpoint(ids[role])
        gone(role)
        yield role, existed


def _unchangeable(found: Json, what: str, why: str) -> InputError:
    return InputError(
        "cannot_update",
        f"There is already an endpoint {found['name']!r} that {what}, and {why}.",
        "Choose another --name, or delete it first.",
    )
