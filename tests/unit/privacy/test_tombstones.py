"""What a tombstone on the relabel topic is to the relabeller: nothing to decide, and no bad message."""

from types import SimpleNamespace

from aiokafka import TopicPartition

from training.relabeller.input import decode_task


def test_an_erased_review_is_neither_decided_nor_a_dead_letter():
    processor = SimpleNamespace(tp=TopicPartition("reviews.relabel", 0), epoch=0)
    found = decode_task(processor, SimpleNamespace(key=b"r1", value=None, offset=3, headers=()))
    assert (found.rejection, found.task) == (None, None)
