"""`Transcript.load` and `Transcript.save`; what the commands do with files is shown with them."""

import os

import pytest

from diarist import Transcript
from diarist.attribution import segment
from diarist.formats import FORMATS, render
from diarist.model.errors import InputError
from diarist.model.transcript import Word

WORDS = Word(0.5, 1.0, "Hello.", 0.9, "SPEAKER_00"), Word(2.0, 2.5, "Hi!", 0.8, "SPEAKER_01")
TRANSCRIPT = Transcript(
    duration=60, language="en", speakers=("SPEAKER_00", "SPEAKER_01"), segments=segment(WORDS), turns=(), models=()
)


def test_what_was_saved_is_loaded_whole(tmp_path):
    TRANSCRIPT.save(tmp_path / "talk.json")
    assert Transcript.load(tmp_path / "talk.json") == TRANSCRIPT
    assert Transcript.load(str(tmp_path / "talk.json")) == TRANSCRIPT


@pytest.mark.parametrize("name", FORMATS)
def test_the_file_s_name_says_the_format(name, tmp_path):
    file = tmp_path / f"talk.{FORMATS[name].extension}"
    TRANSCRIPT.save(str(file))
    expected = render(TRANSCRIPT, name, name="talk")
    assert file.read_bytes() == (expected if isinstance(expected, bytes) else expected.encode())


@pytest.mark.parametrize("name", ["talk.doc", "talk", "talk.mp3"])
def test_a_name_of_no_format_is_refused_with_those_there_are(name, tmp_path):
    with pytest.raises(InputError, match="No format is called") as caught:
        TRANSCRIPT.save(tmp_path / name)
    assert ".docx" in caught.value.hint
    assert os.listdir(tmp_path) == []


def test_what_is_there_is_replaced_and_nothing_partial_is_left(tmp_path):
    (tmp_path / "talk.txt").write_text("before")
    TRANSCRIPT.save(tmp_path / "talk.txt")
    assert (tmp_path / "talk.txt").read_text().startswith("[0:00:00] SPEAKER_00: Hello.")
    (tmp_path / "folder").touch()
    with pytest.raises(InputError, match="Cannot write"):
        TRANSCRIPT.save(tmp_path / "folder" / "talk.txt")


@pytest.mark.parametrize("name", ["missing.json", ".", "a\0b.json"])
def test_what_cannot_be_read_is_said_in_one_line(name, tmp_path):
    with pytest.raises(InputError, match=r"^Cannot read .*: .*\. Give"):
        Transcript.load(f"{tmp_path}/{name}")
