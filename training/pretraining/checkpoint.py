"""A pretraining that ends in a checkpoint folder: complete or on the way, and never half of it."""

from __future__ import annotations

import hashlib
import json
import platform
import shutil
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

from training.encoders.encoder import Encoder
from training.fit.config import Progress, silent
from training.pretraining.mlm import PretrainConfig, key_of, pretrain
from training.writable import CHECKPOINT, is_complete

RUN_FILE: Final = "pretraining.json"
"""How a checkpoint was made, for people and programs."""
_PACKAGES: Final = ("numpy", "tokenizers", "torch", "transformers")


def run_record(folder: Path) -> dict[str, Any]:
    """Return how a folder's checkpoint was made; empty for one that says nothing of it."""
    try:
        found = json.loads((folder / RUN_FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def is_made_of(
    folder: Path, encoder: Encoder, normalized: Sequence[str], config: PretrainConfig
) -> bool:
    """Tell whether a folder holds the finished checkpoint that :func:`pretrain_to` would make.

    Args:
        folder: of the checkpoint.
        encoder: before its pretraining.
        normalized: texts.
        config: how.
    """
    key = _digest(key_of(encoder, normalized, config))
    return is_complete(folder) and run_record(folder).get("key") == key


def pretrain_to(
    folder: Path,
    encoder: Encoder,
    normalized: Sequence[str],
    config: PretrainConfig,
    progress: Progress = silent,
) -> list[float]:
    """Pretrain an encoder in place and write it to a folder.

    An interrupted call goes on after the last whole epoch, if it is repeated with the same encoder,
    texts, configuration and code. A finished checkpoint in the folder is replaced.

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
    on_the_way = folder / "progress"
    (folder / CHECKPOINT).unlink(missing_ok=True)
    config = config.model_copy(update={"checkpoints": on_the_way})
    record = _run_record(encoder, normalized, config)
    losses = pretrain(encoder, normalized, config, progress)
    record["losses"] = [round(loss, 6) for loss in losses]
    write_checkpoint(folder, encoder, record)
    shutil.rmtree(on_the_way, ignore_errors=True)
    return losses


def write_checkpoint(folder: Path, encoder: Encoder, record: Mapping[str, Any]) -> None:
    """Write an encoder, and how it was made; the folder is a checkpoint once all of it is there.

    Args:
        folder: is made if it is absent.
        encoder: complete.
        record: goes into :data:`RUN_FILE`.
    """
    aside = folder / "complete"
    encoder.save(aside)
    (aside / RUN_FILE).write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")
    for file in sorted(aside.iterdir(), key=lambda path: path.name == CHECKPOINT):
        file.replace(folder / file.name)
    shutil.rmtree(aside)


def _run_record(
    encoder: Encoder, normalized: Sequence[str], config: PretrainConfig
) -> dict[str, Any]:
    """Describe a pretraining before it changes the encoder."""
    return {
        "key": _digest(key_of(encoder, normalized, config)),
        "config": config.model_dump(mode="json", exclude={"checkpoints"}),
        "texts": len(normalized),
        "texts_digest": _digest("\n".join(normalized)),
        "vocabulary": encoder.tokenizer.get_vocab_size(),
        "parameters": sum(parameter.numel() for parameter in encoder.model.parameters()),
        "versions": {name: version(name) for name in _PACKAGES},
        "python": platform.python_version(),
    }


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
