"""The training loop that all neural families share."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from schemas import category_count
from training.data.dataset import Dataset, check_learnable
from training.encoders.encoder import Encoder, load_encoder
from training.fit.batches import bucketed_batches, by_length, pad
from training.fit.config import Progress, TrainConfig, Tricks, within
from training.fit.lineage import decided_by
from training.fit.losses import Loss, symmetric_divergence
from training.fit.noise import disturb
from training.fit.optimizer import parameter_groups
from training.fit.runtime import autocast, pick_device, resume, save_progress
from training.fit.sampling import epoch_rows
from training.fit.soup import member, take_mean
from training.fit.steps import descend, seeded_epochs, set_rates
from training.fit.stopping import BestEpoch, held_back, loss_of

Build = Callable[[Encoder, TrainConfig], nn.Module]
"""Makes a module that maps ids and mask, int64 [rows, length], to logits float32 [rows, categories]."""
Doubted = Callable[[Dataset, int], NDArray[np.bool_]]
"""Tells which rows of a dataset have a label that is likely wrong, bool [rows]; takes a seed besides."""

_EVALUATION_BATCH: Final = 128


class NeuralModel:
    """A trained neural family: its module, and the tokenizer that it reads through."""

    def __init__(
        self,
        module: nn.Module,
        encoder: Encoder,
        max_length: int,
        losses: Sequence[float] = (),
    ) -> None:
        self.module, self.encoder, self.max_length = module.eval(), encoder, max_length
        self.losses = tuple(losses)
        """Mean training loss of each epoch."""

    @property
    def parameters(self) -> int:
        """How many numbers were trained (frozen ones are not counted)."""
        return sum(p.numel() for p in self.module.parameters() if p.requires_grad)

    def logits(self, normalized: Sequence[str]) -> NDArray[np.float32]:
        """Return logits float32 [texts, categories] in single precision, on the device it was trained on."""
        return self.logits_of(self.encoder.tokenize(normalized, self.max_length))

    def logits_of(self, ids: Sequence[Sequence[int]]) -> NDArray[np.float32]:
        """Return logits float32 [texts, categories] for rows of word pieces."""
        out = np.empty((len(ids), category_count()), dtype=np.float32)
        for rows, found in read_by(self.module, ids, self.encoder.pad_id):
            out[rows] = found
        return out


def read_by(
    module: nn.Module, ids: Sequence[Sequence[int]], pad_id: int
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.float32]]]:
    """Yield batches of row numbers, each row once, with what a module makes of them, float32.

    Args:
        module: maps ids and mask, int64 [rows, length], to a vector a row; is put out of training.
        ids: word pieces of every row.
        pad_id: of the padding piece.
    """
    device = next(module.parameters()).device
    module.eval()
    for rows in by_length(ids, _EVALUATION_BATCH):
        inputs, mask = pad([ids[row] for row in rows], pad_id)
        with torch.inference_mode():
            given = torch.from_numpy(inputs).to(device), torch.from_numpy(mask).to(device)
            found = module(*given).float().cpu().numpy()
        yield rows, found


def fit_module(
    build: Build, dataset: Dataset, config: TrainConfig, progress: Progress, doubted: Doubted
) -> NeuralModel:
    """Train a neural family.

    Everything random hangs on the seed and the epoch alone, so that a training that was interrupted
    and resumed ends with the weights that it would have ended with. A training that had ended is taken
    up whole: whoever gave it a folder for checkpoints removes that folder.

    Args:
        build: makes the module.
        dataset: what to train on.
        config: how.
        progress: is told the epoch and the loss.
        doubted: tells which rows to leave out, where the configuration wants that.

    Raises:
        DataError: there is nothing to learn from the dataset.
        CheckpointError: the base cannot be used.
    """
    check_learnable(dataset)
    if config.tricks.soup > 1:
        return _mean_of_trainings(build, dataset, config, progress, doubted)
    if config.threads:
        torch.set_num_threads(config.threads)
    torch.manual_seed(config.seed)
    encoder = load_encoder(config.encoder)
    encoder.freeze(config.frozen_layers)
    # A base has no vectors for the places beyond its longest text.
    longest = min(config.max_length, encoder.positions)
    config = config.model_copy(update={"max_length": longest})
    module = build(encoder, config).to(pick_device(config.device))
    part = None
    if config.tricks.early_stopping:
        dataset, part = held_back(dataset, config.seed)
    if config.tricks.prune:
        dataset = dataset.take(~doubted(dataset, config.seed))
    losses = _Training(module, encoder, dataset, config, progress, part).run()
    return NeuralModel(module, encoder, config.max_length, losses)


def _mean_of_trainings(
    build: Build, dataset: Dataset, config: TrainConfig, progress: Progress, doubted: Doubted
) -> NeuralModel:
    many = config.tricks.soup
    models = []

    def build_alike(encoder: Encoder, own: TrainConfig) -> nn.Module:
        # What starts at random starts alike: the mean of weights that have grown apart means nothing.
        torch.manual_seed(config.seed)
        return build(encoder, own)

    for number in range(many):
        told = within(f"training {number + 1} of {many}", progress)
        models.append(fit_module(build_alike, dataset, member(config, number), told, doubted))
    first = models[0]
    take_mean([model.module for model in models])
    # With early stopping some have fewer epochs.
    losses = [float(np.mean(epoch)) for epoch in zip(*(m.losses for m in models), strict=False)]
    return NeuralModel(first.module, first.encoder, first.max_length, losses)


class _Training:
    """One run: the module, its optimizer, and the rows."""

    def __init__(
        self,
        module: nn.Module,
        encoder: Encoder,
        dataset: Dataset,
        config: TrainConfig,
        progress: Progress,
        part: Dataset | None = None,
    ) -> None:
        self.module, self.encoder, self.dataset, self.part = module, encoder, dataset, part
        self.config, self.tricks, self.progress = config, config.tricks, progress
        self.device = next(module.parameters()).device
        self.loss = Loss.of(dataset, config.imbalance, config.tricks)
        self.labels, self.weight = _targets(dataset, config.tricks)
        self.optimizer = torch.optim.AdamW(
            parameter_groups(module, config), weight_decay=config.weight_decay, fused=True
        )
        self.rates = [float(group["lr"]) for group in self.optimizer.param_groups]
        self.average = copy.deepcopy(module) if config.tricks.averaging else None
        self.best = BestEpoch(module, config.tricks.early_stopping) if part is not None else None
        rows = len(epoch_rows(dataset, config.imbalance.oversampling, np.random.default_rng(0)))
        self.steps = math.ceil(rows / config.batch_size) * config.epochs

    def run(self) -> list[float]:
        """Train all epochs that are left, leave the final weights in the module, return the losses."""
        folder = self.config.checkpoints
        kept = [self.module, self.average, self.best]
        state = nn.ModuleList([module for module in kept if module is not None])
        key = f"{self.dataset.digest} {decided_by(self.config, 'threads')}" if folder else ""
        first, losses = resume(folder, state, self.optimizer, key) if folder else (0, [])
        for epoch, rng in seeded_epochs(self.config.seed, first, self.config.epochs):
            if self.best is not None and self.best.over:
                self.progress(f"epoch {epoch} was the last", self.steps, self.steps)
                break
            losses.append(self._epoch(epoch, rng))
            self._look()
            if folder is not None:
                save_progress(folder, epoch + 1, losses, state, self.optimizer, key)
        final = self.best.best if self.best is not None else self.average
        if final is not None:
            self.module.load_state_dict(final.state_dict())
        return losses

    def _look(self) -> None:
        """Score the part that is held back, if one is."""
        if self.best is None or self.part is None:
            return
        judged = self.module if self.average is None else self.average
        model = NeuralModel(judged, self.encoder, self.config.max_length)
        self.best.see(judged, loss_of(model.logits(self.part.normalized), self.part.categories))

    def _epoch(self, epoch: int, rng: np.random.Generator) -> float:
        total, batches = 0.0, self.steps // self.config.epochs
        self.module.train()
        for number, (rows, inputs, mask) in enumerate(self._batches(rng)):
            step = epoch * batches + number
            warm = round(self.config.warmup * self.steps)
            set_rates(self.optimizer, self.rates, step, self.steps, warm)
            total += self._step(rows, inputs.to(self.device), mask.to(self.device), step)
            self.progress(
                f"epoch {epoch + 1}, loss {total / (number + 1):.3f}", step + 1, self.steps
            )
        return total / max(batches, 1)

    def _batches(
        self, rng: np.random.Generator
    ) -> Iterator[tuple[NDArray[np.int64], Tensor, Tensor]]:
        texts = self.dataset.normalized
        if self.tricks.augmentation:
            chosen = rng.random(len(texts)) < self.tricks.augmentation
            texts = [
                disturb(text, rng) if noisy else text
                for text, noisy in zip(texts, chosen, strict=True)
            ]
        ids = self.encoder.tokenize(texts, self.config.max_length)
        rows = epoch_rows(self.dataset, self.config.imbalance.oversampling, rng)
        lengths = [len(row) for row in ids]
        for batch in bucketed_batches(lengths, self.config.batch_size, rng, rows):
            inputs, mask = pad([ids[row] for row in batch], self.encoder.pad_id)
            yield batch, torch.from_numpy(inputs), torch.from_numpy(mask)

    def _step(self, rows: NDArray[np.int64], inputs: Tensor, mask: Tensor, step: int) -> float:
        labels = self.labels[rows].to(self.device)
        weight = self.weight[rows].to(self.device)

        def disturbed() -> None:
            with _disturbed_embeddings(self.module, self.tricks.adversarial):
                torch.autograd.backward(self._objective(inputs, mask, labels, weight))

        loss = self._objective(inputs, mask, labels, weight)
        further = disturbed if self.tricks.adversarial else None
        found = descend(self.module, self.optimizer, loss, further)
        if self.average is not None:
            _follow(self.average, self.module, min(self.tricks.averaging, (1 + step) / (10 + step)))
        return found

    def _objective(self, inputs: Tensor, mask: Tensor, labels: Tensor, weight: Tensor) -> Tensor:
        with autocast(self.device):
            logits = self.module(inputs, mask)
        loss = self.loss(logits, labels, weight)
        if not self.tricks.r_drop:
            return loss
        with autocast(self.device):
            again = self.module(inputs, mask)
        both = (loss + self.loss(again, labels, weight)) / 2
        return both + self.tricks.r_drop * symmetric_divergence(logits, again, weight)


def _targets(dataset: Dataset, tricks: Tricks) -> tuple[Tensor, Tensor]:
    labels = torch.from_numpy(dataset.probabilities.astype(np.float32))
    if not tricks.soft_labels:
        labels = nn.functional.one_hot(labels.argmax(dim=1), category_count()).float()
    weight = torch.from_numpy(dataset.weight.astype(np.float32))
    return labels, weight if tricks.row_weights else torch.ones_like(weight)


def _follow(average: nn.Module, module: nn.Module, decay: float) -> None:
    """Move averaged weights a little towards the current ones (Polyak averaging)."""
    with torch.no_grad():
        for slow, fast in zip(average.parameters(), module.parameters(), strict=True):
            slow.lerp_(fast, 1 - decay)


class _disturbed_embeddings:  # noqa: N801 - a context manager, used like a function
    """Move the word embeddings along their gradient for one more backward pass.

    (FGM: Miyato et al., "Adversarial Training Methods for Semi-Supervised Text Classification", 2017.)
    """

    def __init__(self, module: nn.Module, size: float) -> None:
        tables = [m for m in module.modules() if isinstance(m, nn.Embedding)]
        largest = max(tables, key=lambda table: table.num_embeddings)
        self._weight, self._size = largest.weight, size
        self._kept: Tensor | None = None

    def __enter__(self) -> None:
        gradient: Any = self._weight.grad
        if gradient is None:
            return
        norm = gradient.norm()
        self._kept = self._weight.data.clone()
        if float(norm) > 0:
            self._weight.data.add_(gradient, alpha=self._size / float(norm))

    def __exit__(self, *_: object) -> None:
        if self._kept is not None:
            self._weight.data.copy_(self._kept)
