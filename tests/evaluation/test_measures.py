"""Each measure counts what it says, on conversations small enough to count by hand."""

import pytest

from diarist.evaluation.annotation import Annotation
from diarist.evaluation.measures import MEASURES, Ratio, score
from diarist.evaluation.text import normaliser, tokens
from diarist.model.transcript import Segment, Turn, Word

PLAIN = normaliser("none")


def talk(*parts, **fields):
    """Make an annotation of "speaker: words" parts; every word lasts 0.5 s, and turns follow the words."""
    segments, time = [], 0.0
    for part in parts:
        speaker, _, text = part.partition(": ")
        words = []
        for word in text.split():
            words.append(Word(time, time + 0.5, word, speaker=speaker or None))
            time += 0.5
        segments.append(Segment(words[0].start, time, speaker or None, text, tuple(words)))
    words = tuple(word for segment in segments for word in segment.words)
    turns = tuple(Turn(s.start, s.end, s.speaker) for s in segments if s.speaker)
    return Annotation(utterances=tuple(segments), words=words, turns=turns, **fields)


REFERENCE = talk("anna: a b c d e f", "ben: g h i j k l")


def test_a_perfect_transcript_scores_nothing_under_any_names():
    found = score(REFERENCE, talk("S1: a b c d e f", "S0: g h i j k l"), PLAIN)
    assert found.keys() == MEASURES.keys()
    assert {name for name, ratio in found.items() if ratio.rate != 0} == set()


def test_words_at_a_turns_end_given_to_the_next_speaker():
    found = score(REFERENCE, talk("S1: a b c d", "S0: e f g h i j k l"), PLAIN)
    assert found["wer"] == Ratio(0, 12)
    # Two words are missing for anna and two too many for ben, the oldest complaint in this field.
    assert found["cpwer"] == found["tcpwer"] == Ratio(4, 12)
    assert found["oracle_cpwer"] == Ratio(0, 12)
    assert found["attribution_cost"] == Ratio(4, 12)
    assert found["wder"] == Ratio(2, 12)
    assert found["boundary_wder"] == Ratio(2, 6)
    # Utterances are matched to whole streams, so ORC-WER sees the split words too.
    assert found["orcwer"] == Ratio(4, 12)
    assert found["der"].rate == pytest.approx(1 / 6)


def test_a_word_without_a_speaker_is_an_error_and_counted_beside():
    hypothesis = talk("S0: a b c d e", ": f", "S1: g h i j k l")
    found = score(REFERENCE, hypothesis, PLAIN)
    assert found["wder"] == found["abstained"] == Ratio(1, 12)
    assert found["cpwer"] == Ratio(2, 12)


def test_one_speaker_for_two():
    found = score(REFERENCE, talk("S0: a b c d e f g h i j k l"), PLAIN)
    assert found["wder"] == Ratio(6, 12)
    assert found["speaker_count"] == found["wrong_count"] == Ratio(1, 1)


def test_recognition_errors_do_not_count_as_attribution_errors():
    found = score(REFERENCE, talk("S0: a b x d e f", "S1: g i j k l"), PLAIN)
    assert found["wer"] == found["cpwer"] == found["oracle_cpwer"] == Ratio(2, 12)
    assert found["wder"] == Ratio(0, 11)


def test_words_too_far_off_are_wrong_in_tcpwer_only():
    late = talk("S0: a b c d e f", "S1: g h i j k l")
    moved = tuple(Word(w.start + 30, w.end + 30, w.text, speaker=w.speaker) for w in late.words)
    segments = tuple(Segment(w.start, w.end, w.speaker, w.text, (w,)) for w in moved)
    found = score(REFERENCE, Annotation(utterances=segments), PLAIN)
    assert found["cpwer"] == Ratio(0, 12)
    assert found["tcpwer"] == Ratio(24, 12)


