"""Fetching from the hub: the real client, against a server on loopback that speaks the part of its API that is used."""

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import textwrap
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

COMMIT = "0123456789abcdef0123456789abcdef01234567"
WEIGHTS = os.urandom(3_000_000)
CONFIG = b"{}"


class Hub(ThreadingHTTPServer):
    """One repository, ``org/toy``, with a large file (known by its SHA-256) and a small one (by its git object id)."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.files = {"sub/model.bin": WEIGHTS, "config.json": CONFIG}
        self.commit = COMMIT
        self.token: str | None = None  # what a gated repository wants
        self.claimed: dict[str, str] = {}  # digests that are not the files' own
        self.break_after: int | None = None  # bytes after which the first download of a large file is cut
        self.ranges: list[str] = []
        self.tokens: set[str | None] = set()

    def digest(self, path: str) -> str:
        content = self.files[path]
        if path in self.claimed:
            return self.claimed[path]
        if path.endswith(".bin"):
            return hashlib.sha256(content).hexdigest()
        return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


class Handler(BaseHTTPRequestHandler):
    server: Hub
    protocol_version = "HTTP/1.1"

    def log_message(self, *args: object) -> None:
        pass

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        self.server.tokens.add(self.headers["Authorization"])
        route = self.path.partition("?")[0]
        asked = re.search(r"/(?:resolve|revision)/([^/]+)", route)
        if asked and asked[1] not in ("main", self.server.commit):
            self.answer(404, b"", {"X-Error-Code": "RevisionNotFound"})
        elif route.startswith("/api/models/org/toy"):
            siblings: list[dict[str, object]] = [
                {"rfilename": path, "size": len(content)} for path, content in self.server.files.items()
            ]
            for sibling in siblings:
                if (path := str(sibling["rfilename"])).endswith(".bin"):
                    sibling["lfs"] = {"sha256": self.server.digest(path), "size": sibling["size"], "pointerSize": 1}
            self.answer(200, json.dumps({"id": "org/toy", "sha": self.server.commit, "siblings": siblings}).encode())
        elif route.startswith("/org/toy/resolve/"):
            self.file(route.split("/", 5)[5])
        else:
            self.answer(404, b"", {"X-Error-Code": "RepoNotFound"})

    def file(self, path: str) -> None:
        if self.server.token and self.headers["Authorization"] != f"Bearer {self.server.token}":
            self.answer(403 if self.headers["Authorization"] else 401, b"", {"X-Error-Code": "GatedRepo"})
        elif path not in self.server.files:
            self.answer(404, b"", {"X-Error-Code": "EntryNotFound", "X-Repo-Commit": self.server.commit})
        else:
            content = self.server.files[path]
            headers = {
                "ETag": f'"{self.server.digest(path)}"',
                "X-Repo-Commit": self.server.commit,
                "Accept-Ranges": "bytes",
            }
            start = 0
            if wanted := self.headers["Range"]:
                self.server.ranges.append(wanted)
                start = int(wanted.removeprefix("bytes=").partition("-")[0])
                headers["Content-Range"] = f"bytes {start}-{len(content) - 1}/{len(content)}"
            self.answer(206 if start else 200, content[start:], headers)

    def answer(self, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command == "HEAD":
            return
        cut = self.server.break_after
        if cut is not None and len(body) > cut:
            self.server.break_after = None
            self.wfile.write(body[:cut])
            self.close_connection = True
        else:
            self.wfile.write(body)


CLIENT = """
    import json, sys
    from pathlib import Path
    from diarist.model.errors import DiaristError
    from diarist.weights.catalog import CATALOG, HubSource, ModelEntry, ModelFile
    from diarist.weights.fetch import ensure, fetch
    from diarist.weights.locate import places
    from diarist.weights.sources import check_sources
    wanted = json.loads(sys.argv[1])
    CATALOG["toy"] = ModelEntry(
        name="toy", task="sample", engine="none", licence="", attribution="",
        files=tuple(ModelFile(**file) for file in wanted["files"]),
        sources=(HubSource(wanted["repo"], gated=True),),
    )
    seen = []
    try:
        get = lambda: ensure("toy", progress=lambda stage, done: seen.append(done))
        if wanted.get("check"):
            (found,) = check_sources(["toy"])
            print(json.dumps({"source": found.source, "verdict": found.verdict, "detail": found.detail}))
            sys.exit()
        if wanted["force"]:
            get = lambda: fetch("toy", force=True)
        print(json.dumps({"path": str(get()), "seen": seen}))
    except DiaristError as error:
        print(json.dumps({"code": error.code, "message": error.message, "hint": error.hint}))
