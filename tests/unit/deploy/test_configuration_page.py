"""The reference of all settings says what the settings model says."""

from pathlib import Path

from stream.settings import load_settings
from stream.settings.reference import reference_markdown, settings_in_force

PAGE = Path(__file__).parents[3] / "deploy" / "docs" / "configuration.md"


def test_the_page_is_up_to_date():
    written = PAGE.read_text("utf-8")
    assert written == reference_markdown(), "run: reviews config --reference > " + str(PAGE)


def test_every_setting_says_what_it_means():
    assert [found.name for found in settings_in_force(load_settings()) if not found.meaning] == []


def test_of_a_setting_with_few_values_all_are_named():
    meaning = {found.name: found.meaning for found in settings_in_force(load_settings())}
    assert meaning["guard.mode"].endswith("One of: off, alarm, hold.")
    # They stand in its description.
    assert "One of" not in meaning["topics.layout"]
