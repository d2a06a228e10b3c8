"""What ``diarist deploy`` remembers, in ``diarist.toml``: settings and endpoint ids under ``[runpod]``, no secret.

tomlkit writes, because it keeps the comments and the order of a file that people edit; rejected: tomli-w, which drops
them. tomllib reads, because tomlkit takes a second for a thousand dotted keys, and four times that for two thousand.
"""

from __future__ import annotations

import dataclasses
import functools
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, get_type_hints

import msgspec
import tomlkit
from tomlkit.exceptions import TOMLKitError
from tomlkit.items import AbstractTable

from diarist.architectures import ROLES, RoleName
from diarist.files import read_bounded, why, write_whole
from diarist.model.errors import InputError
from diarist.runpod.deploy.plan_file import Settings

DEFAULT_FILE = Path("diarist.toml")
_FIELDS = {field.name: field for field in dataclasses.fields(Settings)}
_MAX_BYTES: Final = 32 << 10  # with every setting and a long comment on each, it is a few kB
_MOST_DOTS: Final = 300
_ENDPOINT_ID: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,127}")


def read_settings(path: Path) -> dict[str, Any]:
    """Read the settings of the last deployment, as keyword arguments of `Settings`; empty if there was none.

    Raises:
        InputError: the file is no TOML, or holds a setting that does not exist or is of another type.
    """
    table = _runpod(path)
    settings = {name: value for name, value in table.items() if name != "endpoints"}
    for name, value in settings.items():
        if name not in _FIELDS:
            raise InputError("bad_config", f"There is no setting {name!r} for [runpod] in {path}.", "Remove that line.")
        try:
            settings[name] = msgspec.convert(value, _types()[name])
        except (msgspec.ValidationError, RecursionError) as error:
            said = "it is nested too deep" if isinstance(error, RecursionError) else str(error).replace("`", "'")
            raise InputError("bad_config", f"{name} in {path} is wrong: {said}.", "Mend that line.") from error
    return settings


@functools.cache
def _types() -> Mapping[str, Any]:
    return get_type_hints(Settings)


def read_endpoints(path: Path) -> dict[RoleName, str]:
    """Read the endpoint ids by role.

    Raises:
        InputError: the file is no TOML, or an entry is not an id of a known role.
    """
    endpoints = _runpod(path).get("endpoints", {})
    if not isinstance(endpoints, dict):
        raise InputError("bad_config", f"endpoints in {path} is not a table.", "Write [runpod.endpoints].")
    for role, endpoint_id in endpoints.items():
        if role not in ROLES or not (isinstance(endpoint_id, str) and _ENDPOINT_ID.fullmatch(endpoint_id)):
            raise InputError(
                "bad_config", f"[runpod.endpoints] in {path} has a bad entry {role!r}.", "Remove that line."
            )
    known: dict[RoleName, str] = {role: endpoints[role] for role in ROLES if role in endpoints}
    return known


def write_settings(path: Path, settings: Settings) -> None:
    """Remember the settings that differ from the defaults, leaving the rest of the file as it is."""
    document = _document(path)
    table = _subtable(document, "runpod")
    for name, field in _FIELDS.items():
        value = getattr(settings, name)
        value = list(value) if isinstance(value, tuple) else dict(value) if isinstance(value, Mapping) else value
        default = field.default if field.default_factory is dataclasses.MISSING else field.default_factory()
        default = list(default) if isinstance(default, tuple) else default
        if value is None or value == default:
            # A default that was written by hand stays as it was written.
            if name in table and table[name] != value:
                del table[name]
        elif name not in table or table[name] != value:
            table[name] = value
    _write(path, document)


def write_endpoint(path: Path, role: RoleName, endpoint_id: str | None) -> None:
    """Remember the id of an endpoint, or forget it."""
    document = _document(path)
    endpoints = _subtable(_subtable(document, "runpod"), "endpoints")
    if endpoint_id is None:
        endpoints.pop(role, None)
    elif endpoints.get(role) != endpoint_id:
        endpoints[role] = endpoint_id
    _write(path, document)


def _runpod(path: Path) -> dict[str, Any]:
    try:
        table = tomllib.loads(_text(path)).get("runpod", {})
    except (ValueError, RecursionError) as error:
        raise _no_toml(path, error) from error
    if not isinstance(table, dict):
        raise InputError("bad_config", f"runpod in {path} is not a table.", "Write [runpod].")
    return table


def _document(path: Path) -> tomlkit.TOMLDocument:
    _runpod(path)  # tomlkit lets Python's own errors through where a file is no TOML
    try:
        return tomlkit.parse(_text(path))
    except (TOMLKitError, ValueError, RecursionError) as error:
        raise _no_toml(path, error) from error


def _text(path: Path) -> str:
    """The file's text, in which every line ends alike; empty where there is no file."""
    try:
        text = read_bounded(path, _MAX_BYTES).decode("utf-8-sig").replace("\r\n", "\n")
    except FileNotFoundError:
        return ""
    except OSError as error:
        raise InputError("bad_config", f"Cannot read {path}: {why(error)}.") from error
    except UnicodeDecodeError as error:
        raise InputError("bad_config", f"{path} is not text in UTF-8.", "Write it anew.") from error
    # tomllib takes memory by the square of a key's dots: a gigabyte for 15,000 of them.
    if any(line.count(".") > _MOST_DOTS and not line.lstrip().startswith("#") for line in text.split("\n")):
        raise InputError("bad_config", f"{path} is not TOML that we read: it has too many dots in a line.", "Fix it.")
    return text


def _no_toml(path: Path, error: Exception) -> InputError:
    deep = isinstance(error, RecursionError)
    said = "it is nested too deep" if deep else str(error).splitlines()[0][:200] if str(error) else "a value is wrong"
    return InputError("bad_config", f"{path} is not TOML: {said}.", "Fix that line.")


def _subtable(parent: tomlkit.TOMLDocument | AbstractTable, name: str) -> AbstractTable:
    if name not in parent:
        parent[name] = tomlkit.table()
    table = parent[name]
    if not isinstance(table, AbstractTable):
        raise InputError("bad_config", f"{name} is not a table.", f"Write [{name}].")
    return table


def _write(path: Path, document: tomlkit.TOMLDocument) -> None:
    """Write whole or not at all, and not at all where nothing changed."""
    text = tomlkit.dumps(document)
    if not (path.is_file() and _text(path) == text):
        write_whole(path, text.encode(), hint="Choose another --config.")
