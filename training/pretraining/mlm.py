"""Masked-language pretraining of a small BERT, resumable and the same for the same seed.

Whole words are masked, not pieces (Cui et al., "Pre-Training with Whole Word Masking", 2019), and
logits are computed only where something is masked: with a small encoder the vocabulary's layer is
otherwise the larger half of the work.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field
from torch import Tensor, nn

from training.encoders.checkpoints import CheckpointError
from training.encoders.encoder import MASK, SPECIALS, Encoder
from training.fit.batches import pad
from training.fit.config import Progress, silent
from training.fit.lineage import code_digest
from training.fit.runtime import autocast, pick_device
from training.pretraining.epochs import EpochsConfig, learn_in_epochs

_IGNORED: Final = -100
_KEPT, _RANDOM = 0.1, 0.1
# The rate decays to a tenth, not to nothing: the texts are far from learned by heart.
_LEAST_RATE: Final = 0.1


class PretrainConfig(EpochsConfig):
    """How to pretrain."""

    masked: float = Field(default=0.2, gt=0.0, lt=1.0, description="Share of the words.")


class MaskedHead(nn.Module):
    """Transform, then the word embeddings transposed: logits over the vocabulary."""

    def __init__(self, encoder: Encoder) -> None:
        super().__init__()
        width = encoder.width
        self.transform = nn.Sequential(nn.Linear(width, width), nn.GELU(), nn.LayerNorm(width))
        self.bias = nn.Parameter(torch.zeros(encoder.tokenizer.get_vocab_size()))

    def forward(self, hidden: Tensor, embeddings: Tensor) -> Tensor:
        """Return logits [positions, vocabulary] for hidden states [positions, width]."""
        return nn.functional.linear(self.transform(hidden), embeddings, self.bias)


def pretrain(
    encoder: Encoder,
    normalized: Sequence[str],
    config: PretrainConfig,
    progress: Progress = silent,
) -> list[float]:
    """Pretrain an encoder in place.

    After an interruption, the same call with the same ``checkpoints`` folder goes on after the last
    whole epoch, and ends with the weights that it would have ended with.

    Args:
        encoder: is changed.
        normalized: texts.
        config: how.
        progress: is told the epoch and the loss.

    Returns:
        Mean loss of each epoch, in nats a masked piece.

    Raises:
        CheckpointError: the encoder's tokenizer lacks BERT's marks, the mask among them.
    """
    _check_marks(encoder)
    device = pick_device(config.device)
    ids = encoder.tokenize(normalized, config.max_length)
    continues = _continuations(encoder)
    torch.manual_seed(config.seed)
    model = nn.ModuleDict({"encoder": encoder.model, "head": MaskedHead(encoder)}).to(device)

    def loss_of(rows: NDArray[np.int64], rng: np.random.Generator) -> Tensor:
        inputs, targets, mask = _masked(
            [ids[row] for row in rows], encoder, continues, config.masked, rng
        )
        return _loss(model, inputs.to(device), targets.to(device), mask.to(device))

    def told(epoch: int, loss: float) -> str:
        return f"epoch {epoch}, loss {loss:.2f}"

    key = key_of(encoder, normalized, config)
    return learn_in_epochs(model, ids, config, key, loss_of, told, progress, least_rate=_LEAST_RATE)


def _loss(model: Any, inputs: Tensor, targets: Tensor, mask: Tensor) -> Tensor:
    wanted = targets != _IGNORED
    with autocast(inputs.device):
        hidden = model["encoder"](input_ids=inputs, attention_mask=mask).last_hidden_state
        embeddings = model["encoder"].get_input_embeddings().weight
        logits = model["head"](hidden[wanted], embeddings)
    return nn.functional.cross_entropy(logits.float(), targets[wanted])


def _check_marks(encoder: Encoder) -> None:
    absent = [name for name in SPECIALS if encoder.tokenizer.token_to_id(name) is None]
    if absent:
        raise CheckpointError(
            f"the base's tokenizer has no {', '.join(absent)}",
            "pretrain a checkpoint with BERT's word pieces, or a new one",
        )


def key_of(encoder: Encoder, normalized: Sequence[str], config: EpochsConfig) -> str:
    """Return what decides the weights: first weights, texts, vocabulary, shape, code, and how.

    Args:
        encoder: before its pretraining.
        normalized: texts.
        config: how.
    """
    digest = hashlib.sha256(code_digest().encode())
    for value in encoder.model.state_dict().values():
        digest.update(value.detach().cpu().contiguous().numpy().tobytes())
    for part in (*normalized, encoder.tokenizer.to_str(), encoder.model.config.to_json_string()):
        digest.update(part.encode("utf-8", "surrogatepass") + b"\n")
    how = config.model_dump_json(exclude={"checkpoints", "device"})
    return f"{digest.hexdigest()} {how}"


def _continuations(encoder: Encoder) -> NDArray[np.bool_]:
    """Tell for each piece whether it continues a word, bool [vocabulary]."""
    out = np.zeros(encoder.tokenizer.get_vocab_size(), dtype=np.bool_)
    for piece, number in encoder.tokenizer.get_vocab().items():
        out[number] = piece.startswith("##")
    return out


def _words(
    row: Sequence[int], continues: NDArray[np.bool_], special: set[int]
) -> Iterator[list[int]]:
    """Yield the places of each word's pieces."""
    word: list[int] = []
    for place, piece in enumerate(row):
        if piece in special:
            continue
        if word and not continues[piece]:
            yield word
            word = []
        word.append(place)
    if word:
        yield word


def _masked(
    rows: Sequence[Sequence[int]],
    encoder: Encoder,
    continues: NDArray[np.bool_],
    share: float,
    rng: np.random.Generator,
) -> tuple[Tensor, Tensor, Tensor]:
    """Mask words: inputs, targets and attention mask, int64 [rows, length].

    At least one word of each text; of those chosen, eight in ten become the mask, one another piece,
    and one stays (Devlin et al., BERT, 2019).
    """
    inputs, mask = pad(rows, encoder.pad_id)
    targets = np.full(inputs.shape, _IGNORED, dtype=np.int64)
    vocabulary = encoder.tokenizer.get_vocab()
    special = {int(vocabulary[name]) for name in SPECIALS}
    mask_id = int(vocabulary[MASK])
    for i, row in enumerate(rows):
        words = list(_words(row, continues, special))
        if not words:
            continue
        count = max(1, round(share * len(words)))
        for chosen in rng.choice(len(words), count, replace=False):
            fate = rng.random()
            for place in words[chosen]:
                targets[i, place] = row[place]
                if fate < 1 - _KEPT - _RANDOM:
                    inputs[i, place] = mask_id
                elif fate < 1 - _KEPT:
                    inputs[i, place] = rng.integers(len(SPECIALS), len(continues))
    return torch.from_numpy(inputs), torch.from_numpy(targets), torch.from_numpy(mask)
