"""Where remote pipelines find their endpoints: the environment, then ``[runpod]`` in ``diarist.toml``."""

from __future__ import annotations

import ipaddress
import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from diarist.model.errors import InputError
from diarist.runpod.client import API

if TYPE_CHECKING:
    from diarist.runpod.split import EndpointPipeline, SplitPipeline

PLACES: Final = ("runpod:single", "runpod:split", "runpod:orchestrator")
_KEYS: Final = {  # environment variable: key in diarist.toml
    "RUNPOD_ENDPOINT_ID": "endpoint_id",
    "DIARIZATION_ENDPOINT_ID": "diarization_endpoint_id",
    "TRANSCRIPTION_ENDPOINT_ID": "transcription_endpoint_id",
}


def open_pipeline(
    place: str, environ: Mapping[str, str] = os.environ, config: Path = Path("diarist.toml")
) -> SplitPipeline | EndpointPipeline:
    """Make the pipeline for ``--on PLACE``.

    Args:
        place: one of `PLACES`.
        environ: ``RUNPOD_API_KEY``, and the ids ``RUNPOD_ENDPOINT_ID`` (single, orchestrator) or
            ``DIARIZATION_ENDPOINT_ID`` and ``TRANSCRIPTION_ENDPOINT_ID`` (split). ``DIARIST_RUNPOD_URL`` points at an
            emulator on this machine.
        config: read for ids that the environment lacks; never for the key. Need not exist.

    Raises:
        InputError: no such place, a setting is missing or wrong.
    """
    from diarist.runpod.split import EndpointPipeline, SplitPipeline

    if place not in PLACES:
        raise InputError("bad_place", f"There is no place {place!r}.", f"Choose from {', '.join(PLACES)}.")
    settings = {**_from_file(config), **{name: environ[name] for name in _KEYS if environ.get(name)}}
    wanted = ["DIARIZATION_ENDPOINT_ID", "TRANSCRIPTION_ENDPOINT_ID"] if place == PLACES[1] else ["RUNPOD_ENDPOINT_ID"]
    key = environ.get("RUNPOD_API_KEY", "")
    missing = [name for name in wanted if name not in settings] + ([] if key else ["RUNPOD_API_KEY"])
    if missing:
        raise InputError(
            "missing_setting",
            f"{place} needs {' and '.join(missing)}.",
            "Set them in the environment; ids may also stand in diarist.toml under [runpod].",
        )
    url = platform_url(environ)
    if place == "runpod:split":
        return SplitPipeline(
            settings["TRANSCRIPTION_ENDPOINT_ID"], settings["DIARIZATION_ENDPOINT_ID"], key, base_url=url
        )
    return EndpointPipeline(settings["RUNPOD_ENDPOINT_ID"], key, place, base_url=url)


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


def _from_file(config: Path) -> dict[str, str]:
    try:
        document = tomllib.loads(config.read_text())
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise InputError("bad_config", f"{config} cannot be read: {error}.", "It must be TOML.") from None
    section = document.get("runpod", {})
    found = {name: section.get(key) for name, key in _KEYS.items()}
    return {name: str(value) for name, value in found.items() if value}
