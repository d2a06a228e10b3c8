"""Where remote pipelines find their endpoints: the environment, then ``[runpod.endpoints]`` in ``diarist.toml``."""

from __future__ import annotations

import ipaddress
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from diarist.model.errors import InputError
from diarist.model.progress import Progress
from diarist.pipelines.base import Pipeline
from diarist.places import Wanted
from diarist.runpod.client import API
from diarist.runpod.limits import Limits

if TYPE_CHECKING:
    from diarist.runpod.deploy.plan_file import Role
    from diarist.runpod.pipelines import EndpointPipeline, SplitPipeline

_NEEDS: Final[Mapping[str, Mapping[Role, str]]] = {  # place: role and its environment variable
    "runpod:single": {"single": "RUNPOD_ENDPOINT_ID"},
    "runpod:split": {"transcription": "TRANSCRIPTION_ENDPOINT_ID", "diarization": "DIARIZATION_ENDPOINT_ID"},
    "runpod:orchestrator": {"orchestrator": "RUNPOD_ENDPOINT_ID"},
}


def open_place(place: str, wanted: Wanted, _: Progress, __: Callable[[str], None]) -> Pipeline:
    """Make the pipeline for `diarist.places`, from the environment and ``diarist.toml``; see `open_pipeline`."""
    wanted.refuse_engines(place)
    return open_pipeline(place, audio_store=wanted.audio_store)


def open_pipeline(
    place: str,
    environ: Mapping[str, str] = os.environ,
    config: Path = Path("diarist.toml"),
    *,
    audio_store: str | None = None,
) -> SplitPipeline | EndpointPipeline:
    """Make the pipeline for ``--on PLACE``.

    Args:
        place: ``"runpod:single"``, ``"runpod:split"`` or ``"runpod:orchestrator"``.
        environ: ``RUNPOD_API_KEY``, and the ids ``RUNPOD_ENDPOINT_ID`` (single, orchestrator) or
            ``DIARIZATION_ENDPOINT_ID`` and ``TRANSCRIPTION_ENDPOINT_ID`` (split). ``DIARIST_RUNPOD_URL`` points at an
            emulator on this machine.
        config: what ``diarist deploy`` wrote; read for ids that the environment lacks. Need not exist.
        audio_store: ``s3://BUCKET/PREFIX`` through which recordings go; None sends them with the request.

    Raises:
        InputError: no such place, a setting is missing or wrong.
    """
    from diarist.runpod.deploy.state import read_endpoints
    from diarist.runpod.pipelines import EndpointPipeline, SplitPipeline
    from diarist.runpod.store import AudioStore

    if place not in _NEEDS:
        raise InputError("bad_place", f"There is no place {place!r}.", f"Choose from {', '.join(_NEEDS)}.")
    deployed = read_endpoints(config)
    ids = {role: environ.get(name) or deployed.get(role, "") for role, name in _NEEDS[place].items()}
    key = environ.get("RUNPOD_API_KEY", "")
    missing = [name for role, name in _NEEDS[place].items() if not ids[role]] + ([] if key else ["RUNPOD_API_KEY"])
    if missing:
        raise InputError(
            "missing_setting",
            f"{place} needs {' and '.join(missing)}.",
            "Set them in the environment; diarist deploy remembers the ids in diarist.toml.",
        )
    url = platform_url(environ)
    store = AudioStore(audio_store) if audio_store else None
    if place == "runpod:split":
        return SplitPipeline(ids["transcription"], ids["diarization"], key, base_url=url, store=store)
    (endpoint,) = ids.values()
    limits = Limits.for_orchestrator if place == "runpod:orchestrator" else Limits.for_audio
    return EndpointPipeline(endpoint, key, place, base_url=url, limits=limits, store=store)


def platform_url(environ: Mapping[str, str]) -> str:
    """RunPod's address, or the emulator's from ``DIARIST_RUNPOD_URL``, which must be on this machine.

    Nothing else is accepted: the API key goes to whoever is named here.

    Raises:
        InputError: the URL is not on the loopback interface.
    """
    url = environ.get("DIARIST_RUNPOD_URL")
    if not url:
        return API
    host = urlsplit(url).hostname or ""
    try:
        local = ipaddress.ip_address(host).is_loopback
    except ValueError:
        local = host == "localhost"
    if not local:
        raise InputError(
            "bad_setting", f"DIARIST_RUNPOD_URL may only name this machine, not {host!r}.", "It is for the emulator."
        )
    return url.rstrip("/")
