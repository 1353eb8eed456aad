"""Voters with known faults, so that what a model estimates can be held against the truth."""

import numpy as np

from schemas import category_count
from training.labelling.votes import Votes


def truth_of(texts, shares, seed=0):
    """Return category ids drawn by their shares."""
    return np.random.default_rng(seed).choice(category_count(), size=texts, p=shares)


def shares_of(**by_id):
    """Return nine shares: ``shares_of(c2=0.7, c8=0.3)``."""
    shares = np.zeros(category_count())
    for name, share in by_id.items():
        shares[int(name[1:])] = share
    return shares


def voter(truth, accuracy, *, wrong=None, silent=0.0, sure=0.9, seed=1):
    """Return votes right in a share of the texts.

    Args:
        truth: category ids.
        accuracy: share right; one number, or one per category.
        wrong: categories that it errs into; all unless given.
        silent: share of texts that it says nothing about.
        sure: probability of its choice.
        seed: of its chance.
    """
    random = np.random.default_rng(seed)
    right = random.random(len(truth)) < np.broadcast_to(accuracy, category_count())[truth]
    errors = random.choice(np.arange(category_count()) if wrong is None else wrong, len(truth))
    choice = np.where(right, truth, errors)
    probabilities = np.full((len(truth), category_count()), (1 - sure) / (category_count() - 1))
    probabilities[np.arange(len(truth)), choice] = sure
    probabilities[random.random(len(truth)) < silent] = 0
    return Votes(probabilities.astype(np.float32), ("synthetic",) * len(truth))
