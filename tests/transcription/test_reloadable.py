"""Weights are loaded once, kept while in use, and really let go."""

import ctypes
import gc
import sys
import threading
import time
import weakref
from pathlib import Path

import pytest

from diarist.transcription.parakeet import load_parakeet
from diarist.transcription.reloadable import Reloadable
from diarist.transcription.whisper import load_whisper

from . import tiny


class Large:
    pass


def resident_mb():
    return int(Path("/proc/self/status").read_text().split("VmRSS:")[1].split()[0]) / 1024


@pytest.fixture
def loads():
    return []


@pytest.fixture
def load(loads):
    def make():
        loads.append(Large())
        return loads[-1]

    return make


def test_it_is_loaded_at_once_and_only_once(load, loads):
    resident = Reloadable(load)
    assert resident.loaded
    for _ in range(3):
        with resident.use() as held:
            assert held is loads[0]
    assert len(loads) == 1


def test_many_threads_share_one(load, loads):
    resident = Reloadable(load)
    resident.unload()
    seen = []

    def work():
        with resident.use() as held:
            seen.append(held)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(map(id, seen))) == 1
    assert len(loads) == 2


def test_unloading_frees_it_and_the_next_use_loads_it_again():
    resident = Reloadable(Large)
    with resident.use() as held:
        alive = weakref.ref(held)
        resident.unload()
        assert alive() is held  # still in use here
    del held
    gc.collect()
    assert alive() is None
    assert not resident.loaded
    with resident.use():
        assert resident.loaded


def test_it_is_unloaded_when_idle_but_not_while_in_use():
    resident = Reloadable(Large, idle_seconds=0.05)
    with resident.use():
        time.sleep(0.2)
        assert resident.loaded
    deadline = time.monotonic() + 5
    while resident.loaded and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not resident.loaded


@pytest.mark.models
def test_engines_go_on_after_their_weights_were_unloaded(call, tmp_path):
    for engine in (load_whisper("whisper-tiny.en"), load_parakeet(str(tiny.scripted(tmp_path)))):
        before = engine.transcribe(call).words
        engine.weights.unload()
        assert not engine.weights.loaded
        assert engine.transcribe(call).words == before
        assert engine.weights.loaded


@pytest.mark.skipif(
    sys.platform != "linux" or not hasattr(ctypes.CDLL(None), "malloc_trim"), reason="glibc alone keeps it"
)
def test_unloading_returns_memory_to_the_system():
    pinned = []

    def make():
        pieces = [bytes(60_000) for _ in range(2000)]  # too small to be mapped by themselves
        pinned.append(bytes(60_000))  # keeps the heap from shrinking by itself
        return pieces

    resident = Reloadable(make)
    full = resident_mb()
    resident.unload()
    assert full - resident_mb() > 80
