"""Put the endpoints of an architecture on RunPod: what they should be, what differs, and the calls that mend it.

Endpoints are found by name, so every run may be repeated: it creates what is missing, changes what differs, leaves the
rest alone, and goes on where a failed run stopped. Nothing here keeps a secret: values that are secret are references
(``{{ RUNPOD_SECRET_name }}``), which the platform replaces inside the worker.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

from diarist.model.errors import EndpointError, InputError
from diarist.runpod.api import (
    MODELS_QUERY,
    SAVE_MUTATION,
    Json,
    RunpodApi,
    find,
    model_reference,
)

Role = Literal["single", "transcription", "diarization", "orchestrator"]
Architecture = Literal["single", "split", "orchestrator"]
FlashBoot = Literal["OFF", "FLASHBOOT", "PRIORITY_FLASHBOOT"]

# In the order they are made: the orchestrator needs the ids of the two others.
ROLES: Mapping[Architecture, tuple[Role, ...]] = {
    "single": ("single",),
    "split": ("transcription", "diarization"),
    "orchestrator": ("transcription", "diarization", "orchestrator"),
}
IMAGE_SUFFIX: Mapping[Role, str] = {
    "single": "",
    "diarization": "-diar",
    "transcription": "-asr",
    "orchestrator": "-orch",
}
# So that the three architectures fit the five workers that a new account has.
DEFAULT_MAX_WORKERS: Mapping[Architecture, int] = {"single": 3, "split": 2, "orchestrator": 2}
DEFAULT_IDLE_TIMEOUT = 30
ORCHESTRATOR_IDLE_TIMEOUT = 60  # its seconds cost about a tenth of a GPU's
ORCHESTRATOR_EXTRA_TIME = 600  # seconds that its legs may wait in their queues, on top of their own time limit
ORCHESTRATOR_LAST_WORDS = 60  # seconds between its own deadline and the platform's
JOBS_PER_GPU_WORKER = 4
JOBS_PER_ORCHESTRATOR = 16
ORCHESTRATOR_DISK = 5
LONGEST_TIMEOUT = 7 * 24 * 3600

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")
_IMAGE = re.compile(r"[a-z0-9]+([._:/-]+[a-z0-9]+)*")
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")
_ENV_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_SECRET_NAME = re.compile(r"[A-Za-z0-9_-]{1,128}")
_SECRET_REFERENCE = re.compile(r"\{\{\s*RUNPOD_SECRET_[A-Za-z0-9_-]+\s*\}\}")
_LOOKS_SECRET = re.compile(r"TOKEN|SECRET|PASSWORD|PASSWD|CREDENTIAL|(^|_)KEY$|API_?KEY|ACCESS_KEY", re.IGNORECASE)
_MODEL = re.compile(r"[A-Za-z0-9][\w.-]*/[\w.-]+(:[\w./-]+)?")
_CPU = re.compile(r"[a-z0-9]+:\d+")
_CUDA = re.compile(r"\d+\.\d+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What a deployment should be. Holds no secret and refuses to.

    Attributes:
        architecture: which endpoints there are.
        image_prefix: what the image names begin with, e.g. ``you/parakeet``.
        tag: version of the images.
        name: what the endpoint names begin with.
        pools: serverless GPU pools a worker may run in.
        excluded_gpus: GPU types in those pools that are not wanted.
        min_cuda: lowest CUDA version of a host, e.g. ``12.8``; None for any.
        cpu: flavor and vCPUs of the orchestrator, e.g. ``cpu3c:2``.
        data_centers: where workers may run; empty for anywhere.
        network_volumes: ids of volumes to mount.
        min_workers: workers that stay up, and are paid, all the time; for each endpoint.
        max_workers: most workers of each GPU endpoint; None for a number that fits a new account's quota.
        idle_timeout: seconds a worker stays up after its last job, None for 30; the orchestrator's at least for 60.
        queue_delay: seconds a job waits before another worker is started.
        timeout: most seconds one job may run.
        disk: container disk of GPU workers, in GB.
        flashboot: whether the platform may keep a worker's memory between its lives.
        registry: id of the credential for a private image registry.
        env: further environment of the GPU workers; secrets only as ``{{ RUNPOD_SECRET_name }}``.
        hf_token_secret: name of the RunPod secret that holds a Hugging Face token, for gated weights.
        child_key_secret: name of the RunPod secret with the key that the orchestrator calls its two endpoints with.
        cached_model: ``org/name[:revision]`` the platform keeps on its hosts for the endpoint that transcribes.
        cached_diarization_model: the same for the diarization endpoint.

    Raises:
        InputError: a value is malformed, out of range or a secret, or two values contradict each other.
    """

    architecture: Architecture
    image_prefix: str
    tag: str
    name: str = "diarist"
    pools: tuple[str, ...] = ("AMPERE_24", "ADA_24")
    excluded_gpus: tuple[str, ...] = ()
    min_cuda: str | None = "12.8"
    cpu: str = "cpu3c:2"
    data_centers: tuple[str, ...] = ()
    network_volumes: tuple[str, ...] = ()
    min_workers: int = 0
    max_workers: int | None = None
    idle_timeout: int | None = None
    queue_delay: float = 1.0
    timeout: int = 1800
    disk: int = 20
    flashboot: FlashBoot = "FLASHBOOT"
    registry: str | None = None
    env: Mapping[str, str] = field(default_factory=dict)
    hf_token_secret: str | None = None
    child_key_secret: str = "diarist_child_key"  # noqa: S105  # the name of a secret, not the secret
    cached_model: str | None = None
    cached_diarization_model: str | None = None

    def __post_init__(self) -> None:
        if self.architecture not in ROLES:
            raise _bad("architecture", self.architecture, f"one of {', '.join(ROLES)}")
        self._check_words()
        self._check_numbers()
        self._check_secrets()
        if self.cached_diarization_model and self.architecture == "single":
            raise InputError(
                "contradictory_settings",
                "The platform caches one model per endpoint, and single has one endpoint.",
                "Keep the diarization weights in the image, or deploy split.",
            )

    def _check_words(self) -> None:
        _check(_NAME, name=self.name)
        _check(_IMAGE, image_prefix=self.image_prefix)
        _check(_TAG, tag=self.tag)
        _check(_CPU, cpu=self.cpu)
        if not self.pools or not all(self.pools):
            raise InputError("bad_setting", "There is no GPU pool to run in.", "Name one, e.g. --pool ADA_24.")
        vcpus = int(self.cpu.partition(":")[2])
        if vcpus < 2 or vcpus & (vcpus - 1):
            raise _bad("cpu", self.cpu, "a flavor and a power of two, e.g. cpu3c:2")
        if self.min_cuda is not None:
            _check(_CUDA, min_cuda=self.min_cuda)
        if self.flashboot not in get_args(FlashBoot):
            raise _bad("flashboot", self.flashboot, f"one of {', '.join(get_args(FlashBoot))}")
        for model in (self.cached_model, self.cached_diarization_model):
            if model is not None:
                _check(_MODEL, cached_model=model)

    def _check_numbers(self) -> None:
        ranges: tuple[tuple[str, float | None, float, float], ...] = (
            ("min_workers", self.min_workers, 0, 1000),
            ("max_workers", self.max_workers, 1, 1000),
            ("idle_timeout", self.idle_timeout, 1, 3600),
            ("queue_delay", self.queue_delay, 0.5, 3600),
            ("timeout", self.timeout, 5, LONGEST_TIMEOUT),
            ("disk", self.disk, 1, 10000),
        )
        for name, value, least, most in ranges:
            if value is not None and not least <= value <= most:
                raise _bad(name, value, f"from {least:g} to {most:g}")
        if self.min_workers > (self.max_workers or DEFAULT_MAX_WORKERS[self.architecture]):
            raise InputError(
                "contradictory_settings",
                f"min_workers ({self.min_workers}) is more than max_workers"
                f" ({self.max_workers or DEFAULT_MAX_WORKERS[self.architecture]}).",
                "Raise max_workers.",
            )

    def _check_secrets(self) -> None:
        for name, value in self.env.items():
            _check(_ENV_NAME, env=name)
            if _LOOKS_SECRET.search(name) and value and not _SECRET_REFERENCE.fullmatch(value):
                raise InputError(
                    "secret_in_settings",
                    f"{name} looks like a secret, and settings are written to diarist.toml.",
                    f"Make it a RunPod secret and pass {name}='{{{{ RUNPOD_SECRET_{name.lower()} }}}}'.",
                )
        for secret in (self.hf_token_secret, self.child_key_secret):
            if secret is not None:
                _check(_SECRET_NAME, secret=secret)

    def image(self, role: Role) -> str:
        """Name of the image a role runs."""
        return f"{self.image_prefix}{IMAGE_SUFFIX[role]}:{self.tag}"

    def endpoint_name(self, role: Role) -> str:
        """Name of the endpoint of a role."""
        return f"{self.name}-{role}"

    def most_workers(self, role: Role) -> int:
        """Most workers of a role's endpoint.

        An orchestrator holds as many jobs as four GPU workers, so it needs a quarter of their number.
        """
        gpu_workers = self.max_workers or DEFAULT_MAX_WORKERS[self.architecture]
        if role != "orchestrator":
            return gpu_workers
        return max(self.min_workers, math.ceil(gpu_workers * JOBS_PER_GPU_WORKER / JOBS_PER_ORCHESTRATOR))

    def model_for(self, role: Role) -> str | None:
        """Which model the platform should keep near a role's workers."""
        if role in ("single", "transcription"):
            return self.cached_model
        return self.cached_diarization_model if role == "diarization" else None


