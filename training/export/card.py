"""The model card: what the model is, how it was made, how good it is, what it must not be used for."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Final

import numpy as np

from schemas import active_taxonomy, all_categories, category_count
from stream.model.folder import CPU_GRAPH, Manifest, PromisedPrecision
from stream.reports.markdown import table
from training.data.dataset import Dataset
from training.data.origins import Origin, counted
from training.export.cpu_graph import LEAST_AGREEMENT
from training.export.parity import Graphs
from training.fit.config import TrainConfig
from training.measures.calibration import NEVER
from training.measures.held_out import HeldOut
from training.measures.rule import not_said, said_of_foreign, said_of_unknown
from training.models.family import family

_NAMES: Final = {
    "weighted_f1": "Weighted F1",
    "macro_f1_all": "Macro F1, written examples included",
    "accuracy": "Accuracy",
    "published_precision": "Precision among published",
    "published_coverage": "Share published without relabelling",
    "expected_calibration_error": "Expected calibration error",
    "risk_coverage_area": "Area under the risk-coverage curve",
    "held_out_rows": "Rows measured on",
    "held_out_rows_by_people": "Rows among them that people decided",
    "foreign_rows": "Texts asked about whose category was left out of the training",
    "foreign_published": "Of them, share that would be published as another category",
    "held_out_products": "Products held out as wholes: none of their reviews was trained on",
    "first_stage_share": "Share that the first stage decides",
    "agreement_with_last_stage": "Same category as the last stage alone",
    "rows_known_to_the_base": "Rows whose labels the base had learned before: they flatter",
}
_LANGUAGES: Final = {
    "de": "German",
    "en": "English",
    "es": "Spanish",
    "fr": "French",
    "ru": "Russian",
}
_FRONT_MATTER: Final = re.compile(r"\A---\n.*?\n---\n", re.DOTALL)
_HEADING: Final = re.compile(r"^(#+ )", re.MULTILINE)
_CERTAIN: Final = "at least, with 95% confidence"
# Fewer texts of a category than this teach some of its words, and not the category.
_FEW: Final = 20
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
    held: HeldOut,
    config: TrainConfig,
    parameters: int,
    graphs: Graphs,
) -> str:
    """Return the card as Markdown with a front matter that model hubs read.

    Args:
        manifest: with metrics, temperature and thresholds.
        dataset: what it was trained on.
        held: what temperature, thresholds and scores stand on.
        config: how.
        parameters: numbers in the model.
        graphs: how close each is to the trained module.
    """
    sections = (
        _front_matter(manifest),
        _what(manifest, parameters),
        _data(dataset),
        _scores(manifest, held),
        _decisions(manifest),
        _training(manifest.family, config),
        _graphs(graphs),
        _limits(dataset),
    )
    return "\n".join(sections)


def cascade_card(manifest: Manifest, held: HeldOut, first: str, last: str) -> str:
    """Return the card of a model of two stages: of the whole, then those of the stages by themselves.

    Args:
        manifest: of the whole.
        held: what temperature, thresholds and scores stand on.
        first: card of the first stage's folder; empty if it has none.
        last: likewise, of the last one's.
    """
    sections = (
        _front_matter(manifest),
        _stages(manifest),
        _scores(manifest, held),
        _decisions(manifest),
        _of_stage("first", first),
        _of_stage("last", last),
    )
    return "\n".join(sections)


def _stages(manifest: Manifest) -> str:
    stage = manifest.first_stage
    assert stage is not None  # noqa: S101 - it is the card of a cascade
    rows = [(slug, "never" if value > 1 else f"{value:.4f}") for slug, value in stage.keep.items()]
    lines = [
        f"# {manifest.name}\n",
        (
            f"Sorts {active_taxonomy().task} ({category_count()} categories) in two stages. The first one, "
            f"of the family `{stage.family}`, reads every text and decides where its own calibrated "
            "confidence reaches what is below; the last one reads the others. Scores, thresholds and "
            f"promise are of both together. Made {manifest.created_at} by version "
            f"{manifest.code_version} from model {stage.version}.\n"
        ),
        *table(("category", "the first stage decides from"), rows, numbers=[1]),
        "",
    ]
    return "\n".join(lines)


def _of_stage(which: str, card: str) -> str:
    """Return a stage's own card as a section: without its front matter, its headings one step lower."""
    body = _FRONT_MATTER.sub("", card, count=1)
    lowered = _HEADING.sub(r"#\1", body).strip() or "It has no card of its own."
    return f"## The {which} stage by itself\n\n{lowered}\n"


