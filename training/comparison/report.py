"""The report of a comparison: a page, a Markdown table, pictures, and how all of it was made."""

from __future__ import annotations

import json
import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from schemas import all_categories
from stream.reports.pages import render
from training.comparison.categories import category_lines
from training.comparison.compare import Candidate, Run
from training.comparison.markdown import markdown
from training.comparison.plots import write_plots
from training.comparison.table import Line, lines, mean_probabilities
from training.data.dataset import Dataset
from training.data.origins import counted

_TEMPLATE: Final = Path(__file__).with_name("page.html")
PAGE: Final = "index.html"
TABLE: Final = "table.md"
RECORD: Final = "comparison.json"
_PACKAGES: Final = (
    "reviews-stream",
    "numpy",
    "onnx",
    "onnxruntime",
    "peft",
    "scikit-learn",
    "tokenizers",
    "torch",
    "transformers",
)


@dataclass(frozen=True, slots=True)
class Mistake:
    """One wrong answer: the text, both categories, and how sure the model was."""

    text: str
    true: str
    predicted: str
    confidence: float


def mistakes(rows: Dataset, probabilities: NDArray[np.float64]) -> list[Mistake]:
    """Return the wrong answers, the surest first.

    Args:
        rows: labelled.
        probabilities: float64 [rows, categories].
    """
    best, sure = probabilities.argmax(axis=1), probabilities.max(axis=1)
    wrong = np.flatnonzero(best != rows.categories)
    return [
        Mistake(
            rows.texts[row],
            all_categories()[rows.categories[row]].slug,
            all_categories()[best[row]].slug,
            float(sure[row]),
        )
        for row in wrong[np.argsort(-sure[wrong], kind="stable")]
    ]


def write_report(
    folder: Path,
    candidates: Sequence[Candidate],
    runs: Sequence[Run],
    dataset: Dataset,
    tests: Mapping[str, Dataset],
    reference: str | None = None,
) -> list[Line]:
    """Write ``index.html``, ``table.md``, ``comparison.json`` and the pictures.

    Args:
        folder: is made if it is absent.
        candidates: what was compared.
        runs: what came of it.
        dataset: what was trained on.
        tests: labelled rows by name.
        reference: the candidate that the others are measured against; the best one if None.

    Returns:
        The table, the best candidate first.
    """
    folder.mkdir(parents=True, exist_ok=True)
    table = lines(runs, tests, reference)
    of_best = [run for run in runs if run.candidate == table[0].name]
    best = {test: mean_probabilities(of_best, test) for test in tests}
    made = _record(candidates, runs, dataset, tests)
    scored = json.dumps(made | {"results": _results(table)}, indent=2, ensure_ascii=False)
    (folder / RECORD).write_text(scored + "\n", encoding="utf-8")
    (folder / TABLE).write_text(markdown(table, reference or table[0].name), encoding="utf-8")
    page = render(
        _TEMPLATE,
        rows=len(dataset),
        origins=", ".join(f"{count} {origin}" for origin, count in dataset.origins().items()),
        basis="Means over the seeds; 95% intervals over the rows of the test set and the seeds.",
        reference=reference or table[0].name,
        tests=list(tests),
        whose={test: counted(rows.origin) for test, rows in tests.items()},
        table=table,
        categories={test: category_lines(of_best, test, rows) for test, rows in tests.items()},
        plots=write_plots(folder, table, runs, tests, best, {c.name: c.share for c in candidates}),
        mistakes={test: mistakes(rows, best[test]) for test, rows in tests.items()},
        record=json.dumps(made, indent=2, ensure_ascii=False),
    )
    (folder / PAGE).write_text(page, encoding="utf-8")
    return table


def _record(
    candidates: Sequence[Candidate],
    runs: Sequence[Run],
    dataset: Dataset,
    tests: Mapping[str, Dataset],
) -> dict[str, object]:
    return {
        "candidates": {
            c.name: {
                "family": c.family,
                "config": {k: v for k, v in c.config.described().items() if k != "seed"},
                "base": c.config.base,
                "share": c.share,
            }
            for c in candidates
        },
        "seeds": sorted({run.seed for run in runs}),
        "training_digest": dataset.digest,
        "training_rows": dataset.origins(),
        "tests": {
            name: {"rows": len(t), "digest": t.digest, "labels": t.origins()}
            for name, t in tests.items()
        },
        "versions": {name: version(name) for name in _PACKAGES},
        "python": platform.python_version(),
        "machine": platform.machine(),
    }


def _results(table: Sequence[Line]) -> dict[str, object]:
    """Return the figures of each candidate, for programs."""
    found = {line.name: asdict(line) for line in table}
    for line in found.values():
        del line["name"]
    return dict(found)
