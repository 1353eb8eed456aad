"""What the queue's pages say in English: they stand beside texts of any kind, so they name none."""

import re

import pytest

from schemas import using
from stream.queue.guidelines import guidelines
from stream.queue.web.words import WORDS
from tests.support.taxonomies import bank

_REVIEW = re.compile(r"\breviews?\b", re.IGNORECASE)


# A queue that is reviewed, whatever is in it.
@pytest.mark.parametrize("key", sorted(set(WORDS["en"]) - {"title"}))
def test_no_phrase_calls_a_ticket_a_review(key):
    assert not _REVIEW.search(WORDS["en"][key])


def test_the_rule_of_a_taxonomy_without_rules_does_not_either(tmp_path):
    with using(bank(tmp_path, 12)):
        (rule,) = guidelines("en")
    assert not _REVIEW.search(rule.text)
