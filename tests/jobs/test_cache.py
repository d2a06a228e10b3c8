"""Transcripts by content: kept within bounds, shared while under way, and never the cause of an error."""

import os
import time

import pytest

from diarist.jobs.cache import ResultCache, cache_key
from diarist.model.errors import InputError
from diarist.model.options import Options
from diarist.model.transcript import ModelInfo, Segment, Transcript, Word

MODELS = (ModelInfo("transcription", "t", None, "e"), ModelInfo("diarization", "d", None, "e"))


def transcript(text="hello", models=MODELS):
    words = (Word(0, 1, text),)
    return Transcript(
        duration=1.0, language="en", speakers=(), segments=(Segment(0, 1, None, text, words),), turns=(), models=models
    )


def test_a_key_is_the_recording_the_options_and_what_does_the_work():
    keys = {
        cache_key(audio, options, revision)
        for audio in ("one", "two")
        for options in (Options(), Options(max_speakers=2))
        for revision in ("1.0", "1.1")
    }
    assert len(keys) == 8
    assert cache_key("one", Options(), "1.0") == cache_key("one", Options(), "1.0")


def key(number=0):
    return cache_key(str(number), Options(), "1.0")


def kept(folder):
    return [path for path in folder.rglob("*") if path.is_file()]


@pytest.mark.parametrize("scheme", ["file", "memory"])
def test_what_is_put_comes_back(scheme, tmp_path):
    cache = ResultCache(f"{scheme}://{tmp_path}/deep")
    assert cache.get(key()) is None
    cache.put(key(), transcript())
    assert cache.get(key()) == transcript()


@pytest.mark.parametrize(("days", "used"), [(6, True), (6.9, True), (7.1, False), (30, False)])
def test_one_is_used_for_a_week(days, used, tmp_path):
    cache = ResultCache(f"file://{tmp_path}")
    cache.put(key(), transcript())
    (file,) = kept(tmp_path)
    then = time.time() - days * 24 * 3600
    os.utime(file, (then, then))
    assert (cache.get(key()) is not None) == used


def test_the_oldest_go_when_there_are_too_many_bytes(tmp_path, monkeypatch):
    monkeypatch.setattr("diarist.jobs.cache._TIDY_SECONDS", 0)
    cache = ResultCache(f"file://{tmp_path}", max_bytes=1500)
    for number in range(6):
        cache.put(key(number), transcript("x" * 300))
        for path in kept(tmp_path):
            os.utime(path, (path.stat().st_atime - 10,) * 2)
    assert sum(path.stat().st_size for path in kept(tmp_path)) <= 1500
    assert cache.get(key(0)) is None
    assert cache.get(key(5)) is not None


def test_it_deletes_nothing_that_it_did_not_write(tmp_path, monkeypatch):
    monkeypatch.setattr("diarist.jobs.cache._TIDY_SECONDS", 0)
    names = ["meeting.wav", "models/model.bin", "a" * 64 + ".json", "diarist-results/notes.json", "diarist-results/x"]
    others = [tmp_path / name for name in names]
    for path in others:
        path.parent.mkdir(exist_ok=True)
        path.write_text("x" * 5000)
        os.utime(path, (0, 0))
    cache = ResultCache(f"file://{tmp_path}", max_bytes=1500)
    for number in range(6):
        cache.put(key(number), transcript("x" * 300))
    assert all(path.read_text() == "x" * 5000 for path in others)
    assert len(kept(tmp_path)) < len(others) + 6


def test_a_draft_that_a_dead_worker_left_goes_too(tmp_path, monkeypatch):
    monkeypatch.setattr("diarist.jobs.cache._TIDY_SECONDS", 0)
    cache = ResultCache(f"file://{tmp_path}")
    cache.put(key(), transcript())
    (file,) = kept(tmp_path)
    draft = file.with_name(f"{file.name}.{'0' * 32}.part")
    draft.write_text("half")
    os.utime(draft, (0, 0))
    cache.put(key(1), transcript())
    assert not draft.exists()


def test_a_damaged_one_is_a_miss(tmp_path):
    cache = ResultCache(f"file://{tmp_path}")
    cache.put(key(), transcript())
    (file,) = kept(tmp_path)
    file.write_text('{"half": ')
    assert cache.get(key()) is None


def test_a_cache_that_cannot_be_written_is_no_error(tmp_path):
    (tmp_path / "file").write_text("")
    ResultCache(f"file://{tmp_path}/file/below").put(key(), transcript())


def test_an_unknown_scheme_is_refused():
    with pytest.raises(InputError, match="DIARIST_CACHE_URL"):
        ResultCache("nowhere://x")
