"""The codebook's rules, as the rule labeller follows them. The reviews are made up."""

import pytest

from schemas import CATEGORIES, Category
from stream.text import normalize
from training.labelling.heuristic import HeuristicLabeller


@pytest.fixture(scope="module")
def labeller():
    return HeuristicLabeller.load()


def said(labeller, text):
    choice = int(labeller.label([normalize(text)]).choices[0])
    return None if choice < 0 else CATEGORIES[choice]


@pytest.mark.parametrize(
    ("text", "category"),
    [
        ("Пылесос гудит, но тянет", Category.HOUSEHOLD_APPLIANCES),
        ("Кроссовки жмут в пальцах", Category.FOOTWEAR),
        ("Платье село идеально", Category.CLOTHING),
        ("Тарелки без сколов, целые", Category.TABLEWARE),
        ("Пододеяльник и наволочки мягкие", Category.HOME_TEXTILES),
        ("Игрушка понравилась сыну", Category.KIDS),
        ("Серьги потускнели через неделю", Category.ACCESSORIES),
        ("Наушники не заряжаются", Category.ELECTRONICS),
        ("Продавец не отвечает, верните деньги", Category.NO_PRODUCT),
    ],
)
def test_it_knows_an_easy_review_of_each_category(labeller, text, category):
    assert said(labeller, text) == category


@pytest.mark.parametrize(
    ("rule", "text", "category"),
    [
        ("1: a named product decides", "Блузка не пришла, спор открыт", Category.CLOTHING),
        ("1: a part names a garment", "Рукава длинные", Category.CLOTHING),
        ("2: for a child", "Куртка для ребенка, дочке в сад", Category.KIDS),
        ("3: only a garment is worn", "Маломерит, мой рост 170", Category.CLOTHING),
        ("4: cloth and sewing", "Швы кривые, торчат нитки", Category.CLOTHING),
        ("5: no product", "Цвет как на фото, упаковка целая", Category.NO_PRODUCT),
        ("6: nothing to read", "!!! ...", Category.NO_PRODUCT),
    ],
)
def test_it_follows_the_codebook(labeller, rule, text, category):
    assert said(labeller, text) == category, rule


def test_a_number_of_a_phone_is_no_phone(labeller):
    assert said(labeller, "Курьер спросил номер телефона") == Category.NO_PRODUCT


def test_it_abstains_where_an_unknown_noun_may_be_the_product(labeller):
    assert said(labeller, "Фундамент") is None


def test_the_reason_names_the_words(labeller):
    assert "пылесос" in labeller.label(["пылесос шумит"]).reasons[0]


def test_no_texts_give_no_votes(labeller):
    assert len(labeller.label([])) == 0
