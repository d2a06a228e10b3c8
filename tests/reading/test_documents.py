"""JSON of other tools, in their own shapes: WhisperX, Whisper's command, OpenAI's API."""

import json

import pytest

from diarist import reading
from diarist.model.errors import InputError


def read(document):
    return reading.parse(json.dumps(document).encode(), "a.json")


def test_whisperx():
    found = read(
        {
            "segments": [
                {
                    "start": 0.5,
                    "end": 3.0,
                    "text": " In 2014 we met. Yes.",
                    "speaker": "SPEAKER_01",
                    "words": [
                        {"word": "In", "start": 0.5, "end": 0.6, "score": 0.91, "speaker": "SPEAKER_01"},
                        {"word": "2014"},  # digits are not aligned
                        {"word": "we", "start": 1.6, "end": 1.7, "score": 0.8, "speaker": "SPEAKER_01"},
                        {"word": "met.", "start": 1.7, "end": 2.0, "score": 0.7, "speaker": "SPEAKER_01"},
                        {"word": "Yes.", "start": 2.5, "end": 3.0, "score": 0.9, "speaker": "SPEAKER_00"},
                    ],
                }
            ],
            "word_segments": [],
            "language": "en",
        }
    )
    assert [(s.start, s.end, s.speaker, s.text) for s in found.segments] == [
        (0.5, 2.0, "SPEAKER_01", "In 2014 we met."),
        (2.5, 3.0, "SPEAKER_00", "Yes."),
    ]
    year = found.words[1]
    assert (year.text, year.start, year.end, year.speaker) == ("2014", 0.6, 1.6, "SPEAKER_01")
    assert "no times for 1 words" in found.warnings[0]
    # How well a word was aligned is not how sure anybody is of it.
    assert {word.confidence for word in found.words} == {None}
    assert found.language == "en"
    assert found.speakers == ("SPEAKER_01", "SPEAKER_00")


def test_words_that_nobody_timed_are_no_words():
    found = read({"segments": [{"start": 0, "end": 2, "text": "12 34", "words": [{"word": "12"}, {"word": "34"}]}]})
    assert found.words == ()
    assert found.segments[0].text == "12 34"
    assert "no times for words" in found.warnings[0]


def test_several_words_without_times_share_their_gap_by_length():
    words = [{"word": "a", "start": 0, "end": 1}, {"word": "bcd"}, {"word": "e"}, {"word": "f", "start": 5, "end": 6}]
    found = read({"segments": [{"start": 0, "end": 9, "text": "a bcd e f", "words": [*words, {"word": "g"}]}]})
    assert [(w.start, w.end) for w in found.words] == [(0, 1), (1, 4), (4, 5), (5, 6), (6, 9)]


def test_whisper_s_own_json_keeps_the_probability_of_each_word():
    found = read(
        {
            "text": " Hello there.",
            "segments": [
                {
                    "id": 0, "seek": 0, "start": 0.0, "end": 1.2, "text": " Hello there.", "tokens": [50364, 2425],
                    "temperature": 0.0, "avg_logprob": -0.3, "compression_ratio": 0.9, "no_speech_prob": 0.01,
                    "words": [
                        {"word": " Hello", "start": 0.0, "end": 0.5, "probability": 0.93},
                        {"word": " there.", "start": 0.5, "end": 1.2, "probability": 0.81},
                    ],
                }
            ],
            "language": "en",
        }
    )  # fmt: skip
    assert [(w.text, w.confidence) for w in found.words] == [("Hello", 0.93), ("there.", 0.81)]


def test_openai_s_words_get_their_marks_from_the_text():
    """The API lists words bare and apart from the segments."""
    found = read(
        {
            "task": "translate", "language": "german", "duration": "4.50", "text": "“Well, $10,000 — no!” Don't. Ok",
            "words": [
                {"word": "Well", "start": 0.0, "end": 0.4}, {"word": "10", "start": 0.4, "end": 0.8},
                {"word": "000", "start": 0.8, "end": 1.0}, {"word": "no", "start": 1.0, "end": 1.4},
                {"word": "Don't", "start": 2.0, "end": 2.4}, {"word": "Ok", "start": 3.0, "end": 3.4},
            ],
            "segments": [
                {"id": 0, "start": 0.0, "end": 1.5, "text": " “Well, $10,000 — no!”"},
                {"id": 1, "start": 2.0, "end": 4.0, "text": " Don't. Ok"},
            ],
        }
    )  # fmt: skip
    assert [[w.text for w in s.words] for s in found.segments] == [
        ["“Well,", "$10,", "000 —", "no!”"],
        ["Don't.", "Ok"],
    ]
    assert [s.text for s in found.segments] == ["“Well, $10,000 — no!”", "Don't. Ok"]
    assert (found.duration, found.language, found.task) == (4.5, "de", "translate")
    assert found.words[2].spaced is False


def test_words_that_are_not_those_of_the_text_go_by_their_times():
    segments = [{"start": 0, "end": 2, "text": "one"}, {"start": 2, "end": 4, "text": "two"}]
    words = [{"word": "eins", "start": 0, "end": 1}, {"word": "zwei", "start": 3, "end": 4}]
    found = read({"segments": segments, "words": words})
    assert [[w.text for w in s.words] for s in found.segments] == [["eins"], ["zwei"]]


def test_words_alone_are_cut_into_segments_as_ours_are():
    words = [{"word": "Hi", "start": 0, "end": 0.5}, {"word": "you", "start": 0.5, "end": 1}]
    found = read({"text": "Hi. You!", "words": [*words, {"word": "there", "start": 1, "end": 2}][:2]})
    assert [s.text for s in found.segments] == ["Hi.", "You!"]


def test_diarized_json_without_a_speaker_has_none():
    entry = {"type": "transcript.text.segment", "id": "seg_001", "start": 0, "end": 1, "text": "Hi"}
    found = read({"task": "transcribe", "segments": [{**entry, "speaker": "A"}, {**entry, "speaker": "unknown"}]})
    assert [s.speaker for s in found.segments] == ["A", None]
    assert found.speakers == ("A",)


@pytest.mark.parametrize("duration", ["soon", "nan", -1, "1e999"])
def test_a_length_that_is_none_is_refused(duration):
    with pytest.raises(InputError, match=r"a\.json is damaged: the duration"):
        read({"segments": [], "duration": duration})


def test_a_language_of_no_model_is_said():
    found = read({"segments": [], "language": "klingon"})
    assert found.language is None
    assert "language" in found.warnings[0]
