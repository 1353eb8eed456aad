"""A queue whose Redis keeps nothing does not read Kafka over and over without a pause."""

from stream.queue.restorations import MOST, WITHIN_SECONDS, Restorations


def test_a_few_restorations_wait_for_nothing_and_many_within_minutes_do():
    now = [0.0]
    restorations = Restorations(lambda: now[0])
    for _ in range(MOST):
        assert not restorations.are_too_many
        restorations.begin()
        now[0] += 1.0
    assert restorations.are_too_many
    now[0] = WITHIN_SECONDS
    assert not restorations.are_too_many
