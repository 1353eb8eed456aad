"""Transformer checkpoints: a folder, or a hub name that was downloaded before.

Nothing is downloaded on the way: half a gigabyte should not come unasked in the middle of a run, and
where no hub can be reached a run should not wait for it.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Final

from training.errors import LabellerUnavailable, TrainingError

# What a model is loaded from: an ONNX graph or a card beside them is not.
_LOADED: Final = ("config.json", "tokenizer.json", "*.safetensors", "*.bin")


class CheckpointError(TrainingError):
    """A base checkpoint cannot be used."""

    exit_code = 3


def local_checkpoint(name: str) -> Path:
    """Return the folder of a checkpoint.

    Args:
        name: a folder, or a name on the Hugging Face hub; ``NAME@REVISION`` takes one revision,
            best a commit's 40 letters, which nobody can move.

    Raises:
        LabellerUnavailable: it is neither here nor in the hub's local cache.
    """
    folder = Path(name)
    if (folder / "config.json").is_file():
        return folder
    if folder.exists() or not name:
        raise LabellerUnavailable(
            f"{name or 'the empty name'} is no checkpoint: there is no config.json in it",
            "name a folder in transformers' format",
        )
    from huggingface_hub import try_to_load_from_cache  # noqa: PLC0415 - comes with transformers
    from huggingface_hub.errors import HFValidationError  # noqa: PLC0415 - likewise

    repository, _, revision = name.partition("@")
    try:
        cached = try_to_load_from_cache(repository, "config.json", revision=revision or None)
    except HFValidationError:
        cached = None
    if not isinstance(cached, str):
        raise LabellerUnavailable(
            f"the checkpoint {name} is not on this machine",
            f"run `hf download {repository}{f' --revision {revision}' if revision else ''}` once, or "
            "name a folder",
        )
    return Path(cached).parent


def checkpoint_digest(name: str) -> str:
    """Return a digest of what a checkpoint holds, wherever it lies.

    Args:
        name: see :func:`local_checkpoint`.

    Raises:
        LabellerUnavailable: likewise.
    """
    folder = local_checkpoint(name)
    digest = hashlib.sha256()
    for file in sorted(file for pattern in _LOADED for file in folder.glob(pattern)):
        with file.open("rb") as content:
            digest.update(
                f"{file.name} {hashlib.file_digest(content, 'sha256').hexdigest()}\n".encode()
            )
    return digest.hexdigest()[:16]


def layers_told(name: str) -> int | None:
    """Return how many layers a checkpoint says that it has; None if it does not say.

    Args:
        name: see :func:`local_checkpoint`.

    Raises:
        LabellerUnavailable: likewise.
    """
    try:
        told = json.loads((local_checkpoint(name) / "config.json").read_text("utf-8"))
    except (OSError, ValueError):
        return None  # loading it will say what is wrong
    layers = told.get("num_hidden_layers") if isinstance(told, dict) else None
    return layers if isinstance(layers, int) else None
