"""Whisper on real speech, and on everything that is not."""

import itertools
import re
import shutil
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from diarist.attribution import attribute
from diarist.audio.audio import SAMPLE_RATE, Audio
from diarist.model.errors import Cancelled, InputError, WeightsError
from diarist.model.options import Options
from diarist.model.timeline import Span
from diarist.transcription.hallucinations import repeats
from diarist.transcription.vad import voice_probability, voice_regions
from diarist.transcription.whisper import believed, load_whisper
from diarist.weights.fetch import ensure

from .conftest import sixteen_bit, sounds

pytestmark = pytest.mark.models

TWO_CITIES = (
    "it was the best of times it was the worst of times it was the age of wisdom it was the age of foolishness it was "
    "the epoch of belief it was the epoch of incredulity it was the season of light it was the season of darkness it "
    "was the spring of hope it was the winter of despair we had everything before us we had nothing before us we were "
    "all going direct to heaven we were all going direct the other way in short the period was so far like the present "
    "period that some of its noisiest authorities insisted on its being received for good or for evil in the "
    "superlative degree of comparison only"
)


@pytest.fixture(scope="module")
def tiny():
    return load_whisper("whisper-tiny.en")


@pytest.fixture(scope="module")
def base():
    return load_whisper("whisper-base")


@pytest.fixture(scope="module")
def heard_call(tiny, call):
    return tiny.transcribe(call)


@pytest.fixture(scope="module")
def heard_reading(tiny, reading):
    """The words of the reading, and what was told on the way."""
    seen = []
    return tiny.transcribe(reading, progress=lambda stage, done: seen.append((stage, done))), seen


def plain(words):
    return [re.sub(r"[^\w']", "", w.text).lower() for w in words]


def test_a_reading_longer_than_a_window_comes_out_word_for_word(heard_reading, reading):
    found, _ = heard_reading
    assert " ".join(plain(found.words)) == TWO_CITIES
    assert found.language == "en"
    assert found.duration == reading.duration
    assert found.words[5].text in ("times,", "times.")
    assert "voice_detection" in found.timings


def test_words_follow_each_other_inside_the_recording(heard_call, call):
    found = heard_call
    assert len(found.words) > 60
    assert all(a.end <= b.start for a, b in itertools.pairwise(found.words))
    assert all(0 <= w.start < w.end <= call.duration for w in found.words)
    assert all(w.text == w.text.strip() and w.text for w in found.words)
    assert all(0 < w.confidence <= 1 for w in found.words)
    assert len({w.confidence for w in found.words}) > 30


def test_words_lie_where_the_voice_is(heard_call, call):
    regions = voice_regions(voice_probability(call.samples))
    assert all(any(r.intersection(w) > 0 for r in regions) for w in heard_call.words)


def test_the_same_recording_gives_the_same_words(tiny, call, heard_call):
    assert tiny.transcribe(call).words == heard_call.words


def test_silence_before_the_speech_moves_all_words_by_its_length(tiny, reading, heard_reading):
    silence = np.zeros(40 * SAMPLE_RATE, np.float32)
    alone = heard_reading[0].words
    late = tiny.transcribe(Audio(np.concatenate([silence, reading.samples]))).words
    assert plain(late) == plain(alone)
    assert np.allclose([w.start - 40 for w in late], [w.start for w in alone], atol=0.3)


@pytest.mark.parametrize("name", ["whisper-tiny.en", "whisper-base"])
def test_what_is_not_speech_gives_no_words(name, request):
    engine = request.getfixturevalue("tiny" if name == "whisper-tiny.en" else "base")
    said = {sound: [w.text for w in engine.transcribe(audio).words] for sound, audio in sounds().items()}
    assert said == {sound: [] for sound in said}


@pytest.mark.parametrize("seconds", [0, 1 / SAMPLE_RATE, 0.01, 0.4])
def test_next_to_nothing_gives_no_words(tiny, seconds):
    audio = sixteen_bit(np.full(round(seconds * SAMPLE_RATE), 0.1))
    assert tiny.transcribe(audio).words == ()


