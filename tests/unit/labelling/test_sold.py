"""What was sold is evidence of a review's category, unless the text shows nothing of it."""

import pytest

from schemas import Category, active_taxonomy, using
from stream.text import normalize
from tests.support.taxonomies import bank
from training.data.files import UnlabelledReview
from training.errors import DataError
from training.labelling.heuristic import HeuristicLabeller
from training.labelling.panel import with_sold
from training.labelling.run import Panel, run_labelling
from training.labelling.sold import SoldLabeller


@pytest.fixture(scope="module")
def rules():
    return HeuristicLabeller.load()


def answer(rules, text, *sold):
    reviews = [UnlabelledReview(str(n), text, name) for n, name in enumerate(sold)]
    votes = SoldLabeller.of(reviews, rules).label([normalize(text)])
    choice = int(votes.choices[0])
    return (active_taxonomy().slugs[choice] if choice >= 0 else None), votes.reasons[0]


@pytest.mark.parametrize(
    ("text", "sold", "category"),
    [
        # The category by a rule for the product's name; the text names the product.
        ("Шторы висят ровно", "шторы", "home-textiles"),
        # The same by the name of the category, in any language, or its slug.
        ("Ткань села после стирки", "Одежда", "clothing"),
        ("Маломерит, рукава коротки", "clothing", "clothing"),
        # Nothing of it is shown: no product, whatever was sold.
        ("Спасибо, пришло вовремя", "шторы", "no-product"),
        ("Всё хорошо, рекомендую", "футболка", "no-product"),
        # Goods of no category, by a rule for their name.
        ("Пилит хорошо", "лобзик", "no-product"),
        # Other goods.
        ("Пахнет приятно", "no-product", "no-product"),
    ],
)
def test_a_review_is_of_what_was_sold_where_it_shows_it(rules, text, sold, category):
    assert answer(rules, text, sold)[0] == category


def test_a_text_that_speaks_of_something_else_is_left_to_others(rules):
    category, why = answer(rules, "Платье отличное, сидит хорошо", "шторы")
    assert category is None
    assert "something else" in why


def test_what_goods_are_for_is_not_what_they_are(rules):
    """A rule knows shoes, and none knows paint."""
    assert answer(rules, "Краска держится", "краска для обуви")[0] is None


def test_goods_that_no_name_or_rule_knows_say_nothing(rules):
    category, why = answer(rules, "Стоит ровно", "фундамент")
    assert category is None
    assert "фундамент" in why


def test_a_text_written_about_several_kinds_of_goods_shows_none_of_them(rules):
    assert answer(rules, "Отлично", "шторы", "футболка")[0] == "no-product"
    assert answer(rules, "Рукава длинные", "шторы", "футболка")[0] is None


def test_of_what_nobody_sold_nothing_is_said(rules):
    assert answer(rules, "Шторы висят ровно", "")[0] is None


def test_without_a_category_for_none_a_text_that_shows_nothing_is_left_to_others(tmp_path):
    with using(bank(tmp_path)):
        reviews = [UnlabelledReview("1", "thanks a lot", "Intent 3")]
        assert SoldLabeller.of(reviews).label(["thanks a lot"]).abstained.all()
        reviews = [UnlabelledReview("1", "an intent of mine", "Intent 3")]
        assert SoldLabeller.of(reviews).label(["an intent of mine"]).choices.tolist() == [3]


def test_it_votes_in_a_run_beside_the_rules(rules):
    reviews = [UnlabelledReview(str(n), "Сел после стирки", "костюм") for n in range(3)]
    run = run_labelling(reviews, [], with_sold(Panel((rules,)), reviews))
    assert list(run.votes) == ["heuristic", "sold"]
    assert set(run.votes["sold"].choices.tolist()) == {Category("clothing").id}


def test_a_column_of_article_numbers_is_refused_since_it_tells_nothing(rules):
    reviews = [UnlabelledReview(str(n), "Сел после стирки", str(1000 + n)) for n in range(3)]
    with pytest.raises(DataError, match="1000, 1001, 1002") as caught:
        with_sold(Panel((rules,)), reviews)
    assert "--sold" in caught.value.remedy
