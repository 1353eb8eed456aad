"""A taxonomy says which categories there are; events, models and topics follow the active one."""

import json
import os
import pickle
from pathlib import Path

import pytest
from pydantic import TypeAdapter, ValidationError

from schemas import (
    BatchSummary,
    CategorizedReview,
    Category,
    CategoryCount,
    Judgement,
    Label,
    RelabelTask,
    TaxonomyError,
    TopicNames,
    UnknownCategory,
    WrongShape,
    activate,
    active_taxonomy,
    all_categories,
    category_count,
    decode,
    load_taxonomy,
    using,
)
from schemas.generate import json_schema
from schemas.taxonomy import MARKETPLACE
from stream.categories import category_named
from stream.errors import ConfigError, ModelError
from stream.model.folder import read_manifest
from stream.settings import BUNDLED_MODEL, Settings
from tests.support.taxonomies import bank, write_taxonomy

BASE = """
name = "shop"
languages = ["en"]
[[category]]
slug = "tea"
names = { en = "Tea & more", ru = "Чай" }
[[category]]
slug = "card_arrival"
name = "Card arrival"
"""


@pytest.fixture
def other(tmp_path):
    with using(bank(tmp_path)) as taxonomy:
        yield taxonomy


def written(tmp_path, text):
    path = tmp_path / "taxonomy.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_the_marketplace_is_active_unless_another_is_named():
    assert active_taxonomy().folder == MARKETPLACE
    assert all_categories()[0] == "household-appliances"
    assert active_taxonomy().none == "no-product"


def test_a_category_is_its_slug_and_knows_its_place_and_its_names():
    kids = Category("kids")
    assert kids == "kids"
    assert kids.id == 5
    assert kids.info.name("ru") == "товары для детей"
    assert Category("kids") is kids
    assert pickle.loads(pickle.dumps(kids)) is kids


def test_what_is_no_category_is_refused_by_the_taxonomys_name():
    with pytest.raises(UnknownCategory, match="'kid' is not a category of the taxonomy 'market"):
        Category("kid")


def test_an_event_of_another_taxonomy_is_a_clear_error():
    value = (
        b'{"review":{"review_id":"1","text":"x"},"category":"card_arrival","confidence":1,'
        b'"decided_by":"person"}'
    )
    with pytest.raises(WrongShape, match=r"category: .*'card_arrival' is not a category of the"):
        decode(CategorizedReview, value)


def test_topics_widths_and_schemas_follow_the_active_taxonomy(other):
    assert category_count() == 77
    assert TopicNames().categories[76] == "reviews.category.intent_76"
    schema = json_schema(CategorizedReview)
    assert schema["$defs"]["Category"]["enum"] == list(other.slugs)


def test_categories_are_keys_and_values_of_json(other):
    adapter = TypeAdapter(dict[Category, Category])
    value = adapter.validate_json('{"intent_1": "intent_2"}')
    assert value == {Category("intent_1"): Category("intent_2")}
    assert adapter.dump_json(value) == b'{"intent_1":"intent_2"}'


def test_a_model_of_another_taxonomy_is_refused_and_what_differs_is_said(other):
    with pytest.raises(ModelError, match=r"'bank': it lacks intent_0.* and 72 more; it has househ"):
        read_manifest(BUNDLED_MODEL)


def test_settings_name_the_taxonomy_of_the_process(tmp_path):
    former = active_taxonomy()
    try:
        Settings(taxonomy=write_taxonomy(tmp_path / "bank", 3))
        assert all_categories() == ("intent_0", "intent_1", "intent_2")
    finally:
        activate(former)


def test_an_empty_variable_names_no_taxonomy(monkeypatch):
    monkeypatch.setenv("REVIEWS_TAXONOMY", "")
    assert Settings().taxonomy is None


def test_another_process_that_gets_settings_gets_their_taxonomy(tmp_path):
    former = active_taxonomy()
    try:
        sent = pickle.dumps(Settings(taxonomy=write_taxonomy(tmp_path / "bank", 3)))
        activate(former)
        pickle.loads(sent)
        assert category_count() == 3
    finally:
        activate(former)


@pytest.mark.parametrize("said", ["tea", "Tea & More", "ЧАЙ", "card arrival", "Card-Arrival"])
def test_people_may_name_a_category_by_slug_or_name_in_any_language(tmp_path, said):
    with using(load_taxonomy(written(tmp_path, BASE))):
        assert category_named(said) in {"tea", "card_arrival"}


