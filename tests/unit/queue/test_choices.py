"""Which categories the desk offers: all on keys while nine suffice, else the model's best nine."""

import pytest

from schemas import all_categories
from schemas.taxonomy import using
from stream.queue.item import Item
from stream.queue.label_studio import interface
from stream.queue.statistics import _mixed_up
from stream.queue.web import choices
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
