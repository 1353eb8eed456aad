"""What a model is trained on: texts with soft labels, weights, and where each row comes from."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from schemas import all_categories, category_count
from stream.text import normalize
from training.data.files import LabelledItem, read_labelled, read_measured
from training.data.origins import ORIGINS, Origin
from training.data.unstated import PERSON_ASSUMED, Unstated
from training.errors import DataError

# Probabilities are written with this many digits, and digested as written: what was read back from
# a file is the dataset that was written to it.
_DIGITS: Final = 5
# Nine numbers with that many digits, and soft labels in single precision.
_LARGEST_ROUNDING: Final = 1e-3
# So many labels of people suffice to measure on them alone.
_ENOUGH: Final = 200
SYNTHETIC_WEIGHT: Final = 0.5
"""A composed sentence teaches a name; a written one also how people speak."""


@dataclass(frozen=True)
class Dataset:
    """Rows to train or to evaluate on. Texts are kept as they were written.

    Attributes:
        texts: one a row.
        probabilities: soft label by category id, float32 [rows, categories]; rows sum to one.
        weight: how far to trust the row, float32 [rows], above zero.
        origin: whose label it is.
        product: what each row's review is of, as its file says it; empty where nothing is said.
            Reviews of one product resemble each other: only other products' show what a model makes
            of goods that it never saw.
    """

    texts: list[str]
    probabilities: NDArray[np.float32]
    weight: NDArray[np.float32]
    origin: list[Origin]
    product: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        rows = len(self.texts)
        if not self.product:
            object.__setattr__(self, "product", [""] * rows)
        if self.probabilities.shape != (rows, category_count()):
            raise DataError(f"labels of shape {self.probabilities.shape} for {rows} texts")
        if self.weight.shape != (rows,) or {len(self.origin), len(self.product)} != {rows}:
            raise DataError(f"weights, origins or products do not fit {rows} texts")

    def __len__(self) -> int:
        return len(self.texts)

    @cached_property
    def normalized(self) -> list[str]:
        """The texts as the model sees them."""
        return [normalize(text) for text in self.texts]

    @property
    def categories(self) -> NDArray[np.int64]:
        """The most probable category of each row, int64 [rows]."""
        return np.asarray(self.probabilities.argmax(axis=1), dtype=np.int64)

    @cached_property
    def digest(self) -> str:
        """SHA-256 over all rows in order, hexadecimal: the lineage of a model trained on them."""
        digest = hashlib.sha256()
        for line in self._lines():
            digest.update(line.encode("utf-8", "surrogatepass"))
        return digest.hexdigest()

    def origins(self) -> dict[Origin, int]:
        """Count the rows of each origin, most frequent first."""
        return dict(Counter(self.origin).most_common())

    def take(self, rows: Sequence[int] | NDArray[np.int64] | NDArray[np.bool_]) -> Dataset:
        """Return some rows: their numbers, or a mask."""
        chosen = np.arange(len(self))[np.asarray(rows)]
        return Dataset(
            [self.texts[i] for i in chosen],
            self.probabilities[chosen],
            self.weight[chosen],
            [self.origin[i] for i in chosen],
            [self.product[i] for i in chosen],
        )

    def without_texts_of(self, *others: Dataset) -> Dataset:
        """Return the rows whose normalised text is in none of the other datasets."""
        held_out = {text for other in others for text in other.normalized}
        return self.take(np.array([text not in held_out for text in self.normalized], dtype=bool))

    def write(self, path: Path) -> str:
        """Write JSON lines, and return the digest."""
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("".join(self._lines()), encoding="utf-8")
        return self.digest

    def _lines(self) -> Iterable[str]:
        columns = (self.texts, self.probabilities, self.weight, self.origin, self.product)
        for text, label, weight, origin, product in zip(*columns, strict=True):
            row: dict[str, object] = {
                "text": text,
                "probabilities": [round(float(p), _DIGITS) for p in label],
                "weight": round(float(weight), _DIGITS),
                "origin": origin,
            }
            if product:
                row["product"] = product
            yield json.dumps(row, ensure_ascii=False) + "\n"


def join(*parts: Dataset) -> Dataset:
    """Put datasets one after the other."""
    return Dataset(
        [text for part in parts for text in part.texts],
        np.concatenate([part.probabilities for part in parts]),
        np.concatenate([part.weight for part in parts]),
        [origin for part in parts for origin in part.origin],
        [product for part in parts for product in part.product],
    )


def trusted(dataset: Dataset) -> NDArray[np.bool_]:
    """Tell which rows may be measured on, bool [rows]: people's labels alone where they suffice.

    Guesses are never among them, however sure the program was: see
    :attr:`~training.data.origins.Origin.may_measure`.
    """
    people = np.array([origin.by_person for origin in dataset.origin], dtype=np.bool_)
    if people.sum() >= _ENOUGH:
        return people
    return np.array([origin.may_measure for origin in dataset.origin], dtype=np.bool_)


def check_measurable(dataset: Dataset) -> None:
    """Refuse rows on which nothing can be measured.

    Raises:
        DataError: programs guessed all labels.
    """
    if not trusted(dataset).any():
        raise DataError(
            f"none of the {len(dataset)} labels can be trusted: programs guessed them",
            "check a sample with `reviews label validate`, and train with --validation checked.csv",
        )


def check_calibratable(dataset: Dataset) -> None:
    """Refuse rows to which no threshold can be fitted.

    Raises:
        DataError: all are of one category, and say nothing of the others.
    """
    if (only := _only_category(dataset)) is not None:
        raise DataError(
            f"all {len(dataset)} labels to calibrate on are of one category, {only}",
            "take them at random from the stream, or label reviews of other categories too",
        )


def check_learnable(dataset: Dataset) -> None:
    """Refuse rows from which nothing can be learned.

    Raises:
        DataError: there are none, or all are of one category.
    """
    if not len(dataset):
        raise DataError("there is nothing to train on", "label reviews that are in no test set")
    if (only := _only_category(dataset)) is not None:
        raise DataError(
            f"all {len(dataset)} texts to train on are of one category, {only}",
            "label reviews of other categories too, several of each",
        )


def _only_category(dataset: Dataset) -> str | None:
    """Return the slug of the category that all rows have; None if they have several, or there are none."""
    categories = np.unique(dataset.categories)
    return all_categories()[categories[0]].slug if len(categories) == 1 else None


def labelled(
    texts: Sequence[str],
    categories: Sequence[int] | NDArray[np.int64],
    origin: Origin,
    weight: float = 1.0,
    product: Sequence[str] = (),
) -> Dataset:
    """Make a dataset of texts with one known category each.

    Args:
        texts: as they were written.
        categories: category ids.
        origin: said of every row.
        weight: of every row.
        product: of each row, or nothing.
    """
    one_hot = np.eye(category_count(), dtype=np.float32)[np.asarray(categories, dtype=np.int64)]
    weights = np.full(len(texts), weight, dtype=np.float32)
    probabilities = one_hot.reshape(len(texts), category_count())
    origins = [Origin(origin)] * len(texts)
    return Dataset(list(texts), probabilities, weights, origins, list(product))


def read_labelled_dataset(path: Path, unstated: Unstated = PERSON_ASSUMED) -> Dataset:
    """Read CSV or JSON lines with ``text`` and ``category`` (slug) or ``category_id``.

    Generated rows keep the origin "synthetic" and weigh half.

    Args:
        path: of the file.
        unstated: what is assumed of rows that do not say who decided.

    Raises:
        DataError: the file is absent or a row has no known category.
    """
    return dataset_of(read_labelled(path, unstated))


def read_test_dataset(path: Path, unstated: Unstated = PERSON_ASSUMED) -> Dataset:
    """Read labelled reviews to measure or calibrate on; see :func:`read_labelled_dataset`.

    Raises:
        DataError: likewise, or programs generated or labelled some of them, or it holds none at all.
    """
    rows = read_measured(path, unstated)
    if not rows:
        raise DataError(f"{path} holds no labelled review", "name a file that does")
    return dataset_of(rows)


def read_rows(path: Path, unstated: Unstated = PERSON_ASSUMED) -> Dataset:
    """Read labelled reviews, or a dataset that :meth:`Dataset.write` wrote: its first line tells.

    Args:
        path: of the file.
        unstated: what is assumed of labelled reviews that do not say who decided; a dataset's rows
            all do.

    Raises:
        DataError: the file is absent or neither.
    """
    try:
        with path.open(encoding="utf-8") as file:
            written = '"probabilities"' in file.readline()
    except (OSError, UnicodeDecodeError):
        written = False  # whoever reads it as labelled reviews says what is wrong with it
    return read_dataset(path) if written else read_labelled_dataset(path, unstated)


def dataset_of(rows: Sequence[LabelledItem]) -> Dataset:
    """Return labelled reviews as a dataset; generated ones weigh half."""
    dataset = labelled(
        [row.item.text for row in rows],
        [row.category.id for row in rows],
        Origin.PERSON,
        product=[row.product for row in rows],
    )
    dataset.weight[[row.synthetic for row in rows]] = SYNTHETIC_WEIGHT
    return replace(dataset, origin=[row.origin for row in rows])


def read_dataset(path: Path) -> Dataset:
    """Read what :meth:`Dataset.write` wrote.

    Raises:
        DataError: the file is absent or no dataset.
    """
    texts, probabilities, weights, origins, products = [], [], [], [], []
    try:
        with path.open(encoding="utf-8") as file:
            for line in file:
                row = json.loads(line)
                text, weight = str(row["text"]), float(row["weight"])
                probabilities.append(_distribution(row["probabilities"], weight))
                origins.append(_origin(row["origin"]))
                products.append(str(row.get("product", "")))
                weights.append(weight)
                texts.append(text)
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}", "name a dataset") from None
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise DataError(
            f"{path}, line {len(texts) + 1}: not a row of a dataset ({error})",
            "write it with `Dataset.write`, or pass labelled reviews instead",
        ) from None
    labels = np.asarray(probabilities, dtype=np.float32).reshape(len(texts), category_count())
    return Dataset(texts, labels, np.asarray(weights, dtype=np.float32), origins, products)


def _origin(name: object) -> Origin:
    """Return a row's origin.

    Raises:
        ValueError: there is none of this name. An unknown one might be a guess or a person's word.
    """
    if name not in ORIGINS:
        raise ValueError(f"nobody of the origin {name!r} is known: use {', '.join(ORIGINS)}")
    return ORIGINS[str(name)]


def _distribution(label: Sequence[float], weight: float) -> list[float]:
    """Return a row's soft label as it is.

    Raises:
        ValueError: it is none, or the row has no weight.
    """
    values = [float(p) for p in label]
    if len(values) != category_count():
        raise ValueError(f"{len(values)} probabilities instead of {category_count()}")
    # Not-a-number fails each of these comparisons.
    if not (min(values) >= 0 and abs(sum(values) - 1) <= _LARGEST_ROUNDING):
        raise ValueError("the probabilities do not sum to one")
    if not 0 < weight < float("inf"):
        raise ValueError(f"a weight of {weight}")
    return values
