"""Texts whose labels a base has learned already: what it says of them proves nothing.

A serving model is a base for its successor, and what it was trained on is often trained on again.
Predictions out of fold are honest only for texts that the base never saw either, so each model folder
keeps fingerprints of the texts behind it. They are hashes: no text can be read from them.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from stream.model.folder import KNOWN
from stream.text import short_fingerprint
from training.data.dataset import Dataset
from training.encoders.checkpoints import CheckpointError, local_checkpoint

FILE: Final = KNOWN

Marks = NDArray[np.uint64]


def known(dataset: Dataset, base: str) -> NDArray[np.bool_]:
    """Tell which rows' texts the base of a training has learned with their labels, bool [rows].

    Of a base that is no model folder of ours nothing is known, and so nothing is assumed.

    Args:
        dataset: the rows.
        base: the checkpoint that a training starts from, see :func:`local_checkpoint`.

    Raises:
        LabellerUnavailable: the base is not on this machine.
        CheckpointError: what it says that it has learned cannot be read.
    """
    return np.isin(_marks(dataset.normalized), _kept(local_checkpoint(base)))


def write_known(folder: Path, dataset: Dataset, base: str) -> None:
    """Keep fingerprints of what a model was trained on, and of what its base was.

    Args:
        folder: of the model.
        dataset: that it was trained on.
        base: the checkpoint that it started from.
    """
    before = _kept(local_checkpoint(base))
    np.save(folder / FILE, np.union1d(before, _marks(dataset.normalized)), allow_pickle=False)


def _kept(base: Path) -> Marks:
    path = base / FILE
    if not path.is_file():
        return _marks([])
    try:
        found = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise _damaged(path, str(error)) from None
    if not isinstance(found, np.ndarray) or found.dtype != np.uint64 or found.ndim != 1:
        raise _damaged(path, "it holds no fingerprints")
    return found


def _damaged(path: Path, why: str) -> CheckpointError:
    return CheckpointError(
        f"{path}, which tells what the base has learned, cannot be read: {why}",
        "copy the base once more; without the file nothing would be known to it, and scores flatter",
    )


def _marks(normalized: Iterable[str]) -> Marks:
    return np.array([short_fingerprint(text) for text in normalized], dtype=np.uint64)
