"""The Parakeet engine on a scripted network that says "Hello world this is a test." over loud sound."""

import itertools
import shutil

import numpy as np
import pytest

from diarist.audio.audio import SAMPLE_RATE, Audio
from diarist.model.errors import Cancelled, EngineError, InputError, WeightsError
from diarist.model.options import Options
from diarist.model.timeline import Span
from diarist.transcription.parakeet import load_parakeet
from diarist.transcription.parakeet_onnx import quantisation

from . import tiny
from .conftest import sixteen_bit, sounds


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tiny.scripted(tmp_path_factory.mktemp("model") / "scripted")


@pytest.fixture(scope="module")
def engine(folder):
    return load_parakeet(str(folder))


def spoken(engine, audio, **options):
    return [word.text for word in engine.transcribe(audio, Options(**options)).words]


def window(engine, samples, **options):
    with engine.weights.use() as backend:
        return engine.recognise(backend, [samples], [Span(5, 5 + len(samples) / SAMPLE_RATE)], Options(**options))[0]


@pytest.fixture(scope="module")
def loud():
    """2 s of noise between silences."""
    time = np.arange(4 * SAMPLE_RATE) / SAMPLE_RATE
    return (np.random.default_rng(0).normal(0, 0.2, len(time)) * ((time > 1) & (time < 3))).astype(np.float32)


def test_words_get_times_from_frames_and_durations(engine, loud):
    words = window(engine, loud)
    assert [w.text for w in words[:6]] == ["Hello", "world", "this", "is", "a", "test."]
    assert [round(w.duration, 2) for w in words[:6]] == [0.32, 0.32, 0.24, 0.16, 0.08, 0.32]
    assert 5.8 < words[0].start < 6.4
    assert words[-1].end < 8.4
    assert all(0.9 < w.confidence < 1 for w in words)


def test_real_speech_gives_words_in_order(engine, call):
    found = engine.transcribe(call)
    assert found.words
    assert found.language == "en"
    assert all(a.end <= b.start for a, b in itertools.pairwise(found.words))
    assert found.model.engine.startswith("onnxruntime")


def test_silence_noise_and_music_give_no_words(engine):
    said = {name: spoken(engine, audio) for name, audio in sounds().items()}
    assert said == {name: [] for name in said}


@pytest.mark.parametrize("samples", [0, 1, 100, 1279, 1280, 5000])
def test_next_to_nothing_is_no_trouble(engine, samples):
    assert engine.transcribe(sixteen_bit(np.full(samples, 0.3))).words == ()
    assert window(engine, np.full(max(1, samples), 0.3, np.float32)) is not None


def test_a_batch_gives_what_each_window_alone_gives(engine, loud):
    windows = [loud, loud[: 2 * SAMPLE_RATE], loud[SAMPLE_RATE:]]
    spans = [Span(0, 4), Span(10, 12), Span(20, 23)]
    with engine.weights.use() as backend:
        together = engine.recognise(backend, windows, spans)
        alone = [engine.recognise(backend, [w], [s])[0] for w, s in zip(windows, spans, strict=True)]
    assert together == alone


def test_hotwords_win_over_a_close_rival(tmp_path, loud):
    engine = load_parakeet(str(tiny.scripted(tmp_path / "m", rival={"▁yes": 3.4, "▁Jell": 3.2})))
    assert window(engine, loud)[0].text == "yes"
    assert window(engine, loud, hotwords=("Jello",))[0].text == "Jell"
    assert window(engine, loud, hotwords=("hello world",))[0].text == "Hello"


@pytest.mark.parametrize(
    ("options", "says", "way_out"),
    [
        ({"language": "de"}, "knows English only, not 'de'", "parakeet-tdt-0.6b-v3"),
        ({"language": "ja"}, "knows English only, not 'ja'", "whisper-base"),
        ({"task": "translate"}, "cannot translate", "whisper-base"),
        ({"temperature": 0.5}, "decodes without chance", "Leave"),
    ],
)
def test_what_it_cannot_do_is_refused_by_name(engine, call, options, says, way_out):
    with pytest.raises(InputError, match=says) as caught:
        engine.transcribe(call, Options(**options))
    assert "scripted" in caught.value.message
    assert way_out in caught.value.hint


