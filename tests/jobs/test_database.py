"""The file of a store: durable, private, ours, migrated, copied whole; what goes wrong is one line."""

import sqlite3
import stat
import subprocess
import sys
import threading

import pytest

from diarist.jobs import database
from diarist.jobs.database import Database
from diarist.jobs.job import StoreError
from diarist.jobs.sqlite_store import SQLiteJobStore
from diarist.model.errors import DiaristError, InputError

FIRST = "CREATE TABLE birds (name TEXT) STRICT;"
SECOND = "ALTER TABLE birds ADD COLUMN legs INTEGER; UPDATE birds SET legs = 2;"


@pytest.fixture
def path(tmp_path):
    return tmp_path / "jobs.sqlite3"


def one_line(error):
    assert isinstance(error, DiaristError)
    assert "\n" not in str(error)
    assert error.hint
    return error.code, error.http_status


def test_only_its_user_can_read_it(tmp_path, store, complete):
    complete(store, "Words.")
    for file in (tmp_path / "state").iterdir():
        assert stat.S_IMODE(file.stat().st_mode) == 0o600, file.name


def test_commits_wait_for_the_disk(path):
    opened = Database(path)
    with opened.reading() as db:
        assert db.execute("PRAGMA journal_mode").fetchone()[0] == "wal"
        assert db.execute("PRAGMA synchronous").fetchone()[0] == 2
        assert db.execute("PRAGMA secure_delete").fetchone()[0] == 1
        assert db.execute("PRAGMA foreign_keys").fetchone()[0] == 1
    opened.close()


def test_an_error_in_a_transaction_undoes_all_of_it(path):
    opened = Database(path, [FIRST])

    def fly():
        with opened.writing() as db:
            db.execute("INSERT INTO birds VALUES ('heron')")
            raise KeyError

    with pytest.raises(KeyError):
        fly()
    with opened.reading() as db:
        assert db.execute("SELECT count(*) FROM birds").fetchone()[0] == 0
    opened.close()


def test_tables_of_an_earlier_release_become_those_of_this_one(path):
    earlier = Database(path, [FIRST])
    with earlier.writing() as db:
        db.execute("INSERT INTO birds VALUES ('heron')")
    earlier.close()
    for _ in range(2):
        now = Database(path, [FIRST, SECOND])
        with now.reading() as db:
            assert [tuple(row) for row in db.execute("SELECT * FROM birds")] == [("heron", 2)]
            assert db.execute("PRAGMA user_version").fetchone()[0] == 2
        now.close()


def test_a_migration_that_fails_leaves_the_tables_as_they_were(path):
    Database(path, [FIRST]).close()
    with pytest.raises(StoreError):
        Database(path, [FIRST, SECOND + "INSERT INTO nowhere VALUES (1);"])
    opened = Database(path, [FIRST])
    with opened.reading() as db:
        assert [column["name"] for column in db.execute("PRAGMA table_info(birds)")] == ["name"]
    opened.close()


def test_a_file_from_the_future_is_left_alone(path):
    Database(path, [FIRST, SECOND]).close()
    with pytest.raises(StoreError) as refused:
        Database(path, [FIRST])
    assert one_line(refused.value) == ("store_newer", 500)


def test_another_programs_database_is_left_alone(path):
    other = sqlite3.connect(path)
    other.execute("CREATE TABLE jobs (id)")
    other.commit()
    other.close()
    before = path.read_bytes()
    with pytest.raises(StoreError) as refused:
        SQLiteJobStore(path)
    assert one_line(refused.value) == ("store_unusable", 500)
    assert path.read_bytes() == before


def test_what_is_no_database_is_left_alone(path):
    path.write_bytes(b"Not at all a database. " * 500)
    with pytest.raises(StoreError) as refused:
        SQLiteJobStore(path)
    assert one_line(refused.value) == ("store_damaged", 500)
    assert path.read_bytes() == b"Not at all a database. " * 500


def test_a_place_that_cannot_be_written_is_one_line(tmp_path):
    (tmp_path / "file").touch()
    for place in (tmp_path / "file" / "jobs.sqlite3", tmp_path, tmp_path / "nul\0byte"):
        with pytest.raises(StoreError) as refused:
            SQLiteJobStore(place)
        assert one_line(refused.value) == ("store_unusable", 500)


def test_a_damaged_file_is_one_line(path, new_job):
    store = SQLiteJobStore(path)
    store.add(new_job(request="x" * 100_000))
    store.close()
    content = bytearray(path.read_bytes())
    content[4096:] = b"\xff" * (len(content) - 4096)
    path.write_bytes(content)
    with pytest.raises(StoreError) as refused:
        SQLiteJobStore(path).list()
    assert one_line(refused.value) == ("store_damaged", 500)


