"""Recordings made of real speech, and pools that need no processes."""

import pickle
import random
import sys
from pathlib import Path

import numpy as np
import pytest

from diarist.audio.audio import SAMPLE_RATE, Audio
from diarist.audio.decode import decode
from diarist.weights.fetch import ensure

sys.path.append(str(Path(__file__).parent))  # modules beside this one, as processes find them


class Here:
    """A pool in this process: tasks and results are pickled, as if they came from far, and finish in any order."""

    slots = 2

    def __init__(self, work, seed=0):
        self.work, self.chance, self.held, self.next = work, random.Random(seed), {}, 0

    def submit(self, payload, *, alone=False, limit=None):
        self.next += 1
        self.held[self.next] = pickle.dumps(payload)
        return self.next

    def wait(self, handles, seconds):
        assert set(handles) == set(self.held)
        handle = self.chance.choice(list(self.held))
        return [(handle, pickle.loads(pickle.dumps(self.work(pickle.loads(self.held.pop(handle))))))]

    def lost(self):
        return ()


@pytest.fixture(scope="session")
def here():
    return Here


@pytest.fixture(scope="session")
def call():
    """A telephone call of 30 s between two people."""
    return decode(ensure("sample-telephone") / "sample.wav").samples


@pytest.fixture(scope="session")
def reading():
    """44 s of one reader."""
    return decode(ensure("sample-reader") / "two_cities.wav").samples


@pytest.fixture(scope="session")
def conversation(call, reading):
    """Near five minutes, of which speech goes on over 128 s and 256 s, where units of 128 chunks end."""
    chance = np.random.default_rng(5)
    whole = chance.normal(0, 0.0003, 280 * SAMPLE_RATE)
    for start, speech, loudness in ((3, call[: 12 * SAMPLE_RATE], 0.5), (96, reading, 0.9), (236, call, 0.7)):
        whole[start * SAMPLE_RATE :][: len(speech)] += loudness * speech
    return Audio((np.rint(whole * 32768) / 32768).clip(-1, 32767 / 32768).astype(np.float32))


@pytest.fixture(scope="session")
def scripted_package(tmp_path_factory):
    """The folder of an installed package with the scripted engine of `archivists`."""
    import archivists

    return archivists.install(tmp_path_factory.mktemp("scripted"))
