"""Transcripts are found by the words in them, in any script."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from diarist.jobs.search import indexed, query
from diarist.model.errors import InputError

TEXTS = {
    "en": ("Good morning everyone.", "The annual report doesn't mention Café Zürich."),
    "zh": ("大家早上好。", "我们今天讨论年度预算，然后休息。"),
    "ja": ("おはようございます。", "来年度の予算についてカタカナで話します。"),
    "th": ("สวัสดีครับ", "วันนี้เราจะพูดถึงงบประมาณประจำปี"),
    "ko": ("안녕하세요 여러분.", "오늘은 예산을 논의합니다."),
    "de": ("Guten Morgen.", "Die Straße führt nach GIEẞEN."),
    "ru": ("Доброе утро.", "Сегодня бюджет."),
    "ar": ("صباح الخير", "نناقش الميزانية اليوم"),
    "hi": ("सुप्रभात", "आज हम बजट पर चर्चा करेंगे"),
}


@pytest.fixture
def jobs(store, complete):
    return {complete(store, *texts, digest=language).id: language for language, texts in TEXTS.items()}


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("morning everyone", "en"),
        ("EVERYONE good", "en"),
        ("every", "en"),
        ("cafe zurich", "en"),
        ("doesn't", "en"),
        ("doesn’t", "en"),
        ('"annual report"', "en"),
        ('"annual report', "en"),
        ("预算", "zh"),
        ("年度预算", "zh"),
        ("早", "zh"),
        ("息", "zh"),
        ("大家 休息", "zh"),
        ("予算", "ja"),
        ("ございます", "ja"),
        ("ｶﾀｶﾅ", "ja"),
        ("งบประมาณ", "th"),
        ("สวัสดี", "th"),
        ("예산", "ko"),
        ("strasse", "de"),
        ("gießen", "de"),
        ("БЮДЖЕТ", "ru"),
        ("الميزانية", "ar"),
        ("बजट", "hi"),
    ],
)
def test_words_are_found(store, jobs, text, language):
    assert [jobs[hit.job.id] for hit in store.search("key1", text)] == [language]


NOT_SAID = ["evening", "orning", '"report annual"', '"annual repor"', "morning 预算", "算年", "好我"]
NO_WORDS = ["", "  ", '"', "*", "!?", "\ud800", "AND x", "NEAR("]


@pytest.mark.parametrize("text", NOT_SAID + NO_WORDS)
def test_what_was_not_said_is_not_found(store, jobs, text):
    assert store.search("key1", text) == ()


def test_a_hit_says_where_it_is(store, jobs):
    (hit,) = store.search("key1", "annual")
    assert (hit.text, hit.start) == (TEXTS["en"][1], 10.0)
    (hit,) = store.search("key1", "งบประมาณ")
    assert hit.start == 10.0


def test_words_from_several_paragraphs_are_found_where_most_of_them_are(store, complete):
    complete(store, "Apples.", "Apples and pears.", "Pears.")
    (hit,) = store.search("key1", "pears apples")
    assert hit.start == 10.0


def test_the_best_come_first_and_not_more_than_asked_for(store, complete):
    complete(store, "Once a heron. " + "Other birds. " * 50, digest="a")
    often = complete(store, "Heron, heron, heron.", digest="b")
    assert len(store.search("key1", "heron")) == 2
    assert [hit.job.id for hit in store.search("key1", "heron", limit=1)] == [often.id]


def test_plain_requests_and_others_jobs_are_not_found(store, complete):
    complete(store, "A heron.", transient=True)
    complete(store, "A heron.", owner="key2", digest="b")
    assert store.search("key1", "heron") == ()
    assert len(store.search(None, "heron")) == 1


def test_edits_are_found_and_what_they_took_away_is_not(store, complete, transcript):
    job = complete(store, "A heron.")
    store.edit(job.id, "key1", if_match=0, operations="[]", transcript=transcript("A stork."))
    assert store.search("key1", "heron") == ()
    assert len(store.search("key1", "stork")) == 1
    store.replace_transcript(job.id, "key1", if_match=1, transcript=transcript("A crane."))
    assert store.search("key1", "stork") == ()
    assert len(store.search("key1", "crane")) == 1


def test_too_much_to_look_for_is_refused():
    with pytest.raises(InputError) as refused:
        query("a" * 501)
    assert (refused.value.code, refused.value.http_status) == ("query_too_long", 422)


HARD = st.sampled_from("abcÉß预算予がｶก็ำ한")
WORDS = st.text(st.one_of(HARD, st.characters(categories=["L", "N", "M", "P", "Z", "S", "C"])), max_size=20)


@given(WORDS)
def test_any_text_is_indexed_and_looked_for_without_a_fuss(text):
    document = json.dumps({"segments": [{"text": text.encode(errors="replace").decode()}]})
    words = indexed(document)
    assert "  " not in words
    assert (query(text) is None) or words or "\ud7ff" < max(text) < "\ue000"