def segment(text, *, start=0.0, compression_ratio=1.5):
    words = [
        SimpleNamespace(start=start + 0.2 * i, end=start + 0.2 * i + 0.2, word=f" {w}", probability=0.9)
        for i, w in enumerate(text.split())
    ]
    return SimpleNamespace(start=start, end=words[-1].end, text=text, words=words, compression_ratio=compression_ratio)


class TestWhatIsHeard:
    voiced = np.full(100, 0.9, np.float32)
    faint = np.full(100, 0.3, np.float32)

    def test_speech_is_kept_with_its_offset(self):
        (word,) = believed([segment("Hello.")], 1.0, self.voiced, voice_regions(self.voiced))
        assert (word.start, word.end, word.text) == (1.0, 1.2, "Hello.")

    def test_a_passage_that_repeats_itself_is_dropped(self):
        assert not believed([segment("no " * 9, compression_ratio=2.5)], 0, self.voiced, voice_regions(self.voiced))

    def test_a_hallucination_is_dropped_only_where_there_is_hardly_a_voice(self):
        thanks = [segment("Thank you.")]
        assert len(believed(thanks, 0, self.voiced, voice_regions(self.voiced))) == 2
        assert believed(thanks, 0, self.faint, voice_regions(self.voiced)) == []

    def test_a_hallucination_of_another_language_is_dropped_too(self):
        credit = [segment("Untertitel der Amara.org-Community")]
        assert len(believed(credit, 0, self.voiced, voice_regions(self.voiced))) == 3
        assert believed(credit, 0, self.faint, voice_regions(self.voiced)) == []

    def test_pieces_of_a_word_are_one_word(self):
        pieces = segment("The price is 10")
        more = SimpleNamespace(start=0.8, end=1.0, word=",000", probability=0.4)
        pieces.words.append(more)
        *_, last = believed([pieces], 0, self.voiced, voice_regions(self.voiced))
        assert (last.text, last.start, last.end, last.confidence) == ("10,000", 0.6, 1.0, 0.4)

    @pytest.mark.parametrize(("ratio", "words"), [(2.3, 9), (2.5, 0)])
    def test_only_what_can_be_written_much_shorter_may_be_a_loop(self, ratio, words):
        loop = segment("no " * 9, compression_ratio=ratio)
        assert len(believed([loop], 0, self.voiced, voice_regions(self.voiced))) == words

    @pytest.mark.parametrize(("probability", "words"), [(0.45, 0), (0.55, 2)])
    def test_hardly_a_voice_is_less_than_one_half(self, probability, words):
        voice = np.full(100, probability, np.float32)
        assert len(believed([segment("Thank you.")], 0, voice, voice_regions(self.voiced))) == words

    @pytest.mark.parametrize(("seconds", "words"), [(0.45, 1), (0.55, 0)])
    def test_a_word_may_miss_the_voice_by_half_a_second(self, seconds, words):
        before, after = segment("Hello.", start=3 - seconds - 0.2), segment("Hello.", start=5 + seconds)
        for said in (before, after):
            assert len(believed([said], 0, self.voiced, [Span(3, 5)])) == words

    @given(
        st.lists(st.integers(0, 60), unique=True, max_size=12).map(sorted),
        st.lists(st.tuples(st.integers(0, 60), st.integers(1, 9)), max_size=8).map(sorted),
    )
    def test_every_word_near_any_of_the_voices_is_kept(self, edges, times):
        voices = [Span(a / 4, b / 4) for a, b in zip(edges[::2], edges[1::2], strict=False)]
        said = [SimpleNamespace(start=a / 4, end=(a + n) / 4, word=" so", probability=0.9) for a, n in times]
        passage = SimpleNamespace(start=0, end=20, text="so", words=said, compression_ratio=1)
        near = [w for w in said if any(v.start < w.end + 0.5 and w.start - 0.5 < v.end for v in voices)]
        found = believed([passage], 0, self.voiced, voices)
        assert [(w.start, w.end) for w in found] == [(w.start, w.end) for w in near]

    def test_a_day_of_voices_is_not_looked_through_for_every_word(self):
        class Counted(list):
            looks = 0

            def __getitem__(self, index):
                self.looks += 1
                return super().__getitem__(index)

            def __iter__(self):
                self.looks += len(self)
                return super().__iter__()

        voices = Counted(Span(at, at + 0.5) for at in range(86_400))
        assert len(believed([segment("so " * 50, start=80_000)], 0, self.voiced, voices)) == 50
        assert voices.looks < 50 * 40

    def test_a_word_far_from_any_voice_is_dropped(self):
        assert not believed([segment("Hello.", start=9)], 0, self.voiced, voice_regions(self.voiced))


