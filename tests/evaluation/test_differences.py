"""The diff leaves out no word of either side, and marks a difference as what it is."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from diarist.evaluation.annotation import Annotation
from diarist.evaluation.differences import Kind, compare, counts, marked, stretches, turns
from diarist.evaluation.measures import score
from diarist.evaluation.suite import evaluate
from diarist.evaluation.text import Token, normaliser
from diarist.model.transcript import Segment, Word

WORDS = st.lists(
    st.tuples(st.sampled_from("abcdef"), st.integers(0, 200), st.sampled_from(["x", "y", "z", None])), max_size=25
)


def side(words):
    """Make words of half a second, which may overlap, in order of time."""
    return [Token(text, at / 10, at / 10 + 0.5, who) for text, at, who in sorted(words, key=lambda word: word[1])]


def talk(text):
    """Make words of "anna: a b c" lines, half a second each."""
    found = []
    for line in text.splitlines():
        speaker, _, words = line.strip().rpartition(": ")
        for word in words.split():
            found.append(Token(word, len(found) / 2, len(found) / 2 + 0.5, speaker or None))
    return found


def shown(reference, transcript):
    return [
        "".join(text for _, text in marked(stretch))
        for turn in turns(compare(talk(reference), talk(transcript)))
        for stretch in stretches(turn)
    ]


@settings(deadline=None)
@given(WORDS, WORDS)
def test_each_side_is_there_whole_and_in_its_order(said, heard):
    said, heard = side(said), side(heard)
    pairs = compare(said, heard)
    assert [pair.said for pair in pairs if pair.said] == said
    assert [pair.heard for pair in pairs if pair.heard] == heard
    assert all(pair.said or pair.heard for pair in pairs)


@settings(deadline=None)
@given(WORDS, WORDS)
def test_a_pair_is_of_the_kind_that_its_words_are(said, heard):
    for pair in compare(side(said), side(heard)):
        sides = (pair.said is not None, pair.heard is not None)
        if all(sides):
            assert (pair.kind == Kind.SAME) == (pair.said.text == pair.heard.text)
        assert (
            sides
            in {
                Kind.SAME: [(True, True)],
                Kind.WRONG: [(True, True)],
                Kind.MISSING: [(True, False)],
                Kind.EXTRA: [(False, True)],
                Kind.REORDERED: [(True, False), (False, True)],
            }[pair.kind]
        )


@settings(deadline=None)
@given(WORDS, WORDS)
def test_words_in_another_order_come_in_twos(said, heard):
    moved = [pair for pair in compare(side(said), side(heard)) if pair.kind == Kind.REORDERED]
    here = sorted(pair.said.text for pair in moved if pair.said)
    assert here == sorted(pair.heard.text for pair in moved if pair.heard)


@settings(deadline=None)
@given(WORDS)
def test_a_text_does_not_differ_from_itself(words):
    pairs = compare(side(words), side(words))
    assert not any(pair.differs for pair in pairs)
    assert not any(stretches(turn) for turn in turns(pairs))


@settings(deadline=None)
@given(WORDS, WORDS)
def test_turns_hold_every_pair_once_and_one_speaker_each(said, heard):
    pairs = compare(side(said), side(heard))
    found = turns(pairs)
    assert sorted(map(id, pairs)) == sorted(id(pair) for turn in found for pair in turn)
    assert all(len({pair.said.speaker for pair in turn if pair.said}) <= 1 for turn in found)


@settings(deadline=None)
@given(WORDS, WORDS, st.integers(0, 5))
def test_stretches_hold_every_difference_once_and_little_else(said, heard, context):
    for turn in turns(compare(side(said), side(heard))):
        found = [pair for stretch in stretches(turn, context) for run in stretch.runs for pair in run.pairs]
        assert len(set(map(id, found))) == len(found)
        differing = [pair for pair in turn if pair.differs]
        assert [pair for pair in found if pair.differs] == differing
        assert len(found) <= len(differing) * (2 * context + 1)


@settings(deadline=None)
@given(WORDS, WORDS)
def test_it_shows_at_least_as_many_errors_as_wer_counts(said, heard):
    def annotation(words):
        return Annotation(
            utterances=tuple(
                Segment(t.start, t.end, t.speaker, t.text, (Word(t.start, t.end, t.text),)) for t in side(words)
            )
        )

    pairs = compare(side(said), side(heard))
    errors = sum(pair.kind != Kind.SAME for pair in pairs)
    assert errors >= score(annotation(said), annotation(heard), normaliser("none"))["wer"].errors


def test_wrong_missing_and_extra_words_are_marked_with_letters():
    assert shown("anna: so a b c d e f", "S0: so a x c e f f") == ["anna: so a [-b-]{+x+} c [-d-] e f {+f+}"]


def test_only_a_few_words_around_a_difference_are_shown():
    before, after = "a b c d e f g h", "i j k l m n o p"
    assert shown(f"anna: {before} x {after}", f"S0: {before} y {after}") == ["anna: e f g h [-x-]{+y+} i j k l"]


def test_differences_far_from_each_other_are_stretches_of_their_own_with_their_times():
    said, heard = talk(f"anna: x {'a ' * 30} x"), talk(f"S0: y {'a ' * 30} y")
    (turn,) = turns(compare(said, heard))
    assert [stretch.time for stretch in stretches(turn)] == [0, 13.5]


def test_words_of_the_wrong_speaker_say_whose_they_became():
    reference = "anna: good morning ben how are you\nben: i am well thank you and you"
    transcript = "S1: good morning ben how are\nS0: you i am well thank you\nS2: and\n: you"
    assert shown(reference, transcript) == [
        "anna: morning ben how are <as ben: you>",
        "ben: am well thank you <as other S2: and> <as nobody: you>",
    ]


def test_labels_need_not_be_the_references_names():
    assert shown("anna: a b c\nben: d e f", "ben: a b c\nanna: d e f") == []


@pytest.mark.parametrize(
    ("reference", "transcript"), [("anna: a b\nben: c d", "a b c d"), ("a b c d", "anna: a b\nben: c d")]
)
def test_speakers_are_compared_only_where_both_sides_know_some(reference, transcript):
    assert shown(reference, transcript) == []


def test_two_who_talk_at_once_are_shown_one_after_the_other():
    said = side(
        [("so", 0, "x"), ("yes", 4, "y"), ("we", 6, "x"), ("yes", 9, "y"), ("went", 12, "x"), ("home", 18, "x")]
    )
    heard = side([("so", 0, "S0"), ("we", 6, "S0"), ("home", 18, "S0")])
    found = [stretch for turn in turns(compare(said, heard)) for stretch in stretches(turn)]
    assert ["".join(text for _, text in marked(stretch)) for stretch in found] == [
        "x: so we [-went-] home",
        "y: [-yes yes-]",
    ]


def test_the_same_words_in_another_order_are_no_missing_and_extra_words():
    said = side([("a", 0, "x"), ("b", 4, "y"), ("c", 8, "x")])
    heard = side([("b", 0, "S1"), ("a", 4, "S0"), ("c", 8, "S0")])
    found = counts(compare(said, heard))
    assert (found[Kind.REORDERED], found[Kind.MISSING], found[Kind.EXTRA], found["speaker"]) == (1, 0, 0, 0)


@pytest.mark.parametrize("empty", ["reference", "transcript"])
def test_silence_on_one_side_is_one_difference(empty):
    text = "anna: good morning"
    sides = ("", text) if empty == "reference" else (text, "")
    assert shown(*sides) == [{"reference": "{+good morning+}", "transcript": "anna: [-good morning-]"}[empty]]


def test_a_ctm_beside_a_transcript_shows_its_words(tmp_path):
    (tmp_path / "a.ctm").write_text("a 1 0 0.5 hello\na 1 0.5 0.5 ben\n")
    (tmp_path / "a.stm").write_text("a 1 S0 0 1 hello then\n")
    report = evaluate(tmp_path / "a.ctm", tmp_path / "a.stm", normaliser("none"), diff=True)
    assert counts(report.differences["a"]) == {Kind.SAME: 1, Kind.WRONG: 1, "speaker": 0}
