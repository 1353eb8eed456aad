"""Labellers of a taxonomy that is not in Russian: rules by stems, hypotheses and prompts from names."""

import pytest

from schemas import Category, load_taxonomy, using
from stream.settings import LabelSettings
from tests.support.taxonomies import bank, write_taxonomy
from tests.support.tiny_checkpoints import write_causal
from training.labelling.heuristic import HeuristicLabeller
from training.labelling.hypotheses import hypotheses
from training.labelling.llm.local import LocalCausalLabeller
from training.labelling.llm.prompt import answer_schema, parse_answer, system_message
from training.labelling.panel import cheap_panel

RULES = """
codebook = "1"
[[rule]]
id = "refund"
tier = "product"
category = "intent_0"
weight = 4
words = "refund"
negatable = true
[[rule]]
id = "card"
tier = "product"
category = "intent_1"
weight = 4
phrases = ["lost card"]
"""


@pytest.fixture
def folder(tmp_path):
    return write_taxonomy(tmp_path / "bank", 12)


@pytest.fixture
def english(folder):
    (folder / "rules.toml").write_text(RULES, encoding="utf-8")
    with using(load_taxonomy(folder)) as taxonomy:
        yield taxonomy


@pytest.mark.parametrize(
    ("text", "choice"),
    [
        ("i was refunded twice", 0),
        ("two refunds", 0),
        ("i have losted cards", 1),
        ("there is no refund", -1),
        ("what is the weather", -1),
        ("", -1),
    ],
)
def test_rules_meet_words_by_their_stems_and_abstain_on_what_they_do_not_know(
    english, text, choice
):
    assert HeuristicLabeller.load().label([text]).choices.tolist() == [choice]


def test_a_labeller_without_its_part_leaves_a_note_and_the_others_vote(english):
    panel = cheap_panel(LabelSettings(zero_shot_model=None))
    assert [labeller.name for labeller in panel.cheap] == ["heuristic"]
    assert "has no dictionary.toml: that labeller abstains" in panel.notes[0]


def test_nobody_is_sent_for_a_russian_checkpoint_to_read_english(english, tmp_path):
    (note,) = (n for n in cheap_panel(LabelSettings(nli=tmp_path)).notes if "checkpoint" in n)
    assert "hf download" not in note
    assert "for texts in en name an NLI checkpoint of theirs" in note


def test_a_checkpoint_that_somebody_named_is_asked_for_whatever_the_language(english, tmp_path):
    panel = cheap_panel(LabelSettings(nli=tmp_path, zero_shot_model="somebody/english-nli"))
    assert any("hf download somebody/english-nli" in note for note in panel.notes)


def test_hypotheses_come_from_the_names(english):
    asked = hypotheses()
    assert asked.templates[0] == "This text is about {}."
    assert asked.phrases[11] == "Intent 11"


def test_the_prompt_lists_names_and_descriptions_and_asks_for_a_number(english):
    said = system_message()
    assert "11 Intent 11: Questions of kind 11." in said
    assert "<id> is a whole number from 0 to 11" in said
    assert answer_schema()["properties"]["category"]["enum"] == list(range(12))
    assert parse_answer('{"category": 11}') == Category("intent_11").id
    assert parse_answer('{"category": 12}') is None


def test_prompts_of_two_taxonomies_are_not_mixed_up(tmp_path, english):
    first = system_message()
    with using(bank(tmp_path / "other", 3)):
        assert "from 0 to 2" in system_message()
    assert system_message() == first


def test_a_local_llm_weighs_ids_of_several_digits_token_by_token(tmp_path, english):
    labeller = LocalCausalLabeller(write_causal(tmp_path / "llm", digits="0123456789"))
    votes = labeller.label(["my card is lost", "a refund"])
    assert votes.probabilities.shape == (2, 12)
    assert (votes.probabilities > 0).all()
    assert votes.probabilities.sum(axis=1).tolist() == pytest.approx([1, 1])
