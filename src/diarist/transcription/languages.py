"""Which language words are written in, told by their function words: to notice when a model drifts into another one.

Parakeet v3 decides the language by itself, window by window, and now and then changes it in the middle of a recording.
A dozen of the commonest words of each of its 25 languages tell 10 words of running text apart well enough for a
warning; a trained identifier was rejected: it would be a dependency of its own, for a warning.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from itertools import groupby
from typing import Final

from diarist.model.timeline import Span
from diarist.model.transcript import Word

_COMMON: Final = {
    "bg": "и на е в да се не за с от че по като това",
    "cs": "a je se na v že to s z do o jsem jako ale",
    "da": "og i at er en det af til på der jeg ikke med har",
    "de": "und der die das ist nicht ich zu ein mit den auf es wir",
    "el": "και το να η ο την του με για είναι που δεν στο θα",
    "en": "the and to of a is that in it you was for i we",
    "es": "de la que el en y los se del las un por con una es",
    "et": "ja on ei et see kui oli ma ka ta mis aga siis nii",
    "fi": "ja on ei että se oli en hän mutta kun niin mitä minä nyt",
    "fr": "de la le et les des est que un une dans pour je pas il",
    "hr": "i je se u na da su za od što nije kao ali sam",
    "hu": "a az és hogy nem is egy ez meg van de volt csak ha",
    "it": "di che è e la il un per non una sono con si mi del",
    "lt": "ir yra kad į tai su ne aš iš bet kaip buvo jis man",
    "lv": "un ir ka es tas ar no par uz bet kā bija viņš nav",
    "mt": "li u ta il ma hija dan għal fil kien huwa biex din minn",
    "nl": "de het en een van is dat ik niet in je te zijn op we",
    "pl": "i w nie na się że z to jest do jak co ale tak",
    "pt": "de que o a e não do da em um para é com uma os eu",
    "ro": "și de la în a nu că este cu o pe un mai din să",
    "ru": "и в не на что я с он как это а по но так",
    "sk": "a je sa na v že to s z do som ako ale nie",
    "sl": "in je se v na da so za ne pa kot tudi sem ali",
    "sv": "och att det i är en som på jag inte för med har till",
    "uk": "і в не на що я з це він як до та але так",
}
FUNCTION_WORDS: Final = {language: frozenset(words.split()) for language, words in _COMMON.items()}
"""Common words that carry no meaning of their own, by language."""

ENOUGH_WORDS: Final = 10
_STRETCH_SECONDS: Final = 30.0


def language_of(words: Sequence[Word]) -> str | None:
    """The language most function words belong to; None where there are few words, or two languages are close."""
    plain = [re.sub(r"^\W+|\W+$", "", word.text).lower() for word in words]
    if len(plain) < ENOUGH_WORDS:
        return None
    hits = Counter({language: sum(text in known for text in plain) for language, known in FUNCTION_WORDS.items()})
    (first, most), (_, next_most) = hits.most_common(2)
    return first if most >= 3 and most >= 1.5 * next_most else None


def drifts(words: Sequence[Word], expected: str) -> tuple[tuple[Span, str], ...]:
    """Stretches of about 30 s whose words are clearly of another language than expected.

    Returns:
        Each stretch with the language it seems to be in, in order.
    """
    found = []
    for _, group in groupby(words, key=lambda word: int(word.start // _STRETCH_SECONDS)):
        some = list(group)
        language = language_of(some)
        if language is not None and language != expected:
            found.append((Span(some[0].start, some[-1].end), language))
    return tuple(found)
