"""A pretraining that ends in a checkpoint folder: complete or on the way, and never half of it."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from training.fit.config import Progress, silent
from training.pretraining.encoder import Encoder
from training.pretraining.mlm import PretrainConfig, pretrain

# Moved into place last: it tells a complete checkpoint.
_LAST: Final = "config.json"


def is_complete(folder: Path) -> bool:
    """Tell whether a folder holds a finished checkpoint."""
    return (folder / _LAST).is_file()


def pretrain_to(
    folder: Path,
    encoder: Encoder,
    normalized: Sequence[str],
    config: PretrainConfig,
    progress: Progress = silent,
) -> list[float]:
    """Pretrain an encoder in place and write it to a folder.

    An interrupted call goes on after the last whole epoch, if it is repeated with the same encoder,
    texts and configuration.

    Args:
        folder: gets the checkpoint; what is on the way lies in ``progress`` inside.
        encoder: is changed.
        normalized: texts.
        config: how; its ``checkpoints`` are set here.
        progress: is told how far it is.

    Returns:
        Mean loss of each epoch, in nats a masked piece.

    Raises:
        CheckpointError: the encoder's tokenizer has no mask.
    """
    on_the_way, aside = folder / "progress", folder / "complete"
    config = config.model_copy(update={"checkpoints": on_the_way})
    losses = pretrain(encoder, normalized, config, progress)
    encoder.save(aside)
    for file in sorted(aside.iterdir(), key=lambda path: path.name == _LAST):
        file.replace(folder / file.name)
    shutil.rmtree(aside)
    shutil.rmtree(on_the_way, ignore_errors=True)
    return losses