def endpoint_body(role: Role, settings: Settings, ids: Mapping[Role, str]) -> Json:
    """Build the ``CreateEndpointRequest`` of a role (REST v2).

    Args:
        role: which endpoint.
        settings: what it should be.
        ids: endpoint ids the orchestrator is wired to.
    """
    orchestrates = role == "orchestrator"
    idle_timeout = settings.idle_timeout or DEFAULT_IDLE_TIMEOUT
    body: Json = {
        "name": settings.endpoint_name(role),
        "type": "QUEUE",
        "image": settings.image(role),
        "disk": ORCHESTRATOR_DISK if orchestrates else settings.disk,
        "env": _environment(role, settings, ids),
        "workers": {
            "min": settings.min_workers,
            "max": settings.most_workers(role),
            "idleTimeout": max(idle_timeout, ORCHESTRATOR_IDLE_TIMEOUT) if orchestrates else idle_timeout,
        },
        "scaling": {"type": "QUEUE_DELAY", "queueDelay": settings.queue_delay},
        # The platform's own limit, in milliseconds.
        "timeout": 1000 * (settings.timeout + (ORCHESTRATOR_EXTRA_TIME if orchestrates else 0)),
        "flashboot": settings.flashboot,
    }
    if orchestrates:
        flavor, _, vcpus = settings.cpu.partition(":")
        body["cpu"] = [{"id": flavor, "vcpuCount": int(vcpus)}]
    else:
        body["gpu"] = {"pools": list(settings.pools), "count": 1}
        if settings.excluded_gpus:
            body["gpu"]["excludedTypes"] = list(settings.excluded_gpus)
        if settings.min_cuda:
            body["gpu"]["minCudaVersion"] = settings.min_cuda
        if settings.network_volumes:
            body["networkVolumes"] = list(settings.network_volumes)
    if settings.data_centers:
        body["dataCenterIds"] = list(settings.data_centers)
    if settings.registry:
        body["registry"] = settings.registry
    return body