def test_a_slip_is_answered_with_the_nearest_slug():
    with pytest.raises(ConfigError) as caught:
        category_named("footwaer")
    assert caught.value.remedy == "did you mean footwear?"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (('slug = "tea"', 'slug = "Tea"'), "category Tea.slug: String should match"),
        (('slug = "tea"', 'slug = "card_arrival"'), "the same slug twice: card_arrival"),
        (('slug = "tea"', 'slug = "card.arrival"'), "but for dots and underscores twice"),
        (('languages = ["en"]', 'none = "other"'), "none = 'other' is not the slug"),
        (('name = "shop"', 'nmae = "shop"'), "name: Field required"),
        (('slug = "tea"', "slug = tea"), "is not TOML"),
        (('name = "Card arrival"', 'title = "x"'), "category card_arrival.title: Extra inputs"),
    ],
)
def test_a_mistake_in_a_taxonomy_is_named(tmp_path, change, said):
    with pytest.raises(TaxonomyError, match=said):
        load_taxonomy(written(tmp_path, BASE.replace(*change)))


def test_a_taxonomy_that_is_not_there_says_how_to_make_one(tmp_path):
    with pytest.raises(TaxonomyError, match="cannot be read") as caught:
        load_taxonomy(tmp_path / "nowhere")
    assert "taxonomy init" in caught.value.remedy


def test_a_file_of_labels_in_a_taxonomys_place_is_told_what_to_do_with_it(tmp_path):
    labels = tmp_path / "labels.csv"
    labels.write_text("text,label\nhi,greeting\n", encoding="utf-8")
    with pytest.raises(TaxonomyError, match="is not TOML") as caught:
        load_taxonomy(labels)
    assert "taxonomy init" in caught.value.remedy


def test_names_may_change_under_a_model_but_not_what_it_says(tmp_path):
    text = BASE
    digest = load_taxonomy(written(tmp_path, text)).digest
    assert load_taxonomy(written(tmp_path, text.replace("Чай", "Чаи"))).digest == digest
    swapped = text.replace("card_arrival", "x").replace("tea", "card_arrival").replace("x", "tea")
    assert load_taxonomy(written(tmp_path, swapped)).digest != digest


EVOLVED = """
name = "shop"
languages = ["en"]
removed = ["gone"]
[[category]]
slug = "drinks"
name = "Drinks"
formerly = ["tea", "coffee"]
[[category]]
slug = "left"
formerly = ["shoe"]
[[category]]
slug = "right"
formerly = ["shoe"]
"""
TASK = {
    "review": {"review_id": "1", "text": "x"},
    "threshold": 0.9,
    "model_version": "m",
    "source": {"topic": "t", "partition": 0, "offset": 0},
}


@pytest.fixture
def evolved(tmp_path):
    with using(load_taxonomy(written(tmp_path, EVOLVED))) as taxonomy:
        yield taxonomy


def test_a_former_slug_is_read_as_what_it_became(evolved):
    assert Category("tea") is Category("drinks")


def test_a_file_may_hold_former_slugs(evolved):
    assert evolved.find("Tea") is Category("drinks")
    assert evolved.find("shoe") is None


def test_a_category_takes_misspelled_labels_for_its_own(tmp_path):
    said = BASE.replace('slug = "tea"', 'slug = "tea"\nformerly = ["Tée & Kräuter", "te"]')
    with using(load_taxonomy(written(tmp_path, said))) as taxonomy:
        assert [taxonomy.find(label) for label in ("tée  & kräuter", "TE ")] == ["tea", "tea"]
        assert taxonomy.find("tee") is None


def test_what_was_split_or_removed_has_to_be_decided_anew(evolved):
    with pytest.raises(UnknownCategory, match=r"'shoe' was split .* one of left, right"):
        Category("shoe")
    with pytest.raises(UnknownCategory):
        Category("gone")


@pytest.mark.parametrize("slug", ["shoe", "gone"])
def test_a_label_of_a_split_or_removed_category_opens_its_review_again(evolved, slug):
    said = {"review_id": "1", "text": "x", "category": slug, "decided_by": "person"}
    label = Label.model_validate({**said, "labeller": "ann", "codebook_version": "1"})
    assert (label.category, label.withdrawn) == (None, True)


def test_a_judgement_outlives_the_guess_that_was_shown(evolved):
    said = {"review_id": "1", "labeller": "ann", "role": "first", "revision": 2}
    judgement = Judgement.model_validate(
        {**said, "category": "tea", "suggested": "gone", "codebook_version": "1"}
    )
    assert (judgement.category, judgement.suggested) == ("drinks", None)


