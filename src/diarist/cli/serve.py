"""``diarist serve``: OpenAI's transcription API with speakers, on this machine or for a team."""

from __future__ import annotations

import contextlib
import ipaddress
import logging
import os
import re
import socket
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from diarist.cli import complete
from diarist.cli.terminal import say
from diarist.files import read_bounded, why
from diarist.model.errors import Cancelled, DiaristError, InputError

if TYPE_CHECKING:
    from diarist.jobs.job import Keep
    from diarist.server.app import Open, Settings
    from diarist.server.house import House

API: Final = "Who may use it"
WORK: Final = "How much work"


def _defaults(context: typer.Context, file: Path | None) -> Path | None:
    """Take what diarist.toml says for options that neither a flag nor the environment set."""
    path = file or Path("diarist.toml")
    if file is None and not path.is_file():
        return None
    try:
        document = tomllib.loads(read_bounded(path, 1 << 20).decode())
    except (OSError, ValueError) as error:
        reason = why(error) if isinstance(error, OSError) else "it is no TOML"
        raise InputError("bad_settings", f"Cannot read {path}: {reason}.", "See docs/server.md.") from None
    section = document.get("serve", {})
    known = {parameter.name for parameter in context.command.params}
    wanted = {name.replace("-", "_"): value for name, value in section.items()} if isinstance(section, dict) else {}
    if unknown := sorted(set(wanted) - known):
        raise InputError(
            "bad_settings", f"{path} has no setting {unknown[0]!r} for serve.", "See: diarist serve --help"
        )
    context.default_map = {**(context.default_map or {}), **wanted}
    return file


