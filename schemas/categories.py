"""The nine product categories: the one place where ids, slugs, names and meanings are kept.

The order is part of the contract: a model's logit ``i`` is the category with ``id == i``.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final, NamedTuple


class Category(StrEnum):
    """Slug of a category, as it appears in events and in topic names."""

    HOUSEHOLD_APPLIANCES = "household-appliances"
    FOOTWEAR = "footwear"
    CLOTHING = "clothing"
    TABLEWARE = "tableware"
    HOME_TEXTILES = "home-textiles"
    KIDS = "kids"
    ACCESSORIES = "accessories"
    ELECTRONICS = "electronics"
    NO_PRODUCT = "no-product"

    @property
    def id(self) -> int:
        """Position of the category in a model's output, 0 to 8."""
        return _ID_OF[self]

    @property
    def info(self) -> CategoryInfo:
        """Names and description for people."""
        return CATEGORY_INFO[self.id]

    @classmethod
    def from_id(cls, category_id: int) -> Category:
        """Return the category with this id.

        Raises:
            ValueError: the id is not one of 0 to 8.
        """
        if not 0 <= category_id < len(CATEGORIES):
            raise ValueError(f"category id must be 0 to {len(CATEGORIES) - 1}, got {category_id}")
        return CATEGORIES[category_id]


class CategoryInfo(NamedTuple):
    """What a category is called and what it covers."""

    category: Category
    russian: str
    english: str
    description: str
    description_russian: str


CATEGORIES: Final[tuple[Category, ...]] = tuple(Category)
_ID_OF: Final[dict[Category, int]] = {category: i for i, category in enumerate(CATEGORIES)}

CATEGORY_INFO: Final[tuple[CategoryInfo, ...]] = (
    CategoryInfo(
        Category.HOUSEHOLD_APPLIANCES,
        "бытовая техника",
        "household appliances",
        "Vacuum cleaners, kettles, irons, microwaves, mixers, hair dryers.",
        "Пылесосы, чайники, утюги, микроволновки, миксеры, фены.",
    ),
    CategoryInfo(
        Category.FOOTWEAR,
        "обувь",
        "footwear",
        "Shoes, trainers, boots, sandals, slippers.",
        "Туфли, кроссовки, сапоги, сандалии, тапочки.",
    ),
    CategoryInfo(
        Category.CLOTHING,
        "одежда",
        "clothing",
        "Adult clothing: dresses, shirts, trousers, coats, underwear, swimwear, socks, tights.",
        "Одежда для взрослых: платья, рубашки, брюки, пальто, бельё, купальники, носки, колготки.",
    ),
    CategoryInfo(
        Category.TABLEWARE,
        "посуда",
        "tableware",
        "Plates, pans, cups, cutlery, kitchen ware.",
        "Тарелки, сковороды, чашки, столовые приборы, кухонная утварь.",
    ),
    CategoryInfo(
        Category.HOME_TEXTILES,
        "текстиль",
        "home textiles",
        "Bed linen, towels, blankets, curtains, table cloths, pillows, fabric sold as such.",
        "Постельное бельё, полотенца, пледы, шторы, скатерти, подушки, ткань на отрез.",
    ),
    CategoryInfo(
        Category.KIDS,
        "товары для детей",
        "kids",
        "Toys, children's clothes and shoes, prams, nappies: anything said to be for a child.",
        "Игрушки, детская одежда и обувь, коляски, подгузники: всё, что названо детским.",
    ),
    CategoryInfo(
        Category.ACCESSORIES,
        "украшения и аксессуары",
        "jewellery and accessories",
        "Jewellery, watches, bags, belts, glasses, scarves, hats, gloves, hair clips, ties.",
        "Украшения, часы, сумки, ремни, очки, шарфы, шапки, перчатки, заколки, галстуки.",
    ),
    CategoryInfo(
        Category.ELECTRONICS,
        "электроника",
        "electronics",
        "Phones, headphones, chargers, laptops, tablets, cameras, electronic lamps, gadgets.",
        "Телефоны, наушники, зарядки, ноутбуки, планшеты, камеры, светильники, гаджеты.",
    ),
    CategoryInfo(
        Category.NO_PRODUCT,
        "нет товара",
        "no product",
        "Nothing tells what the product is: delivery, seller, refund, or praise and blame in general.",
        "Товар не назван: доставка, продавец, возврат денег, похвала или жалоба вообще.",
    ),
)
