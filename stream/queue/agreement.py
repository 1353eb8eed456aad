"""How far two people agree beyond chance: Cohen's kappa and Gwet's AC1.

Kappa (Cohen, A coefficient of agreement for nominal scales, 1960) takes chance from each person's
own habits, and falls towards zero where one category is nearly everything, however well people
agree. AC1 (Gwet, Computing inter-rater reliability and its variance in the presence of high
agreement, 2008) holds up there. Our stream is skewed, so both are shown.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

Pairs = Mapping[tuple[str, str], int]
"""How often the first said the one and the second said the other."""


@dataclass(frozen=True, slots=True)
class Agreement:
    """Two people's answers to the same questions, summed up."""

    items: int
    observed: float | None
    """Share of equal answers; None without items."""
    kappa: float | None
    """Cohen's kappa; None where it is not defined: both always said one and the same thing."""
    ac1: float | None
    """Gwet's AC1; None without items."""


def agreement(pairs: Pairs) -> Agreement:
    """Return the agreement on a nominal scale.

    Categories that nobody used do not count as possible answers, which is the cautious choice:
    it makes agreement by chance likelier.

    >>> agreement({("a", "a"): 20, ("a", "b"): 5, ("b", "a"): 10, ("b", "b"): 15}).kappa
    0.4
    """
    total = sum(pairs.values())
    if total <= 0:
        return Agreement(0, None, None, None)
    observed = sum(n for (one, other), n in pairs.items() if one == other) / total
    first: Counter[str] = Counter()
    second: Counter[str] = Counter()
    for (one, other), n in pairs.items():
        first[one] += n
        second[other] += n
    scale = {answer for answer in (*first, *second) if first[answer] + second[answer] > 0}
    by_habit = sum(first[c] * second[c] for c in scale) / total**2
    shares = [(first[c] + second[c]) / (2 * total) for c in scale]
    by_guess = sum(s * (1 - s) for s in shares) / (len(scale) - 1) if len(scale) > 1 else 0.0
    return Agreement(
        total, observed, _beyond_chance(observed, by_habit), _beyond_chance(observed, by_guess)
    )


def one_category(pairs: Pairs, category: str) -> Agreement:
    """Return the agreement on the question whether a review belongs to one category."""
    collapsed: Counter[tuple[str, str]] = Counter()
    for (one, other), n in pairs.items():
        collapsed["yes" if one == category else "no", "yes" if other == category else "no"] += n
    return agreement(collapsed)


def pooled(tables: Iterable[Pairs]) -> Pairs:
    """Return several pairs' tables as one."""
    total: Counter[tuple[str, str]] = Counter()
    for table in tables:
        total.update(dict(table))
    return total


def _beyond_chance(observed: float, chance: float) -> float | None:
    # The products of shares carry rounding errors of some 1e-16.
    return None if chance > 1 - 1e-12 else round((observed - chance) / (1 - chance), 12)
