"""A small encoder learns what a large one makes of texts, without any label.

Its mean state of each text, through one linear layer, comes near to the large one's (Reimers and
Gurevych, "Making Monolingual Sentence Embeddings Multilingual using Knowledge Distillation", EMNLP 2020).
The layer is thrown away: what it taught stays in the encoder, as a base for any training.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any, Final
from zipfile import BadZipFile

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field
from torch import Tensor, nn

from training.encoders.encoder import Encoder
from training.fit.batches import by_length, pad
from training.fit.config import Progress, silent
from training.fit.runtime import autocast, pick_device
from training.pretraining.epochs import EpochsConfig, learn_in_epochs
from training.pretraining.mlm import key_of

_READ_AT_ONCE: Final = 64
_STATES: Final = "states.npz"
# A dimension that hardly moves is not blown up.
_LEAST_SPREAD: Final = 1e-6


class StatesConfig(EpochsConfig):
    """How to learn another encoder's states."""

    epochs: int = Field(default=4, ge=1)
    learning_rate: float = Field(default=5e-4, gt=0.0)
    warmup: float = Field(default=0.1, ge=0.0, le=1.0)


def mean_states(
    encoder: Encoder, normalized: Sequence[str], config: StatesConfig, progress: Progress = silent
) -> NDArray[np.float32]:
    """Return an encoder's mean last state of each text, float32 [texts, width].

    Args:
        encoder: is not changed.
        normalized: texts.
        config: how long they may be, and on which device.
        progress: is told how far it is.
    """
    device = pick_device(config.device)
    ids = encoder.tokenize(normalized, min(config.max_length, encoder.positions))
    model = encoder.model.to(device).eval()
    found = np.empty((len(ids), encoder.width), dtype=np.float32)
    done = 0
    with torch.inference_mode():
        for rows in by_length(ids, _READ_AT_ONCE):
            states = _mean(model, [ids[row] for row in rows], encoder.pad_id, device)
            found[rows] = states.float().cpu().numpy()
            done += len(rows)
            progress("states of the large encoder", done, len(ids))
    return found


def learn_states(
    encoder: Encoder,
    teacher: Encoder,
    normalized: Sequence[str],
    config: StatesConfig,
    progress: Progress = silent,
) -> list[float]:
    """Let an encoder learn a larger one's states, in place.

    After an interruption, the same call with the same ``checkpoints`` folder goes on after the last
    whole epoch, and ends with the weights that it would have ended with.

    Args:
        encoder: is changed.
        teacher: is not.
        normalized: texts.
        config: how.
        progress: is told how far it is.

    Returns:
        Mean squared error of each epoch; 1 is what a constant would have.
    """
    device = pick_device(config.device)
    key = states_key(encoder, teacher, normalized, config)
    wanted = torch.from_numpy(_standard(_kept_states(teacher, normalized, config, key, progress)))
    ids = encoder.tokenize(normalized, min(config.max_length, encoder.positions))
    torch.manual_seed(config.seed)
    head = nn.Linear(encoder.width, teacher.width)
    model = nn.ModuleDict({"encoder": encoder.model, "head": head}).to(device)

    def loss_of(rows: NDArray[np.int64], _: np.random.Generator) -> Tensor:
        own = _mean(model["encoder"], [ids[row] for row in rows], encoder.pad_id, device)
        return nn.functional.mse_loss(model["head"](own).float(), wanted[rows].to(device))

    def told(epoch: int, error: float) -> str:
        return f"states, epoch {epoch}, error {error:.2f}"

    return learn_in_epochs(model, ids, config, key, loss_of, told, progress)


def states_key(
    encoder: Encoder, teacher: Encoder, normalized: Sequence[str], config: StatesConfig
) -> str:
    """Return what decides the weights: both encoders, texts, code, and how.

    Args:
        encoder: before it learns.
        teacher: whose states it learns.
        normalized: texts.
        config: how.
    """
    both = key_of(encoder, normalized, config) + key_of(teacher, (), config)
    return hashlib.sha256(both.encode()).hexdigest()


def _kept_states(
    teacher: Encoder,
    normalized: Sequence[str],
    config: StatesConfig,
    key: str,
    progress: Progress,
) -> NDArray[np.float32]:
    """Return the teacher's states; those that an interrupted call has read are taken up."""
    if config.checkpoints is None:
        return mean_states(teacher, normalized, config, progress)
    kept = config.checkpoints / _STATES
    try:
        with kept.open("rb") as file, np.load(file, allow_pickle=False) as found:
            if str(found["key"]) == key:
                return np.asarray(found["states"], dtype=np.float32)
    except (OSError, ValueError, KeyError, EOFError, BadZipFile):
        pass  # none, or half of them
    states = mean_states(teacher, normalized, config, progress)
    kept.parent.mkdir(parents=True, exist_ok=True)
    partial = kept.with_suffix(".partial.npz")
    np.savez(partial, key=np.array(key), states=states)
    partial.replace(kept)
    return states


def _standard(states: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return states whose every dimension has mean zero and spread one: none drowns the others."""
    spread = np.maximum(states.std(axis=0), _LEAST_SPREAD)
    standard: NDArray[np.float32] = (states - states.mean(axis=0)) / spread
    return standard


def _mean(model: Any, rows: Sequence[Sequence[int]], pad_id: int, device: torch.device) -> Tensor:
    ids, mask = (torch.from_numpy(values).to(device) for values in pad(rows, pad_id))
    with autocast(device):
        hidden = model(input_ids=ids, attention_mask=mask).last_hidden_state
    real = mask.unsqueeze(-1).to(torch.float32)
    mean: Tensor = (hidden.float() * real).sum(dim=1) / real.sum(dim=1)
    return mean
