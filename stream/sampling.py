"""Samples of reviews that are the same wherever and whenever they are drawn."""

from __future__ import annotations

import hashlib
from typing import Final

AUDIT: Final = "audit"
"""Purpose of the sample of published reviews that people decide as well."""


def in_sample(share: float, review_id: str, purpose: str) -> bool:
    """Return whether a review falls into a sample.

    The choice is a hash, not a die: it is the same after a rebuild, on every server, and no
    matter how often a person reloads the page.

    Args:
        share: size of the sample, 0 to 1.
        review_id: the review.
        purpose: names the sample; samples of different purposes are independent.
    """
    return fraction(review_id, purpose) < share


def fraction(review_id: str, purpose: str) -> float:
    """Return a review's place among all others, 0 to 1: as good as random, and always the same."""
    digest = hashlib.blake2b(f"{purpose}\0{review_id}".encode("utf-8", "surrogatepass"))
    return int.from_bytes(digest.digest()[:8], "big") / 2**64
