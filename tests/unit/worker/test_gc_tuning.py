"""The garbage collector of a worker process: seldom, and never off."""

import gc
import weakref

from stream.worker.gc_tuning import YOUNG_OBJECTS, tuned_gc


class _Cycle:
    def __init__(self) -> None:
        self.itself = self


def test_objects_on_their_way_are_not_walked_through_while_they_are_few():
    collected = gc.get_stats()[0]["collections"]
    with tuned_gc():
        held = [[] for _ in range(YOUNG_OBJECTS // 2)]
        assert gc.get_stats()[0]["collections"] == collected, len(held)


def test_cycles_are_still_freed():
    with tuned_gc():
        first = weakref.ref(_Cycle())
        for _ in range(YOUNG_OBJECTS):
            _Cycle()
        assert first() is None


def test_afterwards_everything_is_as_it_was():
    before = gc.get_threshold()
    with tuned_gc():
        assert gc.get_threshold() != before
    assert (gc.get_threshold(), gc.get_freeze_count()) == (before, 0)
