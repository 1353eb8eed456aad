"""What `reviews taxonomy init` makes of labelled texts."""

import random
from difflib import SequenceMatcher
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from schemas import CategoryInfo, load_taxonomy
from stream.cli.app import app
from stream.errors import InputError
from stream.files import Reason
from stream.taxonomies import spellings, words
from stream.taxonomies.labels import read_labelled_texts
from stream.taxonomies.proposal import propose
from stream.taxonomies.slugs import name_of, slug_of
from stream.taxonomies.writing import write_proposal

WORDS = {"card_arrival": "post letter", "Refund_not_showing_up?": "refund money", "other": "hello"}


def rows(each=12):
    chance = random.Random(0)
    return [
        (f"{chance.choice(words.split())} please {chance.choice('abcdef')} now {i}", label)
        for label, words in WORDS.items()
        for i in range(each)
    ]


@given(st.text(min_size=1, max_size=200))
def test_a_slug_of_anything_is_one_that_a_taxonomy_takes_or_empty(label):
    slug = slug_of(label)
    assert not slug or CategoryInfo(slug=slug).slug == slug


def test_labels_become_slugs_and_names():
    assert slug_of("Бытовая техника") == "bytovaya-tehnika"
    assert slug_of("reverted_card_payment?") == "reverted_card_payment"
    assert name_of("reverted_card_payment?") == "Reverted card payment?"


def test_categories_come_by_frequency_and_none_of_these_last():
    proposal = propose([*rows(), ("hello there", "other"), ("hello you", "other")])
    assert [c.slug for c in proposal.categories] == [
        "card_arrival",
        "refund_not_showing_up",
        "other",
    ]
    assert proposal.none == "other"
    assert proposal.languages == ("en",)


def test_a_taxonomy_whose_language_is_not_known_takes_no_text_for_a_strange_one(tmp_path):
    same = [("ጥሩ ምርት ነው", "good"), ("መጥፎ ምርት", "bad")] * 10
    write_proposal(propose(same), tmp_path, "new", force=False)
    assert "languages" not in load_taxonomy(tmp_path).model_fields_set


@pytest.mark.parametrize("label", ["out_of_scope", "OOS", "Out of domain", "none.of_these"])
def test_labels_that_sound_like_none_of_these_mean_it(label):
    without = [row for row in rows() if row[1] != "other"]
    proposal = propose([*without, *(("sing a song", label) for _ in range(20))])
    assert proposal.none == slug_of(label)
    assert proposal.categories[-1].label == label


@pytest.mark.parametrize("column", ["intent", "Label text", "class_name", "интент"])
def test_labels_are_found_under_the_names_that_people_give_their_column(tmp_path, column):
    path = tmp_path / "train.csv"
    path.write_text(f"text,{column}\nwhere is my card,card_arrival\n", encoding="utf-8")
    assert list(read_labelled_texts(path)) == [("where is my card", "card_arrival")]


def test_of_two_columns_that_may_hold_labels_it_is_said_which_is_read(tmp_path):
    path = tmp_path / "train.csv"
    path.write_text("text,intent,category\nwhere is my card,card_arrival,cards\n", encoding="utf-8")
    said = []
    assert list(read_labelled_texts(path, say=said.append)) == [("where is my card", "cards")]
    assert said == ["train.csv: CSV, `,`; text from «text»; label from «category»"]


@pytest.mark.parametrize(
    ("row", "label"),
    [
        ('{"text": "жмут", "label": ["Обувь"]}', "Обувь"),
        ('{"text": "жмут", "meta": {"category": "Обувь"}}', "Обувь"),
        ('{"text": "жмут", "category": 2.0}', "2"),
    ],
)
def test_a_label_is_what_people_said_however_a_tool_writes_it(tmp_path, row, label):
    """The category was named "['Обувь']", as Python writes a list, and one within an object was none."""
    path = tmp_path / "labels.jsonl"
    path.write_text(f"{row}\n", encoding="utf-8")
    assert list(read_labelled_texts(path)) == [("жмут", label)]


def test_a_text_with_several_labels_is_told(tmp_path):
    path = tmp_path / "labels.jsonl"
    path.write_text('{"text": "жмут", "label": ["a", "b"]}\n', encoding="utf-8")
    left_out = []
    assert not list(read_labelled_texts(path, leave_out=left_out.append))
    assert left_out[0].problem == "several labels: a, b"


@pytest.mark.filterwarnings("error")
def test_a_handful_of_texts_makes_a_taxonomy_without_a_warning_of_numpy():
    few = [("сапоги жмут", "shoes"), ("сапоги текут", "shoes"), ("платье село", "clothes")]
    assert [category.slug for category in propose(few).categories] == ["shoes", "clothes"]


