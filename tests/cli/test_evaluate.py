"""``diarist eval`` as people run it: the report, the comparison of two systems, the words that differ."""

import json
import re
import unicodedata

import pytest

from ..terminal import DIARIST, on_a_terminal

TRUTH = "x 1 anna 0 4 good morning ben how are you today my friend\nx 1 ben 4 6 hello anna i am well thank you\n"
HEARD = "x 1 S0 0 4 good morning then how are you my friend\nx 1 S1 4 5.5 hello anna i am quite well\n"
LATE = HEARD + "x 1 S0 5.5 6 thank you\n"
LEGEND = [
    "[-a-]{+b+}  a was said, b was heard",
    "[-a-]  a is missing",
    "{+b+}  b is extra",
    "[~a~] {~a~}  a was heard earlier or later",
    "<as x: a>  a was given to x",
]


@pytest.fixture
def folder(tmp_path):
    """Make a folder of STM files, one a recording."""

    def make(name, **files):
        return folder_of(tmp_path / name, files)

    return make


def folder_of(path, files):
    path.mkdir()
    for name, text in files.items():
        (path / f"{name}.stm").write_text(text)
    return path


def lines_at(columns, *arguments):
    """Run ``diarist eval`` on a pseudo-terminal; return the lines that it writes, without colours."""
    code, _, written = on_a_terminal(*DIARIST, "eval", *arguments, columns=columns)
    assert code == 0, written
    return re.sub(r"\x1b\[[0-9;]*m", "", written).replace("\r\n", "\n").splitlines()


def columns_of(line):
    return sum(2 if unicodedata.east_asian_width(letter) in "WF" else 1 for letter in line)


class TestWidth:
    NAMES = ("a", "the meeting of all who came in May", "x" * 90, "会議" * 30)

    @pytest.mark.parametrize("columns", [80, 40, 20])
    def test_no_line_of_the_report_is_wider_than_the_terminal(self, tmp_path, columns):
        reference = folder_of(tmp_path / "r", dict.fromkeys(self.NAMES, TRUTH))
        heard = folder_of(tmp_path / "h", dict.fromkeys(self.NAMES, LATE))
        lines = lines_at(columns, reference, heard, "--compare", heard, "--diff")
        assert max(map(columns_of, lines)) <= columns
        assert any("differences" in line for line in lines)

    @pytest.mark.parametrize("columns", [80, 40])
    def test_no_figure_and_no_heading_is_torn_or_left_out(self, diarist, tmp_path, columns):
        reference = folder_of(tmp_path / "r", {"a": TRUTH, "the long talk of May": TRUTH, "c": TRUTH})
        heard = folder_of(tmp_path / "h", {"a": LATE, "the long talk of May": HEARD, "c": TRUTH})
        piped = diarist("eval", reference, heard).stdout.split()
        assert {"attribution", "cpWER", "95", "interval", "WDER"} <= set(piped)
        shown = " ".join(lines_at(columns, reference, heard)).split()
        assert set(piped) <= set(shown)
        figures = [word for word in piped if re.fullmatch(r"-?\d+\.\d+", word)]
        assert sorted(figures) == sorted(word for word in shown if re.fullmatch(r"-?\d+\.\d+", word))

    def test_a_report_that_fits_keeps_its_intervals_in_one_line(self, folder):
        lines = lines_at(200, folder("r", a=TRUTH, b=TRUTH), folder("h", a=LATE, b=HEARD))
        assert sum(line.startswith("95 % interval") for line in lines) == 2
        assert any(re.search(r"\d to \d", line) for line in lines)


