"""What the line on a terminal says, with a clock that the test turns."""

import io
import json
import logging

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from diarist.cli.progress import Line, reporter
from diarist.cli.render import show
from diarist.cli.terminal import visible
from diarist.model.transcript import Segment, Transcript


class Watched:
    """A line on a terminal of 80 columns that nobody has, and what it says."""

    def __init__(self):
        self.now = 0.0
        self.line = Line(Console(file=io.StringIO(), force_terminal=True, width=80), lambda: self.now)

    def report(self, now, stage, done):
        self.now = now
        self.line.progress(stage, done)

    @property
    def says(self):
        page = Console(file=io.StringIO(), width=80, color_system=None)
        page.print(self.line.render())
        return " ".join(page.file.getvalue().replace("━", " ").replace("╺", " ").replace("╸", " ").split())


@pytest.fixture
def watched():
    return Watched()


def test_a_file_has_its_place_its_share_and_the_time_left(watched):
    with watched.line.file("call.wav", "2 of 12"):
        watched.report(0, "decode", 1.0)
        for second in range(11):
            watched.report(second, "transcription", second / 20)
            watched.report(second, "diarization", second / 20)
        assert watched.says == "2 of 12 call.wav 51% 0:10 left"


def test_it_says_what_it_does_before_the_words(watched):
    with watched.line.file("call.wav"):
        watched.report(0, "decode", 0.5)
        assert watched.says == "call.wav 1% reading"
        watched.report(1, "sending", 0.0)
        assert watched.says == "call.wav 1% sending"
        watched.report(2, "transcription", 0.0)
        assert watched.says == "call.wav 1%"


def test_without_speakers_words_are_the_whole(watched):
    with watched.line.file("call.wav", diarize=False):
        watched.report(0, "decode", 1.0)
        watched.report(1, "transcription", 1.0)
        assert watched.says == "call.wav 100%"


def test_one_endpoint_reports_for_both_legs(watched):
    with watched.line.file("call.wav"):
        watched.report(0, "decode", 1.0)
        watched.report(1, "endpoint", 0.5)
        assert watched.says == "call.wav 51%"


def test_the_next_file_begins_at_nothing(watched):
    with watched.line.file("a.wav"):
        watched.report(0, "transcription", 0.9)
    with watched.line.file("b.wav"):
        assert watched.says == "b.wav 0%"


def test_loading_says_what_is_fetched_one_after_the_other(watched):
    with watched.line.task("loading models"):
        assert watched.says == "loading models"
        watched.report(0, "download whisper-base", 0.0)
        watched.report(1, "download whisper-base", 0.5)
        watched.report(1, "download campplus", 0.1)
        assert watched.says == "download whisper-base 50% 0:01 left"
        watched.report(2, "download whisper-base", 1.0)
        assert watched.says == "loading models"
        watched.report(3, "download campplus", 0.7)
        assert watched.says == "download campplus 70%"


ANYTHING = st.text(st.characters(), max_size=60) | st.text("[]/\\\\:abc smile#@=\x1b", max_size=60)


@given(ANYTHING, st.integers(10, 100))
def test_whatever_a_file_is_called_it_is_one_line(name, width):
    watched = Watched()
    with watched.line.file(name, "1 of 2"):
        page = Console(file=io.StringIO(), width=width, color_system=None)
        page.print(watched.line.render())
    shown = page.file.getvalue()
    assert shown.count("\n") == 1
    assert shown.rstrip("\n").isprintable() or visible(shown[:-1]) == shown[:-1]


@given(ANYTHING)
def test_notes_are_shown_letter_by_letter(text):
    page = Console(file=io.StringIO(), width=30, color_system=None)
    Line(page).note(text)
    Line(page).problem(text)
    assert page.file.getvalue() == 2 * (visible(text) + "\n")


@given(st.lists(st.tuples(ANYTHING, ANYTHING), min_size=1, max_size=4), st.integers(60, 100))
def test_no_letter_of_a_transcript_is_lost(said, width):
    segments = tuple(Segment(n, n + 1, speaker=who, text=text, words=()) for n, (who, text) in enumerate(said))
    transcript = Transcript(
        duration=9.0, language=None, speakers=tuple(who for who, _ in said), segments=segments, turns=(), models=()
    )
    page = Console(file=io.StringIO(), width=width, color_system=None)
    show(transcript, page)
    shown = sorted("".join(page.file.getvalue().split()))
    for _, text in said:
        for letter in "".join(visible(text).split()):
            assert letter in shown
            shown.remove(letter)


class TestWarningsOfTheLog:
    """What a module warns of is a note like any other, so it breaks neither a terminal's line nor JSON lines."""

    def test_as_a_json_line(self, capsys):
        with reporter(quiet=False, as_json=True):
            logging.getLogger("diarist.weights.fetch").warning("toy: %s is gone; trying b.", "a")
        assert json.loads(capsys.readouterr().err) == {"note": "toy: a is gone; trying b."}

    def test_as_a_line(self, capsys):
        with reporter(quiet=False, as_json=False):
            logging.getLogger("diarist.weights.fetch").warning("toy: a is gone")
        assert capsys.readouterr().err == "toy: a is gone\n"

    def test_not_when_quiet(self, capsys):
        with reporter(quiet=True, as_json=False):
            logging.getLogger("diarist.weights.fetch").warning("toy: a is gone")
        assert capsys.readouterr().err == ""