def _environment(role: Role, settings: Settings, ids: Mapping[Role, str]) -> dict[str, str]:
    # At its default level the worker SDK prints every result, and logs are kept for 90 days.
    environment = {"RUNPOD_LOG_LEVEL": "INFO"}
    if role == "orchestrator":
        environment |= {
            # The SDK refuses to start below 4 GB of free memory; this worker has 4 GB in all.
            "RUNPOD_MIN_MEMORY_GB": "0.5",
            "TRANSCRIPTION_ENDPOINT_ID": ids["transcription"],
            "DIARIZATION_ENDPOINT_ID": ids["diarization"],
            "CHILD_API_KEY": f"{{{{ RUNPOD_SECRET_{settings.child_key_secret} }}}}",
            # It has to answer before the platform ends it, and the caller learns nothing.
            "DIARIST_DEADLINE": str(settings.timeout + ORCHESTRATOR_EXTRA_TIME - ORCHESTRATOR_LAST_WORDS),
        }
        return environment
    if settings.hf_token_secret:
        environment["HF_TOKEN"] = f"{{{{ RUNPOD_SECRET_{settings.hf_token_secret} }}}}"
    return environment | dict(settings.env)


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
        raise _unchangeable(found, "is no queue", "the type of an endpoint cannot be changed")
    unset: Json = {"dataCenterIds": [], "registry": None}
    if "gpu" in wanted:
        # What is not wanted has to be cleared by name.
        no_limits = {"excludedTypes": [], "allowedCudaVersions": [], "minCudaVersion": ""}
        unset |= {"networkVolumes": [], "gpu": {**no_limits, **wanted["gpu"]}}
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
class Request:
    """One call to the management API, as ``--dry-run`` prints it."""

    method: str
    path: str
    body: Json


