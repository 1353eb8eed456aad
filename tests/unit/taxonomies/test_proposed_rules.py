"""How much the rules that `reviews taxonomy init` proposes dare to say: what the labels bear out."""

import pytest

from schemas import load_taxonomy, using
from stream.taxonomies.proposal import propose
from stream.taxonomies.writing import write_proposal
from training.labelling.heuristic import HeuristicLabeller

REFUNDS, CARDS = "refunds", "cards"


def labels():
    """Refunds are told by "money" in 300 texts, by "sorry" in 14, and by "again" in three of five."""
    for number in range(300):
        rare = "sorry" if number < 14 else ""
        shared = "again" if number % 10 < 6 else ""
        yield f"money {rare} {shared} n{number % 7}", REFUNDS
        yield f"plastic {'again' if number % 10 < 4 else ''} n{number % 7}", CARDS


@pytest.fixture
def said(tmp_path):
    """Return what the labeller of rules says of a text: the category, and how surely."""
    write_proposal(propose(labels()), tmp_path / "bank", "bank", force=False)
    with using(load_taxonomy(tmp_path / "bank")) as taxonomy:
        labeller = HeuristicLabeller.load()

        def say(text):
            (probabilities,) = labeller.label([text]).probabilities
            return taxonomy.slugs[probabilities.argmax()], float(probabilities.max())

        yield say


def test_a_word_of_hundreds_of_texts_of_one_category_names_it_as_surely_as_that_shows(said):
    category, confidence = said("money")
    assert category == REFUNDS
    assert 0.9 < confidence < 0.99  # of 300 in 300: at least 987 of the next thousand


def test_a_word_of_a_few_texts_hints_at_their_category_and_no_more(said):
    category, confidence = said("sorry")
    assert category == REFUNDS
    assert 0.6 < confidence < 0.8


def test_a_word_that_stands_elsewhere_nearly_as_often_says_nothing(said):
    assert said("again")[1] == 0


def test_where_no_word_tells_a_category_no_file_of_rules_is_written(tmp_path):
    same = [(f"where is it {number}", label) for label in "ab" for number in range(20)]
    written = write_proposal(propose(same), tmp_path, "same", force=False)
    assert [path.name for path in written] == ["taxonomy.toml"]
    assert not (tmp_path / "rules.toml").exists()
