"""Tables of categories: all of a few, of many the foremost and the rest in sum."""

import pytest

from schemas import Category, using
from stream.queue.statistics import Report
from stream.queue.web.tables import FOREMOST, tables
from tests.support.taxonomies import bank


@pytest.mark.parametrize(
    ("count", "shown"), [(9, 9), (12, 12), (FOREMOST + 1, FOREMOST + 1), (FOREMOST + 2, FOREMOST)]
)
def test_the_others_are_summed_only_where_they_are_several(tmp_path, count, shown):
    with using(bank(tmp_path, count)) as taxonomy:
        waiting: dict[Category, int] = dict.fromkeys(taxonomy.categories, 0)
        made = tables(Report(0, 0, 0, waiting, {}, {}, [], None, {}, None, {}, []))
    assert len(made.foremost) == shown
    assert len(made.foremost) + len(made.others) == count
