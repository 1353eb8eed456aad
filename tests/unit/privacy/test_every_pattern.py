"""No regular expression of the project becomes slow, whatever text it meets."""

import re

import pytest

from tests.support.patterns import Attack, Found, every_pattern, is_linear, worst_attacks

pytestmark = [pytest.mark.slow, pytest.mark.no_cover]

SHORT, LONG = 12_500, 200_000
# Between 16 (linear) and 256 (quadratic), as far from both as their ratios.
AT_MOST = 64
# Modules that compile what is only known at run time, and why that is no danger.
NOT_KNOWN_HERE = {
    "stream/bench/tune.py": "names of ours, over the user's own settings file",
    "stream/model/strange_text.py": "classes of an alphabet's characters, each one character at a time",
    "stream/taxonomies/languages.py": "likewise",
    "training/labelling/lexicon.py": "patterns of the rule file: read from there",
    "training/words/rules.py": "patterns of the rule file: read from there",
    "training/encoders/vocabulary.py": "words of at least so many letters",
}


@pytest.fixture(scope="module")
def patterns():
    return every_pattern()


def test_no_pattern_is_left_out(patterns):
    found, unknown = patterns
    assert {call.where.partition(":")[0] for call in unknown} == set(NOT_KNOWN_HERE)
    assert len({one.where for one in found}) > 60


@pytest.mark.timeout(900)
def test_every_pattern_takes_time_in_proportion_to_the_text(patterns):
    found, _ = patterns
    slow = [
        str(attack)
        for one in found
        for attack in worst_attacks(one)
        if not is_linear(attack, SHORT, LONG, AT_MOST)
    ]
    assert slow == []


@pytest.mark.parametrize(
    "pattern",
    [r"\\+[nrt](?![a-z])", r"\[([^\]]*)\]", r"(?:a+)+b", r"\w*\d\w*-", r"<\w+[^>]*>"],
)
def test_a_slow_pattern_would_be_found(pattern):
    attacks = worst_attacks(Found("here", re.compile(pattern), ("scan",)))
    assert not all(is_linear(attack, 2_000, 32_000, AT_MOST, rounds=1) for attack in attacks)


def test_a_linear_pattern_is_not_called_slow():
    attack = Attack(Found("here", re.compile(r"\d+"), ("scan",)), "scan", "1 ")
    assert is_linear(attack, SHORT, LONG, AT_MOST)
