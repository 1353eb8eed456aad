"""Folds: reviews of one product stay together, so that what is measured is goods that no model saw."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from training.data.dataset import labelled, read_labelled_dataset
from training.data.folds import folds_by_product, folds_for_measuring, folds_of
from training.errors import DataError
from training.fit.config import TrainConfig, silent
from training.measures.rule import fit_rule
from training.out_of_fold import out_of_fold
from training.split import split_of

ROWS = st.lists(
    st.tuples(st.integers(0, 8), st.sampled_from(["", "", "шторы", "пылесос", "лобзик"])),
    min_size=4,
    max_size=60,
)


def dataset(rows):
    texts = [f"отзыв {number}" for number in range(len(rows))]
    categories, products = zip(*rows, strict=True)
    return labelled(texts, categories, "person", product=products)


@given(rows=ROWS, folds=st.integers(2, 5), seed=st.integers(0, 9))
def test_a_product_is_in_one_fold_and_every_fold_number_is_one_of_those_wanted(rows, folds, seed):
    data = dataset(rows)
    fold = folds_by_product(data, folds, seed)
    assert set(fold) <= set(range(folds))
    for product in {"шторы", "пылесос", "лобзик"} & set(data.product):
        assert len(set(fold[np.array(data.product) == product])) == 1


def test_products_of_one_category_are_spread_over_the_folds():
    products = ["пылесос", "чайник", "утюг"]
    data = dataset([(0, product) for product in products for _ in range(5)])
    assert len(set(folds_by_product(data, 3, 0))) == 3


def test_the_same_seed_gives_the_same_folds():
    data = dataset([(0, "пылесос"), (4, "шторы"), (8, ""), (8, ""), (0, "чайник")])
    assert folds_by_product(data, 2, 1).tolist() == folds_by_product(data, 2, 1).tolist()


@given(rows=ROWS, folds=st.integers(2, 5), seed=st.integers(0, 9))
def test_what_is_measured_is_whole_products_unless_a_fold_would_have_hardly_a_row(
    rows, folds, seed
):
    data = dataset(rows)
    whole = folds_by_product(data, folds, seed)
    enough = np.bincount(whole, minlength=folds).min() >= len(rows) // (2 * folds)
    expected = whole if enough else folds_of(data.categories, folds, seed)
    assert folds_for_measuring(data, folds, seed).tolist() == expected.tolist()


def test_rows_of_one_product_are_parted_all_the_same():
    one = dataset([(0, "пылесос"), (8, "пылесос")] * 10)
    assert np.bincount(folds_for_measuring(one, 2, 0)).tolist() == [10, 10]


@pytest.mark.parametrize(
    ("columns", "row", "product"),
    [
        ("text,category,product,source", "пылесосит,household-appliances,пылесос,s1", "пылесос"),
        ("text,category,product,source", "спасибо,no-product,,s1", ""),
        ("text,category,source", "спасибо,no-product,s1", "s1"),
        ("text,category", "спасибо,no-product", ""),
    ],
)
def test_a_files_product_is_kept_and_its_source_stands_for_it_where_no_column_names_products(
    tmp_path, columns, row, product
):
    file = tmp_path / "labels.csv"
    file.write_text(f"{columns}\n{row}\n", encoding="utf-8")
    assert read_labelled_dataset(file).product == [product]


def by_word_of(product):
    # All reviews of a product share a word that no other has: a model knows it from the others only.
    words = {"пылесос": ("мотор", 0), "чайник": ("носик", 0), "шторы": ("складки", 4)}
    word, category = words[product]
    return [(f"{word} номер {number}", category, product) for number in range(12)]


@pytest.mark.parametrize(("held_out", "right"), [("rows", True), ("products", False)])
def test_rows_at_random_flatter_what_a_model_makes_of_goods_that_it_never_saw(held_out, right):
    goods = [row for product in ("пылесос", "чайник", "шторы") for row in by_word_of(product)]
    nothing = [(f"доставка номер {number}", 8, "") for number in range(12)]
    texts, categories, products = zip(*goods, *nothing, strict=True)
    data = labelled(texts, categories, "person", product=products)
    config = TrainConfig(held_out=held_out, folds=3)
    held = out_of_fold("ngrams", data, split_of(data, config), config, silent)
    curtains = np.array([text.startswith("складки") for text in held.rows.texts])
    said = held.logits[curtains].argmax(axis=1)
    assert bool((said == held.truth[curtains]).all()) is right


PER_CATEGORY = [(0, "пылесос")] * 12 + [(4, "шторы")] * 12


@pytest.mark.parametrize(
    ("rows", "products"),
    [
        pytest.param([(c, "магазин") for c in (0, 4) * 12], 0, id="one product"),
        pytest.param(
            [(c, "лобзик") for c in (0, 4) * 3] + [(8, ""), (1, "")] * 9, 1, id="one among others"
        ),
        pytest.param(PER_CATEGORY, 0, id="one product a category"),
        pytest.param([*PER_CATEGORY, (8, ""), (8, "")], 2, id="fewer products than folds"),
        pytest.param([(c, "") for c in (0, 4) * 12], 0, id="no product named"),
    ],
)
def test_products_are_held_out_only_where_something_is_left_to_learn_and_every_row_once(
    rows, products
):
    """Reviews of one shop, its name in the column `source`, once were "scored" by no model at all."""
    data = dataset(rows)
    found = split_of(data, TrainConfig(folds=3))
    assert found.products == products
    held = np.sort(np.concatenate([part.held for part in found.parts]))
    assert held.tolist() == list(range(len(data)))
    for part in found.parts:
        assert not part.training[found.measured.places[part.held]].any()
        assert len(np.unique(data.categories[part.training])) > 1


@pytest.mark.parametrize("held_out", ["products", "rows"])
def test_labels_of_which_none_can_be_held_out_are_refused_before_anything_is_trained(held_out):
    same = labelled(["спасибо"] * 40, [0, 8] * 20, "person", product=["дрель"] * 40)
    with pytest.raises(DataError, match="too much alike"):
        split_of(same, TrainConfig(held_out=held_out))
    with pytest.raises(DataError, match="2 labels are too few"):
        split_of(dataset([(0, "а"), (1, "б")]), TrainConfig(held_out=held_out))


def test_how_many_products_were_held_out_is_in_the_figures():
    rows = [*PER_CATEGORY, *[(0, "чайник")] * 12, *[(4, "плед")] * 12]
    data, config = dataset(rows), TrainConfig(folds=2)
    held = out_of_fold("ngrams", data, split_of(data, config), config, silent)
    assert fit_rule(held, 0.9, 0.0).metrics["held_out_products"] == 4
