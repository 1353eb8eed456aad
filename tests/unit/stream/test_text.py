"""Preprocessing that serving and training share."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream.text import fingerprint, normalize


@given(st.text(max_size=200))
def test_normalising_twice_changes_nothing(text):
    assert normalize(normalize(text)) == normalize(text)


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
def test_what_normalising_does(raw, normal):
    assert normalize(raw) == normal


def test_texts_that_normalise_alike_share_a_cache_entry():
    assert fingerprint(normalize("СУПЕР!!!!")) == fingerprint(normalize("супер!!!"))


def test_a_lone_surrogate_has_a_fingerprint():
    assert len(fingerprint("\ud800")) == 32
