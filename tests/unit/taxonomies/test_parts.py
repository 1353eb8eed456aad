"""What a taxonomy has, what it lacks, and what that costs."""

import pytest

from schemas import active_taxonomy, load_taxonomy, using
from stream.categories import category_named
from stream.errors import ConfigError
from stream.taxonomies.parts import PARTS, check
from tests.support.taxonomies import bank, write_taxonomy


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
        ("examples.jsonl", '{"text": "x"}\n', "line 1: KeyError"),
        ("hypotheses.toml", '[phrases]\nkids = "x"\n', "no such category: kids"),
    ],
)
def test_a_part_that_is_wrong_is_named(tmp_path, name, text, said):
    taxonomy = bank(tmp_path, 3)
    (tmp_path / name).write_text(text, encoding="utf-8")
    (finding,) = [f for f in check(taxonomy) if f.subject == name]
    assert finding.state == "wrong"
    assert said in finding.said


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
