"""The names that requests may call models by, and which loaded model each means."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """A transcription model that is loaded.

    Attributes:
        name: the catalog's, or another package's.
        takes: which hints its engine uses, of ``temperature`` and ``hotwords``.
    """

    name: str
    takes: frozenset[str] = frozenset({"temperature", "hotwords"})


@dataclass(frozen=True, slots=True)
class Chosen:
    """What a name means: a loaded model, and whether the name alone asks for speakers."""

    model: Model
    diarizes: bool


class Models:
    """The models here, by all their names.

    Args:
        loaded: at least one; the first is the default.
        aliases: other names, of loaded models or of names that everybody has.
    """

    def __init__(self, loaded: Sequence[Model], aliases: Mapping[str, str] = {}, *, created: int = 0) -> None:
        raise NotImplementedError

    def find(self, name: str | None) -> Chosen:
        """FieldError 404 model_not_found, naming those here."""
        raise NotImplementedError

    def listing(self) -> list[dict[str, Any]]:
        """``data`` of ``GET /v1/models``."""
        raise NotImplementedError

    def entry(self, name: str) -> dict[str, Any]:
        """``GET /v1/models/{id}``."""
        raise NotImplementedError


def parse_aliases(texts: Sequence[str]) -> dict[str, str]:
    """``--alias NAME=MODEL``."""
    raise NotImplementedError
