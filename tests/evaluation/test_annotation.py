"""References are read as MeetEval reads them; what is malformed is named, without quoting what was said."""

import contextlib
import json

import meeteval
import pytest
from hypothesis import given
from hypothesis import strategies as st

from diarist.attribution import attribute, segment
from diarist.evaluation.annotation import read_annotation
from diarist.formats import FORMATS, render
from diarist.model.errors import InputError
from diarist.model.transcript import Diarization, ModelInfo, Transcript, Transcription, Turn, Word

STM = """;; a comment
call 1 anna 0.500 2.000 <o,f0,female> hello ben
call A ben 2 3 hi
call 1 anna 4.000 5.000
"""
CTM = "call 1 0.500 0.400 hello 0.9\ncall 1 1.0 0.5 ben\n"
RTTM = "SPKR-INFO call 1 <NA> <NA> <NA> unknown anna <NA> <NA>\nSPEAKER call 1 0.5 1.5 <NA> <NA> anna <NA> <NA>\n"


def test_stm_gives_utterances_without_comments_labels_and_channels(tmp_path):
    path = tmp_path / "call.stm"
    path.write_text(STM)
    (found,) = read_annotation(path).values()
    assert [(s.speaker, s.start, s.end, s.text) for s in found.utterances] == [
        ("anna", 0.5, 2, "hello ben"),
        ("ben", 2, 3, "hi"),
        ("anna", 4, 5, ""),
    ]
    assert found.speakers == {"anna", "ben"}


def test_files_of_one_name_are_one_recording(tmp_path):
    for ending, text in (("stm", STM), ("ctm", CTM), ("rttm", RTTM), ("uem", "call 1 0 6\n")):
        (tmp_path / f"monday.{ending}").write_text(text)
    (tmp_path / "notes.txt").write_text("not ours")
    found = read_annotation(tmp_path)
    assert found.keys() == {"monday"}
    monday = found["monday"]
    assert [(w.text, w.start, w.end) for w in monday.words] == [("hello", 0.5, 0.9), ("ben", 1.0, 1.5)]
    assert [(t.speaker, t.start, t.end) for t in monday.turns] == [("anna", 0.5, 2)]
    assert [(s.start, s.end) for s in monday.extent] == [(0, 6)]


def test_a_folder_of_folders_is_read_and_metadata_passed_over(tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "ref.rttm").write_text(RTTM)
        (tmp_path / name / "ref_old.rttm").write_text("rubbish")
        (tmp_path / name / "meta.json").write_text("{}")
    assert read_annotation(tmp_path).keys() == {"a", "b"}
    assert read_annotation(tmp_path / "a").keys() == {"a"}


def test_one_file_may_hold_many_recordings(tmp_path):
    path = tmp_path / "corpus.rttm"
    path.write_text(RTTM + RTTM.replace("call", "talk"))
    assert read_annotation(path).keys() == {"call", "talk"}


def test_a_transcript_of_ours_is_read_back_whole(tmp_path):
    model = ModelInfo("transcription", "m", None, "e")
    words = (Word(0, 1, "Hello.", 0.5), Word(1, 2, "Hi."))
    turns = (Turn(0, 1, "x"), Turn(1, 2, "y"))
    transcript = attribute(
        Transcription(words=words, language="en", duration=2, model=model),
        Diarization(turns=turns, exclusive=turns, duration=2, model=model),
    )
    path = tmp_path / "call.json"
    path.write_text(render(transcript, "json"))
    (found,) = read_annotation(path).values()
    assert found.words == transcript.words
    assert found.turns == transcript.turns
    assert found.utterances == transcript.segments


LABEL = st.text(st.characters(codec="ascii", categories=["L", "N"]), min_size=1, max_size=5)
TIME = st.integers(0, 100_000).map(lambda ms: ms / 1000)
UTTERANCE = st.fixed_dictionaries(
    {
        "session_id": st.just("s"),
        "speaker": LABEL,
        "start_time": TIME,
        "end_time": st.just(0),
        "words": st.lists(LABEL, max_size=4).map(" ".join),
    }
).map(lambda u: {**u, "end_time": u["start_time"] + 1.5})


@given(st.lists(UTTERANCE, min_size=1, max_size=6))
def test_stm_and_seglst_of_one_talk_are_read_alike_and_as_meeteval_means_them(tmp_path_factory, utterances):
    folder = tmp_path_factory.mktemp("written")
    segments = meeteval.io.SegLST(utterances)
    meeteval.io.STM.new(segments).dump(folder / "s.stm")
    (folder / "s.seglst.json").write_text(json.dumps(segments.segments))
    wanted = sorted((u["start_time"], u["speaker"], u["words"]) for u in utterances)
    for name in ("s.stm", "s.seglst.json"):
        (found,) = read_annotation(folder / name).values()
        assert sorted((s.start, s.speaker, s.text) for s in found.utterances) == wanted