def test_rhetoric_that_repeats_itself_is_kept_word_for_word(base, reading):
    assert plain(base.transcribe(reading).words)[:60] == TWO_CITIES.split()[:60]


def test_a_window_that_loops_is_decoded_again_without_repeats(tiny, reading):
    looped = Audio(np.tile(reading.samples[int(1.1 * SAMPLE_RATE) : int(2.9 * SAMPLE_RATE)], 12))
    words = plain(tiny.transcribe(looped).words)
    assert len(words) <= 12 * 6 + 6


def test_a_loop_in_a_script_without_spaces_that_fills_several_segments_is_found(base, reading):
    # English taken for Chinese: the model says one sentence over and over, each time as a segment of its own.
    found = base.transcribe(Audio(reading.samples[: 12 * SAMPLE_RATE]), Options(language="zh"))
    assert found.words
    assert not repeats(attribute(found).text)


def test_words_that_the_model_wrote_without_a_space_are_whole(base, reading):
    # English taken for French comes out in French, with its elisions.
    found = base.transcribe(Audio(reading.samples[: 12 * SAMPLE_RATE]), Options(language="fr"))
    assert "C'était" in [word.text for word in found.words]
    assert all(word.text[0].isalnum() for word in found.words)
    assert "C'était le" in attribute(found).text


def test_letters_of_a_language_without_spaces_stay_words_without_spaces(base, reading):
    found = base.transcribe(Audio(reading.samples[: 12 * SAMPLE_RATE]), Options(language="ja"))
    assert len(found.words) > 20
    assert max(len(word.text) for word in found.words) < 8
    assert " " not in attribute(found).text


def test_a_translation_from_a_language_without_spaces_has_them_and_says_what_it_is(base, reading):
    # As from Japanese speech: the words are cut by the rules of Japanese, and are English.
    found = base.transcribe(Audio(reading.samples[: 12 * SAMPLE_RATE]), Options(language="ja", task="translate"))
    made = attribute(found)
    assert made.text.startswith("It was the best of times")
    assert plain(found.words)[:12] == TWO_CITIES.split()[:12]
    assert (made.language, made.spoken_language, made.task, made.temperature) == ("en", "ja", "translate", 0.0)


def test_an_english_model_refuses_other_languages_and_names_one_that_can(tiny, call):
    with pytest.raises(InputError, match="English only") as caught:
        tiny.transcribe(call, Options(language="de"))
    assert "whisper-base" in caught.value.hint
    assert tiny.transcribe(call, Options(language="en")).language == "en"


def test_a_multilingual_model_detects_or_obeys_and_refuses_what_it_does_not_know(base, reading):
    start = Audio(reading.samples[: 8 * SAMPLE_RATE])
    assert base.transcribe(start).language == "en"
    assert base.transcribe(start, Options(language="de")).language == "de"
    with pytest.raises(InputError, match="does not know the language 'yue'"):
        base.transcribe(start, Options(language="yue"))


