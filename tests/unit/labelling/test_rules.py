import pytest

from schemas import all_categories
from training.errors import RulesError
from training.labelling.lexicon import Lexicon
from training.words.rules import RuleBook, load_rules

SHOES = {"id": "shoes", "tier": "product", "category": "footwear", "weight": 2.0}


def lexicon(*rules):
    return Lexicon(RuleBook.model_validate({"codebook": "1", "rule": rules}))


def found(book, text):
    return [(hit.rule.id, hit.text) for hit in book.find(text).hits]


def test_the_bundled_rules_speak_for_every_category():
    assert {rule.category for rule in load_rules().rule} >= set(all_categories())


@pytest.mark.parametrize("text", ["сапоги", "сапог", "без сапога рядом сапогами"])
def test_every_inflected_form_of_a_lemma_matches(text):
    assert found(lexicon({**SHOES, "words": "сапог"}), text)


def test_an_exclamation_mark_keeps_other_forms_out():
    book = lexicon({**SHOES, "words": "сапоги!"})
    assert found(book, "сапоги")
    assert not found(book, "сапогами")


def test_a_star_matches_whatever_starts_so():
    assert found(lexicon({**SHOES, "words": "кросс*"}), "кроссачи")


def test_one_wrong_letter_in_a_long_word_is_forgiven():
    assert found(lexicon({**SHOES, "words": "кроссовки"}), "красовки") == []
    assert found(lexicon({**SHOES, "words": "кроссовки"}), "кросовки") == [("shoes", "кросовки")]


def test_a_phrase_matches_its_words_in_any_form_and_only_in_a_row():
    book = lexicon({**SHOES, "phrases": ["домашний тапок"]})
    assert found(book, "взял домашние тапки") == [("shoes", "домашние тапки")]
    assert not found(book, "тапки домашние")


def test_phrases_of_three_words_match_to_their_end():
    book = lexicon({**SHOES, "phrases": ["тапок для дом", "тапок для бассейн"]})
    assert found(book, "тапки для бассейна") == [("shoes", "тапки для бассейна")]


@pytest.mark.parametrize("text", ["не сапоги", "без сапог", "как сапоги", "вместо моих сапог"])
def test_a_negation_or_a_comparison_voids_a_negatable_hit(text):
    rule = {**SHOES, "words": "сапог"}
    assert found(lexicon(rule), text)
    assert not found(lexicon({**rule, "negatable": True}), text)


def test_a_conjunction_is_no_comparison():
    book = lexicon({**SHOES, "words": "сапог", "negatable": True})
    assert found(book, "так как сапоги малы")


def test_a_shield_voids_what_stands_inside_it():
    shield = {"id": "shield", "tier": "shield", "phrases": ["кот в сапог"]}
    book = lexicon(shield, {**SHOES, "words": "сапог"})
    assert not found(book, "кот в сапогах")
    assert found(book, "кот и сапоги")


def test_one_pattern_may_serve_two_rules():
    pattern = {"patterns": [r"\b4\d размер"]}
    book = lexicon({**SHOES, **pattern}, {**SHOES, "id": "more", **pattern})
    assert [rule for rule, _ in found(book, "взял 42 размер")] == ["shoes", "more"]


def test_a_noun_that_no_rule_knows_is_counted():
    book = lexicon({**SHOES, "words": "сапог"})
    assert book.find("отличный дрифтер и сапоги").unexplained == 1


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"words": "два-слова"}, "rule shoes: "),
        ({"words": "сапог", "patterns": ["("]}, "does not parse"),
        ({"words": "сапог", "wieght": 1}, "wieght"),
        ({}, "no words"),
        ({"phrases": ["сапог"]}, "list it under words"),
        ({"words": "сапог", "category": "shoes"}, "category"),
    ],
)
def test_a_wrong_rule_is_refused_by_name(tmp_path, change, words):
    rule = {**SHOES, **change}
    lines = ['codebook = "1"', "[[rule]]", *(f"{key} = {value!r}" for key, value in rule.items())]
    (tmp_path / "rules.toml").write_text("\n".join(lines), encoding="utf-8")
    with pytest.raises(RulesError, match=words):
        load_rules(tmp_path / "rules.toml")


def test_an_absent_rule_file_is_one_clear_line(tmp_path):
    with pytest.raises(RulesError, match="cannot be read"):
        load_rules(tmp_path / "none.toml")


# A pattern with two ways to read one dash doubles its time with each: forty of them took days.
@pytest.mark.timeout(60)
@pytest.mark.parametrize("mark", ["-:", "- ", ":(", ", -"], ids=ascii)
def test_marks_after_a_word_do_not_multiply_the_work(mark):
    assert Lexicon(load_rules()).find("подарок " + mark * 100 + "х").hits is not None
