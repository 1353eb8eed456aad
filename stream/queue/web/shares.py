"""Shares as people read them: in percent, never rounded to what they are not."""

from __future__ import annotations

from typing import Final

from stream.queue.guidelines import Language

_MOST_DECIMALS: Final = 3


def percent(share: float, language: Language = "en") -> str:
    """Return a share in whole percent; with decimals where it would be rounded up to 100.

    >>> percent(0.5), percent(1.0), percent(0.996), percent(0.996, "ru")
    ('50', '100', '99.6', '99,6')
    """
    return _with_decimals(share, _decimals(share), language)


def apart(share: float, bound: float, language: Language = "en") -> tuple[str, str]:
    """Return a share and its bound in percent, so that they differ where the numbers do.

    >>> apart(0.5, 0.8), apart(0.9974, 0.998), apart(0.7, 0.996)
    (('50', '80'), ('99.7', '99.8'), ('70.0', '99.6'))
    """
    decimals = max(_decimals(share), _decimals(bound))
    while share != bound and decimals < _MOST_DECIMALS:
        if _with_decimals(share, decimals, language) != _with_decimals(bound, decimals, language):
            break
        decimals += 1
    return _with_decimals(share, decimals, language), _with_decimals(bound, decimals, language)


def _decimals(share: float) -> int:
    decimals = 0
    while share < 1 and decimals < _MOST_DECIMALS and round(share * 100, decimals) >= 100:  # noqa: PLR2004 - percent
        decimals += 1
    return decimals


def _with_decimals(share: float, decimals: int, language: Language) -> str:
    # What three decimals cannot tell from 100 is shown just below it.
    highest = 100.0 if share >= 1 else 100 - 10**-_MOST_DECIMALS
    said = f"{min(share * 100, highest):.{decimals}f}"
    return said.replace(".", ",") if language == "ru" else said
