"""A trained model goes in, a model folder comes out: complete and checked, or not at all."""

from __future__ import annotations

import json
import platform
import shutil
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final, cast

from schemas import active_taxonomy, category_infos
from stream.errors import ModelError
from stream.model.classifier import Classifier
from stream.model.folder import (
    CPU_GRAPH,
    GPU_GRAPH,
    TOKENIZER,
    Manifest,
    SelfTest,
    write_manifest,
)
from stream.text import normalize
from training.data.dataset import Dataset
from training.encoders.encoder import WEIGHTS
from training.encoders.known import write_known
from training.export.card import model_card
from training.export.cpu_graph import SINGLE, Sample, write_cpu_graph
from training.export.graph import export_graph
from training.export.parity import Graphs, graph_logits
from training.export.quantise import halve
from training.fit.config import Progress, TrainConfig, silent
from training.fit.loop import NeuralModel
from training.measures.held_out import HeldOut
from training.measures.rule import ManifestRule, promised

RUN_FILE: Final = "training.json"
_LARGEST_DIFFERENCE: Final = 1e-2
# Stored with the folder and repeated whenever it is loaded; with many categories those of some suffice.
_SELF_TEST_TEXTS: Final = 20


@dataclass(frozen=True, slots=True)
class FolderOptions:
    """What goes into a folder besides what a worker on a CPU needs.

    Attributes:
        name: of the model, in manifest and card.
        half_graph: also write a graph in half precision, for a GPU.
        base: also write encoder weights in half precision, so that the folder is a base for its
            successor.
    """

    name: str = "reviews"
    half_graph: bool = False
    base: bool = True


@dataclass(frozen=True, slots=True)
class Made:
    """How a model was made: what its folder tells of it.

    Attributes:
        family: its name.
        config: how it was trained.
        dataset: what it was trained on.
        held: labelled rows that it was not trained on, and what was said of them.
        rule: of its decisions, from those rows.
    """

    family: str
    config: TrainConfig
    dataset: Dataset
    held: HeldOut
    rule: ManifestRule


