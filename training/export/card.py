"""The model card: what the model is, how it was made, how good it is, what it must not be used for."""

from __future__ import annotations

from typing import Final

from schemas import CATEGORIES
from stream.model_folder import CPU_GRAPH, Manifest
from training.dataset import Dataset
from training.evaluation.calibration import NEVER
from training.export.cpu_graph import LEAST_AGREEMENT
from training.export.parity import Graphs
from training.fit.config import TrainConfig

_NAMES: Final = {
    "weighted_f1": "Weighted F1",
    "macro_f1_all": "Macro F1, written examples included",
    "accuracy": "Accuracy",
    "published_precision": "Precision among published",
    "published_coverage": "Share published without relabelling",
    "expected_calibration_error": "Expected calibration error",
    "risk_coverage_area": "Area under the risk-coverage curve",
    "held_out_rows": "Rows measured on",
}
# What of the configuration a reader wants to see; all of it is in `training.json`.
_SHOWN: Final = (
    "seed",
    "epochs",
    "batch_size",
    "learning_rate",
    "head_learning_rate",
    "pooling",
    "max_length",
    "precision",
)


def model_card(
    manifest: Manifest,
    dataset: Dataset,
    config: TrainConfig,
    parameters: int,
    graphs: Graphs,
) -> str:
    """Return the card as Markdown with a front matter that model hubs read.

    Args:
        manifest: with metrics, temperature and thresholds.
        dataset: what it was trained on.
        config: how.
        parameters: numbers in the model.
        graphs: how close each is to the trained module.
    """
    sections = (
        _front_matter(manifest),
        _what(manifest, parameters),
        _data(dataset),
        _scores(manifest),
        _decisions(manifest),
        _training(config),
        _graphs(graphs),
        _limits(),
    )
    return "\n".join(sections)


def _front_matter(manifest: Manifest) -> str:
    lines = [
        "---",
        "language: ru",
        "license: apache-2.0",
        "library_name: onnxruntime",
        "pipeline_tag: text-classification",
        "model-index:",
        f"  - name: {manifest.name}",
        "    results:",
        "      - task: {type: text-classification, name: product category of a review}",
        "        dataset: {type: reviews, name: rows held out while training}",
        "        metrics:",
        *(
            f"          - {{type: {name}, value: {value:g}}}"
            for name, value in manifest.metrics.items()
        ),
        "---",
        "",
    ]
    return "\n".join(lines)


def _what(manifest: Manifest, parameters: int) -> str:
    return (
        f"# {manifest.name}\n\n"
        f"Sorts Russian marketplace reviews by product category ({len(CATEGORIES)} categories). "
        f"Family `{manifest.family}`, {parameters / 1e6:.2f} million parameters, texts of up to "
        f"{manifest.max_length} word pieces. Made {manifest.created_at} by version "
        f"{manifest.code_version}; training data {manifest.training_digest[:16]}.\n"
    )


def _data(dataset: Dataset) -> str:
    counts = {
        category.value: int((dataset.categories == category.id).sum()) for category in CATEGORIES
    }
    origins = ", ".join(f"{count} {origin}" for origin, count in dataset.origins().items())
    lines = [
        "## Training data\n",
        (
            f"{len(dataset)} texts: {origins}. Labels of `pool` and `unsure` rows are soft, made by the "
            "auto-labelling ensemble; `read` rows were labelled one by one by a language model; "
            "`synthetic` rows are composed from templates; `written` rows were written for this "
            "project. No person's name or contact is in the data; its texts are not part of the model's "
            "folder.\n"
        ),
        "| category | rows |",
        "|---|---:|",
        *(f"| {name} | {count} |" for name, count in counts.items()),
        "",
    ]
    return "\n".join(lines)


def _scores(manifest: Manifest) -> str:
    rows = (f"| {_NAMES.get(name, name)} | {value:g} |" for name, value in manifest.metrics.items())
    lines = [
        "## Scores\n",
        (
            "On held-out rows, each scored by a model that was trained without it. Temperature and "
            "thresholds were fitted to the same rows, which flatters precision and coverage a little.\n"
        ),
        "| | |",
        "|---|---:|",
        *rows,
        "",
    ]
    return "\n".join(lines)


def _decisions(manifest: Manifest) -> str:
    lines = [
        "## Decisions\n",
        (
            f"Logits are divided by {manifest.temperature:g} before the softmax. A review is published "
            "if its best category reaches that category's threshold, and goes to relabelling "
            "otherwise.\n"
        ),
        "| category | threshold |",
        "|---|---:|",
        *(
            f"| {category.value} | {_threshold(value)} |"
            for category, value in manifest.thresholds.items()
        ),
        "",
    ]
    return "\n".join(lines)


def _threshold(value: float) -> str:
    return "never published" if value >= NEVER else f"{value:.4f}"


def _training(config: TrainConfig) -> str:
    shown = config.model_dump(include=set(_SHOWN))
    settings = ", ".join(f"{name} {shown[name]}" for name in _SHOWN)
    tricks = config.tricks.model_dump(exclude_defaults=True)
    imbalance = config.imbalance.model_dump(exclude_defaults=True)
    return (
        f"## Training\n\n{settings}. Besides: {tricks or 'nothing'}. "
        f"Against imbalance: {imbalance or 'nothing'}. All of it is in `training.json`.\n"
    )


def _graphs(graphs: Graphs) -> str:
    lines = [
        "## Graphs\n",
        (
            f"Compared with the trained module on texts of the training data. `{CPU_GRAPH}` is the "
            f"{graphs.cpu} one: the first in a fixed order that names the module's category on "
            f"{LEAST_AGREEMENT:.1%} of them.\n"
        ),
        "| graph | same category | largest difference of a logit |",
        "|---|---:|---:|",
        *(f"| {name} | {p.agreement:.2%} | {p.largest:.3g} |" for name, p in graphs.parity.items()),
        "",
    ]
    return "\n".join(lines)


def _limits() -> str:
    return (
        "## Limits\n\n"
        "Made for reviews in Russian, as shoppers type them. Labels were made by programs and language "
        "models, not by people: expect their mistakes in it. The stream that it was trained on is "
        "mostly about clothes; the other categories were learned mainly from written and composed "
        "sentences. It says nothing about a review's truth, its writer or its mood. Watch the share "
        "of relabelled reviews: a stream of another kind shows there first.\n"
    )
