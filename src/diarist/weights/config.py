"""Configuration files that come with weights: small YAML, written by people we do not know.

PyYAML reads it. Its composer calls itself for every level and would take a file of brackets for a tree of any depth, so
size, depth and aliases are looked at first, on the parser's events, which it makes without recursion. All scalars stay
strings: no tag and no number in the file can make anything else.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from diarist.model.errors import WeightsError

MAX_BYTES: Final = 1 << 16
MAX_DEPTH: Final = 16


def read_config(path: Path) -> dict[str, Any]:
    """Read a YAML file whose top level is a mapping.

    Returns:
        Mappings, lists and strings, nested; what looks like a number is a string as well.

    Raises:
        WeightsError: it cannot be read, is no such YAML, or is larger or deeper than any such file need be.
    """
    import yaml

    try:
        with path.open("rb") as reader:
            content = reader.read(MAX_BYTES + 1)
        if len(content) > MAX_BYTES:
            raise _damaged(path, f"it is larger than {MAX_BYTES // 1024} KiB")
        text = content.decode()
        depth = 0
        for event in yaml.parse(text, Loader=yaml.BaseLoader):
            if isinstance(event, yaml.AliasEvent):
                raise _damaged(path, "it repeats parts of itself")
            depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
            if depth > MAX_DEPTH:
                raise _damaged(path, f"it is nested more than {MAX_DEPTH} deep")
        found = yaml.load(text, Loader=yaml.BaseLoader)  # noqa: S506  # it makes strings, lists and dicts only
    except OSError as error:
        raise WeightsError("weights_unreadable", f"Cannot read {path}: {error.strerror}.") from error
    except (yaml.YAMLError, ValueError, OverflowError) as error:  # PyYAML lets some of Python's own through
        raise _damaged(path, "it is no YAML") from error
    if not isinstance(found, dict):
        raise _damaged(path, "it is no mapping")
    return found


def _damaged(path: Path, why: str) -> WeightsError:
    return WeightsError("weights_damaged", f"{path} is not a configuration: {why}.", "Fetch the model again.")
