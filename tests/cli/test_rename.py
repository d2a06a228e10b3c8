"""Speakers get names in a transcript and in what was written beside it; what a person edited stays."""

from dataclasses import replace

import pytest

from diarist.cli.rename import naming, parse_names
from diarist.editing import apply_all
from diarist.formats import FORMATS
from diarist.model.errors import InputError

KNOWN = ("SPEAKER_00", "SPEAKER_01")


@pytest.fixture
def call(diarist, tmp_path, save):
    """A transcript with every format beside it."""
    file = save(tmp_path / "call.json")
    others = [part for name in FORMATS if name != "json" for part in ("-f", name)]
    assert diarist("convert", file, *others, "-o", tmp_path).returncode == 0
    return file


def test_every_format_beside_it_gets_the_name(diarist, call, tmp_path):
    fresh = tmp_path / "fresh"
    done = diarist("rename", call, "SPEAKER_00=Anna", "SPEAKER_01=Ben  Smith")
    assert done.returncode == 0, done.stderr
    assert diarist("convert", call, *[p for name in FORMATS for p in ("-f", name)], "-o", fresh).returncode == 0
    assert "SPEAKER_" not in (fresh / "call.json").read_text()
    assert "Ben Smith: Hello." in (tmp_path / "call.txt").read_text()
    for file in fresh.iterdir():
        assert (tmp_path / file.name).read_bytes() == file.read_bytes(), file.name
        assert file.name in done.stdout


def test_what_someone_edited_is_left_and_said(diarist, call, tmp_path):
    edited = tmp_path / "call.txt"
    edited.write_text("SPEAKER_00 said good morning, I think.\n")
    done = diarist("rename", call, "SPEAKER_00=Anna")
    assert edited.read_text() == "SPEAKER_00 said good morning, I think.\n"
    assert "left as it is: call.txt" in done.stderr
    assert "call.txt" not in done.stdout
    assert "Anna" in (tmp_path / "call.srt").read_text()


def test_a_rename_that_was_stopped_half_way_can_be_run_again(diarist, call):
    before = call.read_bytes()
    diarist("rename", call, "SPEAKER_00=Anna")
    call.write_bytes(before)  # the transcript is written last
    done = diarist("rename", call, "SPEAKER_00=Anna")
    assert done.stderr == ""
    assert "Anna" in call.read_text()


def test_other_files_beside_it_are_not_touched(diarist, call, tmp_path):
    (tmp_path / "call2.txt").write_text("SPEAKER_00")
    diarist("rename", call, "SPEAKER_00=Anna")
    assert (tmp_path / "call2.txt").read_text() == "SPEAKER_00"


def test_one_name_for_two_is_refused_unless_asked_for(diarist, call):
    before = call.read_bytes()
    refused = diarist("rename", call, "SPEAKER_01=SPEAKER_00")
    assert refused.returncode == 2
    assert "--merge" in refused.stderr
    assert call.read_bytes() == before
    assert diarist("rename", call, "SPEAKER_01=SPEAKER_00", "--merge").returncode == 0
    assert diarist("convert", call).stdout == "[0:00:00] SPEAKER_00: Good morning. Hello.\n"


def test_an_unknown_label_is_refused_with_those_there_are(diarist, call):
    done = diarist("rename", call, "speaker_0=Anna")
    assert done.returncode == 2
    assert "Did you mean SPEAKER_00? There are: SPEAKER_00, SPEAKER_01." in done.stderr


def test_labels_can_be_swapped_and_hold_an_equals_sign():
    swapped = parse_names(["SPEAKER_00=SPEAKER_01", "SPEAKER_01=SPEAKER_00"], KNOWN, merge=False)
    assert swapped == {"SPEAKER_00": "SPEAKER_01", "SPEAKER_01": "SPEAKER_00"}
    assert parse_names(["a=b=c"], ["a=b"], merge=False) == {"a=b": "c"}


@pytest.mark.parametrize("given", ["Anna", "SPEAKER_00=", "SPEAKER_00= ", "=Anna", "SPEAKER_00=\x1b[31m"])
def test_what_does_not_say_who_is_who_is_refused(given):
    with pytest.raises(InputError):
        parse_names([given], KNOWN, merge=False)


def test_who_gets_one_name_is_made_one_whatever_the_others_are_called_now(two_people):
    names = {"SPEAKER_00": "SPEAKER_01", "SPEAKER_01": "Ben", "Cem": "Ben"}
    third = replace(two_people, speakers=(*KNOWN, "Cem"))
    after = apply_all(third, naming(names, third.speakers))
    assert [word.speaker for word in after.words] == ["SPEAKER_01", "SPEAKER_01", "Ben"]
    assert after.speakers == ("SPEAKER_01", "Ben")


def test_a_label_gets_one_name():
    with pytest.raises(InputError, match="two names"):
        parse_names(["SPEAKER_00=Anna", "SPEAKER_00=Ann"], KNOWN, merge=False)


def test_subtitles_are_never_overwritten_with_json(diarist, tmp_path):
    (tmp_path / "call.srt").write_text("1\n00:00:01,000 --> 00:00:02,000\nSPEAKER_00: Hi.\n")
    before = (tmp_path / "call.srt").read_bytes()
    done = diarist("rename", tmp_path / "call.srt", "SPEAKER_00=Anna")
    assert done.returncode == 2
    assert "is not a transcript" in done.stderr
    assert (tmp_path / "call.srt").read_bytes() == before