def test_rows_without_a_text_or_a_label_are_told(tmp_path):
    path = tmp_path / "train.csv"
    path.write_text("text,category\na card,0\n,1\na refund,\nthe weather,  \n", encoding="utf-8")
    left_out = []
    assert list(read_labelled_texts(path, leave_out=left_out.append)) == [("a card", "0")]
    assert [(row.line, row.reason) for row in left_out] == [
        (3, Reason.NO_WORDS),
        (4, Reason.NO_LABEL),
        (5, Reason.NO_LABEL),
    ]


def test_a_file_without_labels_is_refused_with_the_columns_that_it_has(tmp_path):
    path = tmp_path / "train.csv"
    path.write_text("text,what\nwhere is my card,card_arrival\n", encoding="utf-8")
    with pytest.raises(InputError, match="there are «text», «what»"):
        list(read_labelled_texts(path))


def test_names_that_nobody_knows_are_shown_as_they_stand_in_the_first_row(tmp_path):
    path = tmp_path / "list.csv"
    path.write_text("Code;Level 1;Level 2;Means\nK1;Meter;Broken;it shows nothing any more\n")
    with pytest.raises(InputError, match="«Code», «Level 1», «Level 2», «Means»"):
        list(read_labelled_texts(path))


@pytest.mark.parametrize("content", ["", "\n\n"])
def test_an_empty_file_is_refused_as_one(tmp_path, content):
    path = tmp_path / "labels.csv"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(InputError, match="holds no rows"):
        list(read_labelled_texts(path))


def test_words_that_tell_a_category_are_found_and_those_of_all_are_not():
    words = {word.words for word in propose(rows()).categories[1].telling}
    assert {"refund", "money"} <= words
    assert "please" not in words


def test_categories_with_the_same_words_are_named_as_mixed_up():
    same = [(f"where is my money {i % 4}", label) for label in ("a", "b") for i in range(10)]
    proposal = propose([*rows(), *same])
    pair = proposal.mixed_up[0]
    assert {proposal.categories[pair.one].slug, proposal.categories[pair.other].slug} == {"a", "b"}
    assert proposal.contradicting == 4


def test_what_is_written_is_a_taxonomy_that_finds_the_files_labels(tmp_path):
    write_proposal(propose(rows()), tmp_path / "new", "bank", force=False)
    taxonomy = load_taxonomy(tmp_path / "new")
    assert [taxonomy.find(label) for label in WORDS] == [
        "card_arrival",
        "refund_not_showing_up",
        "other",
    ]
    assert taxonomy.none == "other"


def test_a_taxonomy_is_not_replaced_by_accident(tmp_path):
    write_proposal(propose(rows()), tmp_path, "bank", force=False)
    with pytest.raises(InputError, match="holds a taxonomy"):
        write_proposal(propose(rows()), tmp_path, "bank", force=False)


def test_labels_that_differ_in_case_and_spaces_are_one_called_as_most_write_it(tmp_path):
    spellings = [
        "FACTURACIÓN",
        "Facturación",
        "Facturación ",
        "facturación",
        "Alta  nueva",
        "alta nueva",
    ]
    proposal = propose((f"{label} por favor {i}", label) for i, label in enumerate(spellings))
    assert [category.label for category in proposal.categories] == ["Facturación", "Alta nueva"]
    write_proposal(proposal, tmp_path, "bank", force=False)
    taxonomy = load_taxonomy(tmp_path)
    assert {taxonomy.find(label) for label in spellings} == {"facturacion", "alta-nueva"}


@pytest.mark.parametrize("label", ["Sonstiges", "Otros", "Autres", "Altro", "Outros", "Overig"])
def test_none_of_these_is_known_in_some_languages(label):
    others = [(text, name) for text, name in rows() if name != "other"]
    assert propose([*others, ("hola", label)]).none == slug_of(label)


def test_the_label_that_means_none_may_be_named_in_any_case():
    assert propose(rows(), "CARD_ARRIVAL").none == "card_arrival"


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ([("a", "x"), ("b", "x")], "1 label in the file"),
        ([("a", f"c{i}") for i in range(1001)], "1,001 labels in the file"),
        ([("a", "Card one"), ("b", "card-one")], "would both be card-one"),
    ],
)
def test_labels_that_make_no_taxonomy_are_refused(given, said):
    with pytest.raises(InputError, match=said):
        propose(given)


