"""``diarist deploy``: put the endpoints of an architecture on RunPod, look at them, take them away."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperOption

from diarist.architectures import (
    ARCHITECTURES,
    CPU_FLAVOR,
    CPU_VCPUS,
    GPU_POOLS,
    IDLE_TIMEOUT,
    MIN_CUDA,
    MIN_WORKERS,
    QUEUE_DELAY,
    ROLES,
    TIME_LIMIT,
)
from diarist.cli import deploy_server
from diarist.cli.deploy_server import SERVER
from diarist.cli.terminal import say
from diarist.cli.usage import App, Command
from diarist.model.errors import InputError

if TYPE_CHECKING:
    from diarist.runpod.deploy.apply import Deployed
    from diarist.runpod.deploy.plan_file import Settings

_ALONE, _EACH = ARCHITECTURES["single"].max_workers, ARCHITECTURES["split"].max_workers
MAX_WORKERS_HELP = f"For each GPU endpoint.  [default: {_ALONE}, or {_EACH} each]"
WHAT = "What to run"
WHERE = "Where"
SCALING = "Workers"
SECRETS = "Secrets, by reference"

app = App(
    help="Deploy to RunPod Serverless. Safe to repeat: creates what is missing, changes what differs.",
    no_args_is_help=True,
    epilog="diarist.toml keeps settings and endpoint ids, never a secret: RUNPOD_API_KEY comes from the environment.",
)

ConfigOption = Annotated[
    Path, typer.Option("--config", metavar="FILE", envvar="DIARIST_CONFIG", help="Where settings and ids are kept.")
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def deploy(
    context: typer.Context,
    image_prefix: Annotated[
        str | None,
        typer.Option(metavar="PREFIX", help="What image names begin with: you/parakeet.", rich_help_panel=WHAT),
    ] = None,
    tag: Annotated[
        str | None,
        typer.Option(
            metavar="TAG", help="Version of the images; not latest, which is not rolled out.", rich_help_panel=WHAT
        ),
    ] = None,
    name: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="What endpoint names begin with.  [default: diarist]", rich_help_panel=WHAT),
    ] = None,
    cached_model: Annotated[
        str | None,
        typer.Option(
            metavar="ORG/NAME[:REV]",
            help="Model that RunPod keeps on its hosts for transcription.",
            rich_help_panel=WHAT,
        ),
    ] = None,
    cached_diarization_model: Annotated[
        str | None,
        typer.Option(metavar="ORG/NAME[:REV]", help="The same for the diarization endpoint.", rich_help_panel=WHAT),
    ] = None,
    env: Annotated[
        list[str] | None,
        typer.Option(
            "--env",
            metavar="NAME=VALUE",
            help="Environment of the workers; DIARIST_CACHE_* is the orchestrator's.",
            rich_help_panel=WHAT,
        ),
    ] = None,
    disk: Annotated[
        int | None,
        typer.Option(metavar="GB", help=f"Container disk.  [default: {ROLES['single'].disk}]", rich_help_panel=WHAT),
    ] = None,
    registry: Annotated[
        str | None,
        typer.Option(metavar="ID", help="Credential for a private image registry.", rich_help_panel=WHAT),
    ] = None,
    build: Annotated[
        bool,
        typer.Option(
            "--build", help="First build and push the images: docker, podman or buildah.", rich_help_panel=WHAT
        ),
    ] = False,
    source: Annotated[
        Path, typer.Option(metavar="DIR", help="Where the Dockerfiles are, for --build.", rich_help_panel=WHAT)
    ] = Path(),
    build_arg: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=VALUE", help="For --build, e.g. WEIGHTS=full.", rich_help_panel=WHAT),
    ] = None,
    pools: Annotated[
        list[str] | None,
        typer.Option(
            "--pool",
            metavar="POOL",
            help=f"GPU pool; repeat for several.  [default: {' '.join(GPU_POOLS)}]",
            rich_help_panel=WHERE,
        ),
    ] = None,
    excluded_gpus: Annotated[
        list[str] | None,
        typer.Option("--exclude-gpu", metavar="TYPE", help="GPU type to leave out.", rich_help_panel=WHERE),
    ] = None,
    min_cuda: Annotated[
        str | None,
        typer.Option(metavar="X.Y", help=f"Lowest CUDA of a host.  [default: {MIN_CUDA}]", rich_help_panel=WHERE),
    ] = None,
    cpu: Annotated[
        str | None,
        typer.Option(
            metavar="FLAVOR:VCPUS",
            help=f"For the orchestrator.  [default: {CPU_FLAVOR}:{CPU_VCPUS}]",
            rich_help_panel=WHERE,
        ),
    ] = None,
    data_centers: Annotated[
        list[str] | None,
        typer.Option("--data-center", metavar="ID", help="Only here, e.g. EU-RO-1; repeatable.", rich_help_panel=WHERE),
    ] = None,
    network_volumes: Annotated[
        list[str] | None,
        typer.Option(
            "--network-volume",
            metavar="ID",
            help="Volume to mount; in the orchestrator for its cache.",
            rich_help_panel=WHERE,
        ),
    ] = None,
    min_workers: Annotated[
        int | None,
        typer.Option(
            metavar="N", help=f"Kept up, and paid, all the time.  [default: {MIN_WORKERS}]", rich_help_panel=SCALING
        ),
    ] = None,
    max_workers: Annotated[
        int | None,
        typer.Option(metavar="N", help=MAX_WORKERS_HELP, rich_help_panel=SCALING),
    ] = None,
    idle_timeout: Annotated[
        int | None,
        typer.Option(
            metavar="SECONDS", help=f"Stay up after the last job.  [default: {IDLE_TIMEOUT}]", rich_help_panel=SCALING
        ),
    ] = None,
    queue_delay: Annotated[
        float | None,
        typer.Option(
            metavar="SECONDS", help=f"A wait that starts a worker.  [default: {QUEUE_DELAY:g}]", rich_help_panel=SCALING
        ),
    ] = None,
    timeout: Annotated[
        int | None,
        typer.Option(
            metavar="SECONDS", help=f"Longest run of one job.  [default: {TIME_LIMIT}]", rich_help_panel=SCALING
        ),
    ] = None,
    flashboot: Annotated[
        str | None,
        typer.Option(
            metavar="MODE", help="FLASHBOOT, PRIORITY_FLASHBOOT or OFF.  [default: FLASHBOOT]", rich_help_panel=SCALING
        ),
    ] = None,
    hf_token_secret: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="RunPod secret with a Hugging Face token.", rich_help_panel=SECRETS),
    ] = None,
    child_key_secret: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="RunPod secret with the key the orchestrator uses.  [default: diarist_child_key]",
            rich_help_panel=SECRETS,
        ),
    ] = None,
    config: ConfigOption = Path("diarist.toml"),
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print every request to an empty account; needs no key, sends nothing.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Create or update the endpoints.

    What is not said here comes from the environment (DIARIST_DEPLOY_TAG …), then from diarist.toml, then from defaults.
    """
    given: dict[str, Any] = {
        "image_prefix": image_prefix,
        "tag": tag,
        "name": name,
        "cached_model": cached_model,
        "cached_diarization_model": cached_diarization_model,
        "env": dict(_pair(entry, "--env") for entry in env) if env else None,
        "disk": disk,
        "registry": registry,
        "pools": pools,
        "excluded_gpus": excluded_gpus,
        "min_cuda": min_cuda,
        "cpu": cpu,
        "data_centers": data_centers,
        "network_volumes": network_volumes,
        "min_workers": min_workers,
        "max_workers": max_workers,
        "idle_timeout": idle_timeout,
        "queue_delay": queue_delay,
        "timeout": timeout,
        "flashboot": flashboot,
        "hf_token_secret": hf_token_secret,
        "child_key_secret": child_key_secret,
    }
    if context.info_name == SERVER:
        deploy_server.refuse(given)
    architecture = "single" if context.info_name == SERVER else str(context.info_name)
    settings = _settings(architecture, given, config)
    for entry in build_arg or ():
        _pair(entry, "--build-arg")
    _warn(settings)
    build_commands = _build_commands(settings, source, build_arg or []) if build else []
    if dry_run:
        _print_dry_run(settings, as_json, build_commands, server=context.info_name == SERVER)
    elif context.info_name == SERVER:
        deploy_server.deploy(settings, build_commands, as_json=as_json)
    else:
        _deploy(settings, config, as_json, build_commands)


