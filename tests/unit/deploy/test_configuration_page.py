"""The reference of all settings says what the settings model says."""

from pathlib import Path

from stream.settings.reference import reference_markdown

PAGE = Path(__file__).parents[3] / "deploy" / "docs" / "configuration.md"


def test_the_page_is_up_to_date():
    written = PAGE.read_text("utf-8")
    assert written == reference_markdown(), "run: reviews config --reference > " + str(PAGE)
