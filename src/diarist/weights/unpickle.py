"""Reads the pickle of a checkpoint as data: nothing is imported, called or trusted, and every bound is checked first.

`pickletools` of the standard library cuts the stream into opcodes, and a small machine puts plain values together.
Rejected: `pickle.Unpickler` with its classes replaced, which still grows its memo to any number the stream names
(a 30-byte file takes 64 GB), hashes keys that multiply themselves, and calls what stands for a class with what the
stream gives; and ``torch.load(weights_only=True)``, which needs torch and refuses pyannote's checkpoints.
"""

from __future__ import annotations

import pickletools
from collections.abc import Callable, Mapping
from typing import Any, Final

MOST_BYTES: Final = 16 << 20
"""Of a pickle. The largest real one known (NeMo's 0.6B models) is about 200 kB."""

MOST_OPCODES: Final = 1_000_000
"""Of a pickle; the same one has some 40,000. A million make at most about 200 MB of values."""

_MARK: Final = object()
_MOST_NUMBER: Final = 1 << 48  # above this, numbers can be chosen so that a dict takes for ever to find them


class Opaque:
    """Stands for an object, or the class of one, that is not read."""

    def __init__(self, name: str = "") -> None:
        self.name = name


Build = Callable[[str, tuple[Any, ...]], Any]
"""Makes a value of a global's name, as ``"module name"``, and the arguments it is called with."""


def unpickle(data: bytes, build: Build, resolve: Callable[[Any], Any]) -> Any:
    """Read a pickle of protocol 2 to 4.

    Args:
        data: the stream.
        build: called for each call in the stream; returns the value, or an `Opaque`.
        resolve: turns a persistent id into a value.

    Returns:
        What was pickled: numbers, texts, bytes, lists, tuples, dicts, what ``build`` and ``resolve`` gave, and an
        `Opaque` for everything else. Entries of dicts whose key is no number or text are left out.

    Raises:
        ValueError: it is too large, ends early, or has an opcode that such pickles have not.
        Exception: whatever else a malformed stream leads to, as `IndexError`.
    """
    if len(data) > MOST_BYTES:
        raise ValueError("its index is too large")
    machine = _Machine(build, resolve)
    for count, (opcode, argument, _place) in enumerate(pickletools.genops(data)):
        if count > MOST_OPCODES:
            raise ValueError("its index is too long")
        if opcode.name == "STOP":
            return machine.stack.pop()
        machine.step(opcode.name, argument)
    raise ValueError("its index has no end")


