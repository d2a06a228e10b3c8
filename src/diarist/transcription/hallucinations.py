"""What Whisper says when nobody speaks: loops, and phrases that subtitles taught it to put over silence and music.

The phrases are those that its users report in public, in the languages they report them for. A phrase alone proves
nothing, since people do say "thank you": `diarist.transcription.whisper` asks the voice detector as well.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from itertools import groupby
from typing import Final

from diarist.model.writing import is_unspaced

LOOP_TIMES: Final = 4
"""The same so often in a row, and"""

LOOP_LETTERS: Final = 24
"""so much of it, is a loop. A word counts as three; a digit, as in telephone numbers, and a letter of a script without
spaces as one: eight words are more than people say on purpose ("No, no, no, no!"), and so is 「はい」 twelve times."""

LOOP_IN_WORD: Final = 40
"""Letters of one word that repeat themselves: longer than any laughter that is written down ("hahahahaha")."""

_WORD_LETTERS: Final = 3


def repeats(text: str) -> bool:
    """Whether a text says the same over and over, as Whisper does when it has lost its place.

    High compression alone would not do: it is also what anaphora has ("It was the best of times, it was …").
    """
    words = _words(text)
    weights = [1 if len(word) == 1 and (word.isdigit() or is_unspaced(word)) else _WORD_LETTERS for word in words]
    return _loops(words, weights, LOOP_LETTERS) or any(
        _loops(word, [1] * len(word), LOOP_IN_WORD) for word in words if len(word) >= LOOP_IN_WORD
    )


def is_known_hallucination(text: str) -> bool:
    """Whether a text is nothing but what Whisper is known to say over silence: thanks to viewers, or credits."""
    plain = _plain(text)
    return plain in _PHRASES or any(credit in plain for credit in _CREDITS)


def _loops(items: Sequence[str], weights: Sequence[int], least: int) -> bool:
    """Whether some items stand `LOOP_TIMES` in a row or more, and weigh ``least`` together."""
    total = [0]
    for weight in weights:
        total.append(total[-1] + weight)
    for period in range(1, len(items) // LOOP_TIMES + 1):
        run = 0
        for stop in range(period, len(items)):
            run = run + 1 if items[stop] == items[stop - period] else 0
            if run >= period * (LOOP_TIMES - 1) and total[stop + 1] - total[stop + 1 - run - period] >= least:
                return True
    return False


def _words(text: str) -> list[str]:
    """Split into words without case, marks and punctuation; letters of scripts without spaces stand alone."""
    letters = "".join(c for c in unicodedata.normalize("NFKC", text).casefold() if unicodedata.category(c)[0] != "M")
    return [
        word
        for run in re.findall(r"[^\W_]+", letters)
        for alone, group in groupby(run, key=is_unspaced)
        for word in (group if alone else ["".join(group)])
    ]


def _plain(text: str) -> str:
    return "".join(_words(text))


_PHRASES: Final = frozenset(
    _plain(phrase)
    for phrase in (
        # English
        "You",
        "Thank you",
        "Thank you very much",
        "Thank you so much",
        "Thanks for watching",
        "Thank you for watching",
        "Please subscribe",
        "Subscribe",
        "Like and subscribe",
        "Don't forget to like and subscribe",
        "See you in the next video",
        "Bye",
        "Bye bye",
        "Music",
        "Applause",
        "Silence",
        # German
        "Vielen Dank",
        "Vielen Dank fürs Zuschauen",
        "Vielen Dank für's Zuschauen",
        "Danke fürs Zuschauen",
        "Bis zum nächsten Mal",
        "Das war's für heute",
        "Tschüss",
        "Musik",
        # French
        "Merci",
        "Merci d'avoir regardé cette vidéo",
        "Merci d'avoir regardé",
        "Abonnez-vous",
        "N'oubliez pas de vous abonner",
        "À bientôt",
        "Musique",
        # Spanish
        "Gracias",
        "Gracias por ver el video",
        "Gracias por ver",
        "Muchas gracias por ver el video",
        "Suscríbete al canal",
        "¡Suscríbete!",
        "Música",
        # Portuguese
        "Obrigado",
        "Obrigado por assistir",
        "Obrigada por assistir",
        "Inscreva-se no canal",
        "Tchau",
        # Italian
        "Grazie",
        "Grazie per la visione",
        "Grazie per aver guardato il video",
        "Iscrivetevi al canale",
        "Musica",
        # Dutch
        "Bedankt voor het kijken",
        "Bedankt om te luisteren",
        "Muziek",
        # Polish, Czech, Hungarian, Romanian, Greek
        "Dziękuję",
        "Dziękuję za uwagę",
        "Dziękuję za oglądanie",
        "Dziękuję bardzo",
        "Děkuji za pozornost",
        "Děkuji za sledování",
        "Köszönöm, hogy megnéztétek a videót",
        "Köszönöm a figyelmet",
        "Vă mulțumesc pentru vizionare",
        "Să vă mulțumim pentru vizionare",
        "Σας ευχαριστώ",
        "Ευχαριστώ που παρακολουθήσατε",
        # Swedish, Danish, Norwegian, Finnish
        "Tack för att ni har tittat",
        "Tack för att du tittade",
        "Tak for at du så med",
        "Tak fordi du så med",
        "Takk for at du så på",
        "Takk for at dere så på",
        "Kiitos kun katsoit",
        "Kiitos, että katsoit",
        # Russian, Ukrainian
        "Спасибо",
        "Спасибо за просмотр",
        "Спасибо за внимание",
        "Продолжение следует",
        "Подписывайтесь на канал",
        "Подпишись на канал",
        "До новых встреч",
        "Музыка",
        "Аплодисменты",
        "Дякую",
        "Дякую за перегляд",
        "Дякую за увагу",
        # Turkish, Vietnamese, Indonesian
        "Teşekkürler",
        "İzlediğiniz için teşekkür ederim",
        "İzlediğiniz için teşekkürler",
        "Abone olmayı unutmayın",
        "Cảm ơn các bạn đã theo dõi",
        "Cảm ơn các bạn đã xem video",
        "Hẹn gặp lại các bạn trong những video tiếp theo",
        "Terima kasih",
        "Terima kasih telah menonton",
        "Terima kasih sudah menonton",
        # Arabic, Persian, Hebrew, Hindi
        "شكرا",
        "شكرا للمشاهدة",
        "شكرا على المشاهدة",
        "اشتركوا في القناة",
        "لا تنسوا الاشتراك في القناة",
        "موسيقى",
        "با تشکر از تماشای شما",
        "تشکر از تماشای شما",
        "תודה רבה",
        "תודה על הצפייה",
        "देखने के लिए धन्यवाद",
        "धन्यवाद",
        # Chinese
        "谢谢",
        "謝謝",
        "谢谢大家",
        "謝謝大家",
        "谢谢观看",
        "謝謝觀看",
        "感谢观看",
        "感謝觀看",
        "谢谢大家观看",
        "謝謝大家觀看",
        "谢谢收看",
        "謝謝收看",
        "多谢您的观看",
        "多謝您的觀看",
        "下期再见",
        "我们下期再见",
        "请订阅",
        "請訂閱",
        "欢迎订阅我的频道",
        "音乐",
        "音樂",
        # Japanese
        "ご視聴ありがとうございました",
        "ご視聴ありがとうございます",
        "ご清聴ありがとうございました",
        "ありがとうございました",
        "最後までご視聴いただきありがとうございました",
        "最後までご視聴いただきありがとうございます",
        "チャンネル登録お願いします",
        "チャンネル登録よろしくお願いします",
        "チャンネル登録をお願いいたします",
        "高評価とチャンネル登録よろしくお願いします",
        "おやすみなさい",
        "また次の動画でお会いしましょう",
        "次回の動画でお会いしましょう",
        "音楽",
        "拍手",
        # Korean
        "감사합니다",
        "시청해주셔서 감사합니다",
        "시청해 주셔서 감사합니다",
        "구독과 좋아요 부탁드립니다",
        "구독과 좋아요 눌러주세요",
        "다음 영상에서 만나요",
        "다음 시간에 만나요",
        "음악",
        "박수",
        # Thai
        "ขอบคุณครับ",
        "ขอบคุณค่ะ",
        "ขอบคุณที่รับชม",
        "ขอบคุณที่รับชมครับ",
        "โปรดติดตามตอนต่อไป",
    )
)

# Credits name people, years and stations, so part of one is enough.
_CREDITS: Final = tuple(
    _plain(credit)
    for credit in (
        "Amara.org",
        "Amara org",
        "opensubtitles.org",
        "DimaTorzok",
        "Субтитры сделал",
        "Субтитры делал",
        "Субтитры создавал",
        "Субтитры подготов",
        "Субтитры предоставил",
        "Редактор субтитров",
        "Субтитрувальниця",
        "Sous-titrage Société Radio-Canada",
        "Sous-titrage ST",
        "Sous-titrage FR",
        "Sous-titres par",
        "Sous-titres réalisés",
        "Untertitel im Auftrag des",
        "Untertitel der Amara",
        "Untertitelung des ZDF",
        "Untertitelung im Auftrag des",
        "Untertitelung BR",
        "Copyright WDR",
        "SWR 20",
        "Subtítulos realizados por",
        "Subtítulos por la comunidad",
        "Subtitulado por la comunidad",
        "Legendas pela comunidade",
        "Legendas por",
        "Transcrição e Legendas",
        "Legendado por",
        "Sottotitoli creati dalla",
        "Sottotitoli e revisione a cura di",
        "Sottotitoli a cura di",
        "Ondertitels ingediend door",
        "Ondertiteling door",
        "Ondertiteld door",
        "TV Gelderland",
        "Napisy stworzone przez",
        "Napisy wykonane przez",
        "Titulky vytvořil",
        "Titulky stiahnuté",
        "Altyazı M.K.",
        "Undertexter från",
        "Svensktextning",
        "Danske tekster af",
        "Tekstet av",
        "Tekstning av",
        "Undertekster av",
        "Υπότιτλοι AUTHORWAVE",
        "Subtitles by the",
        "Subtitled by",
        "Captioned by",
        "Captions by",
        "Transcription by CastingWords",
        "Ghiền Mì Gõ",
        "ترجمة نانسي قنقر",
        "ترجمة نانسي",
        "字幕志愿者",
        "字幕志願者",
        "字幕由",
        "字幕製作",
        "字幕制作",
        "字幕提供",
        "明镜与点点",
        "明鏡與點點",
        "请不吝点赞",
        "請不吝點讚",
        "中文字幕",
        "優優獨播劇場",
        "优优独播剧场",
        "한글자막 by",
        "자막 제공",
        "MBC 뉴스",
        "KBS 뉴스",
    )
)
