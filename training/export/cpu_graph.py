"""The graph that a worker on a CPU serves: the first in a fixed order that keeps the categories.

Nothing is timed at export, so that the same model gives the same graph on any machine. The order is
what was measured (``deploy/docs/measurements/eight-bits.md``): static graphs are at least as quick as dynamic ones, no
larger, and do not let a review's logits move with its company; seven bits come first because
processors without VNNI overflow with eight; single precision takes four times the place and more than
twice the time.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from training.errors import TrainingError
from training.export.parity import Logits, Parity, graph_logits
from training.export.quantise import quantise_dynamic
from training.export.static import Range, activation_ranges, fix_scales
from training.export.vectorise import vectorise
from training.fit.config import Quantisation
from training.fit.loop import NeuralModel

LEAST_AGREEMENT: Final = 0.995
"""Share of texts on which an eight-bit graph must name the category that the module names."""
SINGLE: Final = "single precision"
PARITY_TEXTS: Final = 1500
# A hundred gave logits as near to the module's, within noise.
CALIBRATION_TEXTS: Final = 1000

_WAYS: Final[Mapping[Quantisation, tuple[str, ...]]] = {
    "auto": ("static", "dynamic"),
    "static": ("static",),
    "dynamic": ("dynamic",),
    "none": (),
}


@dataclass(frozen=True, slots=True)
class Sample:
    """Texts to fit and to judge a graph by, as word pieces.

    Attributes:
        ids: of the texts that a graph is compared with the module on.
        wanted: the module's logits of these.
        calibration: of the texts that scales are fitted to; others, where there are enough.
        pad_id: of the tokenizer.
    """

    ids: Sequence[Sequence[int]]
    wanted: Logits
    calibration: Sequence[Sequence[int]]
    pad_id: int

    @classmethod
    def of(cls, model: NeuralModel, texts: Sequence[str]) -> Sample:
        """Take texts to judge graphs by, evenly over all, and others to fit scales to.

        Args:
            model: trained.
            texts: normalised, of its training data.
        """
        judging = _spread(texts, PARITY_TEXTS)
        apart = set(judging)
        # Where there are too few for both, the same ones serve for both.
        others = [text for text in texts if text not in apart] or judging
        fitting = _spread(others, CALIBRATION_TEXTS)
        ids, calibration = (
            model.encoder.tokenize(chosen, model.max_length) for chosen in (judging, fitting)
        )
        return cls(ids, model.logits_of(ids), calibration, model.encoder.pad_id)

    def share_of(self, piece: int) -> float:
        """Return how many of all word pieces are this one, 0 to 1."""
        pieces = sum(len(row) for row in self.ids)
        return sum(list(row).count(piece) for row in self.ids) / max(pieces, 1)

    def parity(self, graph: Path) -> Parity:
        """Compare a graph with the module."""
        return Parity.of(self.wanted, graph_logits(graph, self.ids, self.pad_id))


@dataclass(frozen=True, slots=True)
class Chosen:
    """What became of the candidates.

    Attributes:
        name: of the one that was written, such as "static seven-bit".
        tried: parity of each candidate up to it, in order.
    """

    name: str
    tried: Mapping[str, Parity]


def write_cpu_graph(full: Path, target: Path, sample: Sample, quantise: Quantisation) -> Chosen:
    """Write the first graph that agrees with the module on :data:`LEAST_AGREEMENT` of the texts.

    Single precision is the last resort of ``auto``, and what ``none`` is.

    Args:
        full: the graph in single precision.
        target: gets the graph.
        sample: texts to fit scales to, and to judge by.
        quantise: which ways may be tried.

    Raises:
        TrainingError: of the one way that was asked for, no graph agrees enough.
    """
    tried: dict[str, Parity] = {}
    for name in _candidates(full, target, sample, quantise):
        tried[name] = sample.parity(target)
        if tried[name].agreement >= LEAST_AGREEMENT:
            return Chosen(name, tried)
    if quantise in {"static", "dynamic"}:
        best = max(found.agreement for found in tried.values())
        raise TrainingError(
            f"no {quantise} eight-bit graph names the module's category on {LEAST_AGREEMENT:.1%} of "
            f"the texts: {best:.2%} at best",
            "take --quantise auto (`quantise` in a file of options); the training is kept and goes on",
        )
    shutil.copyfile(full, target)
    vectorise(target)
    tried[SINGLE] = sample.parity(target)
    return Chosen(SINGLE, tried)


def _candidates(full: Path, target: Path, sample: Sample, quantise: Quantisation) -> Iterator[str]:
    """Write one candidate after the other to the target, and yield its name."""
    ranges: Mapping[str, Range] | None = None
    for way in _WAYS[quantise]:
        for bits in ("seven", "eight"):
            quantise_dynamic(full, target, seven_bits=bits == "seven")
            vectorise(target)
            if way == "static":
                ranges = ranges or activation_ranges(full, sample.calibration, sample.pad_id)
                fix_scales(target, ranges)
            yield f"{way} {bits}-bit"


def _spread(texts: Sequence[str], count: int) -> list[str]:
    """Return at most so many texts, evenly over all of them."""
    step = max(1, len(texts) // count)
    return list(texts[::step][:count])