def test_progress_grows_to_one_and_can_stop_the_work(engine, call):
    seen = []
    engine.transcribe(call, progress=lambda stage, done: seen.append(done))
    assert seen == sorted(seen)
    assert seen[-1] == 1

    def stop(stage, done):
        if done > 0:
            raise Cancelled

    with pytest.raises(Cancelled):
        engine.transcribe(call, progress=stop)


class TestBadFolders:
    @pytest.fixture
    def copy(self, folder, tmp_path):
        shutil.copytree(folder, tmp_path / "m")
        return tmp_path / "m"

    def refused(self, folder):
        with pytest.raises(WeightsError) as caught:
            load_parakeet(str(folder))
        return caught.value.message

    @pytest.mark.parametrize("name", ["encoder-model.onnx", "decoder_joint-model.onnx"])
    def test_a_truncated_graph(self, copy, name):
        data = (copy / name).read_bytes()
        (copy / name).write_bytes(data[: len(data) // 2])
        assert "cannot be loaded" in self.refused(copy)

    def test_a_missing_graph(self, copy):
        (copy / "decoder_joint-model.onnx").unlink()
        assert "lacks" in self.refused(copy)

    def test_graphs_swapped(self, copy):
        shutil.copy(copy / "encoder-model.onnx", copy / "decoder_joint-model.onnx")
        assert "does not hold the graphs" in self.refused(copy)

    def test_a_vocabulary_of_another_model(self, copy):
        pieces = [f"p{i} {i}\n" for i in range(500)]
        (copy / "vocab.txt").write_text("".join([*pieces, "<blk> 500\n"]), encoding="utf-8")
        assert "another model" in self.refused(copy)

    def test_another_number_of_bands(self, copy):
        (copy / "config.json").write_text('{"features_size": 80}')
        assert "do not fit" in self.refused(copy)

    def test_a_configuration_that_is_none(self, copy):
        (copy / "config.json").write_text("[")
        assert "cannot be read" in self.refused(copy)

    def test_an_empty_folder(self, tmp_path):
        assert "lacks" in self.refused(tmp_path)


def test_the_cheapest_complete_pair_of_graphs_is_taken(folder, tmp_path):
    shutil.copytree(folder, tmp_path / "m")
    for suffix in (".int8", ".int8mm"):
        shutil.copy(folder / "encoder-model.onnx", tmp_path / "m" / f"encoder-model{suffix}.onnx")
    assert quantisation(tmp_path / "m") == ""
    shutil.copy(folder / "decoder_joint-model.onnx", tmp_path / "m" / "decoder_joint-model.int8.onnx")
    assert quantisation(tmp_path / "m") == ".int8"
    shutil.copy(folder / "decoder_joint-model.onnx", tmp_path / "m" / "decoder_joint-model.int8mm.onnx")
    assert quantisation(tmp_path / "m") == ".int8mm"


def test_a_conversion_for_the_cpu_is_not_run_on_cuda(folder):
    with pytest.raises(InputError, match="conversion for the CPU"):
        load_parakeet(str(folder), device="cuda")
    with pytest.raises(InputError, match="no device 'tpu'"):
        load_parakeet(str(folder), device="tpu")


def test_a_snapshot_of_a_hub_cache_is_read_through_its_links(folder, call, tmp_path):
    blobs, snapshot = tmp_path / "blobs", tmp_path / "snapshots" / "abc"
    blobs.mkdir()
    snapshot.mkdir(parents=True)
    for number, path in enumerate(sorted(folder.iterdir())):
        shutil.copy(path, blobs / str(number))
        (snapshot / path.name).symlink_to(blobs / str(number))
    assert load_parakeet(str(snapshot)).transcribe(call).words == load_parakeet(str(folder)).transcribe(call).words


def test_long_audio_equals_its_windows_one_by_one(engine, call):
    rows = [call.samples, np.zeros(8 * SAMPLE_RATE, np.float32)] * 3
    joined = engine.transcribe(Audio(np.concatenate(rows)))
    alone = engine.transcribe(Audio(np.concatenate(rows[:2])))
    assert len(joined.words) == pytest.approx(3 * len(alone.words), rel=0.1)


def test_a_failing_backend_is_an_engine_error(engine, loud, monkeypatch):
    with engine.weights.use() as backend:
        monkeypatch.setattr(backend, "_state", [(2, 5), (2, 5)])
        with pytest.raises(EngineError, match="ONNX Runtime failed"):
            engine.recognise(backend, [loud], [Span(0, 4)])