def test_a_full_disk_is_one_line_and_loses_nothing(store, complete, new_job, transcript, tmp_path, monkeypatch):
    kept = complete(store, "Kept.", digest="kept")
    running, _ = store.add(new_job(digest="running"))
    lease = store.lease(running.id, "w", 60)

    # As many pages as there are now, for every connection.
    opening = Database._open

    def full(self):
        connection = opening(self)
        (pages,) = connection.execute("PRAGMA page_count").fetchone()
        connection.execute(f"PRAGMA max_page_count = {pages}")
        return connection

    with monkeypatch.context() as patched:
        patched.setattr(Database, "_open", full)
        no_room = SQLiteJobStore(tmp_path / "state" / "jobs.sqlite3")
        big = "word " * 20_000
        for attempt in (
            lambda: no_room.add(new_job(request=big)),
            lambda: no_room.keep(lease, "transcription", big.encode()),
            lambda: no_room.finish(lease, transcript(big), {"evidence": bytes(100_000)}),
            lambda: no_room.edit(kept.id, "key1", if_match=0, operations=big, transcript=transcript(big)),
        ):
            with pytest.raises(StoreError) as refused:
                attempt()
            assert one_line(refused.value) == ("disk_full", 429)
            assert "word" not in str(refused.value)
        assert {job.id: job.state for job in no_room.list()} == {kept.id: "completed", running.id: "running"}
        assert no_room.transcript(kept.id) == transcript("Kept.")
        assert no_room.parts(running.id) == {}
        assert no_room.renew(lease, 60)
        no_room.close()

    assert store.finish(lease, transcript(big)).state == "completed", "as soon as there is room"


def test_a_result_that_is_too_large_is_one_line(open_store, new_job, transcript, monkeypatch):
    store = open_store()
    job, _ = store.add(new_job())
    lease = store.lease(job.id, "w", 60)
    opening = Database._open

    def narrow(self):
        connection = opening(self)
        connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, 10_000)  # a gigabyte would take long
        return connection

    monkeypatch.setattr(Database, "_open", narrow)
    with pytest.raises(StoreError) as refused:
        open_store().finish(lease, transcript("word " * 10_000))
    assert one_line(refused.value) == ("too_big", 413)
    assert store.get(job.id).state == "running"


def test_another_process_that_holds_it_too_long_is_one_line(open_store, new_job, monkeypatch, tmp_path):
    monkeypatch.setattr(database, "BUSY_SECONDS", 0.05)
    store = open_store()
    other = sqlite3.connect(tmp_path / "state" / "jobs.sqlite3", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    assert store.list() == (), "reading waits for nobody"
    with pytest.raises(StoreError) as refused:
        store.add(new_job())
    assert one_line(refused.value) == ("store_busy", 503)
    other.execute("ROLLBACK")
    other.close()
    assert store.add(new_job())[1]


def test_a_closed_store_says_so(store):
    store.close()
    with pytest.raises(StoreError) as refused:
        store.list()
    assert refused.value.code == "store_closed"


def test_a_backup_is_whole_private_and_a_store(store, complete, transcript, tmp_path):
    job = complete(store, "Kept words.", parts={"evidence": b"e"})
    gone = complete(store, "Heliotrope.", digest="gone")
    store.delete(gone.id)
    store.backup(tmp_path / "backup.sqlite3")
    complete(store, "Later.", digest="later")
    assert stat.S_IMODE((tmp_path / "backup.sqlite3").stat().st_mode) == 0o600
    assert b"eliotrope" not in (tmp_path / "backup.sqlite3").read_bytes()
    copy = SQLiteJobStore(tmp_path / "backup.sqlite3")
    assert [listed.id for listed in copy.list()] == [job.id]
    assert copy.transcript(job.id) == transcript("Kept words.")
    assert copy.search(None, "kept")[0].job.id == job.id
    copy.close()


def test_a_backup_writes_over_nothing_and_leaves_nothing_partial(store, tmp_path):
    (tmp_path / "precious").write_text("mine")
    for target, code in ((tmp_path / "precious", "backup_exists"), (tmp_path / "no" / "folder", "cannot_write")):
        with pytest.raises(InputError) as refused:
            store.backup(target)
        assert one_line(refused.value) == (code, 400)
    assert (tmp_path / "precious").read_text() == "mine"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["precious", "state"]


def test_work_goes_on_while_a_backup_is_written(store, complete, new_job, tmp_path):
    complete(store, "Words.", parts={"evidence": bytes(5 << 20)})
    thread = threading.Thread(target=store.backup, args=(tmp_path / "backup.sqlite3",))
    thread.start()
    for number in range(20):
        store.add(new_job(digest=f"n{number}"))
    thread.join()
    copy = SQLiteJobStore(tmp_path / "backup.sqlite3")
    assert 1 <= len(copy.list()) <= 21
    copy.close()


def test_nothing_heavy_and_no_server_is_imported():
    code = (
        "import sys, diarist.jobs.sqlite_store\n"
        "found = {'numpy', 'av', 'httpx', 'fastapi', 'uvicorn', 'onnxruntime'} & set(sys.modules)\n"
        "found |= {name for name in sys.modules if name.startswith(('diarist.server', 'diarist.audio'))}\n"
        "sys.exit(', '.join(found) or 0)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
