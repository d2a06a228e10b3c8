"""Transcripts by content: kept within bounds, shared while under way, and never the cause of an error."""

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


@pytest.mark.parametrize("scheme", ["file", "memory"])
def test_what_is_put_comes_back(scheme, tmp_path):
    cache = ResultCache(f"{scheme}://{tmp_path}/deep")
    assert cache.get("k") is None
    cache.put("k", transcript())
    assert cache.get("k") == transcript()


def test_old_ones_are_not_used(tmp_path):
    cache = ResultCache(f"file://{tmp_path}", max_age=0.05)
    cache.put("k", transcript())
    time.sleep(0.1)
    assert cache.get("k") is None


def test_the_oldest_go_when_there_are_too_many_bytes(tmp_path, monkeypatch):
    monkeypatch.setattr("diarist.jobs.cache._TIDY_SECONDS", 0)
    cache = ResultCache(f"file://{tmp_path}", max_bytes=1500)
    for number in range(6):
        cache.put(str(number), transcript("x" * 300))
        time.sleep(0.02)
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) <= 1500
    assert cache.get("0") is None
    assert cache.get("5") is not None


def test_a_damaged_one_is_a_miss(tmp_path):
    cache = ResultCache(f"file://{tmp_path}")
    cache.put("k", transcript())
    (tmp_path / "k.json").write_text('{"half": ')
    assert cache.get("k") is None


def test_a_cache_that_cannot_be_written_is_no_error(tmp_path):
    (tmp_path / "file").write_text("")
    ResultCache(f"file://{tmp_path}/file/below").put("k", transcript())


def test_an_unknown_scheme_is_refused():
    with pytest.raises(InputError, match="DIARIST_CACHE_URL"):
        ResultCache("nowhere://x")
