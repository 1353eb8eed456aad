"""The codebook as people read it beside a review: rules in order, with examples of our own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

Language = Literal["ru", "en"]


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule. The first that fits decides."""

    title: str
    text: str
    examples: tuple[tuple[str, str], ...] = ()
    """A text and the slug that it gets."""


GUIDELINES: Final[dict[Language, tuple[Rule, ...]]] = {
    "ru": (
        Rule(
            "Товар назван",
            "Решает названный товар, даже если отзыв о доставке или возврате. Если товаров "
            "несколько, тот, о котором речь; иначе названный первым. Деталь одежды (рукав, "
            "воротник, молния, карман, подкладка) означает одежду.",
            (
                ("Чайник ехал три недели", "household-appliances"),
                ("Молния разошлась в первый день", "clothing"),
            ),
        ),
        Rule(
            "Для ребёнка",
            "Вещь предназначена ребёнку: товары для детей. Взрослый размер, купленный дочке, — "
            "одежда.",
            (("Машинка понравилась сыну", "kids"),),
        ),
        Rule(
            "Размер и посадка",
            "Товар не назван, но речь о росте, весе, размере, посадке или носке: одежда. О стельке "
            "или о том, что жмёт ногу: обувь.",
            (("Рост 165, села хорошо", "clothing"), ("Стелька короче на сантиметр", "footwear")),
        ),
        Rule(
            "Только ткань или пошив",
            "Ткань, хлопок, швы, нитки, стирка, а товар не назван: одежда. Со словом о домашнем "
            "текстиле: текстиль.",
            (("После стирки полиняло полотенце", "home-textiles"),),
        ),
        Rule(
            "Ничего о товаре",
            "Только цвет, качество, запах, цена, упаковка, «вещь», «товар», «заказ», «посылка», "
            "продавец, возврат: нет товара.",
            (("Продавец не отвечает, деньги не вернул", "no-product"),),
        ),
        Rule(
            "Всё остальное",
            "Пустой или нечитаемый текст и товар, которого нет ни в одной категории: нет товара. "
            "Отзывы на других языках — по тем же правилам.",
        ),
        Rule(
            "Не могу определить",
            "Если и по правилам возможны две категории, нажмите «?». Отзыв не вернётся в очередь "
            "и не попадёт в обучение.",
        ),
    ),
    "en": (
        Rule(
            "A product is named",
            "It decides, even where the review is about delivery or a refund. Of several, the one "
            "that the review is about, else the first named. A part of a garment (sleeve, collar, "
            "zip, pocket, lining) means clothing.",
            (
                ("The kettle took three weeks to arrive", "household-appliances"),
                ("The zip came apart on the first day", "clothing"),
            ),
        ),
        Rule(
            "For a child",
            "The item is meant for a child: kids. An adult size bought for a daughter is clothing.",
            (("My son likes the toy car", "kids"),),
        ),
        Rule(
            "Size and fit",
            "No product named, but height, weight, size, fit or wearing it: clothing. An insole, "
            "or that it pinches the foot: footwear.",
            (
                ("Height 165, fits well", "clothing"),
                ("The insole is a centimetre short", "footwear"),
            ),
        ),
        Rule(
            "Only cloth or sewing",
            "Cloth, cotton, seams, threads, washing, and no product named: clothing. With a word of "
            "home textiles: home textiles.",
            (("The towel lost its colour in the wash", "home-textiles"),),
        ),
        Rule(
            "Nothing about the product",
            "Only colour, quality, smell, price, packing, “thing”, “goods”, “order”, “parcel”, "
            "seller, refund: no product.",
            (("The seller is silent and keeps my money", "no-product"),),
        ),
        Rule(
            "Everything else",
            "An empty or unreadable text, and a product that no category covers: no product. "
            "Reviews in other languages follow the same rules.",
        ),
        Rule(
            "Cannot tell",
            "Where two categories remain possible by the rules, press “?”. The review does not come "
            "back, and nothing is trained on it.",
        ),
    ),
}
