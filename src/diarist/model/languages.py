"""Names of languages as people type them, and the codes by which the models here know them.

The table is ours: ``langcodes`` and ``pycountry`` carry thousands of languages in megabytes, and do not say which ones
a model knows; faster-whisper has the codes without names.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Final

from diarist.model.errors import InputError

DETECT: Final = frozenset({"", "auto", "detect"})
"""What people type who want the language to be detected."""

# Whisper's code, ISO 639-2 and other codes, then names: English ones first, some languages' own after them.
_TABLE: Final = """
af afr Afrikaans
am amh Amharic
ar ara Arabic, العربية
as asm Assamese
az aze Azerbaijani
ba bak Bashkir
be bel Belarusian
bg bul Bulgarian, български
bn ben Bengali, Bangla
bo bod/tib Tibetan
br bre Breton
bs bos Bosnian
ca cat Catalan, Valencian, català
cs ces/cze Czech, čeština
cy cym/wel Welsh
da dan Danish, dansk
de deu/ger German, Deutsch
el ell/gre Greek, ελληνικά
en eng English
es spa Spanish, Castilian, español
et est Estonian
eu eus/baq Basque
fa fas/per Persian, Farsi, فارسی
fi fin Finnish, suomi
fo fao Faroese
fr fra/fre French, français
gl glg Galician
gu guj Gujarati
ha hau Hausa
haw haw Hawaiian
he heb/iw Hebrew, עברית
hi hin Hindi, हिन्दी
hr hrv Croatian, hrvatski
ht hat Haitian Creole, Haitian
hu hun Hungarian, magyar
hy hye/arm Armenian
id ind/in Indonesian, Bahasa Indonesia
is isl/ice Icelandic
it ita Italian, italiano
ja jpn Japanese, 日本語
jw jav/jv Javanese
ka kat/geo Georgian
kk kaz Kazakh
km khm Khmer
kn kan Kannada
ko kor Korean, 한국어
la lat Latin
lb ltz Luxembourgish, Letzeburgesch
ln lin Lingala
lo lao Lao
lt lit Lithuanian
lv lav Latvian
mg mlg Malagasy
mi mri/mao Maori
mk mkd/mac Macedonian
ml mal Malayalam
mn mon Mongolian
mr mar Marathi
ms msa/may Malay
mt mlt Maltese
my mya/bur Burmese, Myanmar
ne nep Nepali
nl nld/dut Dutch, Flemish, Nederlands
nn nno Nynorsk
no nor/nb/nob Norwegian, norsk, Bokmål
oc oci Occitan
pa pan Punjabi, Panjabi
pl pol Polish, polski
ps pus Pashto, Pushto
pt por Portuguese, português
ro ron/rum/mo Romanian, Moldavian, Moldovan, română
ru rus Russian, русский
sa san Sanskrit
sd snd Sindhi
si sin Sinhala, Sinhalese
sk slk/slo Slovak
sl slv Slovenian
sn sna Shona
so som Somali
sq sqi/alb Albanian
sr srp Serbian, srpski
su sun Sundanese
sv swe Swedish, svenska
sw swa Swahili
ta tam Tamil
te tel Telugu
tg tgk Tajik
th tha Thai, ไทย
tk tuk Turkmen
tl tgl/fil Tagalog, Filipino
tr tur Turkish, Türkçe
tt tat Tatar
uk ukr Ukrainian, українська
ur urd Urdu
uz uzb Uzbek
vi vie Vietnamese, Tiếng Việt
yi yid/ji Yiddish
yo yor Yoruba
yue yue Cantonese
zh zho/chi/cmn Chinese, Mandarin, 中文
"""


def codes() -> list[str]:
    """All codes that `language_code` gives, sorted."""
    return sorted(set(_BY_NAME.values()))


def language_name(code: str) -> str:
    """The English name of a language as Whisper and OpenAI's API write it: ``"german"`` for ``"de"``.

    Args:
        code: as `language_code` gives it; another comes back as it is.
    """
    return _NAMES.get(code, code)


def language_code(text: str) -> str | None:
    """The code of the language that ``text`` names.

    Args:
        text: an ISO 639 code (``en``, ``eng``), a tag (``en-US``, ``zh_Hans_CN``), an English name or the language's
            own (``German``, ``Deutsch``), in any case; empty, ``auto`` or ``detect`` for none.

    Returns:
        The code, mostly ISO 639-1, by which the models know the language; None to have it detected.

    Raises:
        InputError: no model here knows such a language (``bad_language``).
    """
    name = _plain(text)
    if name in DETECT:
        return None
    # The first part of a tag says the language; what follows says script, country, and in a locale the encoding.
    tag = re.split(r"[-_.@]", name)[0]
    for asked in (name, tag) if len(tag) in (2, 3) else (name,):
        if asked in _BY_NAME:
            return _BY_NAME[asked]
    import difflib

    near = difflib.get_close_matches(name, [known for known in _BY_NAME if len(known) > 3], n=1, cutoff=0.7)
    hint = f"Did you mean {near[0].title()} ({_BY_NAME[near[0]]})? " if near else ""
    raise InputError(
        "bad_language",
        f"No model here knows a language {text!r}.",
        f"{hint}Give a code or a name, as en or English, or auto to have it detected.",
    )


def _plain(text: str) -> str:
    """Without case, accents and white space around it."""
    letters = unicodedata.normalize("NFKD", text.strip().casefold())
    return "".join(letter for letter in letters if not unicodedata.combining(letter))


def _by_name() -> dict[str, str]:
    found: dict[str, str] = {}
    for row in _TABLE.strip().splitlines():
        code, others, names = row.split(" ", 2)
        for name in (code, *others.split("/"), *names.split(", ")):
            found[_plain(name)] = code
    return found


_BY_NAME: Final = _by_name()
_NAMES: Final = {
    row.split(" ", 1)[0]: row.split(" ", 2)[2].partition(",")[0].lower() for row in _TABLE.strip().splitlines()
}
