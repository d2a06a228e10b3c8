"""A part of a recording gives the words that it has in the whole, wherever it is heard."""

import itertools
import pickle
from dataclasses import replace

import numpy as np
import pytest

from diarist.audio.audio import SAMPLE_RATE, Audio
from diarist.model.options import Options
from diarist.transcription.base import PartwiseTranscriber
from diarist.transcription.parakeet import load_parakeet
from diarist.transcription.whisper import load_whisper

from . import tiny

pytestmark = pytest.mark.models


@pytest.fixture(scope="module")
def engines(tmp_path_factory):
    return {
        "whisper": load_whisper("whisper-tiny.en"),
        "parakeet": load_parakeet(str(tiny.scripted(tmp_path_factory.mktemp("parakeet") / "scripted"))),
    }


@pytest.fixture(scope="module")
def talk(reading, call):
    """A pause, a reader who is cut short, a call, and a pause."""
    quiet = np.zeros(7 * SAMPLE_RATE, np.float32)
    return Audio(np.concatenate([quiet, reading.samples[: 41 * SAMPLE_RATE], call.samples, quiet]))


def heard_in_parts(engine, audio, outline, edges, options=Options()):
    """The words of each window, each part of them heard from its own samples alone, the last part first."""
    found = {}
    for first, last in reversed(list(itertools.pairwise(edges))):
        part = pickle.loads(pickle.dumps(outline.part(first, last)))
        start = min(round(window.heard.start * SAMPLE_RATE) for window in part.windows)
        end = max(round(window.heard.end * SAMPLE_RATE) for window in part.windows)
        own = Audio(audio.samples[start:end].copy())
        found[first] = engine.hear(own, part, start, options)
    return list(itertools.chain.from_iterable(found[first] for first in sorted(found)))


@pytest.mark.parametrize("name", ["whisper", "parakeet"])
@pytest.mark.slow
def test_the_words_of_all_parts_are_those_of_the_whole(engines, talk, name):
    engine = engines[name]
    whole = engine.transcribe(talk)
    outline = engine.outline(talk)
    assert len(whole.words) > 50
    assert len(outline.windows) >= 3
    for edges in ([0, len(outline.windows)], range(len(outline.windows) + 1)):
        found = engine.gather(outline, heard_in_parts(engine, talk, outline, edges))
        assert replace(found, timings={}) == replace(whole, timings={})


def test_a_word_that_is_cut_between_two_parts_is_heard_by_both_and_told_once(engines, reading):
    # 44 s without a pause of half a second
    voice = reading.samples[np.abs(reading.samples).argmax() :][: 36 * SAMPLE_RATE]
    audio = Audio(voice)
    engine = engines["whisper"]
    outline = engine.outline(audio)
    found = heard_in_parts(engine, audio, outline, range(len(outline.windows) + 1))
    assert engine.gather(outline, found).words == engine.transcribe(audio).words


def test_the_language_is_told_once_for_all_parts(call):
    engine = load_whisper("whisper-base")
    outline = engine.outline(call)
    assert outline.language == outline.part(0, 1).language == "en"
    assert engine.outline(call, Options(language="de")).language == "de"


@pytest.mark.parametrize("name", ["whisper", "parakeet"])
def test_silence_has_an_outline_without_windows(engines, name):
    silent = Audio(np.zeros(3 * SAMPLE_RATE, np.float32))
    outline = engines[name].outline(silent)
    assert outline.windows == ()
    assert replace(engines[name].gather(outline, []), timings={}) == replace(
        engines[name].transcribe(silent), timings={}
    )
    assert isinstance(engines[name], PartwiseTranscriber)
