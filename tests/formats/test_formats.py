"""Every format writes one known conversation as its golden file says; `test_readers` has others read it."""

import io
import itertools
import json
import zipfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from diarist.formats import FORMATS, render
from diarist.model import codec
from diarist.model.errors import InputError
from diarist.model.transcript import Segment, Transcript, Turn, Word

GOLDEN = Path(__file__).parent.parent / "golden"
EMPTY = Transcript(duration=0, language=None, speakers=(), segments=(), turns=(), models=())


@pytest.fixture(scope="module")
def conversation():
    return codec.load(Transcript, json.loads((GOLDEN / "conversation.json").read_text(encoding="utf-8")))


@pytest.mark.parametrize("name", FORMATS)
def test_a_format_writes_its_golden_file(name, conversation):
    written = render(conversation, name, name="conversation")
    golden = (GOLDEN / f"conversation.{FORMATS[name].extension}").read_bytes()
    if isinstance(written, str):
        assert written == golden.decode()
    else:
        # Compressors differ between machines; what they packed does not.
        packed, wanted = zipfile.ZipFile(io.BytesIO(written)), zipfile.ZipFile(io.BytesIO(golden))
        assert {e: packed.read(e) for e in packed.namelist()} == {e: wanted.read(e) for e in wanted.namelist()}


def test_json_is_read_back_without_loss_and_has_the_promised_keys(conversation):
    document = json.loads(render(conversation, "json"))
    assert codec.load(Transcript, document) == conversation
    assert document.keys() == {
        "schema", "duration", "language", "speakers", "segments", "turns", "models", "timings", "warnings",
        "place",
    }  # fmt: skip
    assert {"start", "end", "speaker", "text", "words"} <= document["segments"][0].keys()
    assert {"start", "end", "text", "speaker", "confidence"} <= document["segments"][0]["words"][0].keys()


def test_the_same_transcript_gives_the_same_bytes(conversation):
    for name in FORMATS:
        assert render(conversation, name) == render(conversation, name)


def test_an_unknown_format_is_refused_with_the_known_ones(conversation):
    with pytest.raises(InputError, match="Choose from: txt, json"):
        render(conversation, "mp3")


def test_every_format_is_in_the_documentation():
    page = (GOLDEN.parents[1] / "docs" / "formats.md").read_text(encoding="utf-8")
    for name, found in FORMATS.items():
        assert f"`{name}`" in page
        assert f"`.{found.extension}`" in page


def test_extensions_differ_so_that_no_format_overwrites_another():
    extensions = [found.extension.lower() for found in FORMATS.values()]
    assert len(set(extensions)) == len(extensions)


def test_the_golden_conversation_has_what_formats_stumble_over(conversation):
    words = conversation.words
    assert any(word.overlap for word in words)
    assert any(word.speaker is None for word in words)
    assert any(word.confidence is None for word in words)
    assert any(Word.gap(a, b) > 1 for a, b in itertools.pairwise(words))
    assert any(not word.text.isascii() for word in words)
    assert conversation.duration > 3600


NASTY = st.sampled_from(
    ["a", "</script><script>x", "=1+1", "-->", "\x00\x08", '"""', "🎉", "漢字", "|", "- b", "\u202e", "x" * 99]
)


@pytest.mark.parametrize("name", FORMATS)
@settings(max_examples=20, deadline=None)
@given(
    st.lists(st.tuples(NASTY, st.integers(0, 9000), st.integers(0, 4000), st.sampled_from([None, "A b", "<C>&"]))),
    NASTY | st.just("\udcff"),
)
def test_no_transcript_breaks_a_format(name, parts, title):
    segments = tuple(
        Segment(s / 1000, (s + d) / 1000, who, text, (Word(s / 1000, (s + d) / 1000, text, None, who),))
        for text, s, d, who in sorted(parts, key=lambda part: part[1])
    )
    speakers = tuple(dict.fromkeys(s.speaker for s in segments if s.speaker))
    turns = tuple(Turn(s.start, s.end, s.speaker) for s in segments if s.speaker)
    transcript = Transcript(duration=13, language="en", speakers=speakers, segments=segments, turns=turns, models=())
    for content in (render(transcript, name, name=title), render(EMPTY, name, name=title)):
        assert isinstance(content, bytes) or content.encode() is not None
