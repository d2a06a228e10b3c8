"""What each edit does, by example."""

from dataclasses import replace

import pytest

from diarist.editing import (
    Assign,
    Join,
    Merge,
    Rename,
    Replace,
    Restore,
    Split,
    apply,
    apply_all,
    invert,
    read_edits,
    replace_all,
)
from diarist.formats import render
from diarist.model.errors import InputError
from diarist.model.transcript import Diarization, ModelInfo, Segment, Transcript, Turn, Word, join_words


def said(*lines, language="en", spaced=None):
    """A conversation: a word every half second, a second between lines, and a turn around each line."""
    segments, at = [], 0.0
    for who, *texts in lines:
        words = []
        for number, text in enumerate(texts):
            words.append(Word(at, at + 0.4, text, 0.9, who, 0.8, spaced=spaced if number else None))
            at += 0.5
        segments.append(Segment(words[0].start, words[-1].end, who, join_words(words, language), tuple(words)))
        at += 1
    return Transcript(
        duration=at,
        language=language,
        speakers=tuple(dict.fromkeys(part.speaker for part in segments)),
        segments=tuple(segments),
        turns=tuple(Turn(max(0, part.start - 0.2), part.end + 0.2, part.speaker, 0.9) for part in segments),
        models=(),
    )


@pytest.fixture
def talk():
    return said(("Ann", "I", "think", "so.", "And", "you?"), ("Ben", "Not", "at", "all."))


def shown(transcript):
    return [(part.speaker, part.text) for part in transcript.segments]


def timed(transcript):
    """Each word with its times; a question mark before what nobody measured."""
    return [f"{'' if w.confidence else '?'}{w.text} {w.start:g}-{w.end:g}" for w in transcript.words]


# Speakers


def test_rename_gives_a_speaker_a_name_everywhere_and_its_place_stays(talk):
    after = apply(talk, Rename({"Ann": "Zoë"}))
    assert after.speakers == ("Zoë", "Ben")
    assert {item.speaker for item in (*after.segments, *after.words, *after.turns)} == {"Zoë", "Ben"}


def test_rename_can_swap_two_but_not_make_them_one(talk):
    assert apply(talk, Rename({"Ann": "Ben", "Ben": "Ann"})).speakers == ("Ben", "Ann")
    with pytest.raises(InputError, match="Two speakers would get one name") as refused:
        apply(talk, Rename({"Ann": "Ben"}))
    assert "merge" in refused.value.hint


def test_merge_makes_several_one_and_can_be_undone(talk):
    after = apply(talk, Merge(("Ben",), "Ann"))
    assert (after.speakers, {word.speaker for word in after.words}) == (("Ann",), {"Ann"})
    assert apply(after, invert(talk, Merge(("Ben",), "Ann"))) == talk


def test_a_label_that_is_not_there_is_refused_with_those_there_are(talk):
    with pytest.raises(InputError, match="no speaker 'Cem'") as refused:
        apply(talk, Merge(("Cem",), "Ann"))
    assert refused.value.hint == "There are: Ann, Ben."


def test_the_evidence_behind_the_speakers_follows_their_names(talk):
    model = ModelInfo("diarization", "m", None, "e")
    voices = {"Ann": (1.0, 0.0), "Ben": (0.0, 1.0)}
    heard = talk.with_diarization(
        Diarization(turns=talk.turns, exclusive=talk.turns, duration=9, model=model, embeddings=voices)
    )
    assert set(apply(heard, Rename({"Ann": "Zoë"})).diarization.embeddings) == {"Zoë", "Ben"}
    for edit in (Split(1), Assign(0, 2, "Ben"), Replace(0, 1, "We")):
        assert apply(heard, edit).diarization.embeddings == voices
        assert apply(apply(heard, edit), invert(heard, edit)).diarization.embeddings == voices


# Who said it


