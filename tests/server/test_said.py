"""Values of a form, whatever spelling they come in."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from diarist.jobs.wire_errors import FieldError
from diarist.server.said import Said, flattened

words = st.text(st.characters(categories=("L", "N")), min_size=1, max_size=9)


@given(st.lists(words, max_size=6), st.sampled_from(["repeated", "brackets", "places", "json"]))
def test_a_list_is_the_same_in_every_spelling(entries, spelling):
    pairs = {
        "repeated": [("x", entry) for entry in entries],
        "brackets": [("x[]", entry) for entry in entries],
        "places": [(f"x[{place}]", entry) for place, entry in reversed(list(enumerate(entries)))],
        "json": [("x", json.dumps(entries))],
    }[spelling]
    assert Said(pairs).listed("x") == entries


@given(st.dictionaries(words, words | st.integers() | st.booleans(), min_size=1, max_size=4))
def test_an_object_is_the_same_in_brackets_and_as_json(value):
    spread = Said(flattened({"x": value})).parts("x")
    whole = Said([("x", json.dumps(value))]).parts("x")
    assert {key: str(part).casefold() for key, part in whole.items()} == {
        key: part.casefold() for key, part in spread.items()
    }


def test_every_field_is_taken_or_refused():
    said = Said([("a", "1"), ("b[]", "x"), ("c", "")])
    assert said.whole("a") == 1
    with pytest.raises(FieldError, match="'b'"):
        said.finish()
    assert said.listed("b") == ["x"]
    said.finish()


def test_the_same_value_twice_is_one():
    assert Said([("a", "x"), ("a", " x ")]).text("a") == "x"
    assert Said([("a", "yes"), ("b", "TRUE")]).flag("a", "b") is True


@pytest.mark.parametrize("most", [10, 1000])
def test_no_value_is_longer_than_its_field_takes(most):
    long = "x" * (most + 1)
    for take in (lambda said: said.text("a", most), lambda said: said.listed("a", most=most)):
        with pytest.raises(FieldError, match=f"{most} are taken"):
            take(Said([("a", long)]))
    with pytest.raises(FieldError, match="are taken"):
        Said([("a", f'["{long}"]')]).listed("a", most=most)
    with pytest.raises(FieldError):
        Said([("a", "[" + long)]).listed("a", most=most)
