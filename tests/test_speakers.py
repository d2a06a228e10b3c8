"""Known voices are named, strangers are not, and voices stay private."""

import json
import math
import stat
from dataclasses import replace
from importlib import resources
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from diarist.attribution import attribute
from diarist.audio.audio import Audio
from diarist.editing import Rename, apply
from diarist.model.errors import InputError
from diarist.model.transcript import Diarization, ModelInfo, Transcription, Turn, Word
from diarist.speakers.identify import Voice, cosine, identify, voice_of
from diarist.speakers.learn import learn
from diarist.speakers.shared import SharedSpeakers, link
from diarist.speakers.store import VoiceStore

MODEL = ModelInfo("diarization", "test", None, "none")


def spoken(**angles):
    """One turn of 10 s per speaker, whose embedding points in the direction of an angle in degrees."""
    turns = tuple(Turn(10 * n, 10 * n + 10, label) for n, label in enumerate(angles))
    embeddings = {
        label: (math.cos(math.radians(a)), math.sin(math.radians(a))) for label, a in angles.items() if a is not None
    }
    return Diarization(turns=turns, exclusive=turns, duration=60, model=MODEL, embeddings=embeddings)


def vector(place=0):
    """A voice of the embedded model: a unit vector that no other place gives."""
    return tuple(float(number == place) for number in range(192))


def telephone(embedding):
    """The same voice as the embedded model hears it on a telephone: mostly what all of them share."""
    band = json.loads(resources.files("diarist.speakers").joinpath("bands.json").read_text())["embedded"][0]
    return tuple(x + 2 * y for x, y in zip(embedding, band, strict=True))


def heard(seconds, embedding=vector()):
    """One speaker of the embedded model."""
    turns = (Turn(0, seconds, "x"),)
    model = ModelInfo("diarization", "embedded", None, "none")
    return Diarization(turns=turns, exclusive=turns, duration=seconds, model=model, embeddings={"x": embedding})


def voice(name, angle, model="test"):
    unit = (math.cos(math.radians(angle)), math.sin(math.radians(angle)))
    return Voice(name=name, embedding=unit, model=model, seconds=10, consent="asked", added="2026-01-01")


def test_a_known_voice_is_named_and_a_stranger_is_not():
    assert identify(spoken(x=3, y=90), [voice("Ada", 0)], threshold=0.9) == {"x": "Ada"}


def test_a_voice_names_one_speaker_only_the_most_alike():
    assert identify(spoken(x=10, y=5), [voice("Ada", 0)], threshold=0.9) == {"y": "Ada"}


def test_a_speaker_gets_one_name_only_the_most_alike():
    assert identify(spoken(x=4), [voice("Ada", 0), voice("Bea", 5)], threshold=0.9) == {"x": "Bea"}


def test_voices_of_another_model_are_never_compared():
    with pytest.raises(InputError, match="No known voice was made with the model 'test'"):
        identify(spoken(x=0), [voice("Ada", 0, model="other")])
    assert identify(spoken(x=0), []) == {}


def test_an_uncalibrated_model_needs_a_threshold():
    with pytest.raises(InputError, match="no calibrated threshold"):
        identify(spoken(x=0), [voice("Ada", 0)])


@pytest.mark.parametrize(("model", "stranger", "same"), [("embedded", 0.56, 0.64), ("community-1", 0.55, 0.71)])
def test_each_model_names_those_who_are_as_alike_as_one_person_was_and_no_stranger(model, stranger, same):
    """The cosines are those that were measured, or nearer to each other."""
    for alike, names in ((stranger, {}), (same, {"x": "Ada"})):
        heard = replace(spoken(x=math.degrees(math.acos(alike))), model=replace(MODEL, name=model))
        assert identify(heard, [voice("Ada", 0, model=model)]) == names


def talked(**seconds):
    turns = tuple(Turn(20 * n, 20 * n + length, label) for n, (label, length) in enumerate(seconds.items()))
    embeddings = {"x": (1.0, 0.0), "y": (0.0, 1.0)}
    return Diarization(
        turns=turns,
        exclusive=turns,
        duration=60,
        model=MODEL,
        embeddings={label: embeddings[label] for label in seconds},
    )


