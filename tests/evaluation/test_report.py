"""The report's page can be read by everyone, and shows text from outside as text."""

import re

import pytest

from diarist.evaluation.report import html
from diarist.evaluation.suite import compare, evaluate
from diarist.evaluation.text import normaliser

TRUTH = "x 1 anna 0 4 good morning ben how are you today\nx 1 ben 4 6 hello anna i am well thank you\n"
HEARD = "x 1 S0 0 4 good morning then how are you\nx 1 S1 4 5 hello anna i am quite well\nx 1 S0 5 6 thank you\n"
EVIL = "<script>document.title='owned'</script>"


@pytest.fixture
def page(tmp_path):
    """Make the page of two recordings with all that it can show."""

    def make(truth=TRUTH, heard=HEARD, name="talk"):
        for side, files in (("r", (truth, truth, truth)), ("h", (heard, truth))):
            (tmp_path / side).mkdir()
            for number, text in enumerate(files):
                (tmp_path / side / f"{name} {number}.stm").write_text(text)
        report = evaluate(tmp_path / "r", tmp_path / "h", normaliser("none"), diff=True)
        return html(report, compare(report.items, report.items), "one", "two")

    return make


def test_differences_are_marked_by_letters_and_by_elements(page):
    text = page()
    assert "<del>[-ben-]</del><ins>{+then+}</ins>" in text
    assert '<b dir="auto">ben:</b>' in text
    assert '<i dir="auto">&lt;as anna:</i> thank you<i dir="auto">&gt;</i>' in text
    for mark in ("[-a-]{+b+}", "[-a-]", "{+b+}", "[~a~] {~a~}", "&lt;as x: a&gt;"):
        assert f"<code>{mark}</code>" in text


def test_markup_in_words_speakers_and_names_is_text(page):
    said = EVIL.replace(" ", "")
    text = page(f"x 1 {said} 0 4 {said} b\n", f"x 1 S{said} 0 4 c{said} b\n", name=EVIL.replace("/", ""))
    assert "<script" not in text
    assert text.count("&lt;script&gt;") > 5


def test_words_run_in_their_own_direction(page):
    text = page("x 1 anna 0 4 שלום לכולם\n", "x 1 S0 0 4 שלום\n")
    assert re.search(r'<p dir="auto"><span class="clock">0:00:00</span> <b dir="auto">anna:</b> שלום <del>', text)


def test_without_a_diff_there_is_no_such_part(tmp_path):
    (tmp_path / "a.stm").write_text(TRUTH)
    text = html(evaluate(tmp_path / "a.stm", tmp_path / "a.stm", normaliser("none")))
    assert "Differences" not in text
    assert "Comparison" not in text
    assert "<h1>Evaluation of 1 recording</h1>" in text


@pytest.mark.parametrize("width", [1280, 320])
def test_axe_finds_nothing(page, chromium, tmp_path, width):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe-playwright-python is not installed")
    (tmp_path / "page.html").write_text(page(heard=HEARD.replace("quite", "x" * 200)))
    with chromium.new_context(viewport={"width": width, "height": 800}) as context:
        view = context.new_page()
        view.goto((tmp_path / "page.html").as_uri())
        found = axe.Axe().run(view)
        assert found.violations_count == 0, found.generate_report()
        # Long words and wide tables do not make the page itself wider than its window.
        assert view.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