"""


class Client:
    """Runs ``ensure("toy")`` in a process of its own: the hub's client reads its environment when it is imported."""

    def __init__(self, folder: Path, endpoint: str) -> None:
        self.hub_cache = folder / "home" / "hub"
        kept = {key: value for key, value in os.environ.items() if not key.startswith(("HF_", "DIARIST_"))}
        self.env = {
            **kept,
            "HF_HOME": str(folder / "home"),
            "HF_ENDPOINT": endpoint,
            "DIARIST_CACHE": str(folder / "cache"),
        }

    def ensure(
        self,
        *files: dict[str, object],
        repo: str = "org/toy",
        force: bool = False,
        check: bool = False,
        **env: str,
    ) -> dict[str, object]:
        files = files or ({"path": "sub/model.bin"}, {"path": "config.json"})
        wanted = json.dumps({"files": files, "repo": repo, "force": force, "check": check})
        result = subprocess.run(
            [sys.executable, "-c", textwrap.dedent(CLIENT), wanted],
            env={**self.env, **env},
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        )
        assert result.stderr == ""  # neither bars nor warnings, which could quote signed addresses
        answer: dict[str, object] = json.loads(result.stdout)
        return answer

    def partial_files(self) -> list[Path]:
        return list(self.hub_cache.rglob("*.incomplete"))


@pytest.fixture
def hub() -> Iterator[Hub]:
    server = Hub()
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def client(hub: Hub, tmp_path: Path) -> Client:
    return Client(tmp_path, f"http://127.0.0.1:{hub.server_port}")


def test_files_arrive_in_the_hubs_own_cache(hub: Hub, client: Client):
    answer = client.ensure()
    folder = client.hub_cache / "models--org--toy" / "snapshots" / COMMIT
    assert answer["path"] == str(folder)
    assert (folder / "sub/model.bin").read_bytes() == WEIGHTS
    assert (folder / "config.json").read_bytes() == CONFIG
    seen = answer["seen"]
    assert isinstance(seen, list)
    assert seen == sorted(seen)
    assert (seen[0], seen[-1]) == (0.0, 1.0)

    hub.files.clear()
    assert client.ensure() == {"path": str(folder), "seen": []}
    assert client.ensure(HF_HUB_OFFLINE="1") == {"path": str(folder), "seen": []}


def test_a_broken_transfer_is_resumed(hub: Hub, client: Client):
    hub.files["sub/model.bin"] = WEIGHTS * 8  # the client keeps what it got in steps of 10 MiB
    hub.break_after = 23_000_000
    folder = Path(str(client.ensure()["path"]))
    assert (folder / "sub/model.bin").read_bytes() == WEIGHTS * 8
    assert hub.ranges == [f"bytes={20 << 20}-"]


def test_optional_files_may_be_absent(hub: Hub, client: Client):
    del hub.files["config.json"]
    assert "path" in client.ensure({"path": "sub/model.bin"}, {"path": "config.json", "required": False})


def test_required_files_may_not(hub: Hub, client: Client):
    del hub.files["config.json"]
    answer = client.ensure()
    assert "org/toy on the hub lacks a file" in str(answer["message"])


@pytest.mark.parametrize("token", ["", "not-accepted"])
def test_a_gated_repository_says_how_to_get_in(hub: Hub, client: Client, token: str):
    hub.token = "good"
    answer = client.ensure(HF_TOKEN=token)
    assert answer["code"] == "weights_gated"
    assert "https://huggingface.co/org/toy" in str(answer["hint"])
    assert "HF_TOKEN" in str(answer["hint"])
    assert "not-accepted" not in str(answer)


def test_the_token_comes_from_the_environment_alone(hub: Hub, client: Client, tmp_path: Path):
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "token").write_text("stored")
    client.ensure()
    assert hub.tokens == {None}
    hub.token = "good"
    assert "path" in client.ensure(HF_TOKEN=" good\n", force=True)


def test_no_such_repository(client: Client):
    answer = client.ensure(repo="org/none")
    assert "the hub has no repository org/none" in str(answer["message"])


def test_no_network(client: Client):
    answer = client.ensure(HF_ENDPOINT="http://127.0.0.1:9")
    assert answer["code"] == "weights_unavailable"
    assert "the hub could not be reached for org/toy" in str(answer["message"])


@pytest.mark.parametrize("known_by", ["catalog", "hub"])
def test_a_changed_file_is_refused_and_removed(hub: Hub, client: Client, known_by: str):
    right = hashlib.sha256(b"another").hexdigest()
    if known_by == "hub":
        hub.claimed["sub/model.bin"] = right
        answer = client.ensure()
    else:
        answer = client.ensure({"path": "sub/model.bin", "size": len(WEIGHTS), "sha256": right})
    assert "sub/model.bin from org/toy is not the file it should be" in str(answer["message"])
    assert [path for path in client.hub_cache.rglob("*") if path.name == "model.bin"] == []
    assert client.partial_files() == []


def test_force_replaces_a_damaged_file(client: Client):
    folder = Path(str(client.ensure()["path"]))
    (folder / "sub/model.bin").resolve().write_bytes(WEIGHTS[::-1])
    client.ensure(force=True)
    assert (folder / "sub/model.bin").read_bytes() == WEIGHTS


def test_an_unwritable_cache(client: Client, tmp_path: Path):
    (tmp_path / "home").touch()
    answer = client.ensure()
    assert answer["code"] == "cache_unwritable"
    assert "HF_HUB_CACHE" in str(answer["hint"])


