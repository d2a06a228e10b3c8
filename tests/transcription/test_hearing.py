"""Words as they come: handed over in order, once, and never taken back."""

import itertools
import threading

import numpy as np
import pytest

from diarist.audio.audio import SAMPLE_RATE, Audio
from diarist.model.errors import Cancelled
from diarist.model.options import Options
from diarist.model.transcript import ModelInfo, Transcription, Word
from diarist.transcription.base import transcribe_aloud
from diarist.transcription.hearing import Hearing
from diarist.transcription.parakeet import load_parakeet
from diarist.transcription.whisper import load_whisper

from . import tiny


class Told:
    """Who is told words, and how far the work was when the first came."""

    def __init__(self):
        self.parts, self.done, self.first, self.threads = [], 0.0, None, set()

    def progress(self, stage, done):
        self.done = done

    def __call__(self, words):
        assert words
        self.first = self.done if self.first is None else self.first
        self.threads.add(threading.current_thread())
        self.parts.append(tuple(words))

    @property
    def words(self):
        return tuple(itertools.chain(*self.parts))


@pytest.fixture(scope="module")
def long_reading(reading):
    """A minute and a half of speech that nowhere pauses for long."""
    return Audio(np.tile(reading.samples, 2))


def one_a_second(audio, seed=0):
    """A recogniser that hears one word a second, at slightly other times in each window."""
    chance = np.random.default_rng(seed)

    def recognise(spans):
        return [
            [
                Word(max(0.0, at + chance.uniform(-0.1, 0.1)), at + 0.5 + chance.uniform(-0.1, 0.1), f"w{at}", 0.9)
                for at in range(int(np.ceil(span.start)), int(span.end))
            ]
            for span in spans
        ]

    return recognise


@pytest.mark.models
@pytest.mark.parametrize("batch", [1, 2, 7])
def test_words_are_handed_over_in_parts_that_are_the_whole(long_reading, batch):
    told = Told()
    hearing = Hearing(long_reading, told.progress, told)
    words = hearing.recognise(one_a_second(long_reading), batch)
    assert told.words == words
    assert told.parts == [tuple(part) for part in told.parts if part]
    assert len(told.parts) >= len(hearing.windows) - 1
    assert all(a.end <= b.start for a, b in itertools.pairwise(words))
    assert told.done == 1.0


@pytest.mark.models
def test_words_beyond_the_end_of_the_recording_are_pushed_back_without_touching_those_handed_over(long_reading):
    def crowded(spans):
        """Three thousand words that all claim the end of their window."""
        return [[Word(span.end - 0.01, span.end + 1, "w", 0.9) for _ in range(3000)] for span in spans]

    told = Told()
    words = Hearing(long_reading, heard=told).recognise(crowded)
    assert told.words == words
    assert all(a.end <= b.start for a, b in itertools.pairwise(words))
    assert words[-1].end <= long_reading.duration


@pytest.mark.models
def test_silence_hands_over_nothing():
    told = Told()
    assert (
        Hearing(Audio(np.zeros(5 * SAMPLE_RATE, np.float32)), heard=told).recognise(lambda _: pytest.fail("asked"))
        == ()
    )
    assert told.parts == []


@pytest.mark.models
def test_whisper_hands_over_words_while_it_works(reading):
    engine = load_whisper("whisper-tiny.en")
    told = Told()
    found = engine.transcribe(reading, Options(), told.progress, told)
    assert told.words == found.words == engine.transcribe(reading).words
    assert "best of times" in " ".join(word.text for word in told.parts[0])
    assert len(told.parts) > 1
    assert told.first < 0.8


@pytest.mark.models
def test_parakeet_hands_over_words_while_it_works(long_reading, tmp_path):
    engine = load_parakeet(str(tiny.scripted(tmp_path / "scripted")))
    told = Told()
    found = engine.transcribe(long_reading, heard=told)
    assert told.words == found.words
    assert engine.transcribe(long_reading).words == found.words


@pytest.mark.models
def test_whoever_is_told_may_stop_the_work(long_reading):
    def stop(_):
        raise Cancelled

    with pytest.raises(Cancelled):
        load_whisper("whisper-tiny.en").transcribe(long_reading, heard=stop)


class Plain:
    """An engine that knows nothing of handing over."""

    model = ModelInfo("transcription", "plain", None, "plain 1")

    def __init__(self, *words):
        self.found = words

    def transcribe(self, audio, options=Options(), progress=lambda *_: None):
        progress("transcription", 1.0)
        return Transcription(words=self.found, language="en", duration=audio.duration, model=self.model)


class Streaming(Plain):
    def transcribe(self, audio, options=Options(), progress=lambda *_: None, heard=lambda _: None):
        for word in self.found:
            heard([word])
        return super().transcribe(audio, options, progress)


SECOND = Audio(np.zeros(SAMPLE_RATE, np.float32))
TWO = (Word(0.1, 0.3, "good"), Word(0.4, 0.6, "day"))


@pytest.mark.parametrize(("engine", "parts"), [(Plain, [TWO]), (Streaming, [TWO[:1], TWO[1:]])])
def test_any_engine_hands_over_its_words_if_only_at_the_end(engine, parts):
    told = Told()
    found = transcribe_aloud(engine(*TWO), SECOND, Options(), told.progress, told)
    assert found.words == TWO
    assert told.parts == parts
    assert told.threads == {threading.current_thread()}


def test_an_engine_without_words_tells_nothing():
    told = Told()
    assert transcribe_aloud(Plain(), SECOND, heard=told).words == ()
    assert told.parts == []