def write_folder(
    model: NeuralModel,
    made: Made,
    sample: Sample,
    folder: Path,
    options: FolderOptions = FolderOptions(),
    progress: Progress = silent,
) -> Manifest:
    """Export a trained model; the folder appears once it is complete and loads.

    Args:
        model: trained.
        made: how.
        sample: of its training texts, to judge the graphs by.
        folder: where the model goes.
        options: what else goes into the folder.
        progress: is told how far it is.

    Raises:
        ModelError: the exported model does not compute what the trained one does.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    progress("export", 0, 3)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}-") as temporary:
        aside = Path(temporary) / "model"
        aside.mkdir()
        parameters = sum(p.numel() for p in model.module.parameters())
        graphs = _write_graphs(model, aside, sample, made.config, options)
        progress("export", 1, 3)
        _write_tokenizer_and_base(model, aside, options)
        if (aside / WEIGHTS).is_file():
            write_known(aside, made.dataset, str(made.config.encoder))
        manifest = _manifest(model, made, options, _self_test(model, aside))
        card = model_card(manifest, made.dataset, made.held, made.config, parameters, graphs)
        (aside / "README.md").write_text(card, encoding="utf-8")
        (aside / RUN_FILE).write_text(_run_record(made, graphs, model.losses), encoding="utf-8")
        manifest = write_manifest(aside, manifest)
        progress("export", 2, 3)
        Classifier.load(aside, device="cpu")
        _move_into_place(aside, folder)
    progress("export", 3, 3)
    return manifest


def _manifest(
    model: NeuralModel, made: Made, options: FolderOptions, self_test: tuple[SelfTest, ...]
) -> Manifest:
    """Return the manifest, as yet without its files and their version."""
    rule, config = made.rule, made.config
    return Manifest(
        version="",
        name=options.name,
        family=made.family,
        taxonomy=active_taxonomy().digest,
        created_at=datetime.now(UTC).isoformat(timespec="seconds"),
        max_length=model.max_length,
        pad_id=model.encoder.pad_id,
        unknown_id=model.encoder.unknown_id,
        temperature=rule.temperature,
        thresholds=dict(zip(active_taxonomy().slugs, rule.thresholds, strict=True)),
        asked_precision=config.precision,
        guaranteed=config.guarantee,
        promises=promised(rule.promises),
        metrics=rule.metrics,
        training_digest=made.dataset.digest,
        code_version=version("reviews-stream"),
        files={},
        self_test=self_test,
        reference=rule.reference,
    )


def _write_graphs(
    model: NeuralModel, folder: Path, sample: Sample, config: TrainConfig, options: FolderOptions
) -> Graphs:
    """Write the graph for the CPU, eight-bit if that keeps the categories, and the others."""
    full = folder / "full.onnx"
    export_graph(model, full)
    exact = sample.parity(full)
    if not exact.largest <= _LARGEST_DIFFERENCE:
        raise ModelError(
            f"the exported graph is off by {exact.largest:.3g} from the trained module",
            "this is a defect of the export: report it with the family's name",
        )
    chosen = write_cpu_graph(full, folder / CPU_GRAPH, sample, config.quantise)
    parity = {SINGLE: exact, **chosen.tried, CPU_GRAPH: chosen.tried[chosen.name]}
    if options.half_graph:
        halve(full, folder / GPU_GRAPH)
        parity[GPU_GRAPH] = sample.parity(folder / GPU_GRAPH)
    full.unlink()
    return Graphs(chosen.name, parity)


def _write_tokenizer_and_base(model: NeuralModel, folder: Path, options: FolderOptions) -> None:
    if options.base and getattr(model.module, "encoder", None) is not None:
        model.encoder.model = cast("Any", model.module).encoder
        model.encoder.save(folder, half=True)
        return
    model.encoder.tokenizer.no_padding()
    model.encoder.tokenizer.no_truncation()
    model.encoder.tokenizer.save(str(folder / TOKENIZER))


def _self_test(model: NeuralModel, folder: Path) -> tuple[SelfTest, ...]:
    """Let the CPU graph answer; a classifier may cut the same texts into several calls."""
    texts = self_test_texts()
    ids = model.encoder.tokenize(texts, model.max_length)
    logits = graph_logits(folder / CPU_GRAPH, ids, model.encoder.pad_id)
    return tuple(
        SelfTest(text=text, logits=[round(float(value), 4) for value in row])
        for text, row in zip(texts, logits, strict=True)
    )


def self_test_texts() -> list[str]:
    """Return what a model is tried with: names and descriptions of the taxonomy. No text of the training data goes out.

    A taxonomy's examples are such texts, where they were taken from labels.
    """
    infos, language = category_infos(), active_taxonomy().languages[0]
    chosen = infos[:: -(-len(infos) // _SELF_TEST_TEXTS)]
    return [normalize(info.description(language) or info.name(language)) for info in chosen]


def _run_record(made: Made, graphs: Graphs, losses: Sequence[float]) -> str:
    """Return how this model was made, for people and programs, as JSON."""
    packages = ("numpy", "onnx", "onnxruntime", "tokenizers", "torch", "transformers")
    record = {
        "config": made.config.described(),
        "base": made.config.base,
        "losses": [round(loss, 6) for loss in losses],
        "training_digest": made.dataset.digest,
        "origins": made.dataset.origins(),
        "measured_on": made.held.rows.origins(),
        "parity": {
            name: {"largest": round(p.largest, 6), "agreement": round(p.agreement, 6)}
            for name, p in graphs.parity.items()
        },
        "cpu_graph": graphs.cpu,
        "versions": {name: version(name) for name in packages},
        "python": platform.python_version(),
        "platform": sys.platform,
    }
    return json.dumps(record, indent=2, ensure_ascii=False) + "\n"


def _move_into_place(complete: Path, folder: Path) -> None:
    """Replace a model folder by another: at every moment one of both is there, or its backup."""
    backup = folder.with_name(f".{folder.name}-old")
    shutil.rmtree(backup, ignore_errors=True)
    if folder.exists():
        folder.replace(backup)
    complete.replace(folder)
    shutil.rmtree(backup, ignore_errors=True)
