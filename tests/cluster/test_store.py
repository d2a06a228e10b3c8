"""Places of recordings and transcripts: folders, buckets and memory, all alike."""

import os
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import pytest

from diarist.cluster import lease as leases
from diarist.cluster.archive import Choice
from diarist.cluster.lead import Run
from diarist.cluster.lease import holding
from diarist.cluster.manifest import Manifest
from diarist.cluster.store import StoreError
from diarist.cluster.stores import open_store
from diarist.cluster.whole import Setup, start_worker
from diarist.model.errors import InputError

sys.path.append(str(Path(__file__).parent))
from archivists import record


@pytest.fixture
def bucket(monkeypatch):
    """The URL of an empty bucket of a real S3 server on loopback."""
    boto3 = pytest.importorskip("boto3", reason="needs the extra s3")
    moto = pytest.importorskip("moto.server", reason="needs moto's S3 server")
    server = moto.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    for name, value in {
        "AWS_ENDPOINT_URL_S3": f"http://{host}:{port}",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_DEFAULT_REGION": "us-east-1",
    }.items():
        monkeypatch.setenv(name, value)
    s3 = boto3.client("s3")
    s3.create_bucket(Bucket="archive")
    yield "s3://archive"
    s3.close()
    server.stop()


@pytest.fixture(params=["folder", "memory", "bucket"])
def place(request, tmp_path):
    """Where a store may be, as a user would write it."""
    if request.param == "memory":
        return f"memory://{tmp_path.name}"
    return (
        str(tmp_path / "place") if request.param == "folder" else f"{request.getfixturevalue('bucket')}/{tmp_path.name}"
    )


def test_a_store_keeps_files(place):
    store = open_store(f"{place}/below")
    assert list(store.list()) == []
    assert store.read("a/b.txt") is None
    assert store.stat("a/b.txt") is None
    store.write("a/b.txt", b"one")
    first = store.stat("a/b.txt")
    assert (first.name, first.size) == ("a/b.txt", 3)
    store.write("c.txt", b"two")
    assert sorted(each.name for each in store.list()) == ["a/b.txt", "c.txt"]
    assert list(store.list("a")) == [first]
    assert store.create("c.txt", b"x") is False
    assert store.create("d/e.txt", b"new") is True
    assert (store.read("c.txt"), store.read("d/e.txt")) == (b"two", b"new")
    store.write("a/b.txt", b"three")
    assert store.stat("a/b.txt") != first
    with store.opened("a/b.txt") as path:
        assert path.read_bytes() == b"three"
    store.delete("a/b.txt")
    store.delete("a/b.txt")
    assert store.stat("a/b.txt") is None
    assert list(open_store(place).list("nowhere")) == []


def test_what_is_not_there_is_said_when_it_is_opened(place):
    store = open_store(place)
    with pytest.raises((InputError, FileNotFoundError)), store.opened("a.wav") as path:
        path.open("rb")


def test_pipes_and_devices_are_no_files(tmp_path):
    os.mkfifo(tmp_path / "pipe.wav")
    (tmp_path / "loop.wav").symlink_to("loop.wav")
    assert list(open_store(str(tmp_path)).list()) == []


def test_a_place_that_cannot_be_written_is_an_error_of_the_place(tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(StoreError, match="Cannot write"):
        open_store(str(tmp_path / "file" / "below")).write("a", b"x")


@pytest.mark.parametrize("url", ["s3://X", "nosuch://place"])
def test_places_that_are_none_are_refused(url):
    with pytest.raises(InputError):
        open_store(url)


def test_a_missing_bucket_is_named(bucket):
    with pytest.raises(StoreError, match="nowhere-here"):
        list(open_store("s3://nowhere-here").list())


class Here:
    """A pool in this process: what is in memory is nowhere else."""

    slots = 1

    def __init__(self, setup):
        self.work, self.next, self.waiting = start_worker(setup), 0, {}

    def submit(self, payload, *, alone=False, limit=None):
        self.next += 1
        self.waiting[self.next] = payload
        return self.next

    def wait(self, handles, seconds):
        handle = min(handles)
        try:
            return [(handle, self.work(self.waiting.pop(handle)))]
        except InputError as error:
            return [(handle, error)]

    def lost(self):
        return ()


def test_an_archive_goes_from_any_place_to_any_other(place, tmp_path, install, parrots, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    install(parrots)
    source, out = open_store(f"{place}/in"), open_store(f"{place}/out")
    for number in range(3):
        source.write(f"talks/{number}.wav", record(tmp_path / "x.wav", 10_000 + number).read_bytes())
    source.write("talks/broken.wav", b"no sound")
    from diarist.places import Wanted

    setup = Setup(
        source=source.url, out=out.url, formats=("txt", "json"), wanted=Wanted(model="parrot:green", diarizer="perch:x")
    )
    made = []

    @contextmanager
    def pool():
        made.append(1)
        yield Here(setup)

    def run():
        return Run(source, out, setup, ("parrot:green", "perch:x"), Choice(), pool).go()

    tally = run()
    assert (tally.new, list(tally.troubles)) == (3, ["talks/broken.wav"])
    before = [each for each in out.list() if ".sqlite3" not in each.name]
    names = [each.name for each in before if not each.name.startswith(".diarist/")]
    assert names == [f"talks/{number}.wav.{kind}" for number in range(3) for kind in ("json", "txt")]
    assert b"squawk" in out.read("talks/0.wav.txt")
    assert (run().new, len(made)) == (0, 1)
    assert [each for each in out.list() if ".sqlite3" not in each.name] == before
    manifest = Manifest(out)
    manifest.load()
    assert manifest.verify() == []


def test_a_lease_is_held_by_one(place):
    store = open_store(place)
    with holding(store) as lease:
        assert lease.alone
        with pytest.raises(InputError, match="Another run"), holding(store):
            pass
        with pytest.raises(InputError, match="shards"), holding(store, (1, 2)):
            pass
    with holding(store, (1, 2)), holding(store, (2, 2)) as second:
        assert not second.alone
    assert list(store.list()) == []


def test_the_lease_of_a_dead_process_is_taken_at_once(tmp_path):
    program = (
        "import os, sys\n"
        "from diarist.cluster.lease import holding\n"
        "from diarist.cluster.stores import open_store\n"
        "with holding(open_store(sys.argv[1])):\n"
        "    os._exit(9)\n"
    )
    assert subprocess.run([sys.executable, "-c", program, tmp_path], check=False).returncode == 9
    store = open_store(str(tmp_path))
    assert [each.name for each in store.list()] == [".diarist/lease-1-of-1"]
    with holding(store) as lease:
        lease.check()


def test_a_lease_of_another_machine_is_dead_when_it_does_not_change(tmp_path, monkeypatch):
    monkeypatch.setattr(leases, "_DEAD", 0.2)
    monkeypatch.setattr(leases, "_LOOK", 0.02)
    store = open_store(str(tmp_path))
    store.write(".diarist/lease-1-of-1", b'{"host": "elsewhere", "pid": 1, "token": "t", "beat": 3}')
    notes = []
    with holding(store, note=notes.append):
        assert len(notes) == 1


def test_who_lost_the_lease_stops(tmp_path, monkeypatch):
    monkeypatch.setattr(leases, "_BEAT", 0.02)
    store = open_store(str(tmp_path))
    with holding(store) as lease:
        store.write(".diarist/lease-1-of-1", b'{"token": "of another"}')
        lease._thread.join(30)
        with pytest.raises(StoreError, match="Another run"):
            lease.check()
    assert store.read(".diarist/lease-1-of-1") == b'{"token": "of another"}'