def test_a_clip_needs_a_second_and_a_half_of_speech():
    assert voice_of(talked(x=1.6), "Ada", "asked", "2026-01-01").seconds == 1.6
    with pytest.raises(InputError, match=r"1\.4 s of speech; 1\.5 s are needed"):
        voice_of(talked(x=1.4), "Ada", "asked", "2026-01-01")


def test_a_tenth_of_a_clip_may_be_another_voices():
    assert voice_of(talked(x=10, y=0.9), "Ada", "asked", "2026-01-01").name == "Ada"
    with pytest.raises(InputError, match="2 voices"):
        voice_of(talked(x=10, y=1.1), "Ada", "asked", "2026-01-01")


def test_a_voice_is_made_of_the_main_speaker_of_a_clip():
    made = voice_of(spoken(x=30), "Ada", "asked", "2026-01-01")
    assert made.seconds == 10
    assert cosine(made.embedding, (math.cos(math.pi / 6), 0.5)) == pytest.approx(1)


def test_a_clip_of_two_people_or_of_too_little_speech_is_refused():
    with pytest.raises(InputError, match="2 voices"):
        voice_of(spoken(x=0, y=90), "Ada", "asked", "2026-01-01")
    short = Diarization(turns=(Turn(0, 1, "x"),), exclusive=(), duration=1, model=MODEL, embeddings={"x": (1.0, 0.0)})
    with pytest.raises(InputError, match=r"1\.0 s of speech"):
        voice_of(short, "Ada", "asked", "2026-01-01")
    with pytest.raises(InputError, match=r"0\.0 s of speech"):
        voice_of(spoken(), "Ada", "asked", "2026-01-01")


def test_too_little_speech_names_nobody_on_either_side():
    """Enough of both is enough, and a second of either is not, however alike they are."""
    long, short = heard(10.0), heard(1.0)
    known = Voice(name="Ada", embedding=vector(), model="embedded", seconds=10, consent="asked", added="2026-01-01")
    assert identify(long, [known]) == {"x": "Ada"}
    assert identify(short, [known]) == {}
    assert identify(long, [replace(known, seconds=1.0)]) == {}
    assert link([long, short])[1] == {"x": "SPEAKER_01"}
    assert link([long, long])[1] == {"x": "SPEAKER_00"}


def test_what_all_telephone_voices_share_makes_nobody_alike():
    """Two vectors that have little in common but their band are two people, though their cosine is high."""
    first, second = telephone(vector(5)), telephone(vector(80))
    assert cosine(first, second) > 0.7
    known = Voice(name="Ada", embedding=first, model="embedded", seconds=20, consent="asked", added="2026-01-01")
    assert identify(heard(20.0, second), [known]) == {}
    assert identify(heard(20.0, first), [known]) == {"x": "Ada"}


def test_a_telephone_clip_must_be_longer_and_is_refused_by_name():
    with pytest.raises(InputError, match=r"3\.0 s of telephone speech; 8 s are needed"):
        voice_of(heard(3.0, telephone(vector())), "Ada", "asked", "2026-01-01")
    assert voice_of(heard(3.0), "Ada", "asked", "2026-01-01").seconds == 3


class Scripted:
    """Hears one speaker in everything, whose voice is as loud sounds are or as faint ones are."""

    model = MODEL

    def diarize(self, audio, options=None, progress=None):
        loud = float(np.mean(np.abs(audio.samples) > 0.25))
        turns = (Turn(0, audio.duration, "x"),)
        return Diarization(
            turns=turns, exclusive=turns, duration=audio.duration, model=MODEL, embeddings={"x": (loud, 1 - loud)}
        )


