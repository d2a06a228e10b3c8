"""Keys are shown once, kept as hashes, and open nothing once they are revoked."""

import hashlib
import sqlite3
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest

from diarist.model.errors import InputError
from diarist.server.keys import Caller, Keys, Limits, state_folder

DAY = 86400


class Clock:
    now = 1_700_000_000.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def keys(tmp_path, clock):
    with Keys(tmp_path / "state", clock=clock) as keys:
        yield keys


def test_a_key_says_whose_it_is_and_what_it_may_use(keys):
    limits = Limits(rpm=60, concurrent=2, audio_hours_per_day=1.5)
    key = keys.add("anna", limits)
    caller = keys.find(key)
    assert (caller.name, caller.limits) == ("anna", limits)
    assert caller.id
    assert keys.find(keys.add("ben")).limits == Limits()


def test_two_keys_are_two_owners(keys):
    assert keys.find(keys.add("anna")).id != keys.find(keys.add("ben")).id


@pytest.mark.parametrize(
    "change",
    [
        lambda key: "",
        lambda key: "dk_",
        lambda key: "dk__",
        lambda key: key[:-1],
        lambda key: key + "a",
        lambda key: key.upper(),
        lambda key: key.rpartition("_")[0] + "_" + "A" * 43,
        lambda key: "sk-proj-1234",
        lambda key: "dk_\udcff_x",
        lambda key: "dk_é\x00_" + "x" * 100_000,
    ],
)
def test_what_is_no_key_opens_nothing(keys, change):
    key = keys.add("anna")
    assert keys.find(change(key)) is None


def test_neither_key_nor_session_is_in_the_file(keys):
    key = keys.add("anna")
    token = keys.open_session(keys.find(key))
    kept = b"".join(path.read_bytes() for path in keys.path.parent.iterdir())
    assert key.rpartition("_")[2].encode() not in kept
    assert token.encode() not in kept
    assert hashlib.sha256(key.encode()).digest() in kept


def test_only_its_owner_can_read_the_file(keys):
    keys.add("anna")
    assert {path.stat().st_mode & 0o077 for path in (keys.path.parent, *keys.path.parent.iterdir())} == {0}


def test_a_key_that_another_process_revokes_opens_nothing_from_then_on(keys, tmp_path):
    with Keys(tmp_path / "state") as other:
        key = other.add("anna")
        token = keys.open_session(keys.find(key))
        assert keys.find_session(token).name == "anna"
        other.revoke("anna")
    assert keys.find(key) is None
    assert keys.find_session(token) is None
    assert keys.list() == ()


def test_a_key_that_was_just_revoked_signs_nobody_in(keys):
    anna = keys.find(keys.add("anna"))
    keys.revoke("anna")
    with pytest.raises(InputError) as caught:
        keys.open_session(anna)
    assert caught.value.http_status == 401


def test_a_file_that_breaks_while_the_server_runs_is_its_own_fault_and_tells_no_path(keys, tmp_path):
    key = keys.add("anna")
    with closing(sqlite3.connect(keys.path)) as database:
        database.execute("DROP TABLE keys")
    with pytest.raises(InputError) as caught:
        keys.find(key)
    assert caught.value.http_status == 500
    assert str(tmp_path) not in str(caught.value)


def test_a_key_is_revoked_by_its_id_too(keys):
    key = keys.add("anna")
    keys.revoke(keys.find(key).id)
    assert keys.find(key) is None


@pytest.mark.parametrize("name", ["nobody", "", "\udcff", "' OR 1=1"])
def test_what_is_not_there_cannot_be_revoked(keys, name):
    keys.add("anna")
    with pytest.raises(InputError, match="There is no key"):
        keys.revoke(name)
    assert len(keys.list()) == 1


@pytest.mark.parametrize("name", ["", "  ", "a" * 101, "a\x1b[2J", "\udcff"])
def test_a_name_can_be_printed(keys, name):
    with pytest.raises(InputError, match="name"):
        keys.add(name)


