"""Changes to good inputs: of bytes, of texts, and of values that JSON, YAML or TOML can hold."""

from __future__ import annotations

import copy
import json
import math
import random
from typing import Any

NUMBERS = (
    0,
    1,
    -1,
    127,
    128,
    255,
    256,
    0x7FFF,
    0xFFFF,
    0x7FFFFFFF,
    0xFFFFFFFF,
    1 << 53,
    (1 << 63) - 1,
    1 << 64,
    10**400,
)
TEXTS = (
    "",
    " ",
    "\0",
    "\ud800",
    "\udfff",
    "\ufeff",
    "\u202e",
    "é",
    "漢字",
    "🎉",
    "../../x",
    "<b>&\"'",
    "%s%n",
    "-1",
    "nan",
)


def changed(rng: random.Random, data: bytes) -> bytes:
    """A few changes of bytes: flipped, cut, doubled, moved, or a number that programs stumble over."""
    out = bytearray(data)
    for _ in range(rng.choice((1, 1, 1, 2, 4, 16))):
        at = rng.randrange(len(out) + 1)
        size = min(rng.choice((1, 2, 4, 8, 64, 1000)), len(out) - at)
        match rng.randrange(7):
            case 0 if at < len(out):
                out[at] ^= 1 << rng.randrange(8)
            case 1:
                del out[at : at + size]
            case 2:
                out[at:at] = out[at : at + size] * rng.choice((1, 2, 100))
            case 3:
                number = rng.choice(NUMBERS) % (1 << 64)
                width = rng.choice((1, 2, 4, 8))
                out[at : at + width] = (number % (1 << 8 * width)).to_bytes(width, rng.choice(("little", "big")))
            case 4:
                out[at : at + size] = rng.randbytes(size)
            case 5 if rng.random() < 0.2:
                del out[at:]
            case _:
                place = rng.randrange(len(out) + 1)
                out[at:at] = out[place : place + size]
    return bytes(out[: 1 << 20])


def odd(rng: random.Random) -> Any:
    """A value that is seldom where it is looked for."""
    match rng.randrange(10):
        case 0:
            return rng.choice(NUMBERS) * rng.choice((1, -1))
        case 1:
            return rng.choice((math.nan, math.inf, -math.inf, 1e308, -1e308, 5e-324, 0.1, -0.0))
        case 2:
            return rng.choice(TEXTS)
        case 3:
            return rng.choice(TEXTS) * rng.choice((1, 300, 70_000))
        case 4:
            return rng.choice((None, True, False))
        case 5:
            return nested(rng.choice((1, 2, 30, 100)), rng.random() < 0.5)
        case 6:
            return [rng.choice(TEXTS)] * rng.choice((0, 1, 3, 1000))
        case 7:
            return {rng.choice(TEXTS): rng.choice(NUMBERS)}
        case _:
            return rng.random() * 10 ** rng.randrange(-3, 9)


def nested(levels: int, as_list: bool) -> Any:
    value: Any = 0
    for _ in range(levels):
        value = [value] if as_list else {"a": value}
    return value


def changed_value(rng: random.Random, value: Any) -> Any:
    """A copy in which some parts are odd, gone, doubled, or in another's place."""
    value = copy.deepcopy(value)
    for _ in range(rng.choice((0, 1, 1, 1, 2, 3, 8))):
        levels: dict[int, int] = {}  # of each holder once: some have a thousand places
        places = [(holder, key) for holder, key in _places(value) if _known_levels(holder, levels) < 120]
        if not places:
            return odd(rng)
        holder, key = rng.choice(places)
        match rng.randrange(6):
            case 0:
                del holder[key]
            case 1 if isinstance(holder, list):
                holder[key:key] = [copy.deepcopy(holder[key])] * rng.choice((1, 5))
            case 2:
                holder[key] = copy.deepcopy(rng.choice(places)[0])
            case 3 if isinstance(holder, dict):
                holder[rng.choice(TEXTS)] = holder.pop(key)
            case _:
                holder[key] = odd(rng)
    return value


def _known_levels(holder: Any, levels: dict[int, int]) -> int:
    if id(holder) not in levels:
        levels[id(holder)] = _levels(holder)
    return levels[id(holder)]


def _levels(value: Any) -> int:
    count = 0
    while isinstance(value, dict | list) and value and count < 200:
        value = max(
            value.values() if isinstance(value, dict) else value, key=lambda part: isinstance(part, dict | list)
        )
        count += 1
    return count


def _places(value: Any, deep: int = 0) -> Any:
    if deep < 20 and isinstance(value, dict | list):
        for key in list(value) if isinstance(value, dict) else range(len(value)):
            yield value, key
            yield from _places(value[key], deep + 1)


def as_json(rng: random.Random, value: Any) -> bytes:
    """JSON, as some program or other would write it."""
    text = json.dumps(value, ensure_ascii=rng.random() < 0.8)
    if rng.random() < 0.03:
        at = rng.randrange(len(text) + 1)
        text = text[:at] + rng.choice(("[", '{"a":')) * 100_000 + text[at:]
    text = text.replace("Infinity", rng.choice(("Infinity", "1e999"))).replace("NaN", rng.choice(("NaN", "null")))
    encoding = rng.choice(("utf-8",) * 8 + ("utf-8-sig", "utf-16", "utf-32"))
    return text.encode(encoding, "surrogatepass")
