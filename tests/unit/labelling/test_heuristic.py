"""The codebook's rules, as the rule labeller follows them. The reviews are made up."""

import pytest

from schemas import Category, all_categories
from stream.text import normalize
from training.labelling.heuristic import HeuristicLabeller


@pytest.fixture(scope="module")
def labeller():
    return HeuristicLabeller.load()


def said(labeller, text):
    choice = int(labeller.label([normalize(text)]).choices[0])
    return None if choice < 0 else all_categories()[choice]


@pytest.mark.parametrize(
    ("text", "category"),
    [
        ("Пылесос гудит, но тянет", Category("household-appliances")),
        ("Кроссовки жмут в пальцах", Category("footwear")),
        ("Платье село идеально", Category("clothing")),
        ("Тарелки без сколов, целые", Category("tableware")),
        ("Пододеяльник и наволочки мягкие", Category("home-textiles")),
        ("Игрушка понравилась сыну", Category("kids")),
        ("Серьги потускнели через неделю", Category("accessories")),
        ("Наушники не заряжаются", Category("electronics")),
        ("Продавец не отвечает, верните деньги", Category("no-product")),
    ],
)
def test_it_knows_an_easy_review_of_each_category(labeller, text, category):
    assert said(labeller, text) == category


@pytest.mark.parametrize(
    ("rule", "text", "category"),
    [
        ("1: a named product decides", "Блузка не пришла, спор открыт", Category("clothing")),
        ("1: a part names a garment", "Рукава длинные", Category("clothing")),
        ("2: for a child", "Куртка для ребенка, дочке в сад", Category("kids")),
        ("3: only a garment is worn", "Маломерит, мой рост 170", Category("clothing")),
        ("4: cloth and sewing", "Швы кривые, торчат нитки", Category("clothing")),
        ("5: no product", "Цвет как на фото, упаковка целая", Category("no-product")),
        ("6: nothing to read", "!!! ...", Category("no-product")),
        (
            "7: goods of no category",
            "Крем хороший, мягкий, баночка маленькая",
            Category("no-product"),
        ),
        ("7: a mattress is furniture", "Матрас отличный, в меру мягкий", Category("no-product")),
        ("4: its cover is not", "Наматрасник на резинке", Category("home-textiles")),
        ("2: goods of no category, for a child", "Детский крем", Category("kids")),
    ],
)
def test_it_follows_the_codebook(labeller, rule, text, category):
    assert said(labeller, text) == category, rule


def test_a_number_of_a_phone_is_no_phone(labeller):
    assert said(labeller, "Курьер спросил номер телефона") == Category("no-product")


def test_of_goods_of_no_category_and_others_the_first_named_counts(labeller):
    assert said(labeller, "Шампунь и полотенце") == Category("no-product")
    assert said(labeller, "Полотенце и шампунь") == Category("home-textiles")


def test_where_food_is_kept_is_not_what_was_bought(labeller):
    assert said(labeller, "Храню сыр в холодильнике") == Category("no-product")


def test_it_abstains_where_an_unknown_noun_may_be_the_product(labeller):
    assert said(labeller, "Фундамент") is None


def test_the_reason_names_the_words(labeller):
    assert "пылесос" in labeller.label(["пылесос шумит"]).reasons[0]


def test_no_texts_give_no_votes(labeller):
    assert len(labeller.label([])) == 0
