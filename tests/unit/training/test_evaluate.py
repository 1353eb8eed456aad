"""A finished model is measured on labelled texts."""

import json

import pytest
from typer.testing import CliRunner

from schemas import Category
from stream.cli.app import add_plugins
from stream.cli.app import app as cli
from stream.model.classifier import Classifier
from tests.support.tiny_model import KEYWORDS, write_tiny_model
from training.comparison.model import evaluate
from training.data.dataset import labelled


@pytest.fixture
def folder(tmp_path):
    write_tiny_model(tmp_path / "model", mistakes={1: 2})
    return tmp_path / "model"


def test_right_wrong_and_unsure_rows_are_counted_apart(folder):
    texts = [*KEYWORDS, "что-то непонятное"]
    rows = labelled(texts, [*range(9), 8], "person")
    found = evaluate(Classifier.load(folder, device="cpu"), rows)
    assert (found.rows, found.published, found.right) == (10, 9, 8)
    assert found.accuracy.value == pytest.approx(0.8)
    (footwear,) = [line for line in found.categories if line.category == "footwear"]
    assert (footwear.rows, footwear.published) == (1, 0)
    assert footwear.taken_for == ((Category("clothing"), 1),)


def test_the_command_prints_figures_for_a_program(folder, tmp_path):
    file = tmp_path / "labels.csv"
    lines = [f"{word},{i}" for i, word in enumerate(KEYWORDS)]
    file.write_text("text,category_id\n" + "\n".join(lines), encoding="utf-8")
    add_plugins(cli)
    done = CliRunner().invoke(cli, ["evaluate", str(file), "--model", str(folder), "--json"])
    told = json.loads(done.stdout[done.stdout.index("{") :])
    assert (told["rows"], told["published"], told["right"]) == (9, 9, 8)


def test_reviews_of_one_product_say_less_than_as_many_of_many(folder):
    """Two boots in nine are taken for dresses, whatever is asked: whole products are wrong."""
    texts = [f"{KEYWORDS[n % 9]} {n}" for n in range(180)]
    truth = [n % 9 for n in range(180)]
    model = Classifier.load(folder, device="cpu")
    alone = evaluate(model, labelled(texts, truth, "person"))
    named = labelled(texts, truth, "person", product=[f"товар {n % 18}" for n in range(180)])
    together = evaluate(model, named)
    assert (alone.products, together.products) == (0, 18)
    assert together.accuracy.low < alone.accuracy.low
    assert together.lower < alone.lower
