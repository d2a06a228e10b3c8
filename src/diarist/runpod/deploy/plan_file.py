"""What a deployment should be: its roles, its images, and its settings, which hold no secret."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, get_args

from diarist.architectures import (
    ARCHITECTURES,
    CPU_FLAVOR,
    CPU_VCPUS,
    GPU_POOLS,
    IDLE_TIMEOUT,
    MIN_CUDA,
    MIN_WORKERS,
    QUEUE_DELAY,
    RANGES,
    ROLES,
    TIME_LIMIT,
    ArchitectureName,
    EndpointScaling,
    RoleName,
    scaling_of,
)
from diarist.model.errors import InputError

FlashBoot = Literal["OFF", "FLASHBOOT", "PRIORITY_FLASHBOOT"]

LONGEST_TIMEOUT = 7 * 24 * 3600

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")
_IMAGE = re.compile(r"[a-z0-9]+([._:/-]+[a-z0-9]+)*")
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")
_ENV_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_SECRET_NAME = re.compile(r"[A-Za-z0-9_-]{1,128}")
_SECRET_REFERENCE = re.compile(r"\{\{\s*RUNPOD_SECRET_[A-Za-z0-9_-]+\s*\}\}")
_LOOKS_SECRET = re.compile(r"TOKEN|SECRET|PASSWORD|PASSWD|CREDENTIAL|(^|_)KEY$|API_?KEY|ACCESS_KEY", re.IGNORECASE)
_MODEL = re.compile(r"[A-Za-z0-9][\w.-]*/[\w.-]+(:[\w./-]+)?")
_FOR_FRONT = re.compile(r"DIARIST_CACHE_|DIARIST_DEADLINE$")
_FOR_BOTH = re.compile(r"AWS_|FSSPEC_")
_CPU = re.compile(r"[a-z0-9]{1,32}:[0-9]{1,4}")
_CUDA = re.compile(r"[0-9]{1,4}\.[0-9]{1,4}")


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
        min_cuda: lowest CUDA version of a host, e.g. ``13.0``; None for any.
        cpu: flavor and vCPUs of the orchestrator, e.g. ``cpu3c:2``.
        data_centers: where workers may run; empty for anywhere.
        network_volumes: ids of volumes to mount; in the orchestrator where its cache is on one.
        min_workers: workers that stay up, and are paid, all the time; for each endpoint.
        max_workers: most workers of each GPU endpoint; None for a number that fits a new account's quota.
        idle_timeout: seconds a worker stays up after its last job; the orchestrator's at least for 60.
        queue_delay: seconds a job waits before another worker is started.
        timeout: most seconds one job may run.
        disk: container disk of GPU workers, in GB.
        flashboot: whether the platform may keep a worker's memory between its lives.
        registry: id of the credential for a private image registry.
        env: further environment of the workers; secrets only as ``{{ RUNPOD_SECRET_name }}``. What is about the
            orchestrator's cache and deadline goes to it alone, buckets' credentials (``AWS_…``) to all, the rest to the
            GPU workers.
        hf_token_secret: name of the RunPod secret that holds a Hugging Face token, for gated weights.
        child_key_secret: name of the RunPod secret with the key that the orchestrator calls its two endpoints with.
        cached_model: ``org/name[:revision]`` the platform keeps on its hosts for the endpoint that transcribes.
        cached_diarization_model: the same for the diarization endpoint.

    Raises:
        InputError: a value is malformed, out of range or a secret, or two values contradict each other.
    """

    architecture: ArchitectureName
    image_prefix: str
    tag: str
    name: str = "diarist"
    pools: tuple[str, ...] = GPU_POOLS
    excluded_gpus: tuple[str, ...] = ()
    min_cuda: str | None = MIN_CUDA
    cpu: str = f"{CPU_FLAVOR}:{CPU_VCPUS}"
    data_centers: tuple[str, ...] = ()
    network_volumes: tuple[str, ...] = ()
    min_workers: int = MIN_WORKERS
    max_workers: int | None = None
    idle_timeout: int = IDLE_TIMEOUT
    queue_delay: float = QUEUE_DELAY
    timeout: int = TIME_LIMIT
    disk: int = ROLES["single"].disk
    flashboot: FlashBoot = "FLASHBOOT"
    registry: str | None = None
    env: Mapping[str, str] = field(default_factory=dict)
    hf_token_secret: str | None = None
    child_key_secret: str = "diarist_child_key"  # noqa: S105  # the name of a secret, not the secret
    cached_model: str | None = None
    cached_diarization_model: str | None = None

    def __post_init__(self) -> None:
        if self.architecture not in ARCHITECTURES:
            raise _bad("architecture", self.architecture, f"one of {', '.join(ARCHITECTURES)}")
        self._check_words()
        self._check_numbers()
        self._check_secrets()
        cache = self.env.get("DIARIST_CACHE_URL", "")
        if "/runpod-volume" in cache and not self.network_volumes:
            raise InputError(
                "contradictory_settings",
                "DIARIST_CACHE_URL is on a network volume, and there is none.",
                "Add --network-volume ID, or keep the cache in a bucket: s3://BUCKET/PREFIX.",
            )
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
        self._check_models()

    def _check_models(self) -> None:
        """Refuse cached models that workers would not find; whoever names a folder in the environment knows better."""
        from diarist.weights.catalog import CATALOG

        for option, model, task, chosen in (
            ("--cached-model", self.cached_model, "transcription", "DIARIST_MODEL"),
            ("--cached-diarization-model", self.cached_diarization_model, "diarization", "DIARIST_DIARIZER"),
        ):
            if model is None or "/" in self.env.get(chosen, ""):
                continue
            repo = model.partition(":")[0]
            known = sorted({each for entry in CATALOG.values() if entry.task == task for each in entry.repos})
            if repo.lower() not in {each.lower() for each in known}:
                close = difflib.get_close_matches(repo, known, 1)
                hint = f"Did you mean {close[0]!r}?" if close else f"Choose from: {', '.join(known)}."
                raise InputError(
                    "unknown_model",
                    f"{option}: workers do not know {repo!r}, so it would be cached and not be used.",
                    f"{hint} For a model of your own, also set --env {chosen}=FOLDER.",
                )

    def _check_numbers(self) -> None:
        ranges: tuple[tuple[str, float | None, float, float], ...] = (
            *((name, getattr(self, name), *limits) for name, limits in RANGES.items()),
            ("timeout", self.timeout, 5, LONGEST_TIMEOUT),
            ("disk", self.disk, 1, 10000),
        )
        for name, value, least, most in ranges:
            if value is not None and not least <= value <= most:
                raise _bad(name, value, f"from {least:g} to {most:g}")
        if self.min_workers > self._leg_workers:
            raise InputError(
                "contradictory_settings",
                f"min_workers ({self.min_workers}) is more than max_workers ({self._leg_workers}).",
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

    def image(self, role: RoleName) -> str:
        """Name of the image a role runs."""
        return f"{self.image_prefix}{ROLES[role].image_suffix}:{self.tag}"

    def endpoint_name(self, role: RoleName) -> str:
        """Name of the endpoint of a role."""
        return f"{self.name}-{role}"

    @property
    def _leg_workers(self) -> int:
        return self.max_workers or ARCHITECTURES[self.architecture].max_workers

    def scaling(self, role: RoleName) -> EndpointScaling:
        """How the workers of a role's endpoint come and go."""
        return scaling_of(
            role, min_workers=self.min_workers, max_workers=self._leg_workers, idle_timeout=self.idle_timeout
        )

    def environment(self, role: RoleName) -> dict[str, str]:
        """The part of `env` that is about a role."""
        if not ROLES[role].gpu:
            found = {name: value for name, value in self.env.items() if _FOR_BOTH.match(name) or _FOR_FRONT.match(name)}
            if found.get("DIARIST_CACHE_URL"):
                found.setdefault("DIARIST_CACHE_VERSION", self.tag)  # other images, other transcripts
            return found
        return {name: value for name, value in self.env.items() if not _FOR_FRONT.match(name)}

    def volumes(self, role: RoleName) -> tuple[str, ...]:
        """The volumes that a role's workers mount."""
        needed = ROLES[role].gpu or "/runpod-volume" in self.env.get("DIARIST_CACHE_URL", "")
        return self.network_volumes if needed else ()

    def model_for(self, role: RoleName) -> str | None:
        """Which model the platform should keep near a role's workers."""
        if role in ("single", "transcription"):
            return self.cached_model
        return self.cached_diarization_model if role == "diarization" else None


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
