"""One party per channel: each is heard alone, and nobody twice."""

import tracemalloc
from dataclasses import replace

import numpy as np
import pytest

from diarist.attribution import attribute
from diarist.audio.audio import Audio
from diarist.editing import Rename, apply
from diarist.model.errors import InputError
from diarist.model.options import Options
from diarist.model.transcript import Diarization, ModelInfo, Transcription, Turn, Word
from diarist.pipelines.channels import join, transcribe_channels

WORDS = ModelInfo("transcription", "test", None, "none")
SPEAKERS = ModelInfo("diarization", "test", None, "none")


def channel(words, turns=None):
    turns = turns if turns is not None else tuple(Turn(w.start, w.end, "x") for w in words)
    return attribute(
        Transcription(words=tuple(words), language="en", duration=10, model=WORDS, timings={"decode": 1.0}),
        Diarization(turns=turns, exclusive=turns, duration=10, model=SPEAKERS),
    )


def levels(*table):
    """Loudness per channel, the same at all times."""
    return lambda number, span: table[number]


def told(transcript):
    return [(word.speaker, word.text) for word in transcript.words]


def test_two_parties_are_two_speakers_in_order_of_time():
    joined = join(
        [channel([Word(0, 1, "Hello?"), Word(4, 5, "Fine.")]), channel([Word(2, 3, "Hi,"), Word(4.5, 5, "good.")])],
        levels(-20, -20),
    )
    assert told(joined) == [
        ("SPEAKER_00", "Hello?"),
        ("SPEAKER_01", "Hi,"),
        ("SPEAKER_00", "Fine."),
        ("SPEAKER_01", "good."),
    ]
    assert [word.overlap for word in joined.words] == [False, False, True, True]
    assert joined.models == (WORDS, SPEAKERS)
    assert joined.timings == {"transcription.decode": 2.0}


def test_people_who_talk_at_once_keep_their_sentences_whole():
    one, two = channel([Word(0, 1, "I"), Word(1, 2, "see.")]), channel([Word(0.5, 1.5, "Oh"), Word(1.5, 2.5, "no.")])
    assert [segment.text for segment in join([one, two], levels(-20, -20)).segments] == ["I see.", "Oh no."]


def test_what_a_channel_hears_of_the_other_party_is_left_out_with_its_turns():
    loud = channel([Word(0, 1, "Hello"), Word(1, 2, "there")])
    bleed = channel([Word(0.1, 1, "Yellow"), Word(1, 2, "there")])
    joined = join([loud, bleed], levels(-20, -40))
    assert told(joined) == [("SPEAKER_00", "Hello"), ("SPEAKER_00", "there")]
    assert joined.speakers == ("SPEAKER_00",)
    assert {turn.speaker for turn in joined.turns} == {"SPEAKER_00"}


def test_an_echo_of_the_same_word_needs_less_difference_than_other_words():
    joined = join(
        [channel([Word(0, 1, "Hello,"), Word(2, 3, "you")]), channel([Word(0.3, 1.3, "hello"), Word(2, 3, "yes")])],
        levels(-20, -25),
    )
    assert [word.text for word in joined.words] == ["Hello,", "you", "yes"]


@pytest.mark.parametrize(("decibels", "words"), [(8, 2), (11, 2), (13, 1), (30, 1)])
def test_speech_over_the_other_partys_is_bleed_from_twelve_decibels_below_it(decibels, words):
    joined = join([channel([Word(0, 1, "Hello")]), channel([Word(0, 1, "yes")])], levels(-20, -20 - decibels))
    assert len(joined.words) == words


@pytest.mark.parametrize(("decibels", "words"), [(0, 2), (2.7, 2), (3.3, 1), (6, 1)])
def test_the_same_word_is_an_echo_from_three_decibels_below_it(decibels, words):
    joined = join([channel([Word(0, 1, "Hello")]), channel([Word(0.1, 1.1, "hello")])], levels(-20, -20 - decibels))
    assert len(joined.words) == words


@pytest.mark.parametrize(("seconds", "words"), [(0.1, 1), (0.45, 1), (0.55, 2), (0.9, 2)])
def test_an_echo_begins_within_half_a_second_of_the_word(seconds, words):
    joined = join([channel([Word(2, 3, "no")]), channel([Word(2 + seconds, 3 + seconds, "no")])], levels(-20, -25))
    assert len(joined.words) == words


def test_a_quiet_party_who_talks_alone_stays():
    joined = join([channel([Word(0, 1, "Hello")]), channel([Word(2, 3, "whisper")])], levels(-20, -50))
    assert [word.text for word in joined.words] == ["Hello", "whisper"]


def test_a_channel_with_two_people_has_two_speakers():
    room = channel([Word(0, 1, "One."), Word(1, 2, "Two.")], (Turn(0, 1, "x"), Turn(1, 2, "y")))
    joined = join([room, channel([Word(3, 4, "Three.")])], levels(-20, -20))
    assert [speaker for speaker, _ in told(joined)] == ["SPEAKER_00", "SPEAKER_01", "SPEAKER_02"]


