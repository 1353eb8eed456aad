"""Which topics are searched for a review that must be forgotten."""

from __future__ import annotations

from dataclasses import replace
from typing import get_args

import pytest

from schemas import TopicNames
from schemas.topics import Layout
from stream.operations.erasure_copies import topics_with_reviews


@pytest.mark.parametrize("layout", get_args(Layout))
@pytest.mark.parametrize("suffix", ["", ".model-7"])
def test_every_topic_in_which_a_review_can_end_is_searched(layout, suffix):
    live = TopicNames(layout=layout)
    written = {*replace(live, output_suffix=suffix).outputs(), live.incoming}

    assert set(topics_with_reviews(written, live)) == written


def test_topics_of_the_former_layout_are_searched_as_well():
    single, each = TopicNames(layout="single"), TopicNames()

    assert set(topics_with_reviews({*each.categories}, single)) == {*each.categories}
    assert topics_with_reviews({*single.categories}, each) == [*single.categories]


def test_topics_that_name_no_single_review_are_left_alone():
    names = TopicNames(layout="single")

    assert topics_with_reviews({names.models, names.batches, names.stats, "other"}, names) == []
