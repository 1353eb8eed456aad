"""What a taxonomy has, what it lacks, and what that costs."""

import gzip

import pytest

from schemas import active_taxonomy, load_taxonomy, using
from stream.categories import category_named
from stream.errors import ConfigError
from stream.taxonomies.parts import PARTS, check
from tests.support.taxonomies import bank, write_taxonomy
from training.cli.train import read_labels
from training.data.unstated import PERSON_ASSUMED
from training.errors import DataError


def states(findings):
    return {finding.subject: finding.state for finding in findings}


def test_the_bundled_taxonomy_has_every_part_and_nothing_wrong():
    found = states(check(active_taxonomy()))
    assert {found[part.name] for part in PARTS} <= {"good", "weak"}
    assert "wrong" not in found.values()


def test_an_absent_part_says_what_it_is_for_and_what_is_missing(tmp_path):
    (finding,) = [f for f in check(bank(tmp_path, 3)) if f.subject == "rules.toml"]
    assert finding.state == "absent"
    assert "that labeller abstains" in finding.said


def test_without_a_category_for_none_of_these_it_says_how_precision_is_kept(tmp_path):
    (finding,) = [f for f in check(bank(tmp_path, 3)) if f.subject == "none of these"]
    assert finding.state == "weak"
    assert "--foreign" in finding.said


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("rules.toml", '[[rule]]\ncategory = "kids"\n', "no such category: kids"),
        ("rules.toml", "[[rule]\n", "line 1"),
        ("examples.jsonl", '{"text": "x"}\n', "line 1: there is no label"),
        ("examples.jsonl", "", "it holds no labelled text"),
        ("examples.jsonl", '{"text": "", "category": "intent_0"}\n', "line 1: the text is empty"),
        ("examples.jsonl", '{"text": "x", "category": "old"}\n', "is the name of intent_1 and of"),
        ("examples.jsonl", '{"text": "x", "y": ' + "[" * 100_000 + "}\n", "line 1: not JSON"),
        ("rules.toml", f"x = {'[' * 100_000}\n", "nested"),
        ("hypotheses.toml", '[phrases]\nkids = "x"\n', "no such category: kids"),
    ],
)
def test_a_part_that_is_wrong_is_named(tmp_path, name, text, said):
    file = write_taxonomy(tmp_path, 3) / "taxonomy.toml"
    split = file.read_text("utf-8")
    for heir in ("intent_1", "intent_2"):
        split = split.replace(f'slug = "{heir}"', f'slug = "{heir}"\nformerly = ["old"]')
    file.write_text(split, encoding="utf-8")
    taxonomy = load_taxonomy(tmp_path)
    (tmp_path / name).write_text(text, encoding="utf-8")
    (finding,) = [f for f in check(taxonomy) if f.subject == name]
    assert finding.state == "wrong"
    assert said in finding.said


EXAMPLES = "".join(
    f'{{"text": "вопрос о карте", "category": "{said}"}}\n'
    for said in ("intent_0", "Intent 1", "2")
)


@pytest.mark.parametrize(
    "written",
    [
        pytest.param(EXAMPLES.encode("cp1251"), id="cp1251"),
        pytest.param(EXAMPLES.encode("utf-16"), id="utf-16"),
        pytest.param(gzip.compress(EXAMPLES.encode()), id="gz"),
        pytest.param(EXAMPLES.replace("\n", "\r\n\r\n").encode("utf-8-sig"), id="blank lines"),
        pytest.param(EXAMPLES.replace("о карте", "о\u2028карте").encode(), id="line separator"),
    ],
)
def test_labelled_texts_that_a_training_can_read_are_good(tmp_path, written):
    taxonomy = bank(tmp_path, 3)
    (tmp_path / "examples.jsonl").write_bytes(written)
    (finding,) = [f for f in check(taxonomy) if f.subject == "examples.jsonl"]
    assert (finding.state, finding.said) == ("good", "labelled texts to train on")


def test_a_folder_in_place_of_a_part_is_wrong_and_not_absent(tmp_path):
    taxonomy = bank(tmp_path, 3)
    (tmp_path / "heldout.jsonl").mkdir()
    (finding,) = [f for f in check(taxonomy) if f.subject == "heldout.jsonl"]
    assert (finding.state, finding.said) == (
        "wrong",
        "it is no file: a folder, or a link to nothing",
    )


def test_categories_that_a_part_leaves_out_are_named(tmp_path):
    taxonomy = bank(tmp_path, 3)
    (tmp_path / "rules.toml").write_text('[[rule]]\ncategory = "intent_0"\n', encoding="utf-8")
    (finding,) = [f for f in check(taxonomy) if f.subject == "rules.toml"]
    assert (finding.state, "intent_1, intent_2" in finding.said) == ("weak", True)


def test_categories_of_one_name_are_told_apart_by_their_slugs_alone_which_is_said(tmp_path):
    file = write_taxonomy(tmp_path, 3) / "taxonomy.toml"
    file.write_text(file.read_text("utf-8").replace("Intent 2", "intent 0"), encoding="utf-8")
    (finding,) = [f for f in check(load_taxonomy(tmp_path)) if f.subject == "names"]
    assert finding.state == "weak"
    assert "the same: intent_0 and intent_2" in finding.said


def test_a_part_may_name_categories_by_the_slugs_that_they_had(tmp_path):
    file = write_taxonomy(tmp_path, 2) / "taxonomy.toml"
    renamed = file.read_text("utf-8").replace(
        'slug = "intent_1"', 'slug = "intent_one"\nformerly = ["intent_1"]'
    )
    file.write_text(renamed, encoding="utf-8")
    rules = '[[rule]]\ncategory = "intent_0"\n[[rule]]\ncategory = "intent_1"\n'
    (tmp_path / "rules.toml").write_text(rules, encoding="utf-8")
    (finding,) = [f for f in check(load_taxonomy(tmp_path)) if f.subject == "rules.toml"]
    assert (finding.state, "former slugs: intent_1" in finding.said) == ("good", True)


def test_many_categories_are_not_listed_in_a_message(tmp_path):
    with using(bank(tmp_path, 150)), pytest.raises(ConfigError) as caught:
        category_named("weather")
    assert caught.value.remedy == "use one of the 150 that `reviews taxonomy check` lists"


def test_empty_examples_are_told_as_such_before_a_training(tmp_path):
    taxonomy = bank(tmp_path, 3)
    (tmp_path / "examples.jsonl").write_text("\n", encoding="utf-8")
    with using(taxonomy), pytest.raises(DataError, match=r"examples\.jsonl: no labelled review"):
        read_labels([], PERSON_ASSUMED)
