"""The bundled model's base encoders: made once, and taken up by later calls."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from training.encoders.encoder import Encoder, Shape, load_encoder
from training.fit.config import Progress, silent
from training.pretraining.blank import blank_encoder
from training.pretraining.checkpoint import is_made_of, pretrain_to, run_record, write_checkpoint
from training.pretraining.mlm import PretrainConfig
from training.pretraining.states import StatesConfig, learn_states, states_key
from training.writable import is_complete

STARTER_SHAPE: Final = Shape(layers=3, width=256, heads=4, inner=1024, positions=128)


def starter_encoder(
    texts: Sequence[str],
    folder: Path,
    config: PretrainConfig,
    progress: Progress = silent,
    shape: Shape = STARTER_SHAPE,
) -> Encoder:
    """Make the base encoder, or load the one that an earlier call finished.

    An interrupted call goes on where it was. An encoder that was made of other texts, in another way
    or by other code is made anew.

    Args:
        texts: normalised, to learn vocabulary and language from.
        folder: gets the checkpoint, see :func:`training.pretraining.checkpoint.pretrain_to`.
        config: of the pretraining; its ``checkpoints`` are set here.
        progress: is told how far it is.
        shape: of a new encoder.
    """
    progress("vocabulary and word vectors", 0, 1)
    encoder = blank_encoder(texts, shape, config.seed)
    progress("vocabulary and word vectors", 1, 1)
    if is_made_of(folder, encoder, texts, config):
        return load_encoder(folder)
    pretrain_to(folder, encoder, texts, config, progress)
    return encoder


def taught_encoder(
    base: Path,
    teacher: Path,
    texts: Sequence[str],
    folder: Path,
    config: StatesConfig,
    progress: Progress = silent,
) -> None:
    """Write the base encoder after it has learned a larger one's states, if it is not there already.

    Args:
        base: of the encoder that learns.
        teacher: of the one that it learns from; it has seen no label.
        texts: normalised.
        folder: gets the checkpoint; what is on the way lies in ``progress`` inside.
        config: how; its ``checkpoints`` are set here.
        progress: is told how far it is.
    """
    encoder, larger = load_encoder(base), load_encoder(teacher)
    config = config.model_copy(update={"checkpoints": folder / "progress"})
    key = states_key(encoder, larger, texts, config)
    if is_complete(folder) and run_record(folder).get("key") == key:
        return
    errors = learn_states(encoder, larger, texts, config, progress)
    record = {"key": key, "errors": [round(error, 6) for error in errors]}
    write_checkpoint(folder, encoder, record)
    shutil.rmtree(folder / "progress", ignore_errors=True)