class _Command(Command):
    """Does not repeat the name of its environment variable at each option: that took the room of what must be typed."""

    def __init__(self, *given: Any, **named: Any) -> None:
        super().__init__(*given, **named)
        for option in self.params:
            if isinstance(option, TyperOption):
                option.show_envvar = False


for _name, _summary in (
    *((each.name, each.summary) for each in ARCHITECTURES.values()),
    (SERVER, "A server behind RunPod's load balancer: OpenAI's API with no queue, for short clips."),
):
    app.command(
        _name,
        cls=_Command,
        help=_summary,
        epilog="Every option can be set in the environment: --image-prefix is DIARIST_DEPLOY_IMAGE_PREFIX.",
        context_settings={"auto_envvar_prefix": "DIARIST_DEPLOY"},
    )(deploy)


@app.command()
def status(config: ConfigOption = Path("diarist.toml"), as_json: JsonOption = False) -> None:
    """Show the endpoints in diarist.toml and their workers."""
    from diarist.runpod.deploy.api import RunpodApi, key_from_environment
    from diarist.runpod.deploy.state import read_endpoints

    ids = read_endpoints(config)
    if not ids:
        raise _nothing_deployed(config)
    rows: list[dict[str, Any]] = []
    with RunpodApi(key_from_environment()) as api:
        existing = {endpoint["id"]: endpoint for endpoint in api.endpoints()}
        for role, endpoint_id in ids.items():
            row: dict[str, Any] = {"role": role, "id": endpoint_id, "exists": endpoint_id in existing}
            if row["exists"]:
                endpoint = existing[endpoint_id]
                row |= {name: endpoint.get(name) for name in ("name", "image", "flashboot")}
                row |= {"workers_max": endpoint["workers"]["max"], "workers_min": endpoint["workers"]["min"]}
                row["workers"] = api.workers(endpoint_id)["summary"]
                row["url"] = f"{api.run_url}/v2/{endpoint_id}"
            rows.append(row)
    if as_json:
        typer.echo(json.dumps({"endpoints": rows}, indent=2))
        return
    for row in rows:
        if not row["exists"]:
            say(f"{row['role']:14} {row['id']}  is gone; run diarist deploy again")
            continue
        busy = ", ".join(f"{count} {state}" for state, count in row["workers"].items() if count and state != "total")
        say(f"{row['role']:14} {row['id']}  {row['name']}  {row['image']}")
        say(f"{'':14} workers {row['workers_min']} to {row['workers_max']}, now {busy or 'none'}; {row['url']}/run")
    say("diarist doctor looks for what is wrong.", err=True)


