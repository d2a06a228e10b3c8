"""Windows that share batches, as they do on a GPU; here on the CPU, which computes the same."""

import itertools

import numpy as np
import pytest

from diarist.audio.audio import SAMPLE_RATE, Audio
from diarist.model.errors import EngineError
from diarist.transcription.lockstep import in_lockstep
from diarist.transcription.whisper import load_whisper


class Counting:
    """A model of CTranslate2 whose calls are counted, with the number of windows in each."""

    def __init__(self, model):
        self.model, self.calls = model, []

    def __getattr__(self, name):
        return getattr(self.model, name)

    def encode(self, features, **options):
        self.calls.append(("encode", features.shape[0]))
        return self.model.encode(features, **options)

    def generate(self, features, prompts, **options):
        self.calls.append(("generate", len(prompts)))
        return self.model.generate(features, prompts, **options)

    def align(self, features, start, tokens, frames, **options):
        self.calls.append(("align", len(tokens)))
        return self.model.align(features, start, tokens, frames, **options)


@pytest.fixture
def talk(reading, call):
    """A reader, and a call of two: three windows."""
    return Audio(np.concatenate([reading.samples[: 40 * SAMPLE_RATE], call.samples[: 20 * SAMPLE_RATE]]))


def told(words):
    return [(word.text, word.start, word.end, word.spaced) for word in words]


@pytest.mark.models
@pytest.mark.slow
def test_windows_in_batches_have_the_words_that_they_have_alone(talk):
    engine = load_whisper("whisper-base")
    alone = engine.transcribe(talk)
    with engine.weights.use() as network:
        network.model = counting = Counting(network.model)
        engine.batch = 3
        together = engine.transcribe(talk)
    assert told(together.words) == told(alone.words)
    assert together.language == alone.language
    sure = [[word.confidence for word in found.words] for found in (together, alone)]
    assert sure[0] == pytest.approx(sure[1], abs=0.005)
    sizes = dict.fromkeys(("encode", "generate", "align"), 0)
    for kind, size in counting.calls:
        sizes[kind] = max(sizes[kind], size)
    assert sizes == {"encode": 3, "generate": 3, "align": 3}


@pytest.mark.models
@pytest.mark.slow
def test_a_batch_that_does_not_fit_is_halved_until_it_does(talk):
    engine = load_whisper("whisper-tiny.en")
    alone = engine.transcribe(talk)

    class Small(Counting):
        def encode(self, features, **options):
            if features.shape[0] > 1:
                raise RuntimeError("CUDA failed with error out of memory")
            return super().encode(features, **options)

    with engine.weights.use() as network:
        network.model = small = Small(network.model)
        engine.batch = 4
        assert told(engine.transcribe(talk).words) == told(alone.words)
    assert small.calls

    class Tiny(Counting):
        def encode(self, features, **options):
            raise RuntimeError("CUDA failed with error out of memory")

    with engine.weights.use() as network:
        network.model = Tiny(small.model)
        with pytest.raises(EngineError, match="not enough memory"):
            engine.transcribe(talk)


class Adding:
    """A model whose encoder doubles numbers, and whose decoder adds what it is asked to add."""

    def __init__(self):
        self.batches = []

    def generate(self, output, prompts, **options):
        self.batches.append((len(prompts), tuple(options.items())))
        rows = np.array(output).tolist() if not isinstance(output, list) else output
        return [row[0] + prompt[0] for row, prompt in zip(rows, prompts, strict=True)]

    def encode(self, features, to_cpu=False):
        return (2 * np.array(features)).tolist()


@pytest.mark.parametrize("rounds", list(itertools.product([1, 2, 3], repeat=3)))
def test_each_gets_its_own_however_many_rounds_the_others_take(rounds):
    def work(number):
        def run(model):
            return [
                model.generate(model.encode(np.array([[number]], np.float32)), [[step]], beam=5)[0]
                for step in range(rounds[number])
            ]

        return run

    model = Adding()
    found = in_lockstep(model, [work(number) for number in range(3)])
    assert found == [[2.0 * number + step for step in range(rounds[number])] for number in range(3)]
    assert len(model.batches) == max(rounds)


def test_calls_that_ask_for_something_else_do_not_share_a_batch():
    def work(beam):
        return lambda model: model.generate(model.encode(np.array([[1]], np.float32)), [[0]], beam=beam)[0]

    model = Adding()
    assert in_lockstep(model, [work(1), work(5), work(5)]) == [2, 2, 2]
    assert {options for _, options in model.batches} == {(("beam", 1),), (("beam", 5),)}


def test_what_fails_in_one_window_is_told_when_all_have_ended():
    ended = []

    def fails(model):
        raise ValueError("broken")

    def goes_on(model):
        ended.append(model.generate(model.encode(np.array([[3]], np.float32)), [[1]])[0])

    with pytest.raises(ValueError, match="broken"):
        in_lockstep(Adding(), [goes_on, fails, goes_on])
    assert ended == [7, 7]


def test_a_failing_model_fails_every_window_that_asked():
    class Broken(Adding):
        def encode(self, features, to_cpu=False):
            raise RuntimeError("no")

    with pytest.raises(RuntimeError, match="no"):
        in_lockstep(Broken(), [lambda model: model.encode(np.array([[1]], np.float32))] * 3)