class _Machine:
    def __init__(self, build: Build, resolve: Callable[[Any], Any]) -> None:
        self.stack: list[Any] = []
        self.memo: dict[int, Any] = {}
        self._build = build
        self._resolve = resolve

    def step(self, name: str, argument: Any) -> None:
        if name in _VALUES:
            self.stack.append(argument)
        elif name in _CONSTANTS:
            self.stack.append(_CONSTANTS[name]())
        elif name in _GET:
            self.stack.append(self.memo[argument])
        elif name in _PUT:
            place = len(self.memo) if name == "MEMOIZE" else argument
            if not 0 <= place < _MOST_NUMBER:
                raise ValueError("its index remembers too much")
            self.memo[place] = self.stack[-1]
        elif name in _TUPLES:
            size = _TUPLES[name]
            self.stack[-size:] = [tuple(self.stack[-size:])]
        elif name not in _IGNORED:
            _STEPS[name](self, argument)

    def to_mark(self) -> list[Any]:
        """Take what lies above the topmost mark, and the mark."""
        at = len(self.stack) - 1
        while self.stack[at] is not _MARK:
            at -= 1
            if at < 0:
                raise ValueError("its index lacks a mark")
        found = self.stack[at + 1 :]
        del self.stack[at:]
        return found

    def put_tuple(self, _: Any) -> None:
        self.stack.append(tuple(self.to_mark()))

    def put_list(self, _: Any) -> None:
        self.stack.append(self.to_mark())

    def put_dict(self, _: Any) -> None:
        items = self.to_mark()
        self.stack.append({})
        self._set(items)

    def put_set(self, _: Any) -> None:
        self.to_mark()
        self.stack.append(Opaque("set"))

    def add(self, _: Any) -> None:
        self._extend([self.stack.pop()])

    def add_all(self, _: Any) -> None:
        self._extend(self.to_mark())

    def drop_all(self, _: Any) -> None:
        self.to_mark()

    def set_one(self, _: Any) -> None:
        value, key = self.stack.pop(), self.stack.pop()
        self._set([key, value])

    def set_all(self, _: Any) -> None:
        self._set(self.to_mark())

    def name(self, argument: str) -> None:
        self.stack.append(_Global(argument))

    def name_of_two(self, _: Any) -> None:
        name, module = self.stack.pop(), self.stack.pop()
        if not (isinstance(name, str) and isinstance(module, str)):
            raise TypeError("a class has no name")
        self.stack.append(_Global(f"{module} {name}"))

    def call(self, _: Any) -> None:
        arguments, called = self.stack.pop(), self.stack.pop()
        known = isinstance(called, _Global) and isinstance(arguments, tuple)
        self.stack.append(self._build(called.name, arguments) if known else Opaque())

    def make(self, _: Any) -> None:
        del self.stack[-2:]
        self.stack.append(Opaque())

    def make_with_names(self, _: Any) -> None:
        self.stack.pop()
        self.make(_)

    def persistent(self, _: Any) -> None:
        self.stack.append(self._resolve(self.stack.pop()))

    def pop(self, _: Any) -> None:
        self.stack.pop()

    def duplicate(self, _: Any) -> None:
        self.stack.append(self.stack[-1])

    def mark(self, _: Any) -> None:
        self.stack.append(_MARK)

    def _extend(self, items: list[Any]) -> None:
        if isinstance(self.stack[-1], list):
            self.stack[-1].extend(items)

    def _set(self, items: list[Any]) -> None:
        target = self.stack[-1]
        if isinstance(target, dict):
            target.update((k, v) for k, v in zip(items[::2], items[1::2], strict=True) if _is_key(k))


def _is_key(key: object) -> bool:
    """Whether it is a key that real checkpoints have. Others, tuples above all, may take for ever to hash."""
    return isinstance(key, str | bytes | None) or (isinstance(key, int) and abs(key) < _MOST_NUMBER)


class _Global(Opaque):
    """The name of a class or function."""


_VALUES: Final = frozenset(
    {"INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1", "LONG4", "FLOAT", "BINFLOAT"}
    | {"UNICODE", "SHORT_BINUNICODE", "BINUNICODE", "BINUNICODE8"}
    | {"STRING", "SHORT_BINSTRING", "BINSTRING", "SHORT_BINBYTES", "BINBYTES", "BINBYTES8"}
)
_CONSTANTS: Final[Mapping[str, Callable[[], Any]]] = {
    "NONE": lambda: None,
    "NEWTRUE": lambda: True,
    "NEWFALSE": lambda: False,
    "EMPTY_TUPLE": tuple,
    "EMPTY_LIST": list,
    "EMPTY_DICT": dict,
    "EMPTY_SET": lambda: Opaque("set"),
}
_TUPLES: Final = {"TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}
_GET: Final = frozenset({"GET", "BINGET", "LONG_BINGET"})
_PUT: Final = frozenset({"PUT", "BINPUT", "LONG_BINPUT", "MEMOIZE"})
_IGNORED: Final = frozenset({"PROTO", "FRAME"})
_STEPS: Final[Mapping[str, Callable[[_Machine, Any], None]]] = {
    "MARK": _Machine.mark,
    "POP": _Machine.pop,
    "POP_MARK": _Machine.drop_all,
    "DUP": _Machine.duplicate,
    "TUPLE": _Machine.put_tuple,
    "LIST": _Machine.put_list,
    "DICT": _Machine.put_dict,
    "FROZENSET": _Machine.put_set,
    "APPEND": _Machine.add,
    "APPENDS": _Machine.add_all,
    "ADDITEMS": _Machine.drop_all,
    "SETITEM": _Machine.set_one,
    "SETITEMS": _Machine.set_all,
    "GLOBAL": _Machine.name,
    "STACK_GLOBAL": _Machine.name_of_two,
    "REDUCE": _Machine.call,
    "NEWOBJ": _Machine.make,
    "NEWOBJ_EX": _Machine.make_with_names,
    "BUILD": _Machine.pop,  # an object's state is not read
    "BINPERSID": _Machine.persistent,
}
