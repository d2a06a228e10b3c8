"""What letters tell about spaces, width and direction."""

import pytest

from diarist.model.writing import continues, is_right_to_left, sounds, space_between, width


@pytest.mark.parametrize(
    ("before", "after", "language", "space"),
    [
        ("And", "so", "en", True),
        ("And", "so", "ja", True),  # English words under a language without spaces
        ("And", "so", None, True),
        ("今天", "天气", "zh", False),
        ("你好。", "今天", None, False),
        ("你好", "世界", "en", False),
        ("ขอบคุณ", "ครับ", "th", False),
        ("안녕하세요", "여러분", "ko", True),
        ("مرحبا", "بكم", "ar", True),
        ("打开", "Excel", "zh", False),
        ("打开", "Excel", None, False),
        ("say", "你好", "en", True),
        ("20", "26", "zh", False),
        ("20", "26", "en", True),
        ("meeting", ".", "zh", True),
        ("", "so", "en", False),
    ],
)
def test_letters_tell_whether_a_space_stands_between(before, after, language, space):
    assert space_between(before, after, language) is space


@pytest.mark.parametrize(
    ("before", "after", "same"),
    [
        ("$10", ",000", True),
        ("C", "'est", True),
        ("Amer", "icans", True),
        ("今天", "天气", False),
        ("打开", "Excel", False),
        ("你好，", "Excel", False),
        ("ท", "ี่", True),  # a mark needs its letter
        ("カ", "ー", True),
        ("フ", "ォルシネス", True),
        ("き", "ょう", True),
        ("น", "ำ", True),  # vowels that are letters of their own stand before or after a consonant
        ("เ", "ขา", True),
        ("ເ", "ຂົາ", True),
        ("人", "々", True),
        ("言", "って", False),
        ("안녕", "하세요", True),
    ],
)
def test_only_scripts_without_spaces_keep_texts_apart_that_touch(before, after, same):
    assert continues(before, after) is same


@pytest.mark.parametrize(
    ("text", "said"), [("a", True), ("7", True), ("&", True), ("$", True), ("?", False), ("…", False)]
)
def test_punctuation_is_not_said(text, said):
    assert sounds(text) is said


@pytest.mark.parametrize(
    ("text", "columns"),
    [("abc", 3), ("漢字", 4), ("한글", 4), ("ﾊﾝ", 2), ("。", 2), ("e\u0301", 1), ("ที่", 1), ("🎉", 2)],
)
def test_wide_letters_take_two_columns_and_marks_none(text, columns):
    assert width(text) == columns


@pytest.mark.parametrize(
    ("text", "rtl"), [("مرحبا", True), ("12, שלום", True), ("Hello مرحبا", False), ("123", False), ("", False)]
)
def test_the_first_letter_with_a_direction_decides(text, rtl):
    assert is_right_to_left(text) is rtl