class TestDiff:
    def test_in_a_pipe_every_stretch_is_a_line(self, diarist, folder):
        done = diarist("eval", folder("r", a=TRUTH), folder("h", a=LATE), "--diff")
        assert done.stderr == ""
        lines = done.stdout.splitlines()
        assert lines[lines.index("differences") + 1 :] == [
            *LEGEND,
            "",
            "a: 1 wrong, 1 missing, 1 extra, 2 with the wrong speaker; 16 words in the reference",
            "0:00:00  anna: good morning [-ben-]{+then+} how are you [-today-] my friend",
            "0:00:04  ben: hello anna i am {+quite+} well <as anna: thank you>",
        ]

    @pytest.mark.parametrize("columns", [80, 40])
    def test_on_a_terminal_the_same_words_are_folded_beside_the_time(self, diarist, folder, columns):
        arguments = folder("r", a=TRUTH), folder("h", a=LATE), "--diff"
        lines = lines_at(columns, *arguments)
        shown = lines[lines.index("differences") :]
        piped = diarist("eval", *arguments).stdout
        assert "".join("".join(shown).split()) == "".join(piped[piped.index("differences") :].split())
        first = next(number for number, line in enumerate(shown) if line.startswith("0:00:00"))
        assert all(re.match(r"0:00:0\d  \S| {9}\S", line) for line in shown[first:])

    def test_the_marks_need_no_colour(self, folder):
        lines = lines_at(80, folder("r", a=TRUTH), folder("h", a=LATE), "--diff")
        text = " ".join(" ".join(lines).split())
        assert all(mark in text for mark in ("[-ben-]{+then+}", "[-today-]", "{+quite+}", "<as anna: thank you>"))

    def test_a_perfect_transcript_has_none(self, diarist, folder):
        done = diarist("eval", folder("r", a=TRUTH), folder("h", a=TRUTH), "--diff")
        assert done.stdout.endswith("differences\n\na: no difference; 16 words in the reference\n")

    def test_json_lists_them(self, diarist, folder):
        done = diarist("eval", folder("r", a=TRUTH, b=TRUTH), folder("h", a=LATE, b=TRUTH), "--diff", "--json")
        found = json.loads(done.stdout)["differences"]
        assert [(one["recording"], one["kind"], one["said"], one["heard"]) for one in found] == [
            ("a", "wrong", "ben", "then"),
            ("a", "missing", "today", ""),
            ("a", "extra", "", "quite"),
            ("a", "speaker", "thank you", "thank you"),
        ]
        last = found[-1]
        assert (last["speaker"], last["heard_speaker"], last["given_to"]) == ("ben", "S0", "anna")
        assert 5 < last["start"] < last["end"] == 6
        assert (found[0]["before"], found[0]["after"]) == ("good morning", "how are you today")

    def test_json_says_null_where_they_were_not_asked_for(self, diarist, folder):
        found = json.loads(diarist("eval", folder("r", a=TRUTH), folder("h", a=LATE), "--json").stdout)
        assert found["differences"] is None
        assert found["comparison"] is None

    def test_the_normalizer_decides_what_differs(self, diarist, folder):
        arguments = folder("r", a="x 1 a 0 1 Good day.\n"), folder("h", a="x 1 S 0 1 good day\n"), "--diff"
        assert "no difference" in diarist("eval", *arguments).stdout
        assert "[-Good day.-]{+good day+}" in diarist("eval", *arguments, "--normalizer", "none").stdout

    def test_a_recording_without_words_is_named(self, diarist, folder):
        reference, heard = folder("r", a=TRUTH), folder("h", a=LATE)
        for side in (reference, heard):
            (side / "turns.rttm").write_text("SPEAKER x 1 0 1 <NA> <NA> anna <NA> <NA>\n")
        done = diarist("eval", reference, heard, "--diff", "--json")
        assert (
            done.stderr == "warning: 1 of 2 recordings have no words on both sides, so no differences to show: turns\n"
        )
        assert {one["recording"] for one in json.loads(done.stdout)["differences"]} == {"a"}

    def test_words_and_names_command_nothing_lines_at(self, folder):
        hostile = "x 1 [red]ann 0 2 [/b] :smile: \x1b[2J\x07 day\n"
        lines = lines_at(
            80, folder("r", a=hostile), folder("h", a="x 1 S 0 2 good day\n"), "--diff", "--normalizer", "none"
        )
        text = " ".join(" ".join(lines).split())
        assert "[red]ann: [-[/b]-]{+good+} [-:smile:" in text
        assert r"\x1b[2J\x07" in text
        assert "\x1b" not in text


