"""What a pattern sees of a text, and where that stood in it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream.privacy.folding import BARRIER, Folded


@pytest.mark.parametrize(
    ("text", "folded"),
    [
        ("８９１２", "8912"),
        ("٨٩١٢", "8912"),
        ("⑧⑨①②", "8912"),
        ("8️⃣9️⃣", "89"),
        ("8\u200b9\u00ad1\u20602", "8912"),
        ("8–9—1−2", "8-9-1-2"),
        ("8\u00a09\u202f1", "8 9 1"),
        ("a＠b。ru", "a@b.ru"),
        ("Ёлка «№ 5»…", "Ёлка «№ 5»…"),
        (f"a{BARRIER}b", "a?b"),
    ],
)
def test_a_disguise_is_taken_off(text, folded):
    assert Folded(text).text == folded


@given(st.text())
def test_every_character_knows_where_it_stood(text):
    folded = Folded(text)
    for at in range(len(folded.text)):
        start, end = folded.written(at, at + 1)
        assert 0 <= start < end <= len(text)


def test_a_stretch_of_the_folded_text_is_found_in_the_one_that_was_written():
    text = "тел 8\u200b9\u200b1 да"
    folded = Folded(text)
    start = folded.text.index("891")
    first, last = folded.written(start, start + 3)
    assert text[first:last] == "8\u200b9\u200b1"
