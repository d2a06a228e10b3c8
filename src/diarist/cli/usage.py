"""How the command line is explained, and how a wrong one is refused: in words, not in names of Python's types."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import typer
from typer.core import TyperArgument, TyperCommand, TyperGroup, TyperOption

from diarist.model.errors import InputError

Function = TypeVar("Function", bound=Callable[..., Any])

# typer has this class from click, or from its own copy of click, and names only its child.
UsageError: type[Exception] = typer.BadParameter.__mro__[1]
"""What typer raises for a command line that cannot be."""


class App(typer.Typer):
    """Commands whose help shows a word for each value: FILE, not ``<path>``."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(cls=_Group, **settings)

    def command(
        self, name: str | None = None, *, cls: type[TyperCommand] | None = None, **settings: Any
    ) -> Callable[[Function], Function]:
        """Register a command, as `typer.Typer.command` does."""
        return super().command(name, cls=cls or Command, **settings)


class Command(TyperCommand):
    """A command of an `App`."""

    def get_params(self, ctx: Any) -> list[Any]:
        """Arguments and options, as help shows them."""
        return _in_words(super().get_params(ctx))

    def collect_usage_pieces(self, ctx: Any) -> list[str]:  # noqa: ARG002  # who calls it gives it
        """Name the arguments: ``FILE``, ``FILE...`` for several, ``[FILE]`` for one that may be left out."""
        named = [param for param in self.params if isinstance(param, TyperArgument)]
        return [self.options_metavar or "", *map(_usage, named)]


class _Group(TyperGroup):
    def get_params(self, ctx: Any) -> list[Any]:
        return _in_words(super().get_params(ctx))


def _in_words(params: list[Any]) -> list[Any]:
    for param in params:
        # An argument's name is said already, and an option that takes no value needs no word for one.
        if isinstance(param, TyperArgument) or (isinstance(param, TyperOption) and param.is_flag):
            param.display_type_rich = _nothing  # type: ignore[method-assign]  # typer has no setting for it
    return params


def _nothing(ctx: object) -> str:
    del ctx
    return ""


def _usage(argument: TyperArgument) -> str:
    name = f"{argument.metavar or argument.name}{'' if argument.nargs == 1 else '...'}"
    return name if argument.required else f"[{name}]"


def refusal(error: Any) -> InputError:
    """Say in one line what is wrong with a command line.

    Args:
        error: a `UsageError`. Its message is empty where typer has printed help instead.
    """
    if wrong := _wrong(error.__cause__):
        error.message = wrong
    message = " ".join(error.format_message().replace("Value error, ", "").split())
    if message and message[-1] not in ".?!":
        message += "."
    # typer does not always say which command it was.
    hint = f"See: {error.ctx.command_path} --help" if error.ctx else "Try the same command with --help."
    return InputError("bad_usage", message, hint)


def _wrong(cause: Any) -> str:
    """What is wrong with a value that pydantic refused for typer, in plain words; empty where that is not the cause."""
    if not hasattr(cause, "errors"):
        return ""
    first = cause.errors()[0]
    kind, value, limits = first["type"], first["input"], first.get("ctx", {})
    if kind.startswith("int_"):
        return f"{value!r} is not a whole number"
    if kind.startswith("float_"):
        return f"{value!r} is not a number"
    if kind == "greater_than_equal":
        return f"{value!r} is less than {limits['ge']}"
    return f"{value!r} is more than {limits['le']}" if kind == "less_than_equal" else ""
