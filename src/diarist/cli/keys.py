"""``diarist keys``: who may use this machine's server."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from diarist.cli.terminal import say
from diarist.cli.usage import App

if TYPE_CHECKING:
    from diarist.server.keys import Keys, Limits

app = App(help="Keys of the server: make one for each person or program, list them, revoke them.", no_args_is_help=True)

StateOption = Annotated[
    Path | None,
    typer.Option(
        "--state", metavar="DIR", help="The server's state folder; DIARIST_STATE, or the user's if not given."
    ),
]


@app.command()
def add(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Whose key it is.")],
    rpm: Annotated[int | None, typer.Option(metavar="N", help="Requests it may send in a minute.")] = None,
    concurrent: Annotated[int | None, typer.Option(metavar="N", help="Jobs it may have at a time.")] = None,
    audio_hours_per_day: Annotated[
        float | None, typer.Option(metavar="HOURS", help="Hours of recordings it may send in 24 hours.")
    ] = None,
    state: StateOption = None,
) -> None:
    """Make a key and print it, once: the server keeps only a hash. A running server knows it at once.

    Examples:
      diarist keys add anna

      diarist keys add notes-app --rpm 60 --concurrent 4 --audio-hours-per-day 20
    """
    from diarist.server.keys import Limits

    limits = Limits(rpm, concurrent, audio_hours_per_day)
    with _keys(state) as keys:
        key = keys.add(name, limits)
    say("Keep this key: it is shown only now.", err=True)
    say(key)


@app.command("list")
def list_keys(
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False, state: StateOption = None
) -> None:
    """List the keys, without what opens the door."""
    with _keys(state) as keys:
        known = keys.list()
    if as_json:
        rows = [
            {
                "id": key.caller.id,
                "name": key.caller.name,
                "created": _day(key.created),
                "rpm": key.caller.limits.rpm,
                "concurrent": key.caller.limits.concurrent,
                "audio_hours_per_day": key.caller.limits.audio_hours_per_day,
            }
            for key in known
        ]
        say(json.dumps(rows, ensure_ascii=False, indent=2))
        return
    for key in known:
        say(f"{key.caller.name}  {key.caller.id}, added {_day(key.created)}; {_in_words(key.caller.limits)}")
    if not known:
        say("No keys yet. Make one with: diarist keys add NAME", err=True)


@app.command()
def revoke(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The key's name or id.")], state: StateOption = None
) -> None:
    """Forget a key and the voices that it added. It opens nothing from now on, and its browsers are signed out."""
    from diarist.server.keys import state_folder
    from diarist.server.known import Voices

    with _keys(state) as keys:
        gone = [key.caller.id for key in keys.list() if name in (key.caller.id, key.caller.name)]
        keys.revoke(name)
    for owner in gone:
        Voices(state_folder(state) / "voices").forget(owner)  # biometric data that nobody could delete any more
    say(f"{name}: revoked")


def _keys(state: Path | None) -> Keys:
    from diarist.server.keys import Keys, state_folder

    return Keys(state_folder(state))


def _day(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, tz=UTC).date().isoformat()


def _in_words(limits: Limits) -> str:
    told = (
        (limits.rpm, "requests a minute"),
        (limits.concurrent, "jobs at a time"),
        (limits.audio_hours_per_day, "hours of audio a day"),
    )
    return ", ".join(f"{value:g} {what}" for value, what in told if value is not None) or "no limits"