class TestTrustOnFirstUse:
    """What the hub gave first is held."""

    NEWER = "89abcdef0123456789abcdef0123456789abcdef"

    def pins(self, tmp_path: Path) -> dict[str, object]:
        found: dict[str, object] = json.loads((tmp_path / "cache" / "models" / "pins.json").read_text())["pins"]
        return found

    def test_its_commit_and_digests_are_kept(self, client: Client, tmp_path: Path):
        client.ensure()
        digests = {
            "sub/model.bin": hashlib.sha256(WEIGHTS).hexdigest(),
            "config.json": hashlib.sha256(CONFIG).hexdigest(),
        }
        assert self.pins(tmp_path) == {"org/toy": {"revision": COMMIT, "files": digests}}

    def test_another_commit_is_not_taken_unasked(self, hub: Hub, client: Client, tmp_path: Path):
        client.ensure()
        shutil.rmtree(client.hub_cache)
        hub.commit = self.NEWER
        answer = client.ensure()
        assert "no longer the commit 0123456789ab" in str(answer["message"])
        assert "diarist models remove toy" in str(answer["hint"])
        assert self.pins(tmp_path)["org/toy"]["revision"] == COMMIT  # type: ignore[index]

    @pytest.mark.parametrize("path", ["sub/model.bin", "config.json"])
    def test_another_content_of_the_same_commit_is_refused(self, hub: Hub, client: Client, path: str):
        client.ensure()
        shutil.rmtree(client.hub_cache)
        hub.files[path] = b"another"
        answer = client.ensure()
        assert f"{path} from org/toy is not the file it should be" in str(answer["message"])
        assert "diarist models remove toy" in str(answer["hint"])

    def test_another_commit_in_the_cache_is_passed_over(self, client: Client):
        folder = Path(str(client.ensure()["path"]))
        newer = folder.with_name(self.NEWER)
        shutil.copytree(folder, newer)
        (folder.parents[1] / "refs" / "main").write_text(self.NEWER)
        assert client.ensure(HF_HUB_OFFLINE="1")["path"] == str(folder)

    def test_the_same_is_fetched_again(self, client: Client):
        folder = client.ensure()["path"]
        shutil.rmtree(client.hub_cache)
        assert client.ensure()["path"] == folder

    def test_where_it_cannot_be_kept_the_model_is_taken_all_the_same(self, client: Client, tmp_path: Path):
        (tmp_path / "cache").write_bytes(b"")
        wanted = json.dumps({"files": [{"path": "config.json"}], "repo": "org/toy", "force": False})
        command = [sys.executable, "-c", textwrap.dedent(CLIENT), wanted]
        result = subprocess.run(command, env=client.env, capture_output=True, text=True, timeout=60, check=True)
        assert "path" in json.loads(result.stdout)
        assert "org/toy is not pinned" in result.stderr


class TestCheck:
    """Is the repository still there, with the files that the catalog means? Nothing is kept."""

    RIGHT = (
        {"path": "sub/model.bin", "size": len(WEIGHTS), "sha256": hashlib.sha256(WEIGHTS).hexdigest()},
        {"path": "config.json", "size": len(CONFIG), "sha256": hashlib.sha256(CONFIG).hexdigest()},
    )

    def check(self, client: Client, *files: dict[str, object], **options: str) -> tuple[object, object]:
        answer = client.ensure(*(files or self.RIGHT), check=True, **options)
        assert not client.hub_cache.exists()
        return answer["verdict"], answer["detail"]

    def test_large_files_are_known_by_the_listing_and_small_ones_are_read(self, hub: Hub, client: Client):
        assert self.check(client) == ("ok", "2 good")
        hub.files["config.json"] = b"[]"
        assert self.check(client) == ("failed", "config.json from org/toy is not the file it should be")

    def test_another_large_file(self, hub: Hub, client: Client):
        hub.files["sub/model.bin"] = WEIGHTS[::-1]
        assert self.check(client) == ("failed", "sub/model.bin from org/toy is not the file it should be")

    def test_another_size(self, hub: Hub, client: Client):
        hub.files["config.json"] = b"{ }"
        assert self.check(client) == ("failed", "config.json from org/toy is not the file it should be")

    def test_a_file_that_is_gone(self, hub: Hub, client: Client):
        del hub.files["sub/model.bin"]
        assert self.check(client) == ("failed", "org/toy on the hub lacks sub/model.bin")

    def test_files_of_which_no_digest_is_known_are_not_called_right(self, client: Client):
        files = {"path": "sub/model.bin"}, {"path": "gone.json", "required": False}
        assert self.check(client, *files) == ("unknown", "1 there, no digest known")

    def test_a_repository_that_is_gone(self, client: Client):
        verdict, detail = self.check(client, repo="org/none")
        assert verdict == "failed"
        assert "the hub has no repository org/none" in str(detail)

    def test_a_repository_that_asks_for_consent(self, hub: Hub, client: Client):
        hub.token = "good"
        assert self.check(client)[0] == "closed"
        assert self.check(client, HF_TOKEN="good") == ("ok", "2 good")

    def test_a_hub_that_does_not_answer_is_not_reached(self, client: Client):
        assert self.check(client, HF_ENDPOINT="http://127.0.0.1:9")[0] == "not reached"