def test_known_names_stay_and_are_one_person_in_all_channels():
    name = Rename({"SPEAKER_00": "Ada"})
    one = apply(channel([Word(0, 1, "One.")]), name)
    two = apply(channel([Word(2, 3, "Two."), Word(4, 5, "Three.")], (Turn(2, 3, "x"), Turn(4, 5, "y"))), name)
    joined = join([one, two], levels(-20, -20))
    assert told(joined) == [("Ada", "One."), ("Ada", "Two."), ("SPEAKER_00", "Three.")]
    assert joined.speakers == ("Ada", "SPEAKER_00")


def test_words_without_a_speaker_get_their_channels():
    silent = attribute(Transcription(words=(Word(0, 1, "a"),), language=None, duration=1, model=WORDS))
    joined = join([silent, channel([Word(2, 3, "b")])], levels(-20, -20))
    assert told(joined) == [("SPEAKER_00", "a"), ("SPEAKER_01", "b")]


class Script:
    """A pipeline that says what is written for each recording, known by its loudness."""

    def __init__(self, **lines):
        self.lines = lines
        self.asked = []

    def transcribe(self, audio, options=Options(), progress=None, *, naming=None):
        self.asked.append(options)
        progress("transcription", 1.0)
        return channel(self.lines["loud" if np.abs(audio.samples).max() > 0.4 else "quiet"])


def noise(seconds, loudness, seed):
    samples = np.random.default_rng(seed).uniform(-loudness, loudness, seconds * 16_000)
    return Audio(samples.astype(np.float32))


def test_each_channel_is_transcribed_and_bleed_known_by_its_loudness():
    script = Script(loud=[Word(0, 1, "Hello")], quiet=[Word(0.2, 1, "Yellow"), Word(3, 4, "Bye")])
    seen = []
    joined = transcribe_channels(
        [noise(2, 0.5, 1), noise(5, 0.02, 2)], script, Options(num_speakers=2), lambda stage, done: seen.append(done)
    )
    assert [word.text for word in joined.words] == ["Hello", "Bye"]
    assert [options.num_speakers for options in script.asked] == [1, 1]
    assert seen == [0.5, 1.0]


def test_more_speakers_than_channels_bound_each_channel():
    script = Script(loud=[], quiet=[])
    transcribe_channels([noise(1, 0.5, 1), noise(1, 0.02, 2)], script, Options(num_speakers=4), lambda *_: None)
    assert [(o.num_speakers, o.max_speakers) for o in script.asked] == [(None, 3), (None, 3)]


def test_two_copies_of_one_sound_are_transcribed_once_with_a_warning():
    script = Script(loud=[Word(0, 1, "Hello")])
    same = noise(1, 0.5, 1)
    joined = transcribe_channels([same, same], script, Options(), lambda *_: None)
    assert [word.text for word in joined.words] == ["Hello"]
    assert "same sound" in joined.warnings[-1]
    assert len(script.asked) == 1


@pytest.mark.parametrize(("level", "delay"), [(0.8, 160), (-1.0, 0), (0.5, 1000)])
def test_one_sound_at_another_level_or_a_little_later_is_transcribed_once(level, delay):
    script = Script(loud=[Word(0, 1, "Hello")])
    one = noise(5, 0.5, 1)
    later = Audio(np.roll(one.samples, delay) * np.float32(level))
    joined = transcribe_channels([one, later], script, Options(), lambda *_: None)
    assert [word.text for word in joined.words] == ["Hello"]
    assert "same sound" in joined.warnings[-1]


def test_parties_who_hear_each_other_are_still_two():
    script = Script(loud=[Word(0, 1, "Hello")])
    one = np.repeat([1, 0, 1, 0], 32_000) * noise(8, 0.5, 1).samples
    two = np.repeat([0, 1, 0, 1], 32_000) * noise(8, 0.5, 2).samples
    calls = [Audio((a + 0.1 * b).astype(np.float32)) for a, b in ((one, two), (two, one))]
    transcribe_channels(calls, script, Options(), lambda *_: None)
    assert len(script.asked) == 2


def test_loudness_is_exact_far_into_a_recording_and_at_its_ends():
    """The echo is taken out where it is quieter, and only there: levels are those of the moment."""
    script = Script(
        loud=[Word(0, 1, "Hello"), Word(249, 250, "bye")], quiet=[Word(0.1, 1, "hello"), Word(249, 250, "bye")]
    )
    loud, quiet = noise(250, 0.5, 1).samples, noise(250, 0.01, 2).samples
    loud[-16_000:] *= 1e-3
    joined = transcribe_channels([Audio(loud), Audio(quiet)], script, Options(), lambda *_: None)
    assert told(joined) == [("SPEAKER_00", "Hello"), ("SPEAKER_01", "bye")]


