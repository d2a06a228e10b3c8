"""``diarist deploy server``: a load-balancing endpoint, which has no queue and is no architecture of jobs."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import typer

from diarist.cli.terminal import say
from diarist.model.errors import InputError

if TYPE_CHECKING:
    from diarist.runpod.deploy.plan_file import Settings

SERVER = "server"
_NOT_FOR_SERVER = {
    "queue_delay": "--queue-delay",
    "timeout": "--timeout",
    "cpu": "--cpu",
    "child_key_secret": "--child-key-secret",
    "cached_diarization_model": "--cached-diarization-model",
}


def deploy(settings: Settings, build_commands: list[list[str]], *, as_json: bool) -> None:
    """Create or update the endpoint, and say where the server is."""
    from diarist.runpod.deploy.api import RunpodApi, key_from_environment
    from diarist.runpod.deploy.images import run
    from diarist.runpod.deploy.server import base_url, deploy_server
    from diarist.runpod.deploy.stock import stock_told

    key = key_from_environment()  # before a build that takes minutes
    for command in build_commands:
        run(command)
    with RunpodApi(key) as api:
        done = deploy_server(api, settings)
        free = stock_told(api, settings)
    url = base_url(done.id)
    if as_json:
        endpoint = {"role": done.role, "name": done.name, "id": done.id, "action": done.action}
        endpoints = [{**endpoint, "changed": list(done.changed), "url": url}]
        typer.echo(json.dumps({"endpoints": endpoints, "not_set": list(done.not_set), "stock": free}, indent=2))
        return
    what = f" ({', '.join(done.changed)})" if done.changed else ""
    say(f"{done.role:14} {done.id}  {done.name}  {done.action}{what}")
    for note in done.not_set:
        say(f"could not set: {note}", err=True)
    say(free, err=True)
    say(
        f"Next: curl {url}/v1/audio/transcriptions -H 'Authorization: Bearer RUNPOD_API_KEY' -F file=@call.mp3",
        err=True,
    )
    say("It is not in diarist.toml: delete it in the console.", err=True)


def refuse(given: dict[str, Any]) -> None:
    """Refuse options that say nothing about a server.

    Raises:
        InputError: one was given.
    """
    for name, option in _NOT_FOR_SERVER.items():
        if given[name] is not None:
            raise InputError("bad_setting", f"{option} is nothing that a server has.", "Leave it out.")
