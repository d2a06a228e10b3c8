"""A saved transcript becomes any format, without an engine."""

import json
import os
import subprocess
import sys

import pytest

from diarist.formats import FORMATS, render


@pytest.mark.parametrize("form", FORMATS)
def test_a_saved_transcript_gives_what_transcribing_would_have(diarist, tmp_path, form, save, two_people):
    done = diarist("convert", save(tmp_path / "call.json"), "-f", form, "-o", tmp_path / "out")
    assert done.returncode == 0, done.stderr
    (file,) = (tmp_path / "out").iterdir()
    expected = render(two_people, form, name="call")
    assert file.read_bytes() == (expected if isinstance(expected, bytes) else expected.encode())


def test_no_engine_is_imported(tmp_path, save):
    program = (
        "import sys\nfrom diarist.cli.app import main\n"
        f"try: main(['convert', {str(save(tmp_path / 'call.json'))!r}, '-f', 'srt'])\n"
        "except SystemExit as left: assert left.code == 0\n"
        "print({'onnxruntime', 'av', 'ctranslate2', 'numpy'} & set(sys.modules), file=sys.stderr)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert "Good morning." in done.stdout
    assert done.stderr == "set()\n"


def test_one_transcript_is_printed_and_stdin_is_read(diarist, tmp_path, save):
    done = diarist("convert", "-", input=save(tmp_path / "call.json").read_text())
    assert done.stdout == "[0:00:00] SPEAKER_00: Good morning.\n[0:00:02] SPEAKER_01: Hello.\n"


@pytest.mark.parametrize(("file", "name"), [("call.json", "call"), ("call.mp3.json", "call"), ("v1.2.json", "v1.2")])
def test_the_name_inside_is_the_recordings(diarist, tmp_path, file, name, save):
    done = diarist("convert", save(tmp_path / file), "-f", "rttm")
    assert done.stdout.split()[1] == name


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_what_windows_puts_before_json_does_no_harm(diarist, tmp_path, encoding, save):
    file = save(tmp_path / "call.json")
    file.write_bytes(file.read_text().encode(encoding))
    assert "Good morning." in diarist("convert", file).stdout


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "is not JSON"),
        (b"ID3\x04\x00\xff\xfb", "is not JSON"),
        (b"[" * 100_000, "is not a transcript"),
        (b'{"schema":' * 100_000, "is not a transcript"),
        (b'{"a":' * 100_000, "is not JSON"),
        (b'{"text": "words of an OpenAI response"}', "is not a transcript"),
        (b"[1, 2]", "is not a transcript"),
        (json.dumps({"schema": "diarist.transcript/2"}).encode(), "later diarist"),
        (json.dumps({"schema": "diarist.transcript/" + "9" * 9000}).encode(), "does not know"),
        (json.dumps({"schema": "diarist.transcript/1"}).encode(), "missing required field"),
    ],
)
def test_what_is_no_transcript_is_refused_by_name_in_one_short_line(diarist, tmp_path, content, says):
    (tmp_path / "other.json").write_bytes(content)
    done = diarist("convert", "other.json", cwd=tmp_path)
    assert done.returncode == 2
    first, *hint = done.stderr.splitlines()
    assert first.startswith("error: other.json")
    assert says in first
    assert len(first) < 200
    assert len(hint) == 1


def test_a_file_that_is_not_there_and_a_folder_are_refused(diarist, tmp_path):
    assert "does not exist" in diarist("convert", tmp_path / "none.json").stderr
    assert "is a folder" in diarist("convert", tmp_path).stderr


def test_one_of_several_that_fails_does_not_stop_the_others(diarist, tmp_path, save):
    good, bad = save(tmp_path / "good.json"), tmp_path / "bad.json"
    bad.write_text("{}")
    done = diarist("convert", bad, good, "-f", "vtt", "-o", tmp_path / "out")
    assert done.returncode == 1
    assert "bad.json" in done.stderr
    assert os.listdir(tmp_path / "out") == ["good.vtt"]


SUBTITLES = "1\n00:00:01,000 --> 00:00:02,000\nAnna: Hi.\n\n2\n00:00:03,000 --> 00:00:04,000\nBen: Ho.\n"


