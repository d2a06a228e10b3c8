"""``diarist keys``: a key is printed once, listed without its secret, and revoked."""

import json

import pytest

from diarist.server.keys import Keys


@pytest.fixture
def keys(diarist, tmp_path):
    """Run ``diarist keys …`` with a state folder of its own."""
    return lambda *arguments: diarist("keys", *arguments, "--state", tmp_path / "state")


def test_a_key_is_printed_alone_and_opens_the_door(keys, tmp_path):
    made = keys("add", "anna", "--rpm", "60", "--concurrent", "4", "--audio-hours-per-day", "2.5")
    assert made.returncode == 0
    assert "only now" in made.stderr
    with Keys(tmp_path / "state") as known:
        caller = known.find(made.stdout.rstrip("\n"))
    assert caller.name == "anna"
    listed = keys("list")
    assert "anna" in listed.stdout
    assert "60 requests a minute, 4 jobs at a time, 2.5 hours of audio a day" in listed.stdout
    assert made.stdout.strip() not in listed.stdout
    (row,) = json.loads(keys("list", "--json").stdout)
    assert (row["id"], row["name"], row["rpm"]) == (caller.id, "anna", 60)


def test_a_key_is_revoked_once(keys):
    keys("add", "anna")
    assert keys("revoke", "anna").returncode == 0
    again = keys("revoke", "anna")
    assert (again.returncode, again.stdout) == (2, "")
    assert again.stderr.startswith("error: There is no key 'anna'.")
    assert "keys add" in keys("list").stderr


def test_the_voices_that_a_key_added_go_with_it(keys, tmp_path):
    keys("add", "anna")
    keys("add", "ben")
    anna, ben = (row["id"] for row in json.loads(keys("list", "--json").stdout))
    folder = tmp_path / "state" / "voices"
    folder.mkdir()
    for owner in (anna, ben):
        (folder / f"{owner}.json").write_text("{}")
    assert keys("revoke", "anna").returncode == 0
    assert [path.stem for path in folder.iterdir()] == [ben]


def test_a_limit_of_nothing_is_refused_before_anything_is_made(keys, tmp_path):
    refused = keys("add", "anna", "--rpm", "0")
    assert refused.returncode == 2
    assert "rpm" in refused.stderr
    assert not (tmp_path / "state").exists()