def _front_matter(manifest: Manifest) -> str:
    languages = active_taxonomy().languages
    lines = [
        "---",
        f"language: {languages[0] if len(languages) == 1 else list(languages)}",
        "license: apache-2.0",
        "library_name: onnxruntime",
        "pipeline_tag: text-classification",
        "model-index:",
        f"  - name: {manifest.name}",
        "    results:",
        f"      - task: {{type: text-classification, name: {json.dumps(active_taxonomy().name)}}}",
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
        f"Sorts {active_taxonomy().task} ({category_count()} categories). "
        f"Family `{manifest.family}`, {parameters / 1e6:.2f} million parameters, texts of up to "
        f"{manifest.max_length} word pieces. Made {manifest.created_at} by version "
        f"{manifest.code_version}; training data {manifest.training_digest[:16]}.\n"
    )


def _data(dataset: Dataset) -> str:
    counts = {
        category.slug: int((dataset.categories == category.id).sum())
        for category in all_categories()
    }
    explained = "; ".join(f"`{o}` rows {o.description}" for o in dataset.origins())
    lines = [
        "## Training data\n",
        (
            f"{len(dataset)} texts: {counted(dataset.origin)}. Of them {explained}. "
            "The texts are not part of the model's folder; where it holds a base for a successor, hashes "
            "of them are (`known.npy`), so that nothing is measured on them again.\n"
        ),
        *table(("category", "rows"), [(name, str(n)) for name, n in counts.items()], numbers=[1]),
        "",
    ]
    return "\n".join(lines)


def _scores(manifest: Manifest, held: HeldOut) -> str:
    rows = [(_NAMES.get(name, name), f"{value:g}") for name, value in manifest.metrics.items()]
    lines = [
        "## Scores\n",
        (
            "On held-out rows, each scored by a model that was trained without it. Temperature and "
            "thresholds were fitted to them as well, which flatters precision and coverage a little. "
            f"{_whose(held.rows.origin)}\n"
        ),
        *table(("", ""), rows, numbers=[1]),
        "",
        *(f"{sentence}\n" for sentence in not_said(manifest.metrics)),
        *(
            f"{sentence}\n"
            for sentence in (
                *said_of_unknown(manifest.thresholds, manifest.promises),
                *said_of_foreign(manifest.metrics),
            )
        ),
    ]
    return "\n".join(lines)


def _whose(origins: Sequence[Origin]) -> str:
    """Say by whose labels the model is judged, and what that means."""
    people = sum(origin.by_person for origin in origins)
    said = f"Their labels: {counted(origins)}."
    if people == len(origins):
        return f"{said} People decided all of them."
    decided = (
        f"People decided {people} of these {len(origins)}" if people else "No person decided any"
    )
    return (
        f"{said} **{decided}: temperature, thresholds and figures tell how far the model agrees with "
        "whoever labelled them, not how often it is right.**"
    )


def _decisions(manifest: Manifest) -> str:
    header = ("category", "threshold", "held out", "published", "right", _CERTAIN)
    rows = [
        (slug, _threshold(value), *_promise(manifest.promises.get(slug)))
        for slug, value in manifest.thresholds.items()
    ]
    lines = [
        "## Decisions\n",
        (
            f"Logits are divided by {manifest.temperature:g} before the softmax. A review is published "
            "if its best category reaches that category's threshold, and goes to relabelling "
            "otherwise.\n"
        ),
        _promised(manifest),
        *table(header, rows, numbers=range(1, len(header))),
        "",
    ]
    return "\n".join(lines)


