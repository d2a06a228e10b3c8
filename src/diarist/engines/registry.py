"""One register for each kind of engine: from ``ENGINE:MODEL``, a model's bare name or a path to what loads it.

A package adds an engine without a change here: it makes an `Engine` and names it as an entry point, whose own name is
that of the engine, in the group ``diarist.transcribers`` or ``diarist.diarizers``:

    [project.entry-points."diarist.transcribers"]
    parrot = "parrot_engine:ENGINE"

Installed packages are looked through only when a name is not one of ours or when all engines are listed, so that
plug-ins cost nobody else a start.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Generic, Literal, Protocol, TypeVar

from diarist.extras import pip
from diarist.model.errors import DiaristError, EngineError, InputError
from diarist.model.progress import Progress

E = TypeVar("E")
E_co = TypeVar("E_co", covariant=True)


class Load(Protocol[E_co]):
    """Loads one model of an engine."""

    def __call__(self, model: str, /, *, device: str, threads: int, progress: Progress) -> E_co:
        """Load a model, fetching its weights first if they are not here.

        Args:
            model: what stands after the colon of ``ENGINE:MODEL``, as it was typed.
            device: ``"auto"``, ``"cpu"`` or ``"cuda"``.
            threads: CPU threads to use.
            progress: to be told about downloads; may raise `Cancelled`.

        Raises:
            InputError: no such model or device.
            WeightsError: its weights are missing and cannot be fetched, or are damaged.
        """


@dataclass(frozen=True)  # with slots, Engine[Transcriber](…) would fail
class Engine(Generic[E_co]):
    """A kind of transcriber or diarizer, as a package brings it.

    Attributes:
        load: loads one of its models.
        models: the names of its models, to be listed, and to be found without the engine's name; it may load others.
    """

    load: Load[E_co]
    models: tuple[str, ...] = ()


@dataclass(frozen=True)
class OwnEngine(Engine[E_co]):
    """One of diarist's own.

    Attributes:
        called: gives the model's own name for what was typed; may raise `InputError`.
        reads: whether a file or folder is one of its models.
    """

    called: Callable[[str], str] = str
    reads: Callable[[Path], bool] = lambda _: False


@dataclass(frozen=True)
class Found(Generic[E_co]):
    """A model that was asked for.

    Attributes:
        engine: the engine's name.
        model: what its engine calls it, or a path.
        load: loads it.
        package: the package that brings the engine, with its version; None for our own.
    """

    engine: str
    model: str
    load: Load[E_co]
    package: str | None = None

    def open(self, *, device: str, threads: int, progress: Progress) -> E_co:
        """Load it.

        Raises:
            DiaristError: as the engine says; `EngineError` for whatever else somebody else's engine raises.
        """
        try:
            return self.load(self.model, device=device, threads=threads, progress=progress)
        except DiaristError:
            raise
        except Exception as error:
            if self.package is None:
                raise
            raise EngineError(
                "plugin_failed",
                f"{self.engine}:{self.model} of the package {self.package} cannot be loaded: {type(error).__name__}.",
                "Ask whoever makes that package, or choose another model.",
            ) from error


@dataclass(frozen=True)
class Plugin(Generic[E_co]):
    """An engine that an installed package brings.

    Attributes:
        name: the engine's name.
        entry: where it is.
        package: the package's name and version.
    """

    name: str
    entry: EntryPoint
    package: str

    def engine(self) -> Engine[E_co]:
        """Import it.

        Raises:
            EngineError: the package cannot be imported, or what it names is no engine.
        """
        try:
            found = self.entry.load()
        except (Exception, SystemExit) as error:  # whatever somebody else's package raises
            said = (str(error).splitlines() or [""])[0][:200]
            raise EngineError(
                "plugin_failed",
                f"The engine {self.name!r} of the package {self.package} cannot be imported: "
                + ": ".join(filter(None, (type(error).__name__, said)))
                + ".",
                f"Mend or remove that package: {pip('install', '--upgrade', self.package.split()[0])}",
            ) from error
        if not isinstance(found, Engine):
            raise EngineError(
                "plugin_failed",
                f"The engine {self.name!r} of the package {self.package} is none: "
                f"{self.entry.value} is of type {type(found).__name__}, not diarist.Engine.",
                "Ask whoever makes that package.",
            )
        return found


class Registry(Generic[E]):
    """All engines of one kind.

    Args:
        task: what they are for.
        group: the entry points that name those of other packages.
        own: diarist's own by name; of a path that none `reads`, the first complains.
        bare: gives engine and model of a bare name that is one of ours; raises `InputError` for others.
        hint: what to choose from.
    """

    def __init__(
        self,
        task: Literal["transcription", "diarization"],
        group: str,
        own: Mapping[str, OwnEngine[E]],
        bare: Callable[[str], tuple[str, str]],
        hint: str,
    ) -> None:
        self.task = task
        self._group = group
        self.own = own
        self._bare = bare
        self._hint = hint

    def find(self, name: str) -> Found[E]:
        """The model that is meant, before anything is loaded or fetched.

        A path that exists comes first, then our own names, then those of plug-ins. After ``ENGINE:``, a
        name comes before a path.

        Args:
            name: ``ENGINE:MODEL``; a model's name alone where only one engine has it; or the path of a model's files.

        Raises:
            InputError: there is no such model, or several engines have one of that name.
            EngineError: it is of a package that cannot be imported.
        """
        text = name.strip()
        path = os.path.expanduser(text)  # noqa: PTH111  # Path's raises where nobody has such a home
        if os.path.exists(path):  # noqa: PTH110  # Path's raises for some names
            engine = next((each for each, own in self.own.items() if own.reads(Path(path))), next(iter(self.own)))
            return Found(engine, path, self.own[engine].load)
        engine, colon, model = (part.strip() for part in text.partition(":"))
        if not colon:
            return self._find_bare(text)
        engine = engine.lower()
        if engine in self.own and model:
            return Found(engine, self._called(engine, model), self.own[engine].load)
        bringing = [plugin for plugin in self.plugins() if plugin.name == engine]
        if len(bringing) > 1:
            raise InputError(
                "ambiguous_model",
                f"Several packages bring an engine {engine!r}: {', '.join(plugin.package for plugin in bringing)}.",
                "Remove all but one of them.",
            )
        if not bringing or not model:
            raise InputError("unknown_model", f"There is no {self.task} model {name!r}.", self._choice())
        return Found(engine, model, bringing[0].engine().load, bringing[0].package)

    def plugins(self) -> tuple[Plugin[E], ...]:
        """What installed packages bring, by name; none is imported. A name of ours is ours, whoever else takes it."""
        found: list[Plugin[E]] = []
        for entry in entry_points(group=self._group):
            package = f"{entry.dist.name} {entry.dist.version}" if entry.dist else entry.module
            if entry.name.lower() not in self.own:
                found.append(Plugin(entry.name.lower(), entry, package))
        return tuple(sorted(found, key=lambda plugin: (plugin.name, plugin.package)))

    def _called(self, engine: str, model: str) -> str:
        try:
            return self.own[engine].called(model)
        except InputError:
            path = os.path.expanduser(model)  # noqa: PTH111
            if os.path.exists(path):  # noqa: PTH110
                return path
            raise

    def _find_bare(self, name: str) -> Found[E]:
        try:
            engine, model = self._bare(name)
        except InputError as error:
            found, broken = [], []
            for plugin in self.plugins():
                try:
                    bringing = plugin.engine()
                except EngineError as failure:
                    broken.append(failure)
                    continue
                found += [
                    Found(plugin.name, model, bringing.load, plugin.package)
                    for model in bringing.models
                    if model.lower() == name.lower()
                ]
            if len(found) == 1:
                return found[0]
            if found:
                names = ", ".join(f"{each.engine}:{each.model}" for each in found)
                raise InputError(
                    "ambiguous_model", f"Several engines have a model {name!r}.", f"Say which: {names}."
                ) from None
            if broken:
                error.hint = " ".join([f"{error.hint.rstrip('.')}.", *(failure.message for failure in broken)])
            raise
        return Found(engine, model, self.own[engine].load)

    def _choice(self) -> str:
        engines = [*self.own, *dict.fromkeys(plugin.name for plugin in self.plugins())]
        return f"{self._hint} Engines: {', '.join(f'{engine}:MODEL' for engine in engines)}."
