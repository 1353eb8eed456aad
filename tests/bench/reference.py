"""The bundled model beside a reference that anybody can rebuild: a 3-layer, 312-wide int8 BERT.

``python -m tests.bench.reference`` gives both the same reviews, cut into the same word pieces, in
interleaved rounds. Random weights do for the reference: only its speed is measured. Its plain form is
what ONNX Runtime's own tools make (attention fused, dynamic quantisation), called with 32 reviews
sorted by length, each product split over all cores.
"""

from __future__ import annotations

import argparse
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from tokenizers import Tokenizer

from schemas import all_categories
from stream.bench.doubles import split_classifier
from stream.bench.model import SPLIT_TOKENS, batch_rate, budget_rate, sample_of, text_rate
from stream.bench.plot import draw
from stream.bench.report import BenchmarkReport, interleave
from stream.cli.bench import EXAMPLES, read_texts
from stream.cli.console import note, out
from stream.model.classifier import Classifier
from stream.model.folder import CPU_GRAPH, TOKENIZER, Manifest, read_manifest, write_manifest
from tests.bench.starter_shape import BertShape, export_fused, random_bert
from training.export.quantise import quantise_dynamic
from training.export.static import activation_ranges, fix_scales
from training.export.vectorise import vectorise

BUNDLED: Final = Path(__file__).resolve().parents[2] / "deploy" / "model"
# That of `cointegrated/rubert-tiny2`; a wider `inner`, such as 4 x 312, would only flatter us.
REFERENCE: Final = BertShape(layers=3, width=312, heads=12, inner=600)
BASELINE: Final = "3x312 int8, 32 sorted by length"


def bench_reference(
    bundled: Path, texts: Sequence[str], work: Path, rounds: int, threads: int = 0
) -> BenchmarkReport:
    """Measure reviews a second of the bundled model and of the reference.

    Args:
        bundled: model folder.
        texts: real reviews; two thousand, cycling and numbered.
        work: folder for the reference's two forms.
        rounds: interleaved rounds.
        threads: 0 for all cores.
    """
    sample = sample_of(texts)
    ours = Classifier.load(bundled, "cpu", threads)
    ids = ours.last.tokenize(sample).ids
    plain, exported = _write_reference(bundled, ids[::4], work)
    reference = split_classifier(plain, threads, SPLIT_TOKENS)
    ours_split = split_classifier(bundled, threads, SPLIT_TOKENS)
    reference_served = Classifier.load(exported, "cpu", threads)
    contenders: dict[str, Callable[[], float]] = {
        "3x312 int8, one at a time": lambda: batch_rate(reference, ids[:256], 1, ordered=False),
        "3x312 int8, 64 in arrival order": lambda: batch_rate(reference, ids, 64, ordered=False),
        BASELINE: lambda: batch_rate(reference, ids, 32, ordered=True),
        "3x312 by our export, as served": lambda: budget_rate(reference_served, ids),
        "bundled, 32 sorted by length": lambda: batch_rate(ours_split, ids, 32, ordered=True),
        "bundled, as served": lambda: budget_rate(ours, ids),
        "bundled, as served, with tokenising": lambda: text_rate(ours, sample),
    }
    report = BenchmarkReport(
        "Beside the reference", BASELINE, interleave(contenders, rounds, "reviews/s")
    )
    report.facts |= {
        "model": ours.version,
        "threads": threads,
        "reviews": len(sample),
        "word_pieces_a_review": sum(map(len, ids)) / len(ids),
        "bundled_megabytes": (bundled / CPU_GRAPH).stat().st_size / 1e6,
        "reference_megabytes": (plain / CPU_GRAPH).stat().st_size / 1e6,
    }
    return report


def _write_reference(
    bundled: Path, calibration: Sequence[Sequence[int]], work: Path
) -> tuple[Path, Path]:
    """Write the reference's folders: its plain form, and the same weights by our export."""
    plain, exported = work / "reference-plain", work / "reference-exported"
    manifest = read_manifest(bundled)
    vocabulary = Tokenizer.from_file(str(bundled / TOKENIZER)).get_vocab_size()
    for folder in (plain, exported):
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        shutil.copyfile(bundled / TOKENIZER, folder / TOKENIZER)
    full = work / "reference.fp32.onnx"
    export_fused(random_bert(REFERENCE, vocabulary), full)
    quantise_dynamic(full, plain / CPU_GRAPH, seven_bits=False)
    shutil.copyfile(plain / CPU_GRAPH, exported / CPU_GRAPH)
    vectorise(exported / CPU_GRAPH)
    ranges = activation_ranges(full, calibration, manifest.pad_id)
    fix_scales(exported / CPU_GRAPH, ranges)
    for folder in (plain, exported):
        _describe(folder, manifest)
    return plain, exported


def _describe(folder: Path, like: Manifest) -> None:
    (folder / "README.md").write_text("# Random weights, for speed only\n", encoding="utf-8")
    manifest = Manifest(
        version="",
        name=folder.name,
        max_length=like.max_length,
        pad_id=like.pad_id,
        unknown_id=like.unknown_id,
        thresholds=dict.fromkeys(all_categories(), 0.0),
        files={},
    )
    write_manifest(folder, manifest)


def main() -> None:
    """Measure, show, and write JSON and picture."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", nargs="?", type=Path, default=BUNDLED)
    parser.add_argument("--input", type=Path, default=EXAMPLES)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--output", type=Path, default=Path("build/bench"))
    arguments = parser.parse_args()
    report = bench_reference(
        arguments.folder, read_texts(arguments.input), arguments.output, arguments.rounds
    )
    out.print(report.table())
    for fact, value in report.facts.items():
        note(f"[dim]{fact}: {value:,.4g}[/dim]" if isinstance(value, float) else f"{fact}: {value}")
    draw(report, report.write(arguments.output, "reference").with_suffix(".png"))


if __name__ == "__main__":
    main()
