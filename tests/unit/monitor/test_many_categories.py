"""What the page is sent of many categories: the largest by name, all others in sum."""

import json

import pytest

from schemas import all_categories
from schemas.taxonomy import using
from stream.monitor.engine import Engine
from stream.monitor.snapshot import OTHERS, snapshot
from stream.settings import MonitorSettings
from tests.support.summaries import EPOCH, summary
from tests.support.taxonomies import helpdesk


def engine_of(categories):
    """Return an engine that has seen all of them, each more often than the one before."""
    engine = Engine(MonitorSettings(), clock=lambda: EPOCH + 900.0)
    offset = 0
    for moment in (0, 450, 890):
        for category in categories:
            engine.apply_batch(
                0, offset, summary(EPOCH + moment, category=category, published=category.id + 1)
            )
            offset += 1
    return engine


@pytest.fixture
def many(tmp_path):
    with using(helpdesk(tmp_path, times=2)) as taxonomy:
        yield taxonomy


def test_of_many_the_largest_have_a_layer_each_and_all_others_one_together(many):
    engine = engine_of(many.categories)
    shown = snapshot(engine, 3600)
    assert shown["series"]["shown"] == [*range(146, 154), OTHERS]
    layers = shown["series"]["categories"]
    assert len(layers) == 9
    total = engine.history.total()
    assert sum(map(sum, layers)) == total.published + total.relabelled
    assert len(shown["categories"]) == 154


def test_a_snapshot_of_many_is_of_a_bounded_size(many):
    assert len(json.dumps(snapshot(engine_of(many.categories), 900))) < 50_000


def test_few_have_a_layer_each_in_their_order():
    shown = snapshot(engine_of(all_categories()), 900)
    assert shown["series"]["shown"] == list(range(9))
    assert len(shown["series"]["categories"]) == 9
