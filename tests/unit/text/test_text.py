"""Preprocessing that serving and training share."""

import json
import re
import time
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream.text import fingerprint, normalize

FIELD = Path(__file__).resolve().parents[4] / "shared" / "field" / "inputs" / "texts_dirty.jsonl"
# What a text may be made of that goes through the slow steps.
PARTS = st.sampled_from(
    [
        "платье",
        "Чайник",
        "&",
        "amp;",
        "quot;",
        "&#1095;",
        "<br>",
        "<",
        ">",
        "script>",
        "</script>",
        "\\n",
        "\\u0447",
        "С А П О Г И",
        "Cапоги",
        "Ð§Ð°Ð¹",
        "╫рщэшъ",
        "Р¶Рј",
        "̶",
        "\u2066",
        "0",
        "X",
        " ",
    ]
)


def normalize_v1(text):
    """Normalise as version 1 did."""
    text = unicodedata.normalize("NFKC", text)
    if not text.isprintable():
        text = re.sub(r"[\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u2064\ufeff]", "", text)
        text = re.sub(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]", " ", text)
    text = unicodedata.normalize("NFKC", text.lower()).replace("ё", "е")
    return " ".join(re.sub(r"([^\d\s])\1{2,}", r"\1\1", text).split())


@given(st.one_of(st.text(max_size=200), st.lists(PARTS, max_size=12).map("".join)))
def test_normalising_twice_changes_nothing(text):
    assert normalize(normalize(text)) == normalize(text)


@given(st.one_of(st.text(max_size=200), st.lists(PARTS, max_size=12).map("".join)))
def test_a_model_of_version_1_is_given_only_texts_that_version_1_would_have_given_it(text):
    assert normalize_v1(normalize(text)) == normalize(text)


@given(st.text("абвгдежзийклмнопрстуфхцчшщъыьэюя ", max_size=200))
def test_a_plain_text_is_what_it_was_in_version_1(text):
    assert normalize(text) == normalize_v1(text)


@pytest.mark.parametrize(
    ("raw", "normal"),
    [
        ("  Платье\n\tКРАСИВОЕ ", "платье красивое"),
        ("Ёлка", "елка"),
        ("супеееер!!!!!", "супеер!!"),
        ("размер 1000 и 44", "размер 1000 и 44"),
        ("пла\u00adтье\u200b", "платье"),
        ("\ufeffтекст\x00", "текст"),
    ],
)
def test_a_normal_text_has_one_spelling_of_case_yo_repetitions_and_what_is_invisible(raw, normal):
    assert normalize(raw) == normal


@pytest.mark.parametrize(
    ("raw", "normal"),
    [
        (
            "Платье &quot;Весна&quot;&nbsp;&mdash; ткань&#33; <br>44&ndash;й",
            'платье "весна" — ткань! 44–й',
        ),
        ("&amp;quot;Платье&amp;quot;", '"платье"'),
        ("<p>Сапоги</p><script>x < 1</script> жмут", "сапоги жмут"),
        ("<b>Платье", "платье"),
        ("<![CDATA[Сапоги <b>жмут</b>]]>", "сапоги жмут"),
        ("&lt;![CDATA[Сапоги", "сапоги"),
        ("текст <script>без конца", "текст без конца"),
        ("H&M, 5 < 6, я <3 это", "h&m, 5 < 6, я <3 это"),
        ("\\u041f\\u043b\\u0430\\u0442\\u044c\\u0435\\nсело", "платье село"),
    ],
)
def test_markup_and_escapes_are_resolved(raw, normal):
    assert normalize(raw) == normal


@pytest.mark.parametrize(
    ("raw", "normal"),
    [
        ("РЎР°РїРѕРіРё Р¶РјСѓС‚, РІРµСЂРЅСѓР»Р°", "сапоги жмут, вернула"),
        ("Ð§Ð°Ð¹Ð½Ð¸Ðº Ñ\x82ÐµÑ\x87Ñ\x91Ñ\x82", "чайник течет"),
        ("╫рщэшъ Єхў╕Є", "чайник течет"),
        ("п÷п╩п╟я┌я▄п╣", "платье"),
        ("Ïëàòüå ñåëî ïîñëå ñòèðêè", "платье село после стирки"),
    ],
)
def test_a_wrongly_decoded_text_is_repaired_where_that_is_certain(raw, normal):
    assert normalize(raw) == normal


@pytest.mark.parametrize(
    "text", ["café crème à la carte", "größe passt nicht", "є їжа, ґанок", "№ 5 — «ок»", "ñandú"]
)
def test_accents_and_kindred_alphabets_are_no_mojibake(text):
    assert normalize(text) == normalize_v1(text)


@pytest.mark.parametrize(
    ("raw", "normal"),
    [
        ("Cапоги жмyт, вepнyлa oбpатнo", "сапоги жмут, вернула обратно"),
        ("хiaomi redmi", "xiaomi redmi"),
        ("Сап0ги хор0шие", "сапоги хорошие"),
        ("размер XL и 2хl", "размер xl и 2xl"),
        ("usb-кабель, wifi", "usb-кабель, wifi"),
    ],
)
def test_a_word_of_two_scripts_is_written_in_the_one_it_can_be_read_in(raw, normal):
    assert normalize(raw) == normal


@pytest.mark.parametrize(
    ("raw", "normal"),
    [
        ("С А П О Г И   Ж М У Т", "сапоги жмут"),
        ("с.а.п.о.г.и", "сапоги"),
        ("размеры S M L есть", "размеры s m l есть"),
        ("ЧайникТечётВернула", "чайник течет вернула"),
        ("чАйНиК, ПЛАТЬЕкороткое", "чайник, платьекороткое"),
        ("С̶а̶п̶о̶г̶и̶", "сапоги"),
        ("\u2067Сапоги\u2069 \u2066жмут\u2069", "сапоги жмут"),
        ("Кроссовки🔥огонь👍🏽", "кроссовки 🔥 огонь 👍"),
        (unicodedata.normalize("NFD", "розовый, ёмкий"), "розовый, емкий"),
    ],
)
def test_letters_apart_joined_overlaid_or_among_pictures_become_words(raw, normal):
    assert normalize(raw) == normal


# What no program can know from the text alone is asked about instead; see the guide for producers.
NOT_REPAIRED = {"translit", "layout", "entities", "emoji-is-the-noun"}


@pytest.mark.skipif(not FIELD.is_file(), reason="the inputs of ../shared/field are not here")
def test_each_dirty_text_that_can_be_repaired_has_the_words_of_its_clean_form():
    def words(text):
        return re.findall(r"\w+", text)

    for line in FIELD.read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        clean = row["metadata"]["clean"]
        if clean and row["review_id"] not in NOT_REPAIRED:
            assert words(normalize(row["text"])) == words(normalize(clean)), row["review_id"]


def test_texts_that_normalise_alike_share_a_cache_entry():
    assert fingerprint(normalize("СУПЕР!!!!")) == fingerprint(normalize("супер!!!"))


def test_a_lone_surrogate_has_a_fingerprint():
    assert len(fingerprint("\ud800")) == 32


@pytest.mark.parametrize(
    "part", ["<script>", "&amp;", "<a", "С А ", "Cа", "Р¶", "\\u0041", "a\u0336", "<!", "аА"]
)
def test_time_grows_with_the_length_of_a_hostile_text_and_no_faster(part):
    def seconds(length):
        text = part * (length // len(part))
        begin = time.process_time()
        normalize(text)
        return time.process_time() - begin

    assert min(seconds(200_000) for _ in range(3)) < 8 * max(
        min(seconds(100_000) for _ in range(3)), 0.01
    )
