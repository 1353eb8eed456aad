"""A stream's languages are told from its texts, so that its own texts are not taken for strange ones."""

import pytest

from stream.model.strange_text import StrangeText
from stream.taxonomies.languages import languages_of
from stream.text import normalize

TEXTS = {
    "ru": ("Чайник отличный, рекомендую", "Платье село после первой же стирки"),
    "uk": ("Дуже гарна сукня, дякую продавцю", "Чайник протікає, її не раджу купувати"),
    "kk": ("Өте жақсы көйлек, ұнады, дүкенге рақмет", "Сапасы жақсы, түсі әдемі, һәм арзан"),
    "en": ("my card has not arrived yet", "nobody at the café answers, where is my refund"),
    "de": ("Die Schuhe sind schön, die Größe fällt klein aus", "Für den Preis völlig in Ordnung"),
    "fr": ("La robe est très jolie mais taille petit", "Déçue par la qualité, ça a rétréci"),
    "es": ("Los zapatos son cómodos, llegaron rápido", "El niño está contento, ¡gracias!"),
    "it": ("Le scarpe sono comode, la qualità è buona", "Però la taglia è più piccola"),
    "pl": ("Buty są świetne, dziękuję", "Sukienka za mała, szkoda pieniędzy, jakość średnia"),
    "tr": ("Ürün çok güzel, teşekkürler", "Kargo hızlıydı, şiddetle öneririm"),
    "sv": ("Skorna är sköna men små, frakten gick snabbt", "Bra kvalitet på tröjan, idé"),
    "fi": ("Kengät ovat hyvät mutta pienet", "Laatu on hyvä, kiitos myyjälle"),
    "el": ("Το προϊόν είναι πολύ καλό", "Η παράδοση ήταν γρήγορη"),
    "ar": ("المنتج جيد جدا", "التوصيل سريع"),
    "zh": ("鞋子很好看，质量不错", "衣服有点小，但是可以接受"),
    "ja": ("靴はとても良いです", "届くのが遅かったです"),
    "ko": ("신발이 예뻐요", "배송이 빨라요"),
}


@pytest.mark.parametrize("language", TEXTS)
def test_the_language_of_a_stream_is_told_and_none_of_its_texts_is_strange_by_it(language):
    found = languages_of(TEXTS[language] * 20)
    assert found == (language,)
    tell = StrangeText(found)
    assert [tell.reason(normalize(text)) for text in TEXTS[language]] == [None, None]


def test_of_several_languages_that_of_most_texts_comes_first():
    assert languages_of([*TEXTS["ru"] * 4, *TEXTS["de"] * 9, *TEXTS["zh"] * 2]) == (
        "de",
        "ru",
        "zh",
    )


def test_a_language_of_one_text_in_fifty_is_one_of_the_streams_and_a_rarer_one_is_not():
    assert languages_of([*TEXTS["en"] * 24, TEXTS["ru"][0]]) == ("en", "ru")
    assert languages_of([*TEXTS["en"] * 30, TEXTS["ru"][0]]) == ("en",)


TICKETS = {
    "en": ("My bill is higher than usual, can you explain it?", "I want to cancel this contract"),
    "de": ("Ich komme nicht in das Kundenportal", "Wie hoch ist die Rechnung für den Router?"),
    "es": ("No puedo entrar en mi cuenta", "¿Dónde está la factura de la línea?"),
    "fr": ("Je ne suis pas chez moi, le technicien est en retard", "Où est la facture ?"),
    "nl": (
        "Het internet is niet snel in de avond",
        "Ik wil mijn nummer houden met een nieuwe kaart",
    ),
}


@pytest.mark.parametrize("main", TICKETS)
def test_languages_of_one_script_are_told_apart_by_their_words_most_texts_first(main):
    texts = [
        text for language in TICKETS for text in TICKETS[language] * (40 if language == main else 5)
    ]
    found = languages_of(texts)
    assert found[0] == main
    assert sorted(found) == sorted(TICKETS)


def test_names_with_letters_of_another_language_do_not_make_english_german():
    texts = [f"I was charged twice for this, {name}" for name in ("Jürgen Müller", "Jörg", "Tom")]
    assert languages_of(texts * 20)[0] == "en"


def test_a_language_whose_words_are_not_known_is_told_by_its_letters_beside_those_that_are():
    assert languages_of([*TICKETS["en"] * 30, *TEXTS["tr"] * 10]) == ("en", "tr")


@pytest.mark.parametrize("unknown", ["Sản phẩm rất tốt, giao hàng nhanh", "ጥሩ ምርት ነው"])
def test_where_a_language_is_not_known_none_is_named_and_so_nothing_is_taken_for_strange(unknown):
    assert languages_of([*TEXTS["en"] * 10, *[unknown] * 10]) == ()


def test_texts_without_letters_are_of_no_language():
    assert languages_of(["42", "!!", *TEXTS["en"]]) == ("en",)
    assert languages_of(["42", "!!"]) == ()
