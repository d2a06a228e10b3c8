"""From tokens to words."""

import numpy as np
import pytest

from diarist.model.errors import WeightsError
from diarist.model.options import Options
from diarist.transcription.hotwords import Biases
from diarist.transcription.tdt import Token
from diarist.transcription.vocabulary import Vocabulary

V = Vocabulary(("<unk>", "▁Hello", "▁wor", "ld", ".", ",", "▁$", "5", "▁", "<|en|>", "▁-", "Ω"))


def words(*tokens):
    ids = [V.pieces.index(piece) for piece, *_ in tokens]
    made = [Token(i, *rest) for i, (_, *rest) in zip(ids, tokens, strict=True)]
    return [(w.text, w.start, w.end, w.confidence) for w in V.words(made, 0.08)]


def test_pieces_join_into_words_with_the_least_confidence():
    assert words(("▁Hello", 0, 2, 0.9), ("▁wor", 5, 2, 0.8), ("ld", 7, 3, 0.7)) == [
        ("Hello", 0.0, 0.16, 0.9),
        ("world", 0.4, 0.8, 0.7),
    ]


def test_late_and_unsure_punctuation_changes_neither_end_nor_confidence():
    assert words(("▁Hello", 0, 2, 0.9), (".", 20, 4, 0.1)) == [("Hello.", 0.0, 0.16, 0.9)]


def test_punctuation_alone_goes_to_the_word_before():
    assert words(("▁Hello", 0, 2, 0.9), ("▁-", 3, 1, 0.5)) == [("Hello-", 0.0, 0.16, 0.9)]


def test_a_sign_begins_a_word_that_sounds():
    assert [w[0] for w in words(("▁Hello", 0, 1, 0.9), ("▁$", 2, 1, 0.9), ("5", 3, 1, 0.9))] == ["Hello", "$5"]


def test_a_lone_mark_begins_a_word_and_alone_is_none():
    assert [w[0] for w in words(("▁", 0, 1, 0.9), ("5", 1, 1, 0.9), ("▁", 2, 1, 0.9))] == ["5"]


def test_control_tokens_are_not_text():
    assert words(("<|en|>", 0, 1, 0.9), ("<unk>", 1, 1, 0.9)) == []


def test_a_vocabulary_is_read_in_order_of_its_ids(tmp_path):
    (tmp_path / "vocab.txt").write_text("b 1\na 0\n<blk> 2\n", encoding="utf-8")
    assert Vocabulary.read(tmp_path / "vocab.txt").pieces == ("a", "b")


@pytest.mark.parametrize("text", ["", "a 0\nb 1\n", "a 0\n<blk> 2\n", "a zero\n<blk> 1\n", "a\n<blk> 1\n", "\0" * 50])
def test_no_vocabulary_is_refused(tmp_path, text):
    (tmp_path / "vocab.txt").write_text(text, encoding="utf-8")
    with pytest.raises(WeightsError, match=r"vocab\.txt"):
        Vocabulary.read(tmp_path / "vocab.txt")


MANY = Vocabulary(("▁да", "▁yes", "▁ναι", "5", ".", "é", "<|ru|>"))


@pytest.mark.parametrize(
    ("language", "refused"), [("de", ["▁да", "▁ναι"]), ("ru", ["▁yes", "▁ναι", "é"]), ("el", ["▁да", "▁yes", "é"])]
)
def test_a_language_keeps_to_its_script(language, refused):
    bias = MANY.scripts(language)
    assert MANY.multilingual
    assert not V.multilingual
    assert [MANY.pieces[i] for i in np.flatnonzero(np.isinf(bias))] == refused
    assert set(bias[np.isfinite(bias)]) == {0}


H = Vocabulary(("▁Jo", "▁J", "o", "han", "▁joe", "▁no", "▁Joh", "an"))


def scores(**by_piece):
    row = np.zeros((1, H.blank + 1), np.float32)
    for piece, score in by_piece.items():
        row[0, H.blank if piece == "blank" else H.pieces.index(piece)] = score
    return row


class TestHotwords:
    def best(self, biases, **by_piece):
        return ["<blk>", *H.pieces][(biases.apply(scores(**by_piece))[0].argmax() + 1) % (H.blank + 1)]

    def test_a_phrase_is_favoured_however_it_is_split(self):
        biases = Biases.of(H, Options(hotwords=("johan",)), 1)
        assert self.best(biases, **{"▁no": 1.0, "▁Jo": 0.5}) == "▁Jo"
        assert self.best(biases, **{"▁no": 1.0, "▁Joh": 0.5}) == "▁Joh"
        assert self.best(biases, **{"▁no": 2.0, "▁Jo": 0.5}) == "▁no"

    def test_what_carries_a_phrase_on_is_favoured_more(self):
        biases = Biases.of(H, Options(hotwords=("Johan",)), 1)
        biases.emitted(np.array([H.pieces.index("▁Jo")]), np.array([True]))
        assert self.best(biases, **{"▁no": 1.5, "han": 0.1}) == "han"
        biases.emitted(np.array([H.pieces.index("▁no")]), np.array([True]))
        assert self.best(biases, **{"▁no": 1.5, "han": 0.1}) == "▁no"

    def test_a_phrase_is_never_favoured_over_silence(self):
        biases = Biases.of(H, Options(hotwords=("Johan",)), 1)
        assert self.best(biases, **{"blank": 0.1, "▁Jo": 0.0}) == "<blk>"

    def test_utterances_of_a_batch_are_inside_their_own_phrases(self):
        biases = Biases.of(H, Options(hotwords=("Johan",)), 2)
        biases.emitted(np.array([H.pieces.index("▁Jo")] * 2), np.array([True, False]))
        changed = biases.apply(np.concatenate([scores(**{"▁no": 1})] * 2))
        assert changed[0, H.pieces.index("han")] == 2
        assert changed[1, H.pieces.index("han")] == 0