def _promised(manifest: Manifest) -> str:
    asked = f"{manifest.asked_precision:.1%}"
    if manifest.guaranteed:
        return f"Thresholds keep a precision of {asked} with 95% confidence.\n"
    return (
        f"Thresholds are those at which {asked} of the held-out rows were right; what that promises of "
        "the next ones is in the last column.\n"
    )


def _promise(found: PromisedPrecision | None) -> tuple[str, str, str, str]:
    """Return what was held out, published, right among it, and what that promises."""
    if found is None or not found.published:
        return str(found.rows) if found else "", "0", "", ""
    right = f"{found.right / found.published:.1%}"
    return f"{found.rows:,}", f"{found.published:,}", right, f"{found.lower:.1%}"


def _threshold(value: float) -> str:
    return "never published" if value >= NEVER else f"{value:.4f}"


def _training(name: str, config: TrainConfig) -> str:
    shown = config.model_dump(include=set(_SHOWN))
    settings = ", ".join(f"{name} {shown[name]}" for name in _SHOWN)
    tricks = config.tricks.model_dump(exclude_defaults=True)
    imbalance = config.imbalance.model_dump(exclude_defaults=True)
    teachers = " and ".join(f"`{teacher.family}`" for teacher in config.distillation.taught_by)
    base = f"From the base `{config.base}`" if family(name).based else "From no base"
    taught = f" {teachers}, trained on the same texts, labelled further ones." if teachers else ""
    return (
        f"## Training\n\n{base}: {settings}. Besides: {tricks or 'nothing'}. "
        f"Against imbalance: {imbalance or 'nothing'}.{taught} All of it is in `training.json`.\n"
    )


def _graphs(graphs: Graphs) -> str:
    rows = [(name, f"{p.agreement:.2%}", f"{p.largest:.3g}") for name, p in graphs.parity.items()]
    lines = [
        "## Graphs\n",
        (
            f"Compared with the trained module on texts of the training data. `{CPU_GRAPH}` is the "
            f"{graphs.cpu} one: the first in a fixed order that names the module's category on "
            f"{LEAST_AGREEMENT:.1%} of them.\n"
        ),
        *table(("graph", "same category", "largest difference of a logit"), rows, numbers=[1, 2]),
        "",
    ]
    return "\n".join(lines)


def _limits(dataset: Dataset) -> str:
    languages = " and ".join(_LANGUAGES.get(code, code) for code in active_taxonomy().languages)
    said = [f"Made for texts in {languages}, as people type them."]
    guessed = sum(not origin.by_person for origin in dataset.origin)
    if guessed:
        said.append(
            f"Programs and language models, not people, labelled {guessed} of the {len(dataset)} texts: "
            "expect their mistakes in it."
        )
    if made := _mostly_made(dataset):
        said.append(f"Learned mainly from written and composed sentences: {', '.join(made)}.")
    counts = np.bincount(dataset.categories, minlength=category_count())
    if few := [f"{c.slug} ({counts[c.id]})" for c in all_categories() if counts[c.id] < _FEW]:
        said.append(f"Learned from few texts, and hardly to be relied on: {', '.join(few)}.")
    said.append(
        "It says nothing about a review's truth, its writer or its mood. Watch the share of relabelled "
        "reviews: a stream of another kind shows there first."
    )
    return "## Limits\n\n" + " ".join(said) + "\n"


def _mostly_made(dataset: Dataset) -> list[str]:
    """Return the categories most of whose texts no shopper wrote."""
    made = np.array([not origin.of_the_stream for origin in dataset.origin], dtype=np.bool_)
    of_category = [made[dataset.categories == category.id] for category in all_categories()]
    return [
        category.slug
        for category, rows in zip(all_categories(), of_category, strict=True)
        if len(rows) and rows.mean() > 0.5  # noqa: PLR2004 - most of them
    ]
