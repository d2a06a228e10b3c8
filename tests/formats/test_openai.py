"""OpenAI's documents: what the installed client's types demand, no null, and nothing that nobody asked for."""

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai.types.audio import Transcription, TranscriptionDiarized, TranscriptionVerbose, TranslationVerbose

from diarist.formats.answers import Shape, answer
from diarist.formats.openai import NotMeasuredError, diarized, speaker_letters, verbose
from diarist.model.transcript import Segment, Transcript, Turn, Word


def said(*words, speakers=None, turns=(), duration=10, **known):
    """A transcript of one segment for each word ``(text, speaker, confidence)``, a second each."""
    found = tuple(Word(n, n + 1, text, confidence, speaker) for n, (text, speaker, confidence) in enumerate(words))
    return Transcript(
        duration=duration,
        language="en",
        speakers=tuple(dict.fromkeys(w.speaker for w in found if w.speaker)) if speakers is None else speakers,
        segments=tuple(Segment(w.start, w.end, w.speaker, w.text, (w,)) for w in found),
        turns=turns,
        models=(),
        **known,
    )


TALK = said(("Hello.", "SPEAKER_00", 0.9), ("Hi!", "Ben", 0.8), ("Bye.", "SPEAKER_00", 0.7), ("Well?", None, 0.6))


def nulls(value):
    if isinstance(value, dict):
        return any(map(nulls, value.values()))
    return any(map(nulls, value)) if isinstance(value, list) else value is None


def extras(model):
    """Names that the client's types do not have, anywhere in a document."""
    found = set(model.model_extra or {})
    for name in type(model).model_fields:
        value = getattr(model, name)
        for each in value if isinstance(value, list) else [value]:
            if hasattr(each, "model_extra"):
                found |= extras(each)
    return found


def test_what_a_plain_client_asks_for_is_what_its_types_have_and_no_more():
    plain = [
        (Transcription, Shape()),
        (Transcription, Shape(logprobs=True)),
        (TranscriptionVerbose, Shape(response_format="verbose_json")),
        (TranscriptionVerbose, Shape(response_format="verbose_json", words=True)),
        (TranslationVerbose, Shape(response_format="verbose_json")),
        (TranscriptionDiarized, Shape(response_format="diarized_json", details=True, text_speakers=True)),
    ]
    for type_, shape in plain:
        written = json.dumps(answer(TALK, shape))
        read = type_.model_validate_json(written, strict=True)
        assert extras(read) <= {"task", *(["usage"] if type_ is TranslationVerbose else [])}
        assert json.loads(written)["usage"] == {"type": "duration", "seconds": 10}
        assert not nulls(json.loads(written))


probability = st.none() | st.floats(0, 1)
words = st.builds(
    lambda start, length, text, confidence, speaker, overlap: Word(
        start, start + length, text, confidence, speaker, None, overlap
    ),
    st.floats(0, 50),
    st.floats(0, 2),
    st.text(st.characters(exclude_categories=("Cs", "Cc")), min_size=1, max_size=8),
    probability,
    st.sampled_from([None, "SPEAKER_00", "SPEAKER_01", "Ada"]),
    st.booleans(),
)
segments = st.builds(
    lambda found, speaker: Segment(
        min((w.start for w in found), default=0),
        max((w.end for w in found), default=1),
        speaker,
        " ".join(w.text for w in found),
        tuple(found),
    ),
    st.lists(words, max_size=4),
    st.sampled_from([None, "SPEAKER_00", "SPEAKER_01", "Ada"]),
)
transcripts = st.builds(
    lambda parts, language, turned, temperature: Transcript(
        duration=60.0,
        language=language,
        speakers=("SPEAKER_00", "Ada", "SPEAKER_01"),
        segments=tuple(parts),
        turns=(Turn(0, 5, "SPEAKER_00"),) if turned else (),
        models=(),
        temperature=temperature,
    ),
    st.lists(segments, max_size=4),
    st.sampled_from([None, "en", "ja", "xx"]),
    st.booleans(),
    st.sampled_from([None, 0.5]),
)


@given(transcripts, st.booleans(), st.booleans(), st.booleans())
def test_no_transcript_gives_a_null_or_what_the_types_refuse(transcript, words, details, text_speakers):
    for name, type_ in {"verbose_json": TranscriptionVerbose, "diarized_json": TranscriptionDiarized}.items():
        shape = Shape(response_format=name, words=words, details=details, text_speakers=text_speakers, warnings=True)
        written = answer(transcript, shape)
        assert not nulls(written)
        type_.model_validate_json(json.dumps(written, allow_nan=False), strict=True)
    for segment in verbose(transcript)["segments"]:
        assert 0 <= segment["no_speech_prob"] <= 1
        assert segment["avg_logprob"] <= 0


def test_numbers_of_a_segment_are_measured_where_they_can_be():
    heard = Segment(0, 2, "SPEAKER_00", "Hi there", (Word(0, 1, "Hi", 1.0), Word(1, 2, "there", 0.5)))
    measured = replace(said(), speakers=("SPEAKER_00",), segments=(heard,), turns=(Turn(0.5, 1.75, "SPEAKER_00"),))
    (segment,) = verbose(measured)["segments"]
    assert segment["avg_logprob"] == pytest.approx(-0.3466, abs=1e-4)
    # The turn covers 0.50 to 1.75 of 2 s.
    assert segment["no_speech_prob"] == pytest.approx(0.375)


