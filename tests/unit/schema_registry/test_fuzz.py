"""A small part of what `make fuzz` does: the same damage in every run."""

from tests.faults.fuzz import fuzz, fuzz_schemas


def test_every_damaged_message_ends_once_whatever_its_format():
    tally = fuzz(4_000, seed=11)
    assert tally.failures == []
    assert tally.ends["routed"] > 0 < tally.ends["dead-letter:other-format"]


def test_no_damaged_schema_raises_or_hangs():
    tally = fuzz_schemas(4_000, seed=11)
    assert tally.failures == []
    assert set(tally.ends) == {"schema:unusable", "schema:other-body", "schema:read"}
