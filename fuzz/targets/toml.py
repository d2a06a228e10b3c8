"""``diarist.toml``: settings and ids are read, and written again."""

import random
from pathlib import Path

from mutate import changed_value

from diarist.runpod.deploy.plan_file import Settings
from diarist.runpod.deploy.state import read_endpoints, read_settings, write_endpoint, write_settings

GOOD = {
    "architecture": "single", "image_prefix": "a/b", "tag": "1", "name": "n", "pools": ["ADA_24"], "min_cuda": "13.0",
    "cpu": "cpu3c:2", "min_workers": 0, "max_workers": 3, "idle_timeout": 30, "queue_delay": 1.0, "timeout": 600,
    "disk": 20, "flashboot": "OFF", "env": {"A": "b"}, "endpoints": {"single": "abc"},
    "cached_model": "nvidia/parakeet-tdt-0.6b-v3",
}  # fmt: skip


def make(rng: random.Random) -> bytes:
    value = changed_value(rng, GOOD)
    lines = ["[runpod]"]
    for name, part in value.items() if isinstance(value, dict) else ():
        lines.append(f"{name if name.isidentifier() else repr(name)} = {written(part)}")
    if rng.random() < 0.2:
        lines.insert(rng.randrange(len(lines) + 1), rng.choice(HOSTILE))
    return "\n".join(lines).encode("utf-8", "surrogatepass")


HOSTILE = (
    "[[runpod]]", "a = " + "[" * 20_000, "a" + ".a" * 15_000 + " = 1", "a = 9999-99-99", "a = " + "9" * 9000, '"""',
    "runpod = 1", "[runpod.endpoints.x]", "\n".join(f"k.{n} = 1" for n in range(300)), "a = 00:00:00.9999999999",
)  # fmt: skip


def written(value: object) -> str:
    match value:
        case bool():
            return str(value).lower()
        case dict():
            return "{" + ", ".join(f"{key!r} = {written(part)}" for key, part in value.items()) + "}"
        case list():
            return "[" + ", ".join(map(written, value)) + "]"
        case None:
            return "[]"
    return repr(value)


def run(data: bytes, folder: Path) -> None:
    path = folder / "diarist.toml"
    path.write_bytes(data)
    read_endpoints(path)
    settings = Settings(**{**BASE, **read_settings(path)})
    write_settings(path, settings)
    write_endpoint(path, "single", "abc123")
    assert read_endpoints(path)["single"] == "abc123"
    assert Settings(**{**BASE, **read_settings(path)}) == settings


BASE = {"architecture": "single", "image_prefix": "a/b", "tag": "1"}