def test_the_memory_of_levels_and_likeness_does_not_grow_with_the_recording():
    class Deaf:
        def transcribe(self, audio, options, progress, *, naming):
            return channel([Word(0, 1, "Hello")])

    def peak(seconds):
        parties = [Audio(np.tile(noise(10, 0.5, seed).samples, seconds // 10)) for seed in (1, 2)]
        tracemalloc.start()
        transcribe_channels(parties, Deaf())
        used = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return used

    twenty_minutes = 1_200 * 16_000 * 4
    assert peak(1_800) - peak(600) < twenty_minutes / 20


def test_no_channels_and_too_many_are_refused():
    with pytest.raises(InputError, match="0 channels"):
        transcribe_channels([], Script())
    with pytest.raises(InputError, match="more than 8 channels"):
        transcribe_channels([noise(1, 0.1, seed) for seed in range(9)], Script())


LAYOUTS = ["AABB", "ABAB", "ABBA", "AAAB", "ABC", "AABC", "A-B-", "-AB", "AaBb", "AAAAAABBBBBB"]


@pytest.mark.parametrize("layout", LAYOUTS)
def test_channels_with_one_voice_are_one_party_and_silent_ones_none(layout):
    """A letter is a voice; a small one is that voice quieter, turned over and later; a dash is silence."""
    script = Script(loud=[Word(0, 1, "Hello")])
    voices = {letter: noise(5, 0.5, seed) for seed, letter in enumerate("ABC")}
    voices |= {
        letter.lower(): Audio(np.roll(voice.samples, 160) * np.float32(-0.9)) for letter, voice in voices.items()
    }
    voices["-"] = Audio(np.zeros(5 * 16_000, np.float32))
    joined = transcribe_channels([voices[each] for each in layout], script, Options(), lambda *_: None)
    parties = len(set(layout.upper()) - {"-"})
    assert len(script.asked) == parties
    assert [word.text for word in joined.words] == ["Hello"] * parties


def test_what_was_taken_for_one_party_is_told():
    script = Script(loud=[Word(0, 1, "Hello")])
    one, two = noise(5, 0.5, 1), noise(5, 0.5, 2)
    joined = transcribe_channels([one, two, one, one], script, Options(num_speakers=2), lambda *_: None)
    assert joined.warnings == ("Channels 0, 2 and 3 hold the same sound, so they were taken for one party.",)
    assert [options.num_speakers for options in script.asked] == [1, 1]


def test_one_voice_beside_silent_channels_is_heard_as_one_recording():
    script = Script(loud=[Word(0, 1, "Hello")])
    silent = Audio(np.zeros(16_000, np.float32))
    alone = transcribe_channels([silent, noise(1, 0.5, 1)], script, Options(num_speakers=2), lambda *_: None)
    assert [options.num_speakers for options in script.asked] == [2]
    assert alone.warnings == ("Channel 0 is silent.",)


def test_silence_in_all_channels_is_transcribed_once():
    script = Script(quiet=[])
    nothing = transcribe_channels([Audio(np.zeros(16_000, np.float32))] * 3, script, Options(), lambda *_: None)
    assert (len(script.asked), nothing.warnings) == (1, ())


def test_what_was_wrong_with_the_file_is_told_once_and_with_one_channel_under_its_number():
    class Complaining(Script):
        def transcribe(self, audio, options=Options(), progress=None, *, naming=None):
            told = super().transcribe(audio, options, progress)
            own = ("No speech was found.",) if self.asked[1:] else ()
            return replace(told, warnings=(*audio.warnings, *own))

    one, two = (Audio(noise(2, 0.5, seed).samples, ("call.wav is cut short.",)) for seed in (1, 2))
    joined = transcribe_channels([one, two], Complaining(loud=[Word(0, 1, "Hello")]), Options(), lambda *_: None)
    assert joined.warnings == ("call.wav is cut short.", "Channel 1: No speech was found.")


def test_no_words_in_any_channel_is_told_once():
    class Silent(Script):
        def transcribe(self, audio, options=Options(), progress=None, *, naming=None):
            return replace(super().transcribe(audio, options, progress), warnings=("There are no words.",))

    parties = [noise(2, 0.5, seed) for seed in (1, 2)]
    assert transcribe_channels(parties, Silent(loud=[]), Options(), lambda *_: None).warnings == (
        "There are no words.",
    )


def test_what_the_words_are_written_in_is_kept():
    def party(*words, language):
        made = Transcription(
            words=words,
            language=language,
            duration=9,
            model=WORDS,
            spoken_language="ja",
            task="translate",
            temperature=0.2,
        )
        return attribute(made)

    first = party(language=None)
    second = party(
        Word(0, 1, "And", spaced=True), Word(1, 2, "so", spaced=True), Word(2, 3, "on", spaced=False), language="en"
    )
    joined = join([first, second], levels(-20, -20))
    assert joined.text == "And soon"
    assert (joined.language, joined.spoken_language, joined.task, joined.temperature) == ("en", "ja", "translate", 0.2)
