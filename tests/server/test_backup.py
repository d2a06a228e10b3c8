"""A backup is taken while the server works; unpacked, it is a state folder that another server goes on from."""

import stat
import subprocess
import sys
import tarfile

import pytest

from diarist.model.errors import InputError
from diarist.server.backup import write_backup
from diarist.server.keys import Keys, Limits


def submit(client, recording):
    return client.post("/v1/jobs", files={"file": ("a.wav", recording)}).json()["id"]


def test_another_server_goes_on_from_it(start, scripted, wav, tmp_path):
    state, other = tmp_path / "state", tmp_path / "other"
    with Keys(state) as keys:
        key = keys.add("anna", Limits())
    first = start(scripted, use_keys=True)
    first.headers["authorization"] = f"Bearer {key}"
    done = submit(first, wav())
    first.get(f"/v1/jobs/{done}/events").read()
    edit = {"operations": [{"op": "replace", "first": 0, "stop": 1, "text": "Goodbye"}]}
    assert first.post(f"/v1/jobs/{done}/edits", json=edit, headers={"If-Match": '"0"'}).status_code == 200
    (state / "voices").mkdir()
    (state / "voices" / "all.json").write_text("{}")
    scripted.go.clear()
    under_way = submit(first, wav(3))

    write_backup(state, tmp_path / "backup.tar")
    assert stat.S_IMODE((tmp_path / "backup.tar").stat().st_mode) == 0o600
    assert not list(tmp_path.glob(".diarist-*"))
    with tarfile.open(tmp_path / "backup.tar") as archive:
        names = set(archive.getnames())
        archive.extractall(other, filter="data")
    assert {"jobs.db", "keys.db", "voices/all.json"} <= names
    assert sum(name.startswith("audio/") for name in names) == 1  # of the job under way, not of the one that is done

    scripted.go.set()
    second = start(scripted, state=other, use_keys=True)
    assert second.get("/v1/jobs").status_code == 401
    second.headers["authorization"] = f"Bearer {key}"
    assert "Goodbye" in second.get(f"/v1/jobs/{done}/result?format=txt").text
    second.get(f"/v1/jobs/{under_way}/events").read()
    assert second.get(f"/v1/jobs/{under_way}").json()["status"] == "completed"


def test_the_command_writes_one_and_no_file_is_overwritten(start, scripted, wav, tmp_path):
    submit(start(scripted), wav())
    command = [sys.executable, "-m", "diarist", "serve", "--state", tmp_path / "state", "--backup", tmp_path / "b.tar"]
    made = subprocess.run(command, capture_output=True, text=True, check=False)
    assert made.returncode == 0, made.stderr
    assert "unpack" in made.stdout + made.stderr
    before = (tmp_path / "b.tar").read_bytes()
    again = subprocess.run(command, capture_output=True, text=True, check=False)
    assert again.returncode == 2
    assert "already" in again.stderr
    assert (tmp_path / "b.tar").read_bytes() == before


def test_where_nothing_is_kept_none_is_made(tmp_path):
    with pytest.raises(InputError, match="No server has kept anything") as refused:
        write_backup(tmp_path / "nothing", tmp_path / "backup.tar")
    assert refused.value.code == "no_state"
    assert not (tmp_path / "nothing").exists()


def test_a_folder_that_is_not_there_is_said_in_one_line(start, scripted, wav, tmp_path):
    submit(start(scripted), wav())
    with pytest.raises(InputError, match="Cannot write") as refused:
        write_backup(tmp_path / "state", tmp_path / "nowhere" / "backup.tar")
    assert refused.value.code == "cannot_write"
