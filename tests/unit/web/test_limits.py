"""A sliding window: how often something may happen."""

from stream.web.limits import Limit


def test_a_limit_opens_again_when_its_window_has_passed():
    now = [0.0]
    limit = Limit(2, 60, lambda: now[0])
    assert [limit.allows("ann") for _ in range(3)] == [True, True, False]
    now[0] = 60.0
    assert limit.allows("ann")


def test_a_flood_of_keys_costs_those_that_were_silent_longest():
    limit = Limit(2, 60, lambda: 0.0)
    for key in ("steady", "silent", "steady"):
        limit.note(key)
    for i in range(9_999):
        limit.note(f"made up {i}")
    assert len(limit) == 10_000
    assert limit.is_reached("steady")
    limit.note("silent")
    assert not limit.is_reached("silent")
