"""The example reviews are fit to train and measure with: well-formed, balanced, and never shared between files."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.feature_extraction.text import CountVectorizer

from schemas import MAX_TEXT_CHARS, all_categories
from stream.text import normalize

EXAMPLES = Path(__file__).parents[3] / "deploy" / "taxonomies" / "marketplace"
LEAST_PER_CATEGORY = {"examples.jsonl": 500, "heldout.jsonl": 75, "demo.jsonl": 10}
PRESENT = [name for name in LEAST_PER_CATEGORY if (EXAMPLES / name).exists()]

MOST_ALIKE = 0.5
"""Jaccard similarity of two texts' character trigrams from which they count as one review retold."""

each_file = pytest.mark.parametrize("name", PRESENT)


def rows(name: str) -> list[dict[str, Any]]:
    text = (EXAMPLES / name).read_text(encoding="utf-8")
    return [json.loads(line) for line in text.removesuffix("\n").split("\n")]


def test_there_are_examples_to_train_on():
    assert "examples.jsonl" in PRESENT


@each_file
def test_every_line_is_a_review_with_a_known_category(name):
    known = {category.slug for category in all_categories()}
    wrong = [
        number
        for number, row in enumerate(rows(name), start=1)
        if set(row) - {"decided_by"} != {"review_id", "text", "category"}
        or row["category"] not in known
        or not isinstance(row["text"], str)
        or not 0 < len(normalize(row["text"])) <= MAX_TEXT_CHARS
    ]
    assert wrong == [], f"lines of {name}"


@each_file
def test_every_category_has_as_many_reviews_as_promised(name):
    counts = Counter(row["category"] for row in rows(name))
    short = {c.slug: counts[c] for c in all_categories() if counts[c] < LEAST_PER_CATEGORY[name]}
    assert short == {}


def test_review_ids_are_unique_in_all_files_together():
    counts = Counter(row["review_id"] for name in PRESENT for row in rows(name))
    assert [review_id for review_id, count in counts.items() if count > 1] == []


def test_no_text_occurs_twice_within_or_across_files():
    holders: dict[str, list[str]] = {}
    for name in PRESENT:
        for row in rows(name):
            holders.setdefault(normalize(row["text"]), []).append(f"{name}:{row['review_id']}")
    # The ids and not the texts: whoever trains should not read held-out reviews in a test's output.
    assert [ids for ids in holders.values() if len(ids) > 1] == []


@pytest.mark.parametrize("name", [name for name in PRESENT if name != "examples.jsonl"])
def test_no_review_is_nearly_one_that_was_trained_on(name):
    trained, own = rows("examples.jsonl"), rows(name)
    vectorizer = CountVectorizer(
        analyzer="char", ngram_range=(3, 3), lowercase=False, binary=True, dtype=np.int32
    )
    theirs = vectorizer.fit_transform(normalize(row["text"]) for row in (*trained, *own))
    sizes = theirs.sum(axis=1).A1
    common = (theirs[len(trained) :] @ theirs[: len(trained)].T).tocoo()
    either = sizes[len(trained) :][common.row] + sizes[: len(trained)][common.col] - common.data
    alike = common.data >= MOST_ALIKE * either
    pairs = zip(common.row[alike], common.col[alike], strict=True)
    # The ids and not the texts: whoever trains should not read held-out reviews in a test's output.
    assert [(own[held]["review_id"], trained[row]["review_id"]) for held, row in pairs] == []
