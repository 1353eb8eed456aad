"""A small NLI checkpoint of our own: the offline default of the zero-shot labeller.

It learns from labelled reviews whether a review entails the hypothesis about a category, and is
saved as any checkpoint for transformers' zero-shot pipeline is. It knows no language but that of its
base encoder and no hypotheses but those of :mod:`training.labelling.zero_shot`.
"""

from __future__ import annotations

import hashlib
import math
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field
from tokenizers import Tokenizer
from tokenizers.normalizers import Lowercase, Replace
from tokenizers.normalizers import Sequence as Normalizers
from torch import Tensor, nn

from stream.errors import not_written
from training.data.dataset import Dataset
from training.encoders.checkpoints import CheckpointError
from training.encoders.encoder import (
    FIRST,
    LAST,
    PAD,
    UNKNOWN,
    Encoder,
    hf,
    load_encoder,
)
from training.errors import DataError
from training.fit.batches import bucketed_batches, pad
from training.fit.config import BUNDLED_ENCODER, Progress, silent
from training.fit.runtime import autocast, pick_device, resume, save_progress
from training.fit.steps import descend, seeded_epochs, set_rates
from training.labelling.hypotheses import hypotheses

_LABELS: Final = {0: "not_entailment", 1: "entailment"}
# A pair is a review and a hypothesis of some eight pieces.
_PAIR_LENGTH: Final = 112
_LEAST_CATEGORIES: Final = 2
_TYPES: Final = "embeddings.token_type_embeddings.weight"