def test_assign_gives_words_to_another_and_cuts_the_segment_there(talk):
    after = apply(talk, Assign(3, 5, "Ben"))
    assert shown(after) == [("Ann", "I think so."), ("Ben", "And you?"), ("Ben", "Not at all.")]
    assert [word.speaker_confidence for word in after.words] == [0.8, 0.8, 0.8, None, None, 0.8, 0.8, 0.8]
    assert timed(after) == timed(talk)


def test_turns_follow_so_that_every_format_tells_the_same(talk):
    """The turn is cut half way between the words; the part at its end goes along."""
    after = apply(talk, Assign(3, 5, "Cem"))
    assert after.turns == (Turn(0, 1.45, "Ann"), Turn(1.45, 2.6, "Cem"), Turn(3.3, 5.1, "Ben", 0.9))
    assert render(after, "rttm").split()[7::10] == ["Ann", "Cem", "Ben"]
    assert after.speakers == ("Ann", "Ben", "Cem")


def test_who_is_left_with_nothing_is_no_speaker_any_more(talk):
    after = apply(talk, Assign(5, 8, "Ann"))
    assert after.speakers == ("Ann",)
    assert [turn.speaker for turn in after.turns] == ["Ann", "Ann"]


def test_words_may_be_nobodys_and_words_outside_all_turns_get_one(talk):
    nobody = apply(talk, Assign(5, 8, None))
    assert [word.speaker for word in nobody.words[5:]] == [None] * 3
    assert [turn.speaker for turn in nobody.turns] == ["Ann"]
    assert apply(nobody, Assign(5, 6, "Dee")).turns[-1] == Turn(3.5, 3.9, "Dee")


def test_a_transcript_without_turns_gets_none(talk):
    bare = replace(talk, turns=())
    assert apply(bare, Assign(3, 5, "Ben")).turns == ()


# Segments


def test_split_cuts_before_a_word_and_join_undoes_it(talk):
    after = apply(talk, Split(3))
    assert shown(after)[:2] == [("Ann", "I think so."), ("Ann", "And you?")]
    assert apply(after, Join(0, 2)) == talk
    with pytest.raises(InputError, match="Word 5 is the first of its segment"):
        apply(talk, Split(5))


def test_segments_of_two_people_are_not_joined(talk):
    with pytest.raises(InputError, match="several speakers"):
        apply(talk, Join(0, 2))
    with pytest.raises(InputError, match="there are 2"):
        apply(talk, Join(1, 3))


# Words


def test_a_word_for_a_word_takes_its_time_and_has_no_confidence(talk):
    after = apply(talk, Replace(0, 3, "I thought so."))
    assert timed(after)[:3] == ["I 0-0.4", "?thought 0.5-0.9", "so. 1-1.4"]
    assert after.words[0] is talk.words[0]


def test_other_words_share_the_time_by_their_letters(talk):
    assert timed(apply(talk, Replace(1, 2, "we assume")))[1:3] == ["?we 0.5-0.6", "?assume 0.6-0.9"]
    assert timed(apply(talk, Replace(5, 8, "No.")))[5:] == ["?No. 3.5-4.9"]


def test_an_inserted_word_stands_in_the_pause_and_no_longer_than_it_takes_to_say(talk):
    assert timed(apply(talk, Replace(5, 5, "too?")))[5] == "?too? 2.4-2.8"
    assert shown(apply(talk, Replace(5, 5, "too?")))[0] == ("Ann", "I think so. And you? too?")
    assert timed(apply(talk, Replace(1, 3, "really think so.")))[1:3] == ["?really 0.4-0.5", "think 0.5-0.9"]


def test_an_empty_text_deletes_and_a_segment_without_words_goes(talk):
    assert shown(apply(talk, Replace(1, 3, ""))) == [("Ann", "I And you?"), ("Ben", "Not at all.")]
    after = apply(talk, Replace(5, 8, ""))
    assert shown(after) == [("Ann", "I think so. And you?")]
    assert after.turns == talk.turns  # a text says nothing of who was heard
    assert apply(after, invert(talk, Replace(5, 8, ""))) == talk