def serve(
    host: Annotated[
        str, typer.Option(metavar="ADDRESS", help="Address to listen on.", envvar="DIARIST_HOST")
    ] = "127.0.0.1",
    port: Annotated[
        int,
        typer.Option(metavar="PORT", min=0, max=65535, help="Port to listen on.", envvar=["DIARIST_PORT", "PORT"]),
    ] = 8000,
    health_port: Annotated[
        int | None,
        typer.Option(
            metavar="PORT", min=1, max=65535, help="Also listen here, for a load balancer.", envvar="PORT_HEALTH"
        ),
    ] = None,
    on: Annotated[
        str,
        typer.Option(
            "--on", metavar="PLACE", autocompletion=complete.places, help="Where the engines are.", envvar="DIARIST_ON"
        ),
    ] = "local",
    model: Annotated[
        str,
        typer.Option(
            metavar="MODEL", help="Transcription model.", autocompletion=complete.models, envvar="DIARIST_MODEL"
        ),
    ] = "auto",
    diarizer: Annotated[
        str,
        typer.Option(
            metavar="MODEL", help="Diarization model.", autocompletion=complete.diarizers, envvar="DIARIST_DIARIZER"
        ),
    ] = "auto",
    device: Annotated[
        str, typer.Option(metavar="auto|cpu|cuda", help="Where to compute.", envvar="DIARIST_DEVICE")
    ] = "auto",
    threads: Annotated[
        int | None, typer.Option(metavar="N", min=1, help="CPU threads.", envvar="DIARIST_THREADS")
    ] = None,
    state: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Folder of jobs, recordings and keys.", envvar="DIARIST_STATE")
    ] = None,
    keys: Annotated[
        bool | None,
        typer.Option(
            "--keys/--no-keys",
            help="Ask callers for a key; the default beyond this machine.",
            envvar="DIARIST_KEYS",
            rich_help_panel=API,
        ),
    ] = None,
    allow_host: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            help="Name that this server is called by, e.g. notes.example.",
            envvar="DIARIST_ALLOW_HOST",
            rich_help_panel=API,
        ),
    ] = None,
    allow_origin: Annotated[
        list[str] | None,
        typer.Option(
            metavar="URL", help="Page of another site that may ask.", envvar="DIARIST_ALLOW_ORIGIN", rich_help_panel=API
        ),
    ] = None,
    alias: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=MODEL", help="Another name of a model.", envvar="DIARIST_ALIAS", rich_help_panel=API
        ),
    ] = None,
    keep: Annotated[
        str,
        typer.Option(
            metavar="audio=1d,text=30d",
            help="How long recordings and transcripts are kept; 0: gone with the answer.",
            envvar="DIARIST_KEEP",
            rich_help_panel=WORK,
        ),
    ] = "audio=1d,text=30d",
    max_upload_gb: Annotated[
        float,
        typer.Option(
            metavar="GB", min=0.001, help="Largest upload.", envvar="DIARIST_MAX_UPLOAD_GB", rich_help_panel=WORK
        ),
    ] = 4.0,
    max_hours: Annotated[
        float,
        typer.Option(
            metavar="HOURS", min=0.01, help="Longest recording.", envvar="DIARIST_MAX_HOURS", rich_help_panel=WORK
        ),
    ] = 12.0,
    queue: Annotated[
        int,
        typer.Option(
            metavar="N", min=1, help="Recordings that may wait.", envvar="DIARIST_QUEUE", rich_help_panel=WORK
        ),
    ] = 100,
    disk_gb: Annotated[
        float | None,
        typer.Option(
            metavar="GB",
            min=0.001,
            help="What recordings and results may take; beyond it, the oldest go early.",
            envvar="DIARIST_DISK_GB",
            rich_help_panel=WORK,
        ),
    ] = None,
    backup: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Write jobs, keys and voices to a tar file and end; the server may run meanwhile.",
        ),
    ] = None,
    unload_after: Annotated[
        str,
        typer.Option(
            metavar="15m",
            help="Give the models' memory back after so long without work; they load again at the next.",
            envvar="DIARIST_UNLOAD_AFTER",
            rich_help_panel=WORK,
        ),
    ] = "never",
    config: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            is_eager=True,
            callback=_defaults,
            help="Settings; diarist.toml here if there is one.",
            envvar="DIARIST_CONFIG",
        ),
    ] = None,
) -> None:
    """Serve OpenAI's transcription API with speakers, jobs and a page.

    Flags come first, then DIARIST_… in the environment, then the section serve of diarist.toml. The secret that signs
    webhooks is for the environment only: DIARIST_WEBHOOK_SECRET.

    Examples:
      diarist serve

      curl localhost:8000/v1/audio/transcriptions -F file=@call.mp3 -F model=diarist -F response_format=diarized_json

      diarist serve --backup server.tar
    """
    from diarist.places import Wanted, open_place
    from diarist.server.app import Settings
    from diarist.server.keys import Keys, state_folder
    from diarist.server.models import parse_aliases
    from diarist.server.opening import DeskBounds

    del config
    folder = state_folder(state)
    if backup is not None:
        from diarist.server.backup import write_backup

        write_backup(folder, backup)
        say(f"wrote {backup}; unpack it into an empty folder, and give that with --state.")
        return
    local = _is_loopback(host)
    use_keys = keys if keys is not None else not local
    if use_keys and not Keys(folder).list():
        raise InputError(
            "no_keys",
            "Nobody could use this server: there are no keys.",
            "Make one with: diarist keys add NAME; or give --no-keys, if the network is yours alone.",
        )
    settings = Settings(
        state=folder,
        use_keys=use_keys,
        hosts=frozenset(allow_host or ("*" if use_keys else ())),  # whoever needs a key is no page's victim
        origins=frozenset(allow_origin or ()),
        aliases=parse_aliases(alias or ()),
        max_bytes=int(max_upload_gb * 1e9),
        max_seconds=max_hours * 3600,
        keep=parse_keep(keep),
        bounds=DeskBounds(queued=queue),
        webhook_secret=_webhook_secret(),
        disk_bytes=None if disk_gb is None else int(disk_gb * 1e9),
        unload_after=parse_span(unload_after),
    )
    wanted = Wanted(model=model, diarizer=diarizer, device=device, threads=threads)
    run(settings, lambda progress: open_place(on, wanted, progress=progress, note=say), host, port, health_port or None)


