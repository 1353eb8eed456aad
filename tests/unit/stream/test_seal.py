"""A seal holds for one key, one purpose and one value."""

from hypothesis import given
from hypothesis import strategies as st

from stream.seal import Seal, joined

SEAL = Seal("a secret", b"tests")


@given(st.binary(), st.binary())
def test_a_seal_is_of_one_value(one, other):
    assert SEAL.holds(SEAL.of(one), one)
    assert SEAL.holds(SEAL.of(one), other) == (one == other)


@given(st.binary())
def test_another_key_or_purpose_makes_another_seal(value):
    assert not Seal("another secret", b"tests").holds(SEAL.of(value), value)
    assert not Seal("a secret", b"others").holds(SEAL.of(value), value)


@given(st.lists(st.text()), st.lists(st.text()))
def test_joined_texts_cannot_be_cut_elsewhere(one, other):
    assert (joined(*one) == joined(*other)) == (one == other)


def test_the_keys_name_is_not_the_key():
    assert len(SEAL.key_id) == 8
    assert SEAL.key_id != Seal("another secret", b"tests").key_id