def test_a_folders_long_name_is_cut(tmp_path):
    write_proposal(propose(rows()), tmp_path, "b" * 300, force=False)
    assert load_taxonomy(tmp_path).name == "b" * 100


def test_of_too_many_words_the_most_frequent_are_counted(monkeypatch):
    monkeypatch.setattr(words, "_MOST_CELLS", 8)
    texts = [*["often seldom"] * 120, *["other thing"] * 160]
    counts = words.WordCounts(texts, [0] * 120 + [1] * 160, 2)
    assert [word.words for word in counts.telling(0)] == ["often"]
    assert {word.words for word in counts.telling(1)} == {"other", "thing", "other thing"}


def test_labels_that_are_several_others_in_one_are_named():
    joined = ["Refund / Card", "card, refund,other"]
    alone = ["Card", "refund", "Other", "home / garden", "/ new"]
    proposal = propose((f"{label} {i}", label) for label in [*joined, *alone] for i in range(3))
    assert set(proposal.joined) == set(joined)
    assert len(proposal.categories) == len(joined + alone)


def test_init_says_which_labels_are_several_in_one(tmp_path):
    labels = ["card", "card / [refunds]", "[refunds]"]
    rows = "".join(f"{label} please {i},{label}\n" for label in labels for i in range(3))
    (tmp_path / "rows.csv").write_text(f"text,label\n{rows}", encoding="utf-8")
    arguments = ["taxonomy", "init", str(tmp_path / "rows.csv"), "-o", str(tmp_path / "bank")]
    said = " ".join(CliRunner().invoke(app, arguments).stderr.split())
    assert "several labels in one: 'card / [refunds]', whose parts are labels, too" in said


GROUPED = {
    "Vía pública > Baches y aceras": 8,
    "VÍA PÚBLICA >Baches y aceras": 2,
    "Via publica > Baches y aceras": 1,
    "Limpieza > Recogida de basura": 9,
    "Limpieza > Recojida de basura": 1,
    "Limpieza > Otros avisos": 3,
    "Trámites > Otros avisos": 3,
}


def test_labels_with_a_group_before_them_keep_it_and_are_found_as_the_file_writes_them(tmp_path):
    said = [(f"texto {i} {label}", label) for label, each in GROUPED.items() for i in range(each)]
    write_proposal(propose(said), tmp_path, "ciudad", force=False)
    taxonomy = load_taxonomy(tmp_path)
    assert {label: taxonomy.find(label) for label in GROUPED} == {
        "Vía pública > Baches y aceras": "baches-y-aceras",
        "VÍA PÚBLICA >Baches y aceras": "baches-y-aceras",
        "Via publica > Baches y aceras": "baches-y-aceras",
        "Limpieza > Recogida de basura": "recogida-de-basura",
        "Limpieza > Recojida de basura": "recojida-de-basura",
        "Limpieza > Otros avisos": "limpieza-otros-avisos",
        "Trámites > Otros avisos": "tramites-otros-avisos",
    }
    first = taxonomy.infos[0]
    assert (first.name("es"), first.group_name("es")) == ("Baches y aceras", "Vía pública")


def test_a_label_of_few_texts_that_is_like_a_frequent_one_is_named(tmp_path):
    file = tmp_path / "labels.csv"
    lines = [f"texto {i},{label}" for label, each in GROUPED.items() for i in range(each)]
    file.write_text("\n".join(["text,category", *lines]))
    told = " ".join(
        CliRunner()
        .invoke(app, ["taxonomy", "init", str(file), "-o", str(tmp_path / "c")])
        .output.split()
    )
    assert "'Limpieza > Recojida de basura' for 'Limpieza > Recogida de basura'" in told


def test_labels_that_differ_in_a_number_are_not_taken_for_misspelled():
    said = [
        (f"text {i}", label)
        for label, each in {"Zone 1": 1, "Zone 2": 9}.items()
        for i in range(each)
    ]
    assert not propose(said).misspelled


def test_of_very_many_labels_few_are_compared_letter_by_letter(monkeypatch):
    # A thousand labels took 18 seconds.
    compared = []

    def counted(_, one, other):
        compared.append((one, other))
        return SequenceMatcher(None, one, other)

    monkeypatch.setattr(spellings, "SequenceMatcher", counted)
    letters = ["".join(pair) * 4 for pair in permutations("abcdefghijklmnop", 2)]
    counts = {"abababab stret": 1} | {f"{name} lane": 1 for name in letters}
    counts |= {f"{name} street": 50 for name in letters}
    assert spellings.misspelled(counts) == (("abababab stret", "abababab street"),)
    assert len(compared) < len(letters)
