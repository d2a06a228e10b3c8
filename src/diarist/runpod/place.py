"""From a place on RunPod to a pipeline: its endpoints are named by the environment, or by ``diarist.toml``."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final

from diarist.architectures import ARCHITECTURES, ROLES, RoleName
from diarist.model.errors import InputError
from diarist.model.progress import Progress
from diarist.pipelines.base import Pipeline
from diarist.places import Wanted
from diarist.runpod.limits import Limits
from diarist.runpod.settings import platform_url

if TYPE_CHECKING:
    from diarist.runpod.pipelines import EndpointPipeline, SplitPipeline

_CALLED: Final[Mapping[str, Mapping[RoleName, str]]] = {  # place: roles, and the environment variables of their ids
    f"runpod:{name}": {role: ROLES[role].id_variable for role in architecture.called}
    for name, architecture in ARCHITECTURES.items()
}


def open_place(place: str, wanted: Wanted, _: Progress, note: Callable[[str], None]) -> Pipeline:
    """Make the pipeline for `diarist.places`, from the environment and ``diarist.toml``; see `open_pipeline`."""
    wanted.refuse_engines(place)
    return open_pipeline(place, audio_store=wanted.audio_store, note=note)


def open_pipeline(
    place: str,
    environ: Mapping[str, str] = os.environ,
    config: Path = Path("diarist.toml"),
    *,
    audio_store: str | None = None,
    note: Callable[[str], None] = lambda _: None,
) -> SplitPipeline | EndpointPipeline:
    """Make the pipeline for ``--on PLACE``.

    Args:
        place: ``"runpod:single"``, ``"runpod:split"`` or ``"runpod:orchestrator"``.
        environ: ``RUNPOD_API_KEY``, and the ids ``RUNPOD_ENDPOINT_ID`` (single, orchestrator) or
            ``DIARIZATION_ENDPOINT_ID`` and ``TRANSCRIPTION_ENDPOINT_ID`` (split). ``DIARIST_RUNPOD_URL`` points at an
            emulator on this machine.
        config: what ``diarist deploy`` wrote; read for ids that the environment lacks. Need not exist.
        audio_store: ``s3://BUCKET/PREFIX`` through which recordings go; None sends them with the request.
        note: told in one line why it takes longer.

    Raises:
        InputError: no such place, a setting is missing or wrong.
    """
    from diarist.runpod.deploy.state import read_endpoints
    from diarist.runpod.ledger import Ledger
    from diarist.runpod.pipelines import EndpointPipeline, SplitPipeline
    from diarist.runpod.store import AudioStore

    if place not in _CALLED:
        raise InputError("bad_place", f"There is no place {place!r}.", f"Choose from {', '.join(_CALLED)}.")
    deployed = read_endpoints(config)
    ids = {role: environ.get(name) or deployed.get(role, "") for role, name in _CALLED[place].items()}
    key = environ.get("RUNPOD_API_KEY", "")
    missing = [name for role, name in _CALLED[place].items() if not ids[role]] + ([] if key else ["RUNPOD_API_KEY"])
    if missing:
        raise InputError(
            "missing_setting",
            f"{place} needs {' and '.join(missing)}.",
            "Set them in the environment; diarist deploy remembers the ids in diarist.toml.",
        )
    url = platform_url(environ)
    ledger = Ledger()
    store = AudioStore(audio_store, ledger) if audio_store else None
    if place == "runpod:split":
        transcription, diarization = ids["transcription"], ids["diarization"]
        return SplitPipeline(transcription, diarization, key, base_url=url, store=store, note=note, ledger=ledger)
    (endpoint,) = ids.values()
    limits = Limits.for_orchestrator if place == "runpod:orchestrator" else Limits.for_audio
    return EndpointPipeline(endpoint, key, place, base_url=url, limits=limits, store=store, note=note, ledger=ledger)