def test_a_range_over_several_segments_leaves_each_word_in_its_own(talk):
    after = apply(talk, Replace(3, 7, "And you there? Not so"))
    assert shown(after) == [("Ann", "I think so. And you there?"), ("Ben", "Not so all.")]


def test_text_as_it_was_changes_nothing(talk):
    assert apply(talk, Replace(0, 8, "I think so. And you? Not at all.")) == talk


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("今天天氣不好。", ["今天 0-0.4", "天氣 0.5-0.9", "?不 1-1.4", "好。 1.5-1.9"]),
        ("明天天氣很好。", ["?明天 0-0.4", "天氣 0.5-0.9", "很 1-1.4", "好。 1.5-1.9"]),
        ("今天，天氣很好。", ["?今天， 0-0.4", "天氣 0.5-0.9", "很 1-1.4", "好。 1.5-1.9"]),
        ("今天的天氣很好。", ["今天 0-0.4", "?的 0.4-0.5", "天氣 0.5-0.9", "很 1-1.4", "好。 1.5-1.9"]),
        ("天氣「很」好。", ["天氣 0.5-0.9", "?「很」 1-1.4", "好。 1.5-1.9"]),
        ("今天Python很好。", ["今天 0-0.4", "?Python 0.5-0.9", "很 1-1.4", "好。 1.5-1.9"]),
    ],
)
def test_scripts_without_spaces_are_corrected_without_any(text, words):
    chinese = said(("王", "今天", "天氣", "很", "好。"), language="zh", spaced=False)
    after = apply(chinese, Replace(0, 4, text))
    assert timed(after) == words
    assert after.text == text


def test_thai_marks_stay_with_their_letters():
    thai = said(("A", "สวัสดี", "ครับ"), language="th", spaced=False)
    after = apply(thai, Replace(0, 2, "สวัสดีค่ะ"))
    assert (after.words[0], after.text) == (thai.words[0], "สวัสดีค่ะ")
    assert not any(word.text[0] in "\u0e48\u0e31\u0e30" for word in after.words)


@pytest.mark.parametrize(
    ("given", "text"),
    [
        (("مرحبا", "بكم", "في", "البرنامج،"), "مرحبا بكم في هذا البرنامج،"),
        (("שלום", "לכולם", "וברוכים", "הבאים."), "שלום לכולם וברוכות הבאות."),
    ],
)
def test_scripts_from_right_to_left_are_in_the_order_in_which_they_are_said(given, text):
    before = said(("A", *given), language="ar", spaced=True)
    after = apply(before, Replace(0, 4, text))
    assert after.text == text
    assert after.words[:2] == before.words[:2]


def test_a_space_that_was_written_or_taken_away_is_kept():
    chinese = said(("王", "今天", "天氣"), language="zh", spaced=False)
    after = apply(chinese, Replace(0, 2, "今天 天氣"))
    assert after.text == "今天 天氣"
    assert apply(after, Replace(0, 2, "今天天氣")).text == "今天天氣"


def test_words_of_which_the_recogniser_made_two_stay_two():
    parts = said(("A", "e-", "mail", "it"), spaced=False)
    after = apply(parts, Replace(0, 3, "e-mailit now"))
    assert after.words[:3] == parts.words
    assert after.text == "e-mailit now"


# Lines without times for their words, as subtitles have them


@pytest.fixture
def subtitles():
    lines = (Segment(0, 2, "Ann", "I think so.", ()), Segment(2, 4, "Ann", "And you?", ()))
    return Transcript(duration=4, language="en", speakers=("Ann",), segments=lines, turns=(), models=())


