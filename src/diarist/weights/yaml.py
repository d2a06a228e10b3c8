"""Reads a configuration in YAML as plain data, within bounds.

PyYAML cuts the text into events, one after the other; they are put together here. Rejected: its ``safe_load``, which
runs no code, but calls itself for each level (2,000 of them end the process with a signal), and copies what merge keys
multiply; ruamel.yaml and strictyaml, which are not in the core and bound neither.
"""

from __future__ import annotations

from typing import Any, Final

MOST_BYTES: Final = 4 << 20
"""Of a configuration; the real ones are about 0.3 MB."""

_MOST_NODES: Final = 500_000  # the real ones have some 30,000
_MOST_LEVELS: Final = 32
_MOST_CHARACTERS: Final = 200  # of a scalar that may be a number; a longer one is a text
_PLAIN_TAGS: Final = frozenset(f"tag:yaml.org,2002:{name}" for name in ("str", "int", "float", "bool", "null"))
_TEXT: Final = "tag:yaml.org,2002:str"


def read_yaml(data: bytes) -> Any:
    """Read one document: dicts, lists, texts, numbers, truth values and None.

    An alias stands for the very object that it names; merge keys and dates are texts like any other.

    Raises:
        ValueError: it is no YAML, too large, too deep, or holds something else.
    """
    import yaml

    if len(data) > MOST_BYTES:
        raise ValueError("its configuration is too large")
    try:
        # A text is checked for characters that YAML has not; bytes would be taken as UTF-16 if they look like it.
        return _Builder(yaml).build(data.decode("utf-8"))
    except yaml.YAMLError as error:
        raise ValueError("its configuration is no YAML") from error


class _Builder:
    def __init__(self, yaml: Any) -> None:
        self._yaml = yaml
        self._scalars = yaml.SafeLoader("")  # knows which plain scalars are numbers
        self._root: list[Any] = []
        # Open collections, the innermost last; a dict's key that still lacks its value is kept beside it.
        self._open: list[tuple[Any, list[Any]]] = [(self._root, [])]
        self._anchors: dict[str, Any] = {}

    def build(self, text: str) -> Any:
        yaml = self._yaml
        for count, event in enumerate(yaml.parse(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))):
            if count > _MOST_NODES:
                raise ValueError("its configuration has too many parts")
            match event:
                case yaml.ScalarEvent():
                    self._put(self._scalar(event), event.anchor)
                case yaml.AliasEvent():
                    self._put(self._anchors[event.anchor], None)
                case yaml.MappingStartEvent() | yaml.SequenceStartEvent():
                    self._start({} if isinstance(event, yaml.MappingStartEvent) else [], event)
                case yaml.MappingEndEvent() | yaml.SequenceEndEvent():
                    self._open.pop()
        return self._root[0] if self._root else None

    def _start(self, collection: Any, event: Any) -> None:
        kind = "map" if isinstance(collection, dict) else "seq"
        if event.tag not in (None, "!", f"tag:yaml.org,2002:{kind}"):
            raise ValueError("its configuration makes objects")
        if len(self._open) > _MOST_LEVELS:
            raise ValueError("its configuration is nested too deep")
        self._put(collection, event.anchor)
        self._open.append((collection, []))

    def _put(self, value: Any, anchor: str | None) -> None:
        if anchor is not None:
            self._anchors[anchor] = value
        collection, key = self._open[-1]
        if isinstance(collection, list):
            collection.append(value)
        elif key:
            collection[key.pop()] = value
        elif isinstance(value, str | int | float | None):
            key.append(str(value))
        else:
            raise ValueError("its configuration has a key that is no text")

    def _scalar(self, event: Any) -> Any:
        tag = event.tag
        if tag is None or tag == "!":
            short = len(event.value) <= _MOST_CHARACTERS
            tag = self._scalars.resolve(self._yaml.ScalarNode, event.value, event.implicit) if short else _TEXT
        elif tag not in _PLAIN_TAGS or len(event.value) > MOST_BYTES:
            raise ValueError("its configuration makes objects")
        if tag == _TEXT or tag not in _PLAIN_TAGS or len(event.value) > _MOST_CHARACTERS:
            return event.value
        return self._scalars.construct_object(self._yaml.ScalarNode(tag, event.value))
