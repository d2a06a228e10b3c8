"""What the platform has free of the GPUs that a deployment may use, as its catalog says it: levels, never numbers."""

from __future__ import annotations

from collections.abc import Sequence

from diarist.model.errors import EndpointError
from diarist.runpod.deploy.api import Json, RunpodApi
from diarist.runpod.deploy.plan_file import Settings

_LEVELS = ("NONE", "LOW", "MEDIUM", "HIGH")


def usable(gpus: Sequence[Json], pool: str, settings: Settings) -> list[Json]:
    """Of a catalog's GPU types, those of a pool that the deployment may run on."""
    return [gpu for gpu in gpus if gpu.get("pool") == pool and gpu["id"] not in settings.excluded_gpus]


def level(gpus: Sequence[Json]) -> str | None:
    """The best level of these GPU types, e.g. ``high``; None if the catalog names none."""
    known = [gpu["availability"] for gpu in gpus if gpu.get("availability") in _LEVELS]
    return max(known, key=_LEVELS.index).lower() if known else None


def condition(settings: Settings) -> str:
    """What a host must have, as words to put behind a level."""
    return f" with CUDA {settings.min_cuda} or later" if settings.min_cuda else ""


def stock_line(gpus: Sequence[Json], settings: Settings) -> str:
    """Say what is free now in each pool of a deployment.

    Args:
        gpus: the catalog, asked for hosts with the deployment's lowest CUDA.
        settings: of the deployment.
    """
    pools = [f"{pool} {level(usable(gpus, pool, settings)) or 'unknown'}" for pool in settings.pools]
    return f"free now{condition(settings)}: {', '.join(pools)} (the platform says levels, not numbers)"


def stock_told(api: RunpodApi, settings: Settings) -> str:
    """Ask for what is free for a deployment; it stands whether the platform says so or not."""
    try:
        return stock_line(api.gpus(settings.min_cuda), settings)
    except EndpointError as error:
        return f"free machines unknown: {error.message}"