def dry_run(settings: Settings) -> list[Request]:
    """All calls that deploying to an empty account makes; ids that only the platform gives are ``<id of NAME>``."""
    requests: list[Request] = []
    ids: dict[Role, str] = {}
    for role in ROLES[settings.architecture]:
        requests.append(Request("POST", "/v2/serverless", endpoint_body(role, settings, ids)))
        ids[role] = f"<id of {settings.endpoint_name(role)}>"
        if model := settings.model_for(role):
            requests.append(Request("POST", "/graphql", {"query": MODELS_QUERY}))
            # The other fields of this input are what the query before it answers.
            merged = {"id": ids[role], "modelReferences": [model_reference(model)]}
            requests.append(Request("POST", "/graphql", {"query": SAVE_MUTATION, "variables": {"input": merged}}))
    return requests


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

    role: Role
    name: str
    id: str
    action: Literal["created", "updated", "unchanged"]
    changed: tuple[str, ...] = ()
    not_set: tuple[str, ...] = ()


def deploy(
    api: RunpodApi, settings: Settings, made: Callable[[Role, str], None], known: Mapping[Role, str] | None = None
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
    ids: dict[Role, str] = {}
    for role in ROLES[settings.architecture]:
        wanted = endpoint_body(role, settings, ids)
        found = _existing(existing, (known or {}).get(role), wanted["name"])
        changed: Json = {}
        if found is None:
            endpoint_id = str(api.create_endpoint(wanted)["id"])
        else:
            endpoint_id = str(found["id"])
            changed = changes(found, wanted)
        ids[role] = endpoint_id
        made(role, endpoint_id)
        if changed:
            api.update_endpoint(endpoint_id, changed)
        model_changed, not_set = _cache_model(api, endpoint_id, settings.model_for(role))
        names = (*changed, *(("cached model",) if model_changed else ()))
        action: Literal["created", "updated", "unchanged"]
        action = "created" if found is None else "updated" if names else "unchanged"
        yield Deployed(role, wanted["name"], endpoint_id, action, names, not_set)


def _existing(endpoints: Sequence[Json], endpoint_id: str | None, name: str) -> Json | None:
    return next((endpoint for endpoint in endpoints if endpoint["id"] == endpoint_id), None) or find(endpoints, name)


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


def destroy(api: RunpodApi, ids: Mapping[Role, str], gone: Callable[[Role], None]) -> Iterator[tuple[Role, bool]]:
    """Delete endpoints, callers before the called.

    Args:
        api: the management API.
        ids: the endpoints.
        gone: called with a role as soon as its endpoint is deleted, to forget it.

    Yields:
        The role, and whether its endpoint was still there.
    """
    for role in reversed([role for role in get_args(Role) if role in ids]):
        existed = api.delete_endpoint(ids[role])
        gone(role)
        yield role, existed


def by_hand(settings: Settings) -> list[str]:
    """Say what no API can set, so that a person must."""
    steps = []
    if settings.architecture == "orchestrator":
        steps.append(
            f"Secret {settings.child_key_secret}: in the console, make a restricted API key for the endpoints"
            f" {settings.endpoint_name('transcription')} and {settings.endpoint_name('diarization')},"
            " and store it under Settings, Secrets."
        )
    if settings.hf_token_secret:
        steps.append(
            f"Secret {settings.hf_token_secret}: in the console, store a Hugging Face read token"
            " under Settings, Secrets."
        )
    return steps


def _check(pattern: re.Pattern[str], **values: str) -> None:
    for name, value in values.items():
        if not pattern.fullmatch(value):
            raise _bad(name, value, f"like {pattern.pattern}")


def _bad(name: str, value: object, wanted: str) -> InputError:
    return InputError("bad_setting", f"{name} must be {wanted}, not {value!r}.")


def _unchangeable(found: Json, what: str, why: str) -> InputError:
    return InputError(
        "cannot_update",
        f"There is already an endpoint {found['name']!r} that {what}, and {why}.",
        "Choose another --name, or delete it first.",
    )