def test_without_a_diarizer_speech_is_where_words_are():
    heard = Segment(0, 4, None, "Hi there", (Word(0, 1, "Hi"), Word(3, 4, "there")))
    (segment,) = verbose(replace(said(), segments=(heard,)))["segments"]
    assert segment["no_speech_prob"] == pytest.approx(0.5)
    # Of words that nobody timed, nothing can be told.
    (segment,) = verbose(replace(said(), segments=(replace(heard, words=()),)))["segments"]
    assert segment["no_speech_prob"] == 0


def test_where_no_confidence_was_measured_its_number_is_the_one_that_says_least():
    half = Segment(0, 2, None, "Hi there", (Word(0, 1, "Hi", 0.5), Word(1, 2, "there")))
    (segment,) = verbose(replace(said(), segments=(half,)))["segments"]
    assert segment["avg_logprob"] == pytest.approx(-0.6931, abs=1e-4)
    (segment,) = verbose(said(("Hi", None, None)))["segments"]
    assert segment["avg_logprob"] == 0


def test_where_speakers_were_asked_for_verbose_json_says_them():
    document = answer(TALK, Shape(response_format="verbose_json", words=True, segments=True, details=True))
    assert [segment.get("speaker") for segment in document["segments"]] == ["SPEAKER_00", "Ben", "SPEAKER_00", None]
    assert document["words"][1] == {"word": "Hi!", "start": 1, "end": 2, "speaker": "Ben", "confidence": 0.8}
    assert "speaker" not in document["words"][3]


def test_granularities_choose_what_verbose_json_lists():
    def keys(**asked):
        return answer(TALK, Shape(response_format="verbose_json", **asked)).keys() & {"words", "segments"}

    assert keys() == {"segments"}
    assert keys(segments=True) == {"segments"}
    assert keys(words=True) == {"words"}
    assert keys(words=True, segments=True) == {"words", "segments"}


def test_diarized_json_with_words_has_those_of_each_segment_and_who_the_speakers_are():
    turns = (Turn(0, 1, "SPEAKER_00"), Turn(0.5, 2, "SPEAKER_00"), Turn(1, 2.5, "Ben"))
    crowded = replace(TALK.segments[1], words=(replace(TALK.words[1], overlap=True),))
    talk = replace(TALK, turns=turns, segments=(TALK.segments[0], crowded, *TALK.segments[2:]))
    document = diarized(talk, words=True)
    assert document["segments"][0]["words"] == [
        {"word": "Hello.", "start": 0, "end": 1, "speaker": "A", "confidence": 0.9}
    ]
    assert document["segments"][1]["words"][0]["overlap"] is True
    assert document["speakers"] == [
        {"id": "A", "seconds": 2, "known": False},
        {"id": "Ben", "name": "Ben", "seconds": 1.5, "known": True},
    ]
    # Without turns, as in what was read from a file, what they said tells how long.
    assert [speaker["seconds"] for speaker in diarized(TALK, words=True)["speakers"]] == [2, 1]


def test_the_text_of_diarized_json_says_who_talks_unless_told_otherwise():
    assert diarized(TALK)["text"] == "A: Hello.\nBen: Hi!\nA: Bye.\nunknown: Well?"
    assert diarized(TALK, text_speakers=False)["text"] == "Hello. Hi! Bye. Well?"
    assert answer(TALK, Shape(text_speakers=True))["text"] == "SPEAKER_00: Hello.\nBen: Hi!\nSPEAKER_00: Bye.\nWell?"


def test_letters_go_on_after_z_and_known_names_stay():
    names = ("SPEAKER_00", "Zoë", *(f"SPEAKER_{n:02d}" for n in range(1, 28)))
    letters = speaker_letters(said(speakers=names))
    assert (letters["SPEAKER_00"], letters["Zoë"], letters["SPEAKER_01"]) == ("A", "Zoë", "B")
    assert letters["SPEAKER_27"] == "AB"


def test_no_unknown_voice_gets_a_letter_that_is_somebodys_name():
    talk = said(("Hi", "SPEAKER_00", None), ("Ho", "A", None), ("He", "SPEAKER_01", None))
    assert [segment["speaker"] for segment in diarized(talk)["segments"]] == ["B", "A", "C"]
    # Nor one of a person who was named and not heard, in any case.
    shape = Shape(response_format="diarized_json", known=frozenset({"A", "b"}))
    assert [segment["speaker"] for segment in answer(talk, shape)["segments"]] == ["C", "A", "D"]


@given(st.lists(st.sampled_from(["SPEAKER_00", "SPEAKER_01", "SPEAKER_02", "A", "B", "C", "d"]), unique=True),
       st.sets(st.sampled_from(["A", "B", "c", "Zoë"])))  # fmt: skip
def test_two_people_never_share_a_name(speakers, known):
    letters = speaker_letters(said(speakers=tuple(speakers)), known)
    assert len(set(letters.values())) == len(speakers)
    assert not {letters[label] for label in speakers if label.startswith("SPEAKER")} & known


def test_log_probabilities_are_of_words_whose_tokens_make_the_text():
    document = answer(TALK, Shape(logprobs=True))
    assert "".join(entry["token"] for entry in document["logprobs"]) == document["text"]
    assert [round(entry["logprob"], 2) for entry in document["logprobs"]] == [-0.11, -0.22, -0.36, -0.51]
    assert bytes(document["logprobs"][1]["bytes"]).decode() == " Hi!"


def test_log_probabilities_that_nobody_measured_are_refused_by_the_field_that_asked():
    with pytest.raises(NotMeasuredError, match="logprobs") as caught:
        answer(said(("Hi", None, 0.5), ("there", None, None)), Shape(logprobs=True))
    assert caught.value.field == "include"
    assert caught.value.http_status == 400
