"""What a tombstone on the relabel topic is to the relabeller: nothing to decide, and no bad message."""

from types import SimpleNamespace

from aiokafka import TopicPartition

from training.relabeller.app import _decode


def test_an_erased_review_is_neither_decided_nor_a_dead_letter():
    processor = SimpleNamespace(tp=TopicPartition("reviews.relabel", 0), epoch=0)
    event, task = _decode(processor, SimpleNamespace(key=b"r1", value=None, offset=3, headers=()))
    assert (event.rejection, task) == (None, None)
