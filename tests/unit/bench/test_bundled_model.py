"""What the bundled model is made from: other shops' reviews are in it, reported ones are not."""

import pytest

from tests.bench.bundled_model.texts import pretraining_texts, shop_rows, unlabelled_texts
from training.data.dataset import labelled
from training.data.unstated import Unstated
from training.errors import DataError

VALIDATED = (
    "id,text,category_id,category,source,product\nv1,Пылесосит,0,household-appliances,s1,робот\n"
)
READ = (
    "id,text,category_id,category,confidence,source,product\n"
    "y1,Шторы плотные,4,home-textiles,97,s2,шторы\n"
    "y2,Непонятно что,8,no-product,55,s2,\n"
    "y3,пылесосит,8,no-product,90,s1,\n"
)


@pytest.fixture
def data(tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "reviews.csv").write_text("id,text\nr1,Села хорошо\n", "utf-8")
    for name, text in (
        ("validated", VALIDATED),
        ("read", READ),
        ("reviews", "id,text,source,product,product_category\nu1,Лампа светит,s3,лампа,\n"),
    ):
        (tmp_path / "real" / f"{name}.csv").write_text(text, "utf-8")
    return tmp_path


def test_reviews_whose_reader_was_in_doubt_are_left_out(data):
    assert "Непонятно что" not in shop_rows(data).texts


def test_of_a_text_that_was_labelled_twice_the_careful_label_holds(data):
    rows = shop_rows(data)
    labels = dict(zip(rows.normalized, rows.categories, strict=True))
    assert labels["пылесосит"] == 0
    assert len(rows) == 2


def test_the_product_of_each_is_known(data):
    assert shop_rows(data).product == ["робот", "шторы"]


def test_unlabelled_texts_are_those_of_the_stream_and_of_other_shops(data):
    assert unlabelled_texts(data) == ["Села хорошо", "Лампа светит"]


def test_a_review_without_a_text_is_left_out_and_told(data):
    rows = "".join(f"r{n},Села хорошо\n" for n in range(30))
    (data / "reviews.csv").write_text(f"id,text\nr99,\n{rows}", "utf-8")
    told: list[str] = []
    assert len(unlabelled_texts(data, Unstated(tell=told.append))) == 31
    assert any("line 2: the text is empty: left out" in line for line in told)


def test_a_review_without_a_text_is_refused_where_nobody_is_told(data):
    (data / "reviews.csv").write_text("id,text\nr1,Села хорошо\nr2,\n", "utf-8")
    with pytest.raises(DataError, match="the text is empty"):
        unlabelled_texts(data)


def test_what_is_reported_on_is_not_pretrained_on():
    rows = labelled(["Чайник", "Сапоги"], [0, 1], "person")
    reported = labelled(["сапоги", "Лампа"], [1, 7], "person")
    assert pretraining_texts(rows, ["лампа", "Шторы", ""], reported) == ["чайник", "шторы"]
