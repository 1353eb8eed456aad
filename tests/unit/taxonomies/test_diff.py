"""What a new taxonomy changes, and what is to be done."""

import pytest

from schemas import TopicNames, load_taxonomy
from stream.taxonomies.diff import TaxonomyChange, changes, steps


@pytest.fixture
def made(tmp_path):
    def make(name, rows, head=""):
        folder = tmp_path / name
        folder.mkdir()
        lines = [f'name = "{name}"', head]
        for slug, formerly in rows.items():
            lines += ["[[category]]", f'slug = "{slug}"', f"formerly = {formerly!r}"]
        (folder / "taxonomy.toml").write_text("\n".join(lines), encoding="utf-8")
        return load_taxonomy(folder)

    return make


@pytest.fixture
def old(made):
    return made("old", {"tea": [], "coffee": [], "shoe": [], "hat": []})


@pytest.mark.parametrize(
    ("rows", "head", "expected"),
    [
        ({"tea": [], "coffee": [], "shoe": [], "hat": []}, "", []),
        (
            {"tea": [], "coffee": [], "shoe": [], "hat": [], "bag": []},
            "",
            [TaxonomyChange("added", (), ("bag",))],
        ),
        (
            {"tea": [], "coffee": [], "boot": ["shoe"], "hat": []},
            "",
            [TaxonomyChange("renamed", ("shoe",), ("boot",))],
        ),
        (
            {"drink": ["tea", "coffee"], "shoe": [], "hat": []},
            "",
            [TaxonomyChange("merged", ("tea", "coffee"), ("drink",))],
        ),
        (
            {"tea": ["coffee"], "shoe": [], "hat": []},
            "",
            [TaxonomyChange("merged", ("tea", "coffee"), ("tea",))],
        ),
        (
            {"tea": [], "coffee": [], "left": ["shoe"], "right": ["shoe"], "hat": []},
            "",
            [TaxonomyChange("split", ("shoe",), ("left", "right"))],
        ),
        (
            {"tea": [], "coffee": [], "shoe": []},
            'removed = ["hat"]',
            [TaxonomyChange("removed", ("hat",), ())],
        ),
        ({"tea": [], "coffee": [], "shoe": []}, "", [TaxonomyChange("unexplained", ("hat",), ())]),
        (
            {"coffee": [], "tea": [], "shoe": [], "hat": []},
            "",
            [TaxonomyChange("moved", ("tea", "coffee", "shoe", "hat"), ())],
        ),
    ],
)
def test_each_kind_of_change_is_named(old, made, rows, head, expected):
    assert changes(old, made("new", rows, head)) == expected


def test_what_follows_names_topics_to_create_and_those_that_are_left(old, made):
    new = made("new", {"tea": [], "coffee": [], "boot": ["shoe"], "hat": []})
    todo = steps(old, new, changes(old, new), TopicNames())
    assert todo.topics_to_create == ("reviews.category.boot",)
    assert todo.topics_left == ("reviews.category.shoe",)
    assert todo.commands[0] == "reviews topics create"
