"""A language may be written as people type it."""

from contextlib import suppress

import faster_whisper.tokenizer
import pytest
from hypothesis import given
from hypothesis import strategies as st

from diarist.model.errors import InputError
from diarist.model.languages import codes, language_code, language_name
from diarist.model.options import Options


@pytest.mark.parametrize(
    ("typed", "code"),
    [
        ("en", "en"),
        ("EN", "en"),
        ("en-US", "en"),
        ("zh-Hans-CN", "zh"),
        ("pt_BR.UTF-8", "pt"),
        ("eng", "en"),
        ("ger", "de"),
        ("nb-NO", "no"),
        ("iw", "he"),
        ("jv", "jw"),
        ("English", "en"),
        (" german ", "de"),
        ("haitian creole", "ht"),
        ("Deutsch", "de"),
        ("francais", "fr"),
        ("日本語", "ja"),
        ("yue", "yue"),
        ("auto", None),
        ("Auto", None),
        ("", None),
    ],
)
def test_a_language_has_many_names(typed, code):
    assert language_code(typed) == code
    assert Options(language=typed).language == code


@pytest.mark.parametrize(
    ("typed", "says"),
    [
        ("Englsh", "Did you mean English (en)?"),
        ("portugese", "Did you mean Portuguese (pt)?"),
        ("klingon", "Give a code or a name"),
        ("xx", "auto to have it detected"),
    ],
)
def test_an_unknown_language_gets_a_near_one_and_a_way_on(typed, says):
    with pytest.raises(InputError) as caught:
        language_code(typed)
    assert says in caught.value.hint


def test_every_language_that_whisper_knows_has_its_code():
    for code in faster_whisper.tokenizer._LANGUAGE_CODES:
        assert language_code(code) == language_code(f"{code.upper()}-XX") == code


@given(st.text(max_size=12))
def test_whatever_is_typed_gives_a_code_or_one_clear_line(typed):
    with suppress(InputError):
        code = language_code(typed)
        assert code is None or language_code(code) == code


def test_every_code_has_a_name_that_means_it():
    assert [language_code(language_name(code)) for code in codes()] == codes()
    assert (language_name("de"), language_name("ht"), language_name("xx")) == ("german", "haitian creole", "xx")