class NliConfig(BaseModel):
    """How to train. The defaults take about a minute a thousand reviews on one core."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    base: Path = BUNDLED_ENCODER
    epochs: int = Field(default=3, ge=1)
    batch_size: int = Field(default=48, ge=1, description="Pairs.")
    learning_rate: float = Field(default=3e-4, gt=0.0)
    warmup: float = Field(default=0.1, ge=0.0, lt=1.0)
    denials: int = Field(default=2, ge=1, description="Pairs a review that do not entail.")
    device: str = "auto"
    seed: int = 0


class Pairs(NamedTuple):
    """Reviews with hypotheses.

    Attributes:
        ids: word pieces of each pair.
        types: 0 for pieces of the review, 1 for those of the hypothesis.
        entails: int64 [pairs], 1 where the review entails the hypothesis.
    """

    ids: list[list[int]]
    types: list[list[int]]
    entails: NDArray[np.int64]


def train_nli(
    data: Dataset,
    folder: Path,
    work: Path,
    config: NliConfig | None = None,
    progress: Progress = silent,
) -> list[float]:
    """Train a checkpoint for zero-shot votes, and save it.

    An interrupted call goes on after its last whole epoch.

    Args:
        data: labelled reviews; soft labels count by their most probable category.
        folder: gets the checkpoint; it appears there whole or not at all.
        work: keeps what is on the way.
        config: how.
        progress: is told the epoch and the loss.

    Returns:
        Mean loss of each epoch, in nats a pair.

    Raises:
        DataError: the reviews hold a single category, or ``folder`` cannot be written.
        CheckpointError: the base is no BERT.
    """
    if len(np.unique(data.categories)) < _LEAST_CATEGORIES:
        raise DataError("all reviews have one category", "label some of another one")
    config = config or NliConfig()
    device = pick_device(config.device)
    torch.manual_seed(config.seed)
    base = load_encoder(config.base)
    model = _with_verdict(base).to(device)
    optimizer = torch.optim.AdamW(model.parameters(), config.learning_rate, weight_decay=0.01)
    first, losses = resume(work, model, optimizer, _key(data, config))
    for epoch, rng in seeded_epochs(config.seed, first, config.epochs):
        pairs = draw_pairs(data, base.tokenizer, config.denials, rng)
        losses.append(_epoch(model, optimizer, pairs, epoch, config, base.pad_id, rng, progress))
        save_progress(work, epoch + 1, losses, model, optimizer, _key(data, config))
    _save(model, base, folder, work)
    return losses


def draw_pairs(
    data: Dataset, tokenizer: Tokenizer, denials: int, rng: np.random.Generator
) -> Pairs:
    """Pair each review with the hypothesis that it entails and with some that it does not.

    Args:
        data: labelled reviews.
        tokenizer: of the base encoder, whose texts are normalised.
        denials: hypotheses a review that it does not entail.
        rng: picks templates and denied categories.
    """
    asked = hypotheses()
    phrases = [phrase.lower() for phrase in asked.phrases]
    pairs: list[tuple[str, str]] = []
    entails: list[int] = []
    for text, truth in zip(data.normalized, data.categories, strict=True):
        others = rng.permutation([c for c in range(len(phrases)) if c != truth])[:denials]
        for category in (truth, *others):
            template = asked.templates[int(rng.integers(len(asked.templates)))].lower()
            pairs.append((text, template.format(phrases[int(category)])))
            entails.append(int(category == truth))
    tokenizer.no_padding()
    tokenizer.enable_truncation(_PAIR_LENGTH, strategy="only_first")
    rows = tokenizer.encode_batch(pairs)
    return Pairs([r.ids for r in rows], [r.type_ids for r in rows], np.array(entails))


def _epoch(
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    pairs: Pairs,
    epoch: int,
    config: NliConfig,
    pad_id: int,
    rng: np.random.Generator,
    progress: Progress,
) -> float:
    batches = list(bucketed_batches([len(row) for row in pairs.ids], config.batch_size, rng))
    steps, total = len(batches) * config.epochs, 0.0
    for number, rows in enumerate(batches):
        step = epoch * len(batches) + number
        warm = math.ceil(config.warmup * steps)
        set_rates(optimizer, [config.learning_rate], step, steps, warm)
        ids, mask = pad([pairs.ids[row] for row in rows], pad_id)
        types, _ = pad([pairs.types[row] for row in rows], 0)
        inputs = [torch.from_numpy(part) for part in (ids, mask, types)]
        total += _step(model, optimizer, inputs, torch.from_numpy(pairs.entails[rows]))
        progress(f"epoch {epoch + 1}, loss {total / (number + 1):.3f}", step + 1, steps)
    return total / max(len(batches), 1)


def _step(
    model: Any, optimizer: torch.optim.Optimizer, inputs: Sequence[Tensor], entails: Tensor
) -> float:
    model.train()
    ids, mask, types = (part.to(model.device) for part in inputs)
    with autocast(model.device):
        logits = model(input_ids=ids, attention_mask=mask, token_type_ids=types).logits
    loss = nn.functional.cross_entropy(logits.float(), entails.to(model.device))
    return descend(model, optimizer, loss)


def _with_verdict(base: Encoder) -> Any:
    """Return the base with two token types, alike at first, and a verdict on top."""
    weights = base.model.state_dict()
    if _TYPES not in weights:
        raise CheckpointError("the base has no token types: it is no BERT", "name another base")
    weights[_TYPES] = weights[_TYPES][:1].repeat(2, 1)
    config = hf.BertConfig.from_dict(
        base.model.config.to_dict()
        | {
            "type_vocab_size": 2,
            "id2label": _LABELS,
            "label2id": {v: k for k, v in _LABELS.items()},
        }
    )
    model = hf.BertForSequenceClassification(config)
    model.bert.load_state_dict(weights, strict=False)  # the base has no pooling layer
    return model


def _save(model: Any, base: Encoder, folder: Path, work: Path) -> None:
    tokenizer = Tokenizer.from_str(base.tokenizer.to_str())
    tokenizer.no_padding()
    tokenizer.no_truncation()
    # Reviews come normalised, hypotheses as people write them.
    tokenizer.normalizer = Normalizers([Lowercase(), Replace("ё", "е")])
    fast = hf.PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token=PAD,
        unk_token=UNKNOWN,
        cls_token=FIRST,
        sep_token=LAST,
        model_max_length=_PAIR_LENGTH,
    )
    aside = work / "complete"
    model.save_pretrained(aside)
    fast.save_pretrained(aside)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        # The configuration last: a folder without it is no checkpoint yet.
        for file in sorted(aside.iterdir(), key=lambda path: path.name == "config.json"):
            shutil.move(file, folder / file.name)
    except OSError as error:
        raise not_written(folder, error, "name a folder of yours", DataError) from None
    shutil.rmtree(work)


def _key(data: Dataset, config: NliConfig) -> str:
    """Return what decides the weights."""
    asked = hashlib.sha256(hypotheses().model_dump_json().encode()).hexdigest()
    return f"nli {data.digest} {asked} {config.model_dump_json(exclude={'device'})}"