@app.command()
def destroy(
    config: ConfigOption = Path("diarist.toml"),
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Delete the endpoints in diarist.toml, with their workers and waiting jobs."""
    from diarist.runpod.deploy.api import RunpodApi, key_from_environment
    from diarist.runpod.deploy.apply import destroy as delete_all
    from diarist.runpod.deploy.state import read_endpoints, write_endpoint

    ids = read_endpoints(config)
    if not ids:
        raise _nothing_deployed(config)
    with RunpodApi(key_from_environment()) as api:
        for role, endpoint_id in ids.items():
            say(f"{role:14} {endpoint_id}", err=True)
        question = f"Delete {'this endpoint' if len(ids) == 1 else f'these {len(ids)} endpoints'} for good?"
        if not yes and not typer.confirm(question, err=True):
            raise InputError("not_destroyed", "Nothing was deleted.", "Answer y, or pass --yes.")
        deleted = []
        for role, existed in delete_all(api, ids, lambda role: write_endpoint(config, role, None)):
            deleted.append({"role": role, "id": ids[role], "existed": existed})
            if not as_json:
                say(f"{role:14} {ids[role]}  {'deleted' if existed else 'was gone already'}")
    if as_json:
        typer.echo(json.dumps({"deleted": deleted}, indent=2))


def _settings(architecture: str, given: dict[str, Any], config: Path) -> Settings:
    """Put together what was given, over what the file says."""
    from diarist.planning.prices import load_prices
    from diarist.runpod.deploy.plan_file import Settings
    from diarist.runpod.deploy.state import read_settings

    values = {**read_settings(config), **{name: value for name, value in given.items() if value not in (None, [])}}
    values["architecture"] = architecture
    for name, option in (("image_prefix", "--image-prefix you/parakeet"), ("tag", "--tag 1.2.0")):
        if not values.get(name):
            raise InputError("missing_setting", f"{option.split()[0]} is missing.", f"For example: {option}")
    for name, value in values.items():
        if isinstance(value, list):
            values[name] = tuple(value)
    settings = Settings(**values)
    known = load_prices().pools()
    for pool in settings.pools:
        if pool not in known:
            raise InputError(
                "unknown_pool",
                f"There is no GPU pool {pool!r}.",
                f"Choose from: {', '.join(known)}; diarist plan --refresh fetches the platform's list.",
            )
    return settings


def _warn(settings: Settings) -> None:
    if settings.tag == "latest":
        say("warning: workers keep the image they have while the tag stays the same; use a version.", err=True)


def _build_commands(settings: Settings, source: Path, build_args: list[str]) -> list[list[str]]:
    from diarist.runpod.deploy.images import commands, find_builder

    return list(commands(settings, find_builder(), source, build_args))


def _print_dry_run(settings: Settings, as_json: bool, build_commands: list[list[str]], *, server: bool) -> None:
    import shlex

    from diarist.runpod.deploy.apply import dry_run
    from diarist.runpod.deploy.plan_file import by_hand
    from diarist.runpod.deploy.server import dry_run_server

    calls = dry_run_server(settings) if server else dry_run(settings)
    requests = [{"method": call.method, "path": call.path, "body": call.body} for call in calls]
    if as_json:
        typer.echo(json.dumps(requests, indent=2))
    else:
        for request in requests:
            say(f"{request['method']} {request['path']}")
            typer.echo(json.dumps(request["body"], indent=2))
    for command in build_commands:
        say(f"would run: {shlex.join(command)}", err=True)
    for step in by_hand(settings):
        say(f"by hand: {step}", err=True)


def _deploy(settings: Settings, config: Path, as_json: bool, build_commands: list[list[str]]) -> None:
    from diarist.runpod.deploy.api import RunpodApi, key_from_environment
    from diarist.runpod.deploy.apply import deploy
    from diarist.runpod.deploy.images import run
    from diarist.runpod.deploy.plan_file import by_hand
    from diarist.runpod.deploy.state import read_endpoints, write_endpoint, write_settings
    from diarist.runpod.deploy.stock import stock_told

    key = key_from_environment()  # before a build that takes minutes
    for command in build_commands:
        run(command)
    results: list[Deployed] = []
    with RunpodApi(key) as api:
        write_settings(config, settings)
        for result in deploy(
            api, settings, lambda role, endpoint_id: write_endpoint(config, role, endpoint_id), read_endpoints(config)
        ):
            results.append(result)
            if not as_json:
                what = f" ({', '.join(result.changed)})" if result.changed else ""
                say(f"{result.role:14} {result.id}  {result.name}  {result.action}{what}")
        run_url = api.run_url
        free = stock_told(api, settings)
    not_set = [note for result in results for note in result.not_set]
    steps = by_hand(settings) if any(result.action == "created" for result in results) else []
    if as_json:
        endpoints = [
            {
                "role": result.role,
                "name": result.name,
                "id": result.id,
                "action": result.action,
                "changed": list(result.changed),
                "url": f"{run_url}/v2/{result.id}",
            }
            for result in results
        ]
        report = {"architecture": settings.architecture, "endpoints": endpoints, "not_set": not_set, "by_hand": steps}
        typer.echo(json.dumps({**report, "stock": free}, indent=2))
        return
    for note in not_set:
        say(f"could not set: {note}", err=True)
    for step in steps:
        say(f"by hand: {step}", err=True)
    say(free, err=True)
    say(f"Next: diarist transcribe FILE --on runpod:{settings.architecture}", err=True)


def _pair(entry: str, option: str) -> tuple[str, str]:
    name, equals, value = entry.partition("=")
    if not name or not equals:
        raise InputError("bad_setting", f"{option} needs NAME=VALUE, not {entry!r}.")
    return name, value


def _nothing_deployed(config: Path) -> InputError:
    return InputError("nothing_deployed", f"{config} names no endpoints.", "Deploy first: diarist deploy single --help")
