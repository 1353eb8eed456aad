"""Which categories the desk offers: all on keys while nine suffice, else the model's best nine."""

import pytest

from schemas import all_categories, load_taxonomy
from schemas.taxonomy import using
from stream.queue.item import Item
from stream.queue.label_studio import interface
from stream.queue.statistics import _mixed_up
from stream.queue.web import choices
from stream.queue.web.site import language_of
from tests.support.queue import QUEUED, task
from tests.support.taxonomies import helpdesk


@pytest.fixture
def many(tmp_path):
    with using(helpdesk(tmp_path)) as taxonomy:
        yield taxonomy


def item(**fields):
    return Item("first", task(1, **fields), QUEUED, blind=False)


def test_while_nine_keys_suffice_each_category_has_its_own_whatever_the_model_thinks():
    assert choices.on_keys(item(), hide=False) == list(all_categories())
    assert choices.on_keys(item(), hide=True) == list(all_categories())
    assert choices.groups("en") == [("", list(all_categories()))]


def test_of_many_the_keys_have_the_models_best_nine_and_none_where_its_opinion_is_kept_back(many):
    best = many.categories[40]
    on_keys = choices.on_keys(item(best=best), hide=False)
    assert (len(on_keys), on_keys[0]) == (9, best)
    assert choices.on_keys(item(best=best), hide=True) == []
    assert choices.ranked(item(best=best), hide=True) == []


def test_none_of_these_is_never_among_the_models_nine_but_always_on_its_own_key(tmp_path):
    with using(helpdesk(tmp_path, none="app_declined")) as taxonomy:
        none = taxonomy.category("app_declined")
        on_keys = choices.on_keys(item(best=none), hide=False)
        assert choices.none_of_these() == none
        assert len(on_keys) == 9
        assert none not in on_keys


def test_where_each_has_a_digit_none_of_these_has_no_second_key():
    assert choices.none_of_these() is None


def test_a_taxonomy_without_none_of_these_has_no_key_for_it(many):
    assert choices.none_of_these() is None


@pytest.mark.parametrize(
    ("lines", "opens_in"),
    [
        ('languages = ["en"]', "en"),
        ('languages = ["de", "fr"]', "en"),
        ('languages = ["en", "ru"]', "ru"),
        ("", "ru"),
    ],
)
def test_pages_open_in_english_where_no_text_is_russian_until_somebody_switches(
    tmp_path, lines, opens_in
):
    (tmp_path / "taxonomy.toml").write_text(
        f'name = "t"\n{lines}\n[[category]]\nslug = "a"\n[[category]]\nslug = "b"\n'
    )
    with using(load_taxonomy(tmp_path)):
        assert language_of({}) == opens_in
        assert [language_of({"queue_language": chosen}) for chosen in ("ru", "en")] == ["ru", "en"]
        assert language_of({"queue_language": "xx"}) == opens_in


def test_of_many_all_stand_below_their_headings_in_the_language_of_the_page(many):
    assert [heading for heading, _ in choices.groups("en")][:2] == [
        "About the card",
        "About the transfer",
    ]
    assert choices.groups("ru")[0][0] == "Карта"
    assert [one for _, members in choices.groups("en") for one in members] == list(many.categories)


def test_a_category_is_looked_for_by_all_its_names_and_its_slug(many):
    assert choices.names(many.categories[0]) == [
        "card has not arrived", "карта: ещё нет", "card_has_not_arrived",
    ]  # fmt: skip


def test_a_label_studio_project_filters_many_categories_by_what_is_typed(tmp_path):
    assert 'value="footwear" hotkey="2"' in interface()
    assert "Filter" not in interface()
    with using(helpdesk(tmp_path)):
        assert interface().count("hotkey") == 9
        assert '<Filter toName="category"' in interface()


def test_who_of_two_gave_which_answer_does_not_matter_to_what_is_mixed_up():
    pairs = {("kids", "footwear"): 2, ("footwear", "kids"): 3, ("kids", ""): 1, ("kids", "kids"): 9}
    assert _mixed_up(pairs) == [("footwear", "kids", 5), (None, "kids", 1)]