def test_a_line_without_word_times_counts_as_one_word(subtitles):
    after = apply_all(subtitles, [Replace(0, 1, "I thought so."), Assign(1, 2, "Ben")])
    assert shown(after) == [("Ann", "I thought so."), ("Ben", "And you?")]
    assert after.words == ()
    assert shown(apply(subtitles, Join(0, 2))) == [("Ann", "I think so. And you?")]
    assert shown(apply(subtitles, Replace(0, 1, ""))) == [("Ann", "And you?")]
    with pytest.raises(InputError, match="no times for its words"):
        apply(subtitles, Replace(0, 2, "One line"))


# Find and replace


@pytest.mark.parametrize(
    ("what", "text", "after"),
    [
        ("and", "or", "I think so. or you? Not at all."),
        ("so. and", "so, and", "I think so, and you? Not at all."),
        ("t", "d", "I dhink so. And you? Nod ad all."),
        ("at all", "anything", "I think so. And you? Not anything."),
        ("So", "SO", "I think SO. And you? Not at all."),
        ("nothing", "x", "I think so. And you? Not at all."),
    ],
)
def test_find_and_replace_is_a_list_of_edits(talk, what, text, after):
    assert apply_all(talk, replace_all(talk, what, text)).text == after


def test_find_can_match_case_and_whole_words(talk):
    assert replace_all(talk, "and", "or", match_case=True) == ()
    assert replace_all(talk, "a", "b", whole_words=True) == ()
    assert replace_all(talk, "NOT", "b", whole_words=True) == (Replace(5, 6, "b"),)
    with pytest.raises(InputError, match="no text to find"):
        replace_all(talk, " ", "x")


def test_what_crosses_words_and_segments_of_one_speaker_is_found():
    chinese = said(("王", "今天", "天氣"), ("王", "很", "好。"), language="zh", spaced=False)
    assert apply_all(chinese, replace_all(chinese, "氣很", "x")).text == "今天天x好。"


# What strangers send


@pytest.mark.parametrize(
    ("document", "says"),
    [
        (b"\xff", "not JSON"),
        (b"[" * 100_000, "list of edits"),
        (b"{}", "Expected `array`"),
        (b'[{"op": "split", "word": 1.5}]', "Expected `int`"),
        (b'[{"op": "split", "word": 99999999999999999999}]', "int"),
        (b'[{"op": "replace", "first": 0, "stop": 1, "text": "' + b"x" * 20_001 + b'"}]', "Edit 1 holds a text"),
        (b'[{"op": "replace", "first": 0, "stop": 1, "text": "a\\u0000"}]', "Edit 1 holds a text"),
        (b'[{"op": "assign", "first": 0, "stop": 1, "speaker": " a"}]', "Edit 1 holds a name"),
        (b'[{"op": "rename", "names": {"a": ""}}]', "Edit 1 holds a name"),
        (b'[{"op": "label", "speakers": [], "segments": [], "words": [], "turns": []}]', "Invalid value"),
        (b"[" + b'{"op": "split", "word": 1},' * 2000 + b'{"op": "split", "word": 1}]', "length <= 2000"),
    ],
)
def test_a_list_of_edits_that_cannot_be_is_refused_in_one_line(document, says):
    with pytest.raises(InputError) as refused:
        read_edits(document)
    assert says in refused.value.message
    assert "\n" not in refused.value.message
    assert len(refused.value.message) < 250


def test_names_in_scripts_that_need_joiners_are_taken():
    assert read_edits('[{"op": "rename", "names": {"A": "نرگس‌خانم"}}]'.encode())


@pytest.mark.parametrize(
    "operation",
    [Split(99), Assign(0, 99, "x"), Assign(2, 2, "x"), Replace(9, 9, "x"), Join(0, 9), Restore((), 5, 9, (), 0, 0, ())],
)
def test_places_that_are_not_there_are_refused_and_the_hint_says_why(talk, operation):
    with pytest.raises(InputError) as refused:
        apply(talk, operation)
    assert "another version of the transcript" in refused.value.hint


def test_the_edit_at_fault_is_named(talk):
    with pytest.raises(InputError, match=r"Edit 2 cannot be done\. There are no words 99 to 100"):
        apply_all(talk, [Split(1), Split(99)])
