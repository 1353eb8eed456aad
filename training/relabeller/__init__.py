"""Online auto-labelling: the cascade over `reviews.relabel`, what it can decide published once."""

from __future__ import annotations

from training.relabeller.app import Relabeller, run_relabeller

__all__ = ["Relabeller", "run_relabeller"]