def test_an_open_task_of_former_categories_is_still_asked(evolved):
    shares = {"tea": 0.3, "coffee": 0.2, "shoe": 0.4, "gone": 0.1}
    task = RelabelTask.model_validate({**TASK, "probabilities": shares})
    assert task.probabilities == {"drinks": 0.5, "left": 0.2, "right": 0.2}


def test_a_task_of_a_foreign_taxonomy_is_refused(evolved):
    with pytest.raises(ValidationError, match="'kids' is not a category"):
        RelabelTask.model_validate({**TASK, "probabilities": {"kids": 1.0}})


def test_former_counts_are_added_up_and_those_without_an_heir_are_left_out(evolved):
    counts = {"tea": {"published": 2}, "coffee": {"published": 3}, "shoe": {"published": 4}}
    adapter = TypeAdapter(BatchSummary.model_fields["categories"].rebuild_annotation())
    assert adapter.validate_python(counts) == {Category("drinks"): CategoryCount(published=5)}


@pytest.mark.parametrize("share", ["'x'", "null", "[1]", "{}", "1" + "0" * 400])
@pytest.mark.parametrize("slug", ["tea", "drinks", "shoe"])
def test_a_share_of_a_former_category_that_is_no_number_is_refused_as_any_other(
    evolved, slug, share
):
    share = share.replace("'", '"')
    task = json.dumps({**TASK, "probabilities": {"coffee": 0.5, slug: "?"}}).replace('"?"', share)
    with pytest.raises(WrongShape, match="probabilities"):
        decode(RelabelTask, task.encode())


@pytest.mark.parametrize(
    "count", [5, None, "x", {"published": "x"}, {"published": [1]}, {"published": None}]
)
def test_a_count_of_a_former_category_that_is_none_is_refused_as_any_other(evolved, count):
    adapter = TypeAdapter(BatchSummary.model_fields["categories"].rebuild_annotation())
    with pytest.raises(ValidationError):
        adapter.validate_python({"coffee": {"published": 2}, "tea": count})


@pytest.mark.parametrize(
    "entry",
    [
        "x = " + "[" * 100_000,
        "x = " + "{a=" * 5000,
        "a." * 50_000 + "b = 1",
        "[" + "a." * 50_000 + "b]",
    ],
    ids=["arrays", "tables", "a key", "a heading"],
)
def test_what_is_nested_without_end_is_refused_at_once(tmp_path, entry):
    """A key of 50,000 parts, 100 KB, took 4 GB."""
    with pytest.raises(TaxonomyError, match=r"nested too deep|dots in line"):
        load_taxonomy(written(tmp_path, entry + "\n" + BASE))


def test_a_device_a_pipe_and_what_is_far_too_long_are_no_taxonomy(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "long.toml").write_text(BASE + "#" * 9_000_000, encoding="utf-8")
    for path, said in (
        (Path("/dev/zero"), "no regular file"),
        (tmp_path / "pipe", "no regular file"),
        (tmp_path / "long.toml", "too large"),
    ):
        with pytest.raises(TaxonomyError, match=said):
            load_taxonomy(path)


def test_a_part_that_is_a_link_out_of_the_folder_is_refused(tmp_path):
    (tmp_path / "secret").write_text("password", encoding="utf-8")
    folder = tmp_path / "taxonomy"
    folder.mkdir()
    taxonomy = load_taxonomy(written(folder, BASE))
    (folder / "prompt.md").symlink_to(tmp_path / "secret")
    with pytest.raises(TaxonomyError, match="link out of the taxonomy's folder"):
        taxonomy.part("prompt.md")


def test_a_folder_that_is_itself_a_link_as_kubernetes_mounts_it_has_its_parts(tmp_path):
    (tmp_path / "..data").mkdir()
    written(tmp_path / "..data", BASE)
    (tmp_path / "..data" / "prompt.md").write_text("Sort.", encoding="utf-8")
    for name in ("taxonomy.toml", "prompt.md"):
        (tmp_path / name).symlink_to(Path("..data") / name)
    assert load_taxonomy(tmp_path).part("prompt.md").read_text(encoding="utf-8") == "Sort."


def test_a_slug_cannot_be_a_former_and_a_present_one(tmp_path):
    with pytest.raises(TaxonomyError, match="left cannot have been right"):
        load_taxonomy(written(tmp_path, EVOLVED.replace('"shoe"', '"right"', 1)))
