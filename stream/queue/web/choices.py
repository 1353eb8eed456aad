"""Which categories a page offers, and in which order.

While nine keys suffice, each category has its own. Of more, the keys have the model's best nine, and
people find the others by their names, or in groups. "None of these" is never among the nine: it has a
key of its own, always the same one.
"""

from __future__ import annotations

from typing import Final

from schemas import Category, active_taxonomy, all_categories, category_count
from stream.queue.item import Item

KEYS: Final = 9
"""Categories that have a key of their own on the desk."""
# Beyond, the model's order says nothing.
_RANKED: Final = 40

Groups = list[tuple[str, list[Category]]]
"""Headings, empty where there is none, with the categories under them."""


def has_many() -> bool:
    """Return whether there are more categories than keys."""
    return category_count() > KEYS


def on_keys(item: Item, *, hide: bool) -> list[Category]:
    """Return the categories on the keys, from 1.

    Args:
        item: what is to be decided.
        hide: the model's opinion is to be kept back, and so is its choice of nine.
    """
    if not has_many():
        return list(all_categories())
    if hide:
        return []
    own_key = none_of_these()
    return [category for category, _ in item.suggestions if category != own_key][:KEYS]


def none_of_these() -> Category | None:
    """Return the category that has the key N: "none of these", where there are more than keys.

    Of a few, each has a digit that never changes; and not every taxonomy has one.
    """
    none_id = active_taxonomy().none_id
    return None if none_id is None or not has_many() else all_categories()[none_id]


def ranked(item: Item, *, hide: bool) -> list[Category]:
    """Return categories in the order in which the model holds them for probable, as far as told."""
    return [] if hide else [category for category, _ in item.suggestions[:_RANKED]]


def groups(language: str) -> Groups:
    """Return all categories under their headings, which a few have no need of."""
    if not has_many():
        return [("", list(all_categories()))]
    found: dict[str, list[Category]] = {}
    for category in all_categories():
        found.setdefault(category.info.group_name(language), []).append(category)
    return list(found.items())


def names(category: Category) -> list[str]:
    """Return everything by which people may look for a category: names in all languages, its slug."""
    return list(dict.fromkeys([*category.info.names.values(), category.slug]))
