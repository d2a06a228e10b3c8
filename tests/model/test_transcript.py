"""Words are joined by the spaces that the recogniser wrote."""

from diarist.attribution import segment
from diarist.model import codec
from diarist.model.transcript import Segment, Transcript, Word, join_segments, join_words


def words(*texts):
    """Make words of texts as a recogniser writes them, with or without a space before each."""
    return [Word(i, i + 0.9, text.strip(), spaced=text.startswith(" ")) for i, text in enumerate(texts)]


def test_spaces_are_those_that_were_written_whatever_the_language():
    assert join_words(words(" And", " so,", " my"), "ja") == "And so, my"
    assert join_words(words("我们", "用", " Python", "编程", " 好吗"), "zh") == "我们用 Python编程 好吗"
    assert join_words(words(" dit", " ?"), "fr") == "dit ?"


def test_where_it_is_not_known_what_was_written_letters_tell():
    assert join_words([Word(0, 1, "Welcome"), Word(1, 2, "all")], "zh") == "Welcome all"
    assert join_words([Word(0, 1, "今天"), Word(1, 2, "好")], None) == "今天好"


def transcript(words, language):
    return Transcript(
        duration=9, language=language, speakers=(), segments=segment(words, language), turns=(), models=()
    )


def test_sentences_are_joined_as_words_are():
    said = [Word(0, 1, "你好。", None, "A"), Word(1, 2, "我们走吧。", None, "A")]
    assert [each.text for each in transcript(said, "zh").segments] == ["你好。", "我们走吧。"]
    assert transcript(said, "zh").text == "你好。我们走吧。"
    said = [Word(0, 1, "One.", None, "A"), Word(1, 2, "Two.", None, "A")]
    assert transcript(said, "en").text == "One. Two."


def test_segments_that_hold_no_words_are_joined_by_their_letters():
    texts = ("你好。", "", "我们走吧。")
    assert (
        join_segments((Segment(i, i + 1, None, text, ()) for i, text in enumerate(texts)), "zh") == "你好。我们走吧。"
    )


def test_a_document_from_before_spaces_were_kept_is_read_and_joined():
    word = {"start": 0, "end": 1, "confidence": 0.5, "speaker": "A", "speaker_confidence": None, "overlap": False}
    old = {
        "schema": "diarist.transcript/1", "duration": 3.0, "language": "ja", "speakers": ["A"], "turns": [],
        "segments": [
            {"start": 0, "end": 1, "speaker": "A", "text": "はい。", "words": [{**word, "text": "はい。"}]},
            {"start": 1, "end": 2, "speaker": "A", "text": "どうぞ", "words": [{**word, "text": "どうぞ"}]},
        ],
        "models": [], "timings": {}, "warnings": [], "place": {},
    }  # fmt: skip
    read = codec.load(Transcript, old)
    assert read.text == "はい。どうぞ"
    assert (read.spoken_language, read.task, read.temperature, read.words[0].spaced) == (None, None, None, None)