def test_overlapped_words_in_any_order_cost_no_attribution():
    first = Segment(0, 3, "anna", "a b c", (Word(0, 1, "a"), Word(1, 2, "b"), Word(2, 3, "c")))
    second = Segment(0.4, 3.4, "ben", "x y z", (Word(0.4, 1.4, "x"), Word(1.4, 2.4, "y"), Word(2.4, 3.4, "z")))
    shifted = Segment(0, 2.5, "S1", "x y z", (Word(0, 0.9, "x"), Word(0.9, 1.9, "y"), Word(1.9, 2.5, "z")))
    reference = Annotation(utterances=(first, second))
    found = score(reference, Annotation(utterances=(first, shifted)), PLAIN)
    assert found["cpwer"] == found["oracle_cpwer"] == Ratio(0, 6)


def test_word_timing_is_the_mean_distance_over_correct_words():
    reference = Annotation(words=(Word(1, 2, "a"), Word(2, 3, "b")))
    hypothesis = Annotation(words=(Word(1.1, 2.3, "a"), Word(2.3, 2.9, "b"), Word(5, 6, "c")))
    found = score(reference, hypothesis, PLAIN)
    assert found["word_start"].rate == pytest.approx(0.2)
    assert found["word_end"].rate == pytest.approx(0.2)


@pytest.mark.parametrize("empty", ["reference", "hypothesis", "both"])
def test_silence_can_be_scored(empty):
    nothing = Annotation(utterances=(), words=(), turns=())
    reference = nothing if empty != "hypothesis" else REFERENCE
    hypothesis = nothing if empty != "reference" else REFERENCE
    found = score(reference, hypothesis, PLAIN)
    assert found["wer"] == Ratio({"reference": 12, "hypothesis": 12, "both": 0}[empty], len(reference.words))


def test_measures_whose_inputs_are_unknown_are_absent():
    assert score(Annotation(turns=(Turn(0, 1, "a"),)), REFERENCE, PLAIN).keys() == {
        "der",
        "jer",
        "speaker_count",
        "wrong_count",
    }
    assert score(REFERENCE, Annotation(), PLAIN) == {}


def test_only_the_extent_is_scored_by_der():
    reference = talk("anna: a b c d e f", extent=(Turn(0, 1, "x"),))
    assert score(reference, talk("S0: a b"), PLAIN)["der"].rate == 0


def test_the_collar_forgives_on_each_side():
    reference, hypothesis = Annotation(turns=(Turn(0, 10, "a"),)), Annotation(turns=(Turn(0.3, 9.7, "a"),))
    assert score(reference, hypothesis, PLAIN)["der"].rate == pytest.approx(0.06)
    assert score(reference, hypothesis, PLAIN, collar=0.3)["der"].rate == pytest.approx(0)


def test_the_whisper_normaliser_forgives_case_punctuation_fillers_and_numbers():
    normalise = normaliser()
    assert normalise("Um, it's Twenty-one colours!") == normalise("it is 21 colors")
    assert normaliser(language="de")("Grüß Gott!") == "grüß gott"


@pytest.mark.parametrize("language", ["zh", "ja", "yue"])
def test_in_a_language_without_spaces_each_letter_is_a_word(language):
    normalise = normaliser(language=language)
    assert normalise("今天，好！") == "今 天 好"
    said = Segment(0, 4, "a", "今天好", ())
    assert [(t.text, t.start) for t in tokens(said, normalise)] == [
        ("今", 0),
        ("天", pytest.approx(4 / 3)),
        ("好", pytest.approx(8 / 3)),
    ]


def test_tokens_keep_their_words_times_when_two_words_become_one():
    words = (Word(0, 1, "I'm"), Word(1, 2, "twenty"), Word(2, 3, "one"), Word(3, 4, "today."))
    found = tokens(Segment(0, 4, "a", "I'm twenty one today.", words), normaliser())
    assert [(t.text, t.start, t.end) for t in found] == [
        ("i", 0, pytest.approx(1 / 3)),
        ("am", pytest.approx(1 / 3), 1),
        ("21", 1, 3),
        ("today", 3, 4),
    ]


def test_words_without_times_share_their_utterances_by_length():
    assert [(t.start, t.end) for t in tokens(Segment(0, 4, "a", "abc d", ()), PLAIN)] == [(0, 3), (3, 4)]