def test_subtitles_and_others_json_are_converted_with_a_word_on_what_they_lack(diarist, tmp_path):
    (tmp_path / "call.srt").write_text(SUBTITLES)
    done = diarist("convert", "call.srt", cwd=tmp_path)
    assert done.stdout == "[0:00:01] Anna: Hi.\n[0:00:03] Ben: Ho.\n"
    assert "warning: call.srt: The file has no times for words" in done.stderr
    document = {"segments": [{"start": 0, "end": 1, "text": " Hi.", "speaker": "SPEAKER_07"}], "language": "en"}
    done = diarist("convert", "-", "-f", "vtt", input=json.dumps(document))
    assert "<v SPEAKER_07>Hi.</v>" in done.stdout


def test_what_needs_word_times_is_refused_where_there_are_none(diarist, tmp_path):
    (tmp_path / "call.srt").write_text(SUBTITLES)
    done = diarist("convert", tmp_path / "call.srt", "-f", "ctm")
    assert done.returncode == 2
    assert "CTM needs a time for every word" in done.stderr


def edited(diarist, tmp_path, save, edits, *arguments):
    (tmp_path / "edits.json").write_text(edits if isinstance(edits, str) else json.dumps(edits))
    return diarist("convert", save(tmp_path / "call.json"), "--edits", tmp_path / "edits.json", *arguments)


def test_a_list_of_edits_is_applied_in_order_and_the_transcript_stays_as_it_was(diarist, tmp_path, save):
    edits = [
        {"op": "rename", "names": {"SPEAKER_00": "Anna", "SPEAKER_01": "Ben"}},
        {"op": "replace", "first": 1, "stop": 2, "text": "evening."},
        {"op": "assign", "first": 0, "stop": 1, "speaker": "Ben"},
        {"op": "replace", "first": 3, "stop": 3, "text": "Come in."},
    ]
    done = edited(diarist, tmp_path, save, edits)
    assert done.stdout == "[0:00:00] Ben: Good\n[0:00:01] Anna: evening.\n[0:00:02] Ben: Hello. Come in.\n"
    assert edited(diarist, tmp_path, save, edits, "-f", "rttm").stdout.splitlines() == [
        "SPEAKER call 1 0.400 0.600 <NA> <NA> Ben <NA> <NA>",
        "SPEAKER call 1 1.000 0.600 <NA> <NA> Anna <NA> <NA>",
        "SPEAKER call 1 2.400 0.700 <NA> <NA> Ben <NA> <NA>",
    ]
    assert "Anna" not in (tmp_path / "call.json").read_text()


@pytest.mark.parametrize(
    ("edits", "says"),
    [
        ("", "is not JSON"),
        ("{}", "Expected `array`"),
        ('[{"op": "shout"}]', "Invalid value"),
        ('[{"op": "split"}]', "missing required field `word`"),
        ('[{"op": "split", "word": -1}]', ">= 0"),
        ('[{"op": "split", "word": 1, "wor\\nd": 2}]', "unknown field"),
        ('[{"op": "restore"}]', "Invalid value"),
        ('[{"op": "assign", "first": 0, "stop": 1, "speaker": "a\\u001b[31m"}]', "Edit 1 holds a name that cannot be"),
        (
            '[{"op": "split", "word": 1}, {"op": "split", "word": 3}]',
            "Edit 2 cannot be done. There are no words 3",
        ),
        ('[{"op": "rename", "names": {"Zoe": "Ann"}}]', "There is no speaker 'Zoe'"),
        ("[" + '{"op": "split", "word": 1},' * 5000 + '{"op": "split", "word": 1}]', "length"),
    ],
)
def test_edits_that_cannot_be_are_refused_in_one_line_and_a_hint(diarist, tmp_path, save, edits, says):
    done = edited(diarist, tmp_path, save, edits)
    assert (done.returncode, done.stdout) == (2, "")
    first, _hint = done.stderr.splitlines()
    assert says in first
    assert len(first) < 250


def test_edits_are_of_one_transcript_and_must_be_there(diarist, tmp_path, save):
    one, two = save(tmp_path / "one.json"), save(tmp_path / "two.json")
    assert "several" in diarist("convert", one, two, "--edits", one, "-f", "srt").stderr
    assert "Cannot read" in diarist("convert", one, "--edits", tmp_path / "none.json").stderr
