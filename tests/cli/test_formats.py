"""What a transcript can be written as, listed."""

import pytest

from diarist.formats import FORMATS

from ..terminal import DIARIST, on_a_terminal


def test_each_format_has_a_line_with_its_use(diarist):
    lines = [line.split("\t") for line in diarist("formats").stdout.splitlines()]
    assert [line[0] for line in lines] == list(FORMATS)
    assert ["srt", "srt", "SubRip subtitles"] in lines


@pytest.mark.parametrize("columns", [80, 40])
def test_on_a_terminal_each_format_is_named_whole(columns):
    code, terminal, _ = on_a_terminal(*DIARIST, "formats", columns=columns)
    assert code == 0
    known = [line.split()[0] for line in terminal.lines if line.split()[0] in FORMATS]
    assert known == list(FORMATS)
    text = " ".join(" ".join(terminal.lines).split())
    assert "…" not in text
    assert "OpenAI's verbose_json response" in text