def test_a_clip_whose_parts_are_two_voices_is_refused_though_the_diarizer_hears_one():
    loud, faint = np.full(8 * 16_000, 0.5, np.float32), np.full(8 * 16_000, 0.1, np.float32)
    one = learn(Audio(np.concatenate([loud, loud])), Scripted(), "Ada", "asked", "2026-01-01")
    assert one.embedding == (1.0, 0.0)
    with pytest.raises(InputError, match="does not sound like one voice"):
        learn(Audio(np.concatenate([loud, faint])), Scripted(), "Ada", "asked", "2026-01-01")


def test_a_diarizer_that_gives_no_voices_is_named():
    bare = Diarization(turns=(Turn(0, 9, "x"),), exclusive=(), duration=9, model=MODEL)
    with pytest.raises(InputError, match="test gives no voices to compare"):
        voice_of(bare, "Ada", "asked", "2026-01-01")


def test_the_same_voice_in_several_recordings_gets_one_label():
    first, second, third = spoken(a=0, b=90), spoken(a=88, b=180), spoken(a=2)
    assert link([first, second, third], threshold=0.9) == [
        {"a": "SPEAKER_00", "b": "SPEAKER_01"},
        {"a": "SPEAKER_01", "b": "SPEAKER_02"},
        {"a": "SPEAKER_00"},
    ]


def test_speakers_of_one_recording_are_never_linked_even_through_a_third():
    linked = link([spoken(a=0, b=1), spoken(c=0.4)], threshold=0.9)
    assert linked[0]["a"] != linked[0]["b"]
    assert linked[1]["c"] == linked[0]["a"]


def test_speakers_without_an_embedding_stay_alone():
    assert link([spoken(a=None), spoken(b=None)], threshold=0.1) == [{"a": "SPEAKER_00"}, {"b": "SPEAKER_01"}]


@given(st.lists(st.lists(st.floats(0, 360), max_size=4), max_size=4))
def test_links_keep_every_speaker_and_never_join_two_of_one_recording(angles):
    recordings = [spoken(**{f"s{n}": angle for n, angle in enumerate(some)}) for some in angles]
    for recording, labels in zip(recordings, link(recordings, threshold=0.8), strict=True):
        assert labels.keys() == set(recording.speakers)
        assert len(set(labels.values())) == len(labels)


def test_people_keep_their_labels_from_recording_to_recording():
    naming = SharedSpeakers([voice("Ada", 180)], threshold=0.9)
    assert naming(spoken(a=0, b=90)) == {"a": "SPEAKER_00", "b": "SPEAKER_01"}
    assert naming(spoken(a=91, b=181, c=270)) == {"a": "SPEAKER_01", "b": "Ada", "c": "SPEAKER_02"}
    assert naming(spoken(a=None)) == {"a": "SPEAKER_03"}


def test_renaming_reaches_words_segments_turns_and_speakers():
    words = (Word(0, 1, "hi"), Word(10, 11, "oh"))
    told = Transcription(words=words, language="en", duration=20, model=ModelInfo("transcription", "t", None, "e"))
    renamed = apply(attribute(told, spoken(x=0, y=90)), Rename({"SPEAKER_00": "Ada"}))
    assert renamed.speakers == ("Ada", "SPEAKER_01")
    assert [word.speaker for word in renamed.words] == ["Ada", "SPEAKER_01"]
    assert [turn.speaker for turn in renamed.turns] == ["Ada", "SPEAKER_01"]
    assert [segment.speaker for segment in renamed.segments] == ["Ada", "SPEAKER_01"]


def test_known_names_are_used_from_the_start_and_strangers_are_counted_from_zero():
    words = (Word(0, 1, "hi"), Word(10, 11, "oh"))
    told = Transcription(words=words, language="en", duration=20, model=ModelInfo("transcription", "t", None, "e"))
    result = attribute(told, spoken(x=0, y=90), names={"x": "Ada"})
    assert result.speakers == ("Ada", "SPEAKER_00")
    assert [word.speaker for word in result.words] == ["Ada", "SPEAKER_00"]


