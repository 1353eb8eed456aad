"""Composed sentences are Russian, cover every name, and are the same for the same seed."""

import numpy as np
import pytest

from schemas import Category, all_categories
from training.words.templates import (
    Product,
    bundled_templates,
    fill,
    sentences,
    synthetic_dataset,
)


@pytest.mark.parametrize(
    ("name", "accusative", "genitive", "agreement"),
    [
        ("электрический чайник", "электрический чайник", "электрического чайника", 0),
        ("чугунная сковорода", "чугунную сковороду", "чугунной сковороды", 1),
        ("постельное белье", "постельное белье", "постельного белья", 2),
        ("зимние сапоги+", "зимние сапоги", "зимних сапог", 3),
        ("сумка через плечо", "сумку через плечо", "сумки через плечо", 1),
        ("xiaomi", "xiaomi", "xiaomi", 0),
    ],
)
def test_names_are_inflected_with_their_adjectives(name, accusative, genitive, agreement):
    product = Product.named(name)
    assert (product.accusative, product.genitive) == (accusative, genitive)
    assert product.agreement == agreement


def test_templates_agree_with_the_product():
    shoes = Product.named("кеды+")
    assert fill("{Nom} [пришел|пришла|пришло|пришли]", shoes) == "Кеды пришли"


def test_every_category_has_names_and_every_template_can_be_filled():
    templates = bundled_templates()
    assert set(templates.names) == set(all_categories()) == set(templates.aspect)
    vase = Product.named("ваза")
    aspects = [line for lines in templates.aspect.values() for line in lines]
    parts = [*templates.opening, *templates.child, *aspects]
    assert all("{" not in (line := fill(part, vase)) and "[" not in line for part in parts)


def test_no_name_belongs_to_two_categories():
    names = [name for all_of_it in bundled_templates().names.values() for name in all_of_it]
    assert len(names) == len(set(names))


def test_every_name_occurs_before_any_occurs_again():
    names = bundled_templates().names[Category("tableware")]
    texts = sentences(Category("tableware"), len(names), np.random.default_rng(0))
    assert len({text.lower() for text in texts}) > 0.95 * len(names)


def test_the_same_seed_composes_the_same_dataset():
    assert synthetic_dataset(180, 1, 0.5).digest == synthetic_dataset(180, 1, 0.5).digest
    assert synthetic_dataset(180, 1, 0.5).digest != synthetic_dataset(180, 2, 0.5).digest


def test_categories_are_composed_alike_often():
    assert np.bincount(synthetic_dataset(180, 0, 0.5).categories).tolist() == [20] * 9
