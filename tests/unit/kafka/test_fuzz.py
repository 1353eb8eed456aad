"""A small part of what `make fuzz` does: the same damage in every run."""

from tests.faults.fuzz_batches import _DAMAGES, fuzz_batches


def test_no_damaged_batch_stops_a_partition_or_costs_another_batch_its_records():
    tally = fuzz_batches(700, seed=11)
    assert tally.failures == []
    assert {name.split(": ")[0] for name in tally.ends} == set(_DAMAGES)