def test_a_person_called_like_an_unknown_voice_is_nobody_elses_label():
    words = (Word(0, 1, "hi"), Word(10, 11, "oh"))
    told = Transcription(words=words, language="en", duration=20, model=ModelInfo("transcription", "t", None, "e"))
    result = attribute(told, spoken(x=0, y=90), names={"y": "SPEAKER_00"})
    assert [word.speaker for word in result.words] == ["SPEAKER_01", "SPEAKER_00"]
    naming = SharedSpeakers([voice("SPEAKER_00", 90)], threshold=0.9)
    assert naming(spoken(a=0, b=90)) == {"a": "SPEAKER_01", "b": "SPEAKER_00"}


def test_voices_are_kept_in_a_file_that_only_its_owner_can_read(tmp_path):
    store = VoiceStore(tmp_path / "new" / "voices.json")
    store.add(voice("Ada", 0))
    store.add(voice("Bea", 90))
    assert store.load() == (voice("Ada", 0), voice("Bea", 90))
    assert stat.S_IMODE(store.path.stat().st_mode) == 0o600
    assert "biometric" in json.loads(store.path.read_text())["note"]
    assert [path.name for path in store.path.parent.iterdir()] == ["voices.json"]


def test_more_speech_of_a_name_is_averaged_by_its_length(tmp_path):
    store = VoiceStore(tmp_path / "voices.json")
    store.add(voice("Ada", 0))
    stored = store.add(voice("Ada", 60))
    assert stored.seconds == 20
    assert cosine(stored.embedding, voice("", 30).embedding) == pytest.approx(1, abs=1e-6)
    assert len(store.load()) == 1


def test_a_voice_of_another_model_must_be_removed_first(tmp_path):
    store = VoiceStore(tmp_path / "voices.json")
    store.add(voice("Ada", 0))
    with pytest.raises(InputError, match="voices remove 'Ada'"):
        store.add(voice("Ada", 0, model="other"))
    store.remove("Ada")
    assert store.load() == ()
    with pytest.raises(InputError, match="no voice 'Ada'"):
        store.remove("Ada")


@pytest.mark.parametrize("content", ["{", "[]", '{"schema": "other"}', '{"schema": "diarist.voices/1", "voices": [1]}'])
def test_a_damaged_store_is_refused_and_left_as_it_is(tmp_path, content):
    path = tmp_path / "voices.json"
    path.write_text(content)
    with pytest.raises(InputError):
        VoiceStore(path).add(voice("Ada", 0))
    assert path.read_text() == content


def stored(**changes):
    voice = {"name": "n", "embedding": [0.6, 0.8], "model": "embedded", "seconds": 3.0, "consent": "", "added": ""}
    return json.dumps({"schema": "diarist.voices/1", "note": "", "voices": [voice | changes]})


@pytest.mark.parametrize(
    "changes",
    [
        {"embedding": []},
        {"embedding": [0.0, 0.0]},
        {"embedding": [1e308, 1e308]},
        {"embedding": [[0.6], [0.8]]},
        {"seconds": 0},
        {"seconds": -3},
        {"name": 1},
    ],
)
def test_a_voice_that_cannot_be_is_refused_when_it_is_read(tmp_path, changes):
    path = tmp_path / "voices.json"
    path.write_text(stored(**changes))
    with pytest.raises(InputError, match="Repair the file"):
        VoiceStore(path).load()


def test_a_voice_of_another_length_is_named_and_not_compared(tmp_path):
    path = tmp_path / "voices.json"
    path.write_text(stored())
    three = Voice(name="n", embedding=(0.0, 0.6, 0.8), model="embedded", seconds=3, consent="", added="")
    with pytest.raises(InputError, match="'n' has 2 numbers; those of 'embedded' have 3"):
        VoiceStore(path).add(three)
    heard = Diarization(
        turns=(Turn(0, 1, "A"),),
        exclusive=(Turn(0, 1, "A"),),
        duration=1,
        model=ModelInfo("diarization", "embedded", None, ""),
        embeddings={"A": three.embedding},
    )
    with pytest.raises(InputError, match="voices remove 'n'"):
        identify(heard, VoiceStore(path).load())


def test_a_store_without_end_is_refused():
    with pytest.raises(InputError, match="too large"):
        VoiceStore(Path("/dev/zero")).load()