def test_a_name_is_taken_once(keys):
    keys.add("anna")
    with pytest.raises(InputError, match="already") as caught:
        keys.add("  anna ")
    assert "revoke" in caught.value.hint


@pytest.mark.parametrize("field", ["rpm", "concurrent", "audio_hours_per_day"])
@pytest.mark.parametrize("value", [0, -1, float("nan"), float("inf"), 10**30])
def test_a_limit_is_more_than_nothing(field, value):
    with pytest.raises(InputError, match=field):
        Limits(**{field: value})


def test_a_browser_is_signed_out_after_a_week(keys, clock):
    token = keys.open_session(keys.find(keys.add("anna")))
    clock.now += 7 * DAY - 1
    assert keys.find_session(token).name == "anna"
    clock.now += 1
    assert keys.find_session(token) is None


def test_sessions_that_are_over_do_not_pile_up(keys, clock):
    anna, ben = keys.find(keys.add("anna")), keys.find(keys.add("ben"))
    keys.open_session(anna)
    clock.now += 8 * DAY
    keys.open_session(ben)
    with closing(sqlite3.connect(keys.path)) as database:
        assert database.execute("SELECT count(*) FROM sessions").fetchone() == (1,)


def test_a_browser_signs_out_and_another_stays(keys):
    anna = keys.find(keys.add("anna"))
    first, second = keys.open_session(anna), keys.open_session(anna)
    keys.close_session(first)
    assert keys.find_session(first) is None
    assert keys.find_session(second) == anna


def test_sessions_of_a_key_are_bounded_and_the_oldest_goes(keys, clock):
    anna, ben = keys.find(keys.add("anna")), keys.find(keys.add("ben"))
    first, bens = keys.open_session(anna), keys.open_session(ben)
    for _ in range(100):
        clock.now += 1
        last = keys.open_session(anna)
    assert keys.find_session(first) is None
    assert keys.find_session(last) == anna
    assert keys.find_session(bens) == ben


def test_many_threads_may_ask(keys):
    key = keys.add("anna")
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda n: keys.add(f"k{n}") if n % 4 == 0 else keys.find(key), range(80)))
    assert all(found)
    assert len(keys.list()) == 21


def test_several_processes_may_make_the_file_at_once(tmp_path):
    lines = "import sys; from pathlib import Path; from diarist.server.keys import Keys"
    code = f"{lines}; [Keys(Path(sys.argv[1])).add(sys.argv[2] + str(n)) for n in range(10)]"
    command = [sys.executable, "-c", code, str(tmp_path / "state")]
    started = [subprocess.Popen([*command, letter], stderr=subprocess.PIPE, text=True) for letter in "abcd"]
    assert [process.communicate()[1] for process in started] == ["", "", "", ""]
    with Keys(tmp_path / "state") as keys:
        assert len(keys.list()) == 40


def test_a_file_that_is_none_of_ours_is_refused(tmp_path):
    (tmp_path / "keys.db").write_bytes(b"no database" * 100)
    with pytest.raises(InputError, match="not a database"):
        Keys(tmp_path)


def test_a_file_of_a_newer_diarist_is_left_alone(tmp_path):
    database = sqlite3.connect(tmp_path / "keys.db")
    database.execute("PRAGMA user_version = 99")
    database.close()
    with pytest.raises(InputError, match="newer"):
        Keys(tmp_path)


def test_a_folder_that_cannot_be_is_refused(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="Cannot use") as caught:
        Keys(tmp_path / "file" / "state")
    assert "--state" in caught.value.hint


def test_the_state_folder_is_as_asked_else_named_else_the_users(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "user"))
    monkeypatch.delenv("DIARIST_STATE", raising=False)
    assert state_folder().name == "server"
    monkeypatch.setenv("DIARIST_STATE", str(tmp_path / "named"))
    assert state_folder() == tmp_path / "named"
    assert state_folder(Path("asked")) == Path("asked")


def test_without_keys_a_caller_has_no_id_and_no_limits():
    assert Caller() == Caller(id="", name="", limits=Limits(None, None, None))