def test_silence_has_no_language(base):
    assert base.transcribe(Audio(np.zeros(SAMPLE_RATE, np.float32))).language is None


def test_progress_only_grows_and_ends_at_one(heard_reading):
    _, seen = heard_reading
    assert {stage for stage, _ in seen} == {"transcription"}
    fractions = [done for _, done in seen]
    assert fractions == sorted(fractions)
    assert fractions[0] == 0
    assert fractions[-1] == 1
    assert len(fractions) >= 4


def test_raising_from_progress_stops_the_work(tiny, reading):
    calls = []

    def stop(stage, done):
        calls.append(done)
        if done > 0.1:
            raise Cancelled

    with pytest.raises(Cancelled):
        tiny.transcribe(reading, progress=stop)
    assert calls[-1] < 0.9  # the second window was never decoded


class TestOnAGpuWithoutCublas:
    """Which is how most machines with a GPU are; recognition would fail when it has begun."""

    @pytest.fixture(autouse=True)
    def gpu(self, monkeypatch):
        monkeypatch.setattr("diarist.gpu.gpu_count", lambda: 1)
        monkeypatch.setattr("ctranslate2.get_cuda_device_count", lambda: 1)
        monkeypatch.setattr("diarist.transcription.whisper.load_cublas", lambda: False)

    def test_auto_takes_the_cpu(self, reading):
        assert load_whisper("whisper-tiny.en").transcribe(reading).words

    def test_cuda_is_refused_with_what_to_install(self):
        with pytest.raises(InputError, match="nvidia-cublas-cu12"):
            load_whisper("whisper-tiny.en", device="cuda")


def test_a_model_is_named_with_its_revision_and_engine(tiny):
    assert tiny.model.name == "whisper-tiny.en"
    assert tiny.model.revision
    assert tiny.model.engine.startswith("faster-whisper 1.")


def test_any_folder_in_the_layout_works(call, heard_call, tmp_path):
    folder = tmp_path / "mine"
    shutil.copytree(ensure("whisper-tiny.en"), folder)
    engine = load_whisper(str(folder))
    assert engine.model.name == "mine"
    assert engine.model.revision is None
    assert engine.transcribe(call).words == heard_call.words


def test_an_incomplete_folder_is_refused_by_the_name_of_what_it_lacks(tmp_path):
    shutil.copytree(ensure("whisper-tiny.en"), tmp_path / "m")
    (tmp_path / "m" / "tokenizer.json").unlink()
    with pytest.raises(WeightsError, match=r"lacks tokenizer\.json"):
        load_whisper(str(tmp_path / "m"))


@pytest.mark.parametrize("victim", ["model.bin", "tokenizer.json", "config.json"])
def test_a_damaged_folder_is_refused_before_it_runs(tmp_path, victim):
    shutil.copytree(ensure("whisper-tiny.en"), tmp_path / "m")
    damaged = tmp_path / "m" / victim
    damaged.write_bytes(damaged.read_bytes()[: damaged.stat().st_size // 2])
    with pytest.raises(WeightsError, match="cannot be loaded as a Whisper model"):
        load_whisper(str(tmp_path / "m"))


def test_an_unknown_device_is_refused():
    with pytest.raises(InputError, match="no device 'tpu'"):
        load_whisper("whisper-tiny.en", device="tpu")


def test_hotwords_are_spelled_as_given(tiny, reading):
    passage = Audio(reading.samples[: 12 * SAMPLE_RATE])
    assert "epok" in plain(tiny.transcribe(passage, Options(hotwords=("epok",))).words)


def test_a_multilingual_model_translates_and_an_english_one_refuses_to(tiny, base, reading):
    start = Audio(reading.samples[: 8 * SAMPLE_RATE])
    with pytest.raises(InputError, match="cannot translate"):
        tiny.transcribe(start, Options(task="translate"))
    assert "best" in plain(base.transcribe(start, Options(task="translate", language="en")).words)
