"""A small part of what `make fuzz` does, without the fuzzer: each target takes anything."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.faults.fuzz_targets import SEEDS, TARGETS


@pytest.mark.parametrize("target", TARGETS)
@given(st.binary() | st.text().map(str.encode))
def test_nothing_raises_but_what_is_documented(target, data):
    TARGETS[target](data)


@pytest.mark.parametrize(("target", "seed"), [(t, s) for t, seeds in SEEDS.items() for s in seeds])
def test_a_fuzzer_can_begin_with_what_is_written_for_it(target, seed):
    TARGETS[target](seed.encode())


def test_every_target_has_seeds():
    assert SEEDS.keys() == TARGETS.keys()
