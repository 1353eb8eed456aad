"""A run's last line says what was not tried, and what installs what is missing."""

from tests.support.optional_programs import absent, not_tried


def test_the_line_counts_by_program_and_ends_with_a_command():
    reasons = [absent("kcat"), absent("promtool"), absent("kcat"), absent("prometheus")]
    assert not_tried(reasons) == (
        "4 tests were not tried: 2 need kcat, 1 needs promtool, 1 needs prometheus; "
        "apt-get install kcat prometheus"
    )


def test_what_no_package_brings_is_told_with_its_reason():
    assert not_tried(["the real reviews are not in ../shared/data"]) == (
        "1 test was not tried: 1 because the real reviews are not in ../shared/data"
    )


def test_a_run_that_tried_everything_says_nothing():
    assert not_tried([]) == ""
