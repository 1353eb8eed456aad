import io
import re

from rich.console import Console

from schemas.taxonomy import using
from stream.demo.outcomes import OutcomeTally
from stream.demo.screen import category_table
from tests.support.taxonomies import bank


def shown():
    console = Console(width=200, file=io.StringIO())
    console.print(category_table(OutcomeTally()))
    return console.file.getvalue()


def test_a_taxonomy_of_no_russian_is_shown_without_a_word_of_it(tmp_path):
    assert "на разметку" in shown()
    with using(bank(tmp_path, 3)):
        said = shown()
    assert "Intent 2" in said
    assert "to relabel" in said
    assert not re.search("[а-яё]", said, re.IGNORECASE)
