"""What can be compared: families, ways against imbalance, tricks, and shares of the labels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from training.comparison.compare import Candidate
from training.fit.config import Imbalance, TrainConfig, Tricks
from training.models.family import FAMILIES, UnknownFamily, family

CURVE_SHARES: Final = (0.125, 0.25, 0.5, 1.0)


def family_candidates(names: Sequence[str], config: TrainConfig) -> list[Candidate]:
    """Return one candidate a family, trained alike.

    Args:
        names: of families; all if empty.
        config: how they are trained.
    """
    return [Candidate(name, family(name).name, config) for name in names or FAMILIES]


def imbalance_candidates(name: str, config: TrainConfig) -> list[Candidate]:
    """Return one family with everything that may be done about rare categories.

    Raises:
        UnknownFamily: there is none of this name, or it knows no ways.
    """
    _check_varies(name)
    ways = {
        "nothing": Imbalance(),
        "oversampling": Imbalance(oversampling=0.5),
        "balanced weights": Imbalance(class_weight="balanced"),
        "effective-number weights": Imbalance(class_weight="effective"),
        "focal loss": Imbalance(focal_gamma=2.0),
        "balanced weights + focal loss": Imbalance(class_weight="balanced", focal_gamma=2.0),
        "oversampling + focal loss": Imbalance(oversampling=0.5, focal_gamma=2.0),
        "logit adjustment": Imbalance(logit_adjustment=1.0),
    }
    return [
        Candidate(what, name, config.model_copy(update={"imbalance": way}))
        for what, way in ways.items()
    ]


def ablation_candidates(name: str, config: TrainConfig) -> list[Candidate]:
    """Return one family, plainly trained, and with one trick at a time.

    Raises:
        UnknownFamily: there is none of this name, or it knows no tricks.
    """
    _check_varies(name)
    ways = {
        "plain": Tricks(),
        "hard labels": Tricks(soft_labels=False),
        "equal row weights": Tricks(row_weights=False),
        "pruned": Tricks(prune=True),
        "label smoothing": Tricks(label_smoothing=0.1),
        "R-Drop": Tricks(r_drop=1.0),
        "adversarial": Tricks(adversarial=0.5),
        "layer-wise decay": Tricks(layer_decay=0.9),
        "top layer afresh": Tricks(reinit_layers=1),
        "weight averaging": Tricks(averaging=0.99),
        "augmentation": Tricks(augmentation=0.3),
        "early stopping": Tricks(early_stopping=1),
    }
    return [
        Candidate(what, name, config.model_copy(update={"tricks": tricks}))
        for what, tricks in ways.items()
    ]


def curve_candidates(name: str, config: TrainConfig) -> list[Candidate]:
    """Return one family, trained on an eighth, a quarter, half, and all of the rows."""
    return [
        Candidate(f"{share:.1%} of the rows", family(name).name, config, share)
        for share in CURVE_SHARES
    ]


def _check_varies(name: str) -> None:
    if not family(name).varies:
        raise UnknownFamily(f"{name} is trained in one way only", "vary bert, or another family")