def test_a_sentence_without_spaces_is_no_word_with_a_time_of_its_own(tmp_path):
    def timed(text):
        talk = [{"session_id": "s", "speaker": "a", "start_time": 0, "end_time": 2, "words": text}]
        (tmp_path / "s.seglst.json").write_text(json.dumps(talk))
        (found,) = read_annotation(tmp_path / "s.seglst.json").values()
        return found.words is not None

    assert timed("hello")
    assert timed("好")
    assert not timed("今天我们走吧。")


@pytest.mark.parametrize(
    ("name", "content", "complaint"),
    [
        ("a.stm", "call 1 anna 0.5\n", "a.stm, line 1: not valid STM"),
        ("a.stm", "\ncall 1 anna 2 1 the secret\n", "a.stm, line 2: a span needs"),
        ("a.ctm", "call 1 0.5 x secret\n", "a.ctm, line 1: not valid CTM"),
        ("a.rttm", "SPEAKER call 1 nan 1 <NA> <NA> a <NA> <NA>", "a.rttm, line 1: a span needs"),
        ("a.uem", "call 0 1", "a.uem, line 1: not valid UEM"),
        ("a.seglst.json", '[{"speaker": "secret"}]', "segment 1: not valid SegLST"),
        ("a.seglst.json", "{}", "must be a list"),
        ("a.json", "{", "not JSON"),
        ("a.json", "[" * 100_000, "segment 1: not valid SegLST"),
        ("a.json", "{}", "not a transcript"),
        ("a.json", json.dumps({"schema": "diarist.transcript/1"}), "Not a valid Transcript"),
        ("a.stm", b"\xff\xfe\x00", "not readable text"),
        ("a.mp3", "x", "of no known kind"),
    ],
)
def test_malformed_files_get_one_line_that_quotes_no_speech(tmp_path, name, content, complaint):
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(InputError, match=complaint) as caught:
        read_annotation(path)
    assert "\n" not in str(caught.value)
    assert "secret" not in str(caught.value)


def test_a_missing_path_and_an_empty_folder_are_refused(tmp_path):
    with pytest.raises(InputError, match="does not exist"):
        read_annotation(tmp_path / "no")
    with pytest.raises(InputError, match="holds no recording"):
        read_annotation(tmp_path)


@given(st.binary(max_size=200), st.sampled_from(["stm", "ctm", "rttm", "uem", "json", "seglst.json"]))
def test_no_bytes_make_a_reader_fail_otherwise(tmp_path_factory, content, ending):
    path = tmp_path_factory.mktemp("noise") / f"noise.{ending}"
    path.write_bytes(content)
    with contextlib.suppress(InputError):
        read_annotation(path)


SUBTITLES = "1\n00:00:01,000 --> 00:00:02,000\nAnna: Hi.\n\n2\n00:00:03,000 --> 00:00:04,000\nBen: Ho.\n"


def test_subtitles_tell_what_was_said_and_by_whom_but_not_when_anyone_spoke(tmp_path):
    (tmp_path / "call.srt").write_text(SUBTITLES)
    (found,) = read_annotation(tmp_path / "call.srt").values()
    assert [(u.speaker, u.text) for u in found.utterances] == [("Anna", "Hi."), ("Ben", "Ho.")]
    assert found.words is None
    assert found.turns is None
    assert found.speakers == {"Anna", "Ben"}


def test_json_of_others_is_read(tmp_path):
    document = {"segments": [{"start": 0, "end": 1, "text": "Hi", "speaker": "A"}]}
    (tmp_path / "call.json").write_text(json.dumps(document))
    (found,) = read_annotation(tmp_path / "call.json").values()
    assert found.turns == (Turn(0, 1, "A"),)
    assert found.words is None


def test_renderings_beside_our_json_do_not_hide_it_nor_count_as_recordings(tmp_path):
    segments = segment([Word(0, 1, "Hi", None, "SPEAKER_00")])
    ours = Transcript(
        duration=2,
        language="en",
        speakers=("SPEAKER_00",),
        segments=segments,
        turns=(Turn(0, 1.5, "SPEAKER_00"),),
        models=(),
    )
    for name in ("json", "srt", "vtt", "verbose_json", "diarized_json", "seglst", "openai_json"):
        (tmp_path / f"call.{FORMATS[name].extension}").write_text(render(ours, name, name="call"))
    found = read_annotation(tmp_path)
    assert list(found) == ["call"]
    assert found["call"].turns == ours.turns
    assert found["call"].words == ours.words
    assert found["call"].utterances == ours.segments
