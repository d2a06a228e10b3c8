"""Recordings are matched, pooled and reported; the command does it all."""

import json

import pytest

from diarist.cli.app import main
from diarist.evaluation.measures import Ratio
from diarist.evaluation.report import as_json, html
from diarist.evaluation.suite import estimate, evaluate
from diarist.evaluation.text import normaliser
from diarist.model.errors import InputError

TRUTH = "one 1 anna 0 2 good morning ben\none 1 ben 2 3 hello\n"
HEARD = "x 1 S0 0 2 good morning ben\nx 1 S1 2 3 yellow\n"


def write(folder, **files):
    folder.mkdir()
    for name, text in files.items():
        (folder / f"{name}.stm").write_text(text)
    return folder


def test_one_file_is_scored_against_one_whatever_their_names(tmp_path):
    reference, hypothesis = write(tmp_path / "r", a=TRUTH) / "a.stm", write(tmp_path / "h", b=HEARD) / "b.stm"
    report = evaluate(reference, hypothesis, normaliser())
    assert report.pooled["wer"].rate == 0.25
    assert report.pooled["wer"].low is None


def test_folders_are_matched_by_name_and_what_is_missing_is_said(tmp_path):
    reference = write(tmp_path / "r", a=TRUTH, b=TRUTH, c=TRUTH)
    report = evaluate(reference, write(tmp_path / "h", a=TRUTH, b=HEARD), normaliser())
    assert report.items.keys() == {"a", "b"}
    assert report.unmatched == ["c"]
    assert report.pooled["wer"].rate == 1 / 8


def test_nothing_in_common_is_refused(tmp_path):
    with pytest.raises(InputError, match="No recording is both"):
        evaluate(write(tmp_path / "r", a=TRUTH, b=TRUTH), write(tmp_path / "h", c=TRUTH), normaliser())


def test_intervals_hold_the_pooled_rate_and_narrow_with_more_recordings():
    few = estimate([Ratio(1, 10), Ratio(3, 10)] * 2)
    many = estimate([Ratio(1, 10), Ratio(3, 10)] * 50)
    assert few.rate == many.rate == 0.2
    assert few.low < many.low < 0.2 < many.high < few.high
    assert estimate([Ratio(0, 0), Ratio(0, 0)]).rate is None


def test_reports_say_the_same(tmp_path):
    report = evaluate(write(tmp_path / "r", a=TRUTH, b=TRUTH), write(tmp_path / "h", a=TRUTH, b=HEARD), normaliser())
    document = json.loads(json.dumps(as_json(report)))
    assert document["pooled"]["wer"]["rate"] == 1 / 8
    assert document["items"]["b"]["wer"] == {"rate": 0.25, "errors": 1, "total": 4}
    page = html(report)
    assert "12.5" in page
    assert page.count("<svg") == len(report.pooled)


def test_names_cannot_inject_markup_into_the_page(tmp_path):
    name = "<script>alert(1)</script>".replace("/", "")
    report = evaluate(
        write(tmp_path / "r", **{name: TRUTH, "b": TRUTH}),
        write(tmp_path / "h", **{name: HEARD, "b": HEARD}),
        str.lower,
    )
    assert "<script" not in html(report)


def test_the_command_prints_a_table_json_and_a_page(tmp_path, capsys):
    reference, hypothesis = write(tmp_path / "r", a=TRUTH, b=TRUTH), write(tmp_path / "h", a=TRUTH, b=HEARD)
    with pytest.raises(SystemExit) as done:
        main(["eval", str(reference), str(hypothesis), "--html", str(tmp_path / "page.html")])
    assert done.value.code == 0
    assert "cpWER" in capsys.readouterr().out
    assert "<svg" in (tmp_path / "page.html").read_text()
    with pytest.raises(SystemExit):
        main(["eval", str(reference), str(hypothesis), "--json"])
    assert json.loads(capsys.readouterr().out)["pooled"]["wer"]["rate"] == 1 / 8


def test_the_command_ends_with_one_line_and_the_input_exit_code(tmp_path, capsys):
    with pytest.raises(SystemExit) as done:
        main(["eval", str(tmp_path / "no.stm"), str(tmp_path)])
    assert done.value.code == 2
    assert capsys.readouterr().err == f"error: {tmp_path / 'no.stm'} does not exist.\n"
