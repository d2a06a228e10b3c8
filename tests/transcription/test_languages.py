"""Which language words are in."""

import pytest

from diarist.model.transcript import Word
from diarist.transcription.languages import drifts, language_of


def words(text, start=0.0):
    return [Word(start + i * 0.5, start + i * 0.5 + 0.4, one) for i, one in enumerate(text.split())]


SENTENCES = {
    "de": "Wir haben das Haus gesehen, und der Garten ist nicht groß, aber es war mit den Kindern schön.",
    "en": "We went to the house and it was clear that you had a garden for the children in it.",
    "es": "La casa que vimos en el pueblo es de los padres y se vende con una parte del jardín por las dos.",
    "fr": "Je pense que la maison est dans le village et les enfants ne sont pas pour une ville des champs.",
    "it": "Non sono di qui, ma la casa che si vede con il giardino è per una famiglia e mi piace un po'.",
    "pl": "Nie wiem co to jest, ale tak się mówi, że w domu i na dworze jest do zrobienia jak zawsze.",
    "pt": "Não sei se é uma casa para os dois, mas eu gosto do jardim e da rua com um pouco de sol.",
    "ru": "Я не знаю что это, но он так сказал, и я с ним в город на машине по дороге.",
    "el": "Δεν είναι το σπίτι που θα πάρω για την οικογένεια και ο κήπος με το δέντρο στο χωριό.",
    "sv": "Jag tror att det är en bra idé för oss och inte så dyrt som på landet med trädgård till barnen.",
    "nl": "Ik denk dat het huis van de buren te koop is en we zijn niet op zoek, je weet het.",
    "fi": "Minä en tiedä mitä se oli, mutta kun hän tuli, niin kaikki on nyt hyvin ja se että sataa.",
}


@pytest.mark.parametrize("language", SENTENCES)
def test_a_sentence_tells_its_language(language):
    assert language_of(words(SENTENCES[language])) == language


def test_few_words_and_names_tell_nothing():
    assert language_of(words("the and to of")) is None
    assert language_of(words(" ".join(["Kowalski"] * 20))) is None


@pytest.mark.parametrize(("number", "language"), [(9, None), (10, "en"), (11, "en")])
def test_ten_words_are_enough(number, language):
    assert language_of(words(SENTENCES["en"])[:number]) == language


def test_a_drift_is_found_where_it_is():
    spoken = [*words(SENTENCES["de"]), *words(SENTENCES["en"], 31), *words(SENTENCES["de"], 62)]
    ((span, language),) = drifts(spoken, "de")
    assert language == "en"
    assert 30 <= span.start < span.end <= 60
    assert drifts(words(SENTENCES["de"]), "de") == ()
