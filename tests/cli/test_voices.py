"""A voice learned from one part of a recording is known in another, and a stranger's is not."""

import json
import os
import wave

import pytest

from diarist.weights.fetch import ensure

pytestmark = pytest.mark.models


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return tmp_path_factory.mktemp("voices") / "voices.json"


@pytest.fixture(scope="module")
def run(diarist, store):
    """Run ``diarist …`` with a store of its own."""
    return lambda *arguments: diarist(*arguments, env={**os.environ, "DIARIST_VOICES": str(store)})


@pytest.fixture(scope="module")
def reader(tmp_path_factory):
    """The reader's first 12 s, and 12 s from later on."""
    folder = tmp_path_factory.mktemp("reader")
    with wave.open(str(ensure("sample-reader") / "two_cities.wav")) as source:
        rate = source.getframerate()
        for name, start in (("first", 0), ("later", 20)):
            source.setpos(start * rate)
            with wave.open(str(folder / f"{name}.wav"), "wb") as target:
                target.setparams(source.getparams())
                target.writeframes(source.readframes(12 * rate))
    return folder


def test_without_voices_naming_says_how_to_add_one(run, call):
    assert "diarist voices add" in run("voices", "list").stdout
    done = run("transcribe", call, "--speakers-named")
    assert done.returncode == 2
    assert "diarist voices add" in done.stderr


def test_a_voice_needs_consent_and_one_person(run, call, reader):
    assert run("voices", "add", "Reader", reader / "first.wav", "--consent", " ").returncode == 2
    done = run("voices", "add", "Both", call, "--consent", "asked")
    assert done.returncode == 2
    assert "2 voices" in done.stderr


def test_a_known_voice_is_named_and_strangers_are_not(run, call, reader, store):
    added = run("voices", "add", "Charles Reader", reader / "first.wav", "--consent", "a public domain recording")
    assert added.returncode == 0, added.stderr
    (voice,) = json.loads(run("voices", "list", "--json").stdout)
    assert voice["name"] == "Charles Reader"
    assert voice["consent"] == "a public domain recording"
    named = run("transcribe", reader / "later.wav", "--speakers-named", "-f", "json")
    assert json.loads(named.stdout)["speakers"] == ["Charles Reader"]
    strangers = run("transcribe", call, "--speakers-named", "-f", "json")
    assert json.loads(strangers.stdout)["speakers"] == ["SPEAKER_00", "SPEAKER_01"]
    assert run("voices", "remove", "Charles Reader").returncode == 0
    assert json.loads(store.read_text())["voices"] == []