def run(
    settings: Settings,
    open_pipeline: Open,
    host: str,
    port: int,
    health_port: int | None = None,
    *,
    begin: Callable[[House, str], None] = lambda _, address: say(f"diarist listens on {address}; models are loading."),
) -> None:
    """Run a server until it is told to stop.

    Args:
        settings: how it behaves.
        open_pipeline: makes the engines, while it answers already.
        host: address to listen on.
        port: port to listen on; 0 takes a free one.
        health_port: another one, for whoever asks for health; None for no other.
        begin: called with the server's parts and its address once that is taken, and before anything is done.

    Raises:
        InputError: another server uses the state folder, or the address is taken.
        DiaristError: the engines could not be made.
    """
    import uvicorn
    from filelock import FileLock, Timeout

    from diarist.server.app import Server
    from diarist.server.connections import Connection, Listener
    from diarist.server.tracing import collect

    failures: list[DiaristError] = []

    def failed(error: DiaristError) -> None:
        failures.append(error)
        server.should_exit = True

    collect(os.environ)
    settings.state.mkdir(parents=True, exist_ok=True, mode=0o700)
    try:
        with FileLock(settings.state / "serve.lock", timeout=0):
            made = Server(settings, open_pipeline, failed=failed)
            listening = [_listen(host, each) for each in dict.fromkeys((port, health_port or port))]
            server = Listener(
                uvicorn.Config(
                    made.app,
                    log_level="warning",
                    access_log=False,
                    timeout_graceful_shutdown=30,
                    timeout_keep_alive=60,  # with uvicorn's 5 s it closes just as httpx, which has the same, asks again
                    http=Connection,
                    ws="none",
                    server_header=False,
                ),
                made.stop,
            )
            logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")
            logging.getLogger("diarist").setLevel(logging.INFO)
            begin(made.house, _address(listening[0]))
            with contextlib.ExitStack() as stack, contextlib.suppress(Cancelled):  # how it is told to stop
                for each in listening:
                    stack.enter_context(each)
                server.run(sockets=listening)
            say("stopped; what was under way goes on at the next start.")
    except Timeout:
        raise InputError(
            "state_in_use",
            f"Another server uses {settings.state}.",
            "Stop it, or give this one another folder with --state DIR.",
        ) from None
    if failures:
        raise failures[0]


def parse_keep(text: str) -> Keep:
    """Read ``audio=1d,text=30d``: for how long things are kept; ``0`` is gone with the answer, ``ever`` is for ever.

    Raises:
        InputError: it says something else.
    """
    from diarist.jobs.job import Keep

    found: dict[str, Any] = {}
    for part in filter(None, (part.strip() for part in text.split(","))):
        name, _, span = part.partition("=")
        match = re.fullmatch(r"(\d{1,6})([smhd]?)|(ever)", span)
        if name not in ("audio", "text") or match is None:
            raise InputError(
                "bad_keep", f"--keep does not know {part!r}.", "Write e.g. audio=1d,text=30d, text=0 or text=ever."
            )
        found[name] = None if match[3] else float(match[1]) * _SECONDS[match[2] or "s"]
    return Keep(**found)


def _webhook_secret() -> str:
    """From the environment alone: what a flag says, every user of the machine can read."""
    from diarist.server.webhooks import check_secret

    secret = os.environ.get("DIARIST_WEBHOOK_SECRET", "")
    try:
        if secret:
            check_secret(secret)
    except InputError as error:
        raise InputError("bad_settings", "DIARIST_WEBHOOK_SECRET is no secret.", error.hint) from None
    return secret


def parse_span(text: str) -> float | None:
    """Read ``15m`` as seconds; ``never`` is None.

    Raises:
        InputError: it is neither.
    """
    match = re.fullmatch(r"([1-9]\d{0,5})([smhd]?)", text.strip())
    if match is None and text.strip() != "never":
        raise InputError("bad_span", f"--unload-after does not know {text!r}.", "Write e.g. 15m, 2h or never.")
    return None if match is None else float(match[1]) * _SECONDS[match[2] or "s"]


def _listen(host: str, port: int) -> socket.socket:
    """Take the address, before anything is loaded."""
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0][0]
        return socket.create_server((host, port), family=family, backlog=2048)
    except (OSError, OverflowError, UnicodeError) as error:
        reason = os.strerror(error.errno) if isinstance(error, OSError) and error.errno else "it is no address"
        raise InputError(
            "cannot_listen", f"Cannot listen on {host}:{port}: {reason}.", "Choose another with --host and --port."
        ) from None


def _address(listening: socket.socket) -> str:
    host, port = listening.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


_SECONDS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
