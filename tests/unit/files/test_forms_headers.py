"""Tables as Google Forms gives them are understood without a word."""

from stream.files import Options, open_reviews

TABLE = "Отметка времени,Номер,Ваш отзыв о товаре\n29.11.2026 10:15:00,17,сапоги жмут\n"


def test_headers_of_google_forms_are_known(tmp_path):
    path = tmp_path / "answers.csv"
    path.write_text(TABLE, encoding="utf-8")
    with open_reviews(path, Options()) as file:
        (row,) = list(file)
    assert (row.text, row.review_id) == ("сапоги жмут", "17")
