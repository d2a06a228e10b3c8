"""Loops and what is said over silence are told from what people say."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from diarist.transcription.hallucinations import is_known_hallucination, repeats


@pytest.mark.parametrize(
    "text",
    [
        "thank you all " * 20,
        "and then I went and then I went and then I went and then I went home",
        "谢谢大家" * 30,
        "谢谢大家，" * 30,
        "ご視聴ありがとうございました。" * 20,
        "ขอบคุณครับ" * 20,
        "ငါတို့" * 20,
        "네, 감사합니다. " * 8,
        "شكرا جزيلا لكم " * 8,
        "धन्यवाद दोस्तों " * 8,
        "pli-" + "tu-" * 40,
        "1,2," * 40,
        "0" * 60,
        "hahaha" * 20,
        "a" * 200,
        "A... a... A... a... " * 10,
        "we have to, we have to, we have to, we have to, we have to",
        "no " * 8,
        "ha" * 21,
        "Ｔｈａｎｋ ｙｏｕ, thank you, THANK YOU, thank you, " * 2,
    ],
)
def test_the_same_over_and_over_is_a_loop_in_any_script(text):
    assert repeats(text)


@given(
    st.text("abé19Яش한谢あขन", min_size=1, max_size=12),
    st.sampled_from(["", " ", ", ", "-", "。", "!\n"]),
    st.text("abc 谢ข", max_size=30),
)
def test_whatever_is_said_sixty_times_in_a_row_is_a_loop(phrase, between, before):
    assert repeats(f"{before} {(phrase + between) * 60}")


@given(st.lists(st.text("abcdefgh", min_size=1, max_size=5), unique=True, max_size=40))
def test_different_words_are_no_loop(words):
    assert not repeats(" ".join(words))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "ha ha ha ha",
        "Hahahahahahaha!",
        "哈哈哈哈哈哈哈哈",
        "はいはいはいはい、そうそうそうそう。",
        "No, no, no, no!",
        "no " * 7,
        "ha" * 18,
        "Thank you all very much, thank you all very much, thank you all very much.",
        "one, two, three, four, five, six, seven, eight, nine, ten",
        "1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20",
        "一二三四五六七八九十十一十二十三十四十五",
        "Call 0800 555 5555 or 0 8 0 0 5 5 5 5 5 5 5.",
        "Card 4444 4444 4444 4444, pin 0 0 0 0 0 0 0 0.",
        "Tomorrow, and tomorrow, and tomorrow, creeps in this petty pace from day to day",
        "of the bells, bells, bells, bells, bells, bells, bells, in the clamour and the clangour of the bells",
        "It was the best of times, it was the worst of times, it was the age of wisdom, it was the age of foolishness",
        "the first, the second, the third, the fourth, the fifth, the sixth, the seventh, the eighth, the ninth",
        "absolutely absolutely absolutely absolutely",
        "床前明月光，疑是地上霜。举头望明月，低头思故乡。",
        "老师好，同学们好，大家好，你们好，各位好。",
        "a state-of-the-art, user-friendly, easy-to-use, ready-to-go system",
    ],
)
def test_what_people_repeat_on_purpose_is_no_loop(text):
    assert not repeats(text)


@pytest.mark.parametrize(
    "text",
    [
        " Thank you.",
        "Sous-titrage Société Radio-Canada",
        "Sous-titrage ST' 501",
        "Untertitel der Amara.org-Community",
        "Untertitel im Auftrag des ZDF für funk, 2017",
        "ご視聴ありがとうございました",
        "ご視聴 ありがとうございました。",
        "请不吝点赞 订阅 转发 打赏支持明镜与点点栏目",
        "請不吝點贊 訂閱 轉發 打賞支持明鏡與點點欄目",
        "Субтитры сделал DimaTorzok",
        "СУБТИТРЫ СДЕЛАЛ DIMATORZOK",
        "Продолжение следует...",
        "Legendas pela comunidade Amara.org",
        "Subtítulos realizados por la comunidad de Amara.org",
        "¡Gracias por ver el video!",
        "Sottotitoli creati dalla comunità Amara.org",
        "Ondertitels ingediend door de Amara.org gemeenschap",
        "Napisy stworzone przez społeczność Amara.org",
        "Altyazı M.K.",
        "İzlediğiniz için teşekkür ederim.",
        "اشتركوا في القناة",
        "시청해주셔서 감사합니다.",
        "ขอบคุณที่รับชม",
        "ＴＨＡＮＫ ＹＯＵ",
    ],
)
def test_what_subtitles_taught_it_is_a_known_hallucination_in_any_spelling(text):
    assert is_known_hallucination(text)


@pytest.mark.parametrize(
    "text", ["", "...", "Thank you for the report.", "Merci de votre attention à ce dossier", "谢谢大家的配合", "字幕"]
)
def test_other_words_are_none(text):
    assert not is_known_hallucination(text)
