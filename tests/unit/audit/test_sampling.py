"""The sample of audits: by hash, enough of every category, with a chance that is told truly."""

import pytest

from stream.audit.sampling import WEEK, AuditSample
from stream.settings import AuditSettings

KEY = "a key of sixteen or more"


class Clock:
    now = 1_700_000_000.0

    def __call__(self):
        return self.now


def sample(clock=None, **settings):
    return AuditSample(AuditSettings(key=KEY, **settings), clock or Clock())


def week_of(sample, clock, reviews, portion=1.0, name="r"):
    """Publish reviews evenly over a week; return the chances of those that were drawn."""
    found = []
    for i in range(reviews):
        clock.now += WEEK / reviews
        found.append(sample.drawn(f"{name}{i}", 0, portion))
    return [chance for chance in found if chance is not None]


def test_one_key_draws_the_same_reviews_everywhere_and_another_key_others():
    ids = [f"r{i}" for i in range(2000)]
    first, again = (sample(share=0.1) for _ in range(2))
    other = AuditSample(AuditSettings(share=0.1, key="another key, also long"))
    drawn = [[i for i in ids if one.drawn(i, 0)] for one in (first, again, other)]
    assert drawn[0] == drawn[1] != drawn[2]
    assert len(drawn[0]) == pytest.approx(200, abs=60)


def test_nobody_can_foresee_a_sample_without_its_key():
    ids = [f"r{i}" for i in range(500)]
    drawn = [[i for i in ids if one.drawn(i, 0)] for one in (unkeyed(), unkeyed())]
    assert drawn[0] != drawn[1]


def unkeyed():
    return AuditSample(AuditSettings(share=0.1))


@pytest.mark.parametrize("reviews", [300, 20_000])
def test_a_category_gets_its_audits_of_the_week_and_not_many_more(reviews):
    clock = Clock()
    drawn = week_of(sample(clock, per_week=100), clock, reviews)
    assert 100 <= len(drawn) <= 130


def test_of_a_category_that_is_seldom_published_all_is_audited():
    clock = Clock()
    assert week_of(sample(clock, per_week=100), clock, 9) == [1.0] * 9


def test_workers_that_see_a_part_of_the_stream_each_reach_the_number_together():
    drawn = 0
    for worker in range(4):
        clock = Clock()
        one = sample(clock, per_week=100)
        drawn += len(week_of(one, clock, 5000, portion=1 / 4, name=f"w{worker}-"))
    assert 100 <= drawn <= 140


def test_a_burst_costs_no_more_than_a_day_of_audits():
    clock = Clock()
    one = sample(clock, per_week=70)
    assert sum(one.drawn(f"r{i}", 0) is not None for i in range(50_000)) <= 15


def test_the_share_holds_beside_the_least_number():
    clock = Clock()
    drawn = week_of(sample(clock, per_week=10, share=0.05), clock, 20_000)
    assert len(drawn) == pytest.approx(1000, abs=120)
    assert min(drawn) == 0.05


def test_weights_are_one_over_the_chance_so_that_they_sum_up_to_what_was_published():
    clock = Clock()
    drawn = week_of(sample(clock, per_week=400), clock, 20_000)
    assert sum(1 / chance for chance in drawn) == pytest.approx(20_000, rel=0.2)
