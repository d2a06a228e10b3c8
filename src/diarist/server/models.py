"""The names that requests may call models by, and which loaded model each means."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

from diarist.jobs.request import shown
from diarist.jobs.wire_errors import FieldError
from diarist.model.errors import InputError
from diarist.weights.catalog import find_model

OURS: Final = "diarist"
"""The name that means the default model, and speakers besides."""

OPENAI: Final = (
    "whisper-1",
    "gpt-transcribe",
    "gpt-4o-transcribe",
    "gpt-4o-mini-transcribe",
    "gpt-4o-mini-transcribe-2025-12-15",
    "gpt-4o-transcribe-diarize",
)
"""OpenAI's names for transcription models; each means the default one, so that clients need no other name."""

HINTS: Final = frozenset({"temperature", "hotwords"})
"""What some engines use and others lack, and nobody is refused for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """A transcription model that is loaded.

    Attributes:
        name: the catalog's, or another package's.
        takes: which of `HINTS` its engine uses.
    """

    name: str
    takes: frozenset[str] = HINTS


def loaded_model(name: str) -> Model:
    """Say what a loaded model takes; one that the catalog does not have is believed to take every hint."""
    try:
        engine = find_model(name).engine
    except InputError:
        return Model(name=name)
    return Model(name=name, takes=HINTS if engine == "faster-whisper" else frozenset({"hotwords"}))


@dataclass(frozen=True, slots=True)
class Chosen:
    """What a name means.

    Attributes:
        model: the loaded model that answers.
        diarizes: whether the name alone asks for speakers.
    """

    model: Model
    diarizes: bool


class Models:
    """The models here, by all their names.

    Args:
        loaded: at least one; the first is what OpenAI's names, ``diarist`` and a request without a name mean.
        aliases: other names, and the name of those here that each stands for; see `parse_aliases`. One may be a name of
            OpenAI's, to give it another meaning.
        created: when the server started, in Unix seconds; the API's list wants a time for each.

    Raises:
        InputError: an alias stands for nothing here, or two stand for each other.
    """

    def __init__(
        self, loaded: Sequence[Model], aliases: Mapping[str, str] = MappingProxyType({}), *, created: int = 0
    ) -> None:
        own = {model.name: Chosen(model, False) for model in loaded}
        theirs = {name: Chosen(loaded[0], _diarizes(name)) for name in (OURS, *OPENAI)}
        self._by_name = {**theirs, **own}
        self._created = created
        waiting = dict(aliases)
        while waiting:
            ready = [name for name, meant in waiting.items() if _key(meant) not in {_key(each) for each in waiting}]
            for name in ready or waiting:
                meant = waiting[name]
                if not ready or (found := self._look_up(meant)) is None:
                    raise InputError(
                        "bad_alias",
                        f"The alias {shown(name)!r} stands for {shown(meant)!r}, which is no model here.",
                        f"Models here: {', '.join(self._by_name)}.",
                    )
                del waiting[name]
                self._by_name[name] = Chosen(found.model, found.diarizes or _diarizes(name))

    def find(self, name: str | None) -> Chosen:
        """Return what a request's ``model`` means; None and an empty one mean the default model.

        Raises:
            FieldError: nothing here has this name (HTTP 404, ``model_not_found``).
        """
        if not name:
            return next(chosen for chosen in self._by_name.values() if not chosen.diarizes)
        if found := self._look_up(name):
            return found
        near = difflib.get_close_matches(shown(name), self._by_name, n=1, cutoff=0.7)
        meant = f"Did you mean {near[0]!r}? " if near else ""
        raise FieldError(
            "model_not_found",
            f"There is no model {shown(name)!r} here.",
            f"{meant}Models here: {', '.join(self._by_name)}.",
            field="model",
            http_status=404,
        )

    def listing(self) -> list[dict[str, Any]]:
        """Return ``data`` of ``GET /v1/models``: every name, ours first."""
        return [self._entry(name) for name in self._by_name]

    def entry(self, name: str) -> dict[str, Any]:
        """Return what ``GET /v1/models/{name}`` answers.

        Raises:
            FieldError: as `find`.
        """
        self.find(name or "?")
        return self._entry(next(known for known in self._by_name if _key(known) == _key(name)))

    def _entry(self, name: str) -> dict[str, Any]:
        return {"id": name, "object": "model", "created": self._created, "owned_by": "diarist"}

    def _look_up(self, name: str) -> Chosen | None:
        return next((chosen for known, chosen in self._by_name.items() if _key(known) == _key(name)), None)


def parse_aliases(texts: Iterable[str]) -> dict[str, str]:
    """Read what ``--alias NAME=MODEL`` says, once for each.

    Raises:
        InputError: one has no ``=``, a name that is none, or a name that another has.
    """
    found: dict[str, str] = {}
    for text in texts:
        name, equals, model = (part.strip() for part in text.partition("="))
        if not (equals and model and _NAME.fullmatch(name)):
            raise InputError(
                "bad_alias", f"{shown(text)!r} is no alias.", "Write NAME=MODEL, as in --alias whisper=whisper-base."
            )
        if name in found and found[name] != model:
            raise InputError("bad_alias", f"The alias {name!r} is given twice.", "Give it once.")
        found[name] = model
    return found


def _diarizes(name: str) -> bool:
    return _key(name) == OURS or _key(name).endswith("-diarize")


def _key(name: str) -> str:
    return name.strip().casefold()


_NAME: Final = re.compile(r"[\w./:@-]{1,100}")