class TestCompare:
    def test_the_difference_is_of_the_recordings_that_both_have(self, diarist, folder):
        reference = folder("r", a=TRUTH, b=TRUTH, c=TRUTH, d=TRUTH)
        first, second = folder("h", a=LATE, b=TRUTH, c=LATE), folder("h2", a=TRUTH, b=TRUTH, d=LATE)
        done = diarist("eval", reference, first, "--compare", second)
        lines = done.stdout.splitlines()
        start = lines.index("h2 minus h, on 2 recordings of both:")
        # Three of 32 words were wrong in ``a``, the only one of the two with errors.
        assert lines[start + 1].startswith("WER (%): -9.4, 95 % interval -18.8 to 0.0")
        assert done.stderr.splitlines() == [
            "warning: 1 of 4 recordings of the reference have no hypothesis and are not scored: d",
            "warning: 1 of 3 recordings scored for h are not in h2, so not compared: c",
            "warning: 1 of 3 recordings scored for h2 are not in h, so not compared: d",
        ]

    def test_json_says_what_was_compared_and_what_was_left_out(self, diarist, folder):
        reference = folder("r", a=TRUTH, b=TRUTH, c=TRUTH)
        first, second = folder("h", a=LATE, b=TRUTH, c=LATE), folder("h2", a=TRUTH, b=TRUTH)
        done = diarist("eval", reference, first, "--compare", second, "--json")
        found = json.loads(done.stdout)["comparison"]
        assert (found["recordings"], found["only_first"], found["only_second"]) == (["a", "b"], ["c"], [])
        assert found["measures"]["wer"]["rate"] == pytest.approx(-3 / 32)
        assert found["measures"]["wer"]["recordings"] == 2
        assert done.stderr == "warning: 1 of 3 recordings scored for h are not in h2, so not compared: c\n"

    def test_two_files_are_compared_whatever_their_names(self, diarist, folder):
        reference, first, second = (
            folder(name, **{file: text}) / f"{file}.stm"
            for name, file, text in (("r", "a", TRUTH), ("h", "b", LATE), ("h2", "c", TRUTH))
        )
        done = diarist("eval", reference, first, "--compare", second)
        assert "c.stm minus b.stm, on 1 recording of both:\nWER (%): -18.8\n" in done.stdout
        assert done.stdout.endswith("One recording has no interval: compare folders.\n")
        assert done.stderr == ""

    def test_nothing_in_common_is_refused_in_a_line(self, diarist, folder):
        reference = folder("r", a=TRUTH, b=TRUTH)
        done = diarist("eval", reference, folder("h", a=LATE), "--compare", folder("h2", b=TRUTH))
        assert done.returncode == 2
        assert done.stderr == (
            "error: The two systems have no recording in common.\n  hint: The first has a; the second has b.\n"
        )

    def test_a_hypothesis_without_a_reference_is_named(self, diarist, folder):
        done = diarist("eval", folder("r", a=TRUTH, b=TRUTH), folder("h", a=LATE, b=LATE, talk=LATE), "--json")
        assert json.loads(done.stdout)["unreferenced"] == ["talk"]
        assert done.stderr == "warning: 1 of 3 recordings in h have no reference and are not scored: talk\n"


class TestPage:
    def test_it_shows_the_comparison_the_differences_and_what_was_left_out(self, diarist, folder, tmp_path):
        reference, first, second = folder("r", a=TRUTH, b=TRUTH), folder("h", a=LATE, b=TRUTH), folder("h2", a=TRUTH)
        file = tmp_path / "new" / "page.html"
        diarist("eval", reference, first, "--compare", second, "--diff", "--html", file)
        page = file.read_text()
        assert "<p>1 of 2 recordings scored for h are not in h2, so not compared: b</p>" in page
        assert "<p>h2 minus h, on 1 recording of both:</p><ul><li>WER (%): -18.8</li>" in page
        assert "good morning <del>[-ben-]</del><ins>{+then+}</ins> how" in page
        assert "&lt;as anna:</i> thank you<i" in page
        assert page.count("0:00:0") == 2

    def test_a_page_that_cannot_be_written_is_a_line(self, diarist, folder, tmp_path):
        (tmp_path / "file").write_text("")
        done = diarist("eval", folder("r", a=TRUTH), folder("h", a=LATE), "--html", tmp_path / "file" / "page.html")
        assert done.returncode == 2
        assert re.fullmatch(r"error: Cannot write .*\n  hint: Name another file with --html\.\n", done.stderr)
