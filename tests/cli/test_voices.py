"""A voice learned from one part of a recording is known in another, and a stranger's is not."""

import json
import os
import shutil
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


@pytest.mark.slow
def test_a_voice_is_learnt_from_a_speaker_of_a_transcript(run, call, tmp_path, store):
    shutil.copy(call, tmp_path / "call.wav")
    saved = tmp_path / "call.json"
    assert run("transcribe", tmp_path / "call.wav", "-f", "json", "-o", tmp_path).returncode == 0
    added = run("voices", "add", "Anna", "--from", saved, "--speaker", "SPEAKER_00", "--consent", "asked")
    assert added.returncode == 0, added.stderr
    assert "SPEAKER_00 in call.wav at 0:" in added.stdout
    named = json.loads(run("transcribe", call, "--speakers-named", "-f", "json").stdout)
    before = json.loads(saved.read_text())["segments"]
    assert [s["start"] for s in named["segments"] if s["speaker"] == "Anna"] == [
        s["start"] for s in before if s["speaker"] == "SPEAKER_00"
    ]
    assert json.loads(store.read_text())["voices"][0]["seconds"] >= 3
    assert run("voices", "remove", "Anna").returncode == 0


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ((), "CLIP or --from"),
        (("clip.wav", "--from", "call.json"), "CLIP or --from"),
        (("clip.wav", "--speaker", "SPEAKER_00"), "go with --from"),
        (("--from", "call.json"), "--speaker LABEL: SPEAKER_00, SPEAKER_01"),
        (("--from", "call.json", "--speaker", "SPEAKER_0"), "Did you mean SPEAKER_00?"),
        (("--from", "call.json", "--speaker", "SPEAKER_00"), "--recording FILE"),
        (("--from", "call.json", "--speaker", "SPEAKER_01"), "never talks alone"),
    ],
)
def test_where_a_voice_comes_from_is_checked_before_any_work(diarist, save, tmp_path, arguments, says):
    save(tmp_path / "call.json")
    done = diarist("voices", "add", "Anna", *arguments, "--consent", "asked", cwd=tmp_path)
    assert done.returncode == 2
    assert says in done.stderr
