"""`reviews train`: one family on one's own labels."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from stream.cli.console import note, out
from stream.cli.interruption import told_if_interrupted
from stream.cli.options import Json
from stream.cli.reading import reads_files
from stream.errors import InputError
from training.cli.labels_by import LabelsBy, unstated_of
from training.cli.progress import GOES_ON, stage_bars
from training.cli.tracking import tracker_of

if TYPE_CHECKING:
    from stream.files import Options
    from stream.model.folder import Manifest
    from training.data.dataset import Dataset
    from training.data.unstated import Unstated
    from training.fit.config import TrainConfig
    from training.split import Split
    from training.tracking.tracker import Tracker

# Share of words that a base cannot read, and texts to tell it by.
_FOREIGN: Final = 0.3
_LOOKED_AT: Final = 500
_EXAMPLE: Final = 'write it like {"epochs": 3, "tricks": {"r_drop": 1.0}}'

Seed = Annotated[int | None, typer.Option(help="Of everything random.", show_default=False)]
Epochs = Annotated[int | None, typer.Option(min=1, show_default=False)]
Encoder = Annotated[
    str | None,
    typer.Option(
        help="Base checkpoint: a folder or a downloaded hub name. Else the bundled one.",
        show_default=False,
    ),
]
ConfigFile = Annotated[
    Path | None,
    typer.Option("--config", help="JSON file with training options.", show_default=False),
]
Device = Annotated[str | None, typer.Option(help="auto, cpu or cuda.", show_default=False)]
Guarantee = Annotated[
    bool,
    typer.Option(
        "--guarantee", help="Publish only where that precision is kept with 95% confidence."
    ),
]
Foreign = Annotated[
    float | None,
    typer.Option(
        "--foreign",
        min=0.0,
        max=0.4,
        help="Share of the stream that belongs to no category: the precision is kept with it.",
        show_default=False,
    ),
]
Track = Annotated[
    str | None,
    typer.Option(
        metavar="URI",
        help="MLflow server or folder that gets a record; else REVIEWS_TRACKING__URI.",
        show_default=False,
    ),
]


@reads_files
def train(
    family: Annotated[
        str,
        typer.Argument(
            help="bert, lora, mlp, lstm, static, bert-lstm, bert-lstm-attention, -dropout, "
            "embeddings, hybrid."
        ),
    ],
    labels: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="[LABELS]...",
            help="CSV or JSON lines with text and category. Without any, our own examples.",
            show_default=False,
        ),
    ] = None,
    output: Annotated[
        Path, typer.Option("--output", "-o", help="Model folder; an older model is replaced.")
    ] = Path("build/model"),
    work: Annotated[
        Path, typer.Option(help="Keeps what is on the way, to go on after Ctrl-C.")
    ] = Path("build/training"),
    validation: Annotated[
        Path | None,
        typer.Option(
            help="Labels to calibrate on; else out-of-fold predictions.", show_default=False
        ),
    ] = None,
    config: ConfigFile = None,
    encoder: Encoder = None,
    teacher: Annotated[
        list[str] | None,
        typer.Option(
            metavar="FAMILY[=BASE]",
            help="Family that labels further texts, on a base of its own if one is named; repeat "
            "it for an ensemble.",
        ),
    ] = None,
    unlabelled: Annotated[
        Path | None,
        typer.Option(
            help="Reviews that the teachers label; else pieces of the labelled ones.",
            show_default=False,
        ),
    ] = None,
    epochs: Epochs = None,
    seed: Seed = None,
    device: Device = None,
    quantise: Annotated[
        str | None,
        typer.Option(
            help="Eight-bit graph for a CPU: auto, static, dynamic or none.", show_default=False
        ),
    ] = None,
    precision: Annotated[
        float | None,
        typer.Option(
            min=0.5, max=0.999, help="Wanted among what is published.", show_default=False
        ),
    ] = None,
    guarantee: Guarantee = False,
    foreign: Foreign = None,
    half: Annotated[bool, typer.Option("--half", help="Also a graph for a GPU.")] = False,
    labels_by: LabelsBy = None,
    track: Track = None,
    as_json: Json = False,
    *,
    reading_as: Options,
) -> None:
    """Train a model and export it to a folder that `reviews work` can serve.

    Ctrl-C keeps the finished epochs: the same command goes on there.
    """
    chosen = options_of(
        config,
        encoder=encoder,
        epochs=epochs,
        seed=seed,
        device=device,
        quantise=quantise,
        precision=precision,
        guarantee=guarantee or None,
        foreign_share=foreign,
    )
    _add_teachers(chosen, teacher or [], unlabelled)
    tracker = tracker_of(track)
    with told_if_interrupted(lambda: _again(family)):
        files = _Files(labels or [], validation, unstated_of(labels_by, reading_as))
        manifest = _family(family, files, output, work, chosen, half, tracker)
    _print(manifest, output, as_json)


def _again(name: str) -> str:
    """Say what the same command does after an interruption."""
    from training.models.family import family

    if family(name).varies:
        return GOES_ON
    return "the same command begins anew: this family has no epochs"


def options_of(config: Path | None, **given: Any) -> dict[str, Any]:
    """Return training options from a file, and from the command line over them.

    Raises:
        InputError: the file is absent or wrong.
    """
    read: dict[str, Any] = {}
    if config is not None:
        try:
            read = json.loads(config.read_text(encoding="utf-8"))
        except OSError as error:
            raise InputError(
                f"{config} cannot be read: {error.strerror}", "name a JSON file"
            ) from None
        except (ValueError, RecursionError) as error:
            raise InputError(f"{config} is no JSON: {error}", _EXAMPLE) from None
        if not isinstance(read, dict):
            raise InputError(f"{config} holds no JSON object", _EXAMPLE)
    return read | {name: value for name, value in given.items() if value is not None}


def _add_teachers(options: dict[str, Any], teachers: list[str], texts: Path | None) -> None:
    """Put the command line's distillation into the options, over the file's.

    Raises:
        InputError: texts without teachers.
    """
    given: dict[str, Any] = {"teachers": teachers or None, "texts": texts}
    given = {name: value for name, value in given.items() if value is not None}
    if not given:
        return
    known = options.get("distillation")
    options["distillation"] = (known if isinstance(known, dict) else {}) | given
    if not options["distillation"].get("teachers"):
        raise InputError("unlabelled texts need a teacher", "name one: --teacher bert")


def config_of(given: dict[str, Any], base: TrainConfig | None = None) -> TrainConfig:
    """Return a configuration with some options replaced.

    Raises:
        InputError: an option is unknown or out of its range.
    """
    from pydantic import ValidationError

    from training.fit.config import TrainConfig

    known = (base or TrainConfig()).model_dump()
    try:
        return TrainConfig.model_validate(known | given)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(map(str, first["loc"])) or "the options"
        if first["type"] == "extra_forbidden":
            raise _unknown_option(where, TrainConfig) from None
        raise InputError(
            f"{where}: {first['msg']}", "training/fit/config.py explains each option"
        ) from None


def _unknown_option(where: str, model: Any) -> InputError:
    """Return what to say of an option that there is not, with the likeliest that there is."""
    from difflib import get_close_matches

    *group, name = where.split(".")
    for part in group:
        model = model.model_fields[part].annotation
    known = list(model.model_fields)
    near = get_close_matches(name, known, 1)
    remedy = f"did you mean {near[0]}?" if near else f"use one of {', '.join(known)}"
    return InputError(f"there is no option {where}", remedy)


@dataclass(frozen=True, slots=True)
class _Files:
    """Files of labels that the command line names: to train on, to calibrate on, and by whom."""

    labels: list[Path]
    validation: Path | None
    unstated: Unstated


def read_labels(files: list[Path], unstated: Unstated) -> Dataset:
    """Read labelled files or datasets, or our own examples if none is named.

    Args:
        files: of labels.
        unstated: what is assumed of rows that do not say who decided.

    Raises:
        DataError: a file cannot be read, or there is no labelled review in them.
    """
    from training.data.dataset import join, read_rows
    from training.data.parts import examples_file
    from training.errors import DataError

    rows = (
        join(*(read_rows(file, unstated) for file in files))
        if files
        else read_rows(examples_file())
    )
    if not len(rows):
        named = ", ".join(map(str, files or [examples_file()]))
        raise DataError(f"{named}: no labelled review", "label some reviews first")
    return rows


def _family(
    family: str,
    files: _Files,
    output: Path,
    work: Path,
    given: dict[str, Any],
    half: bool,
    tracker: Tracker,
) -> Manifest:
    from training.data.dataset import (
        check_calibratable,
        check_learnable,
        check_measurable,
        read_test_dataset,
    )
    from training.encoders.checkpoints import local_checkpoint
    from training.split import split_of
    from training.train import check_options, check_servable, check_teachers, train_family
    from training.writable import check_replaceable

    check_servable(family)
    config = config_of({"checkpoints": work / family} | given)
    check_teachers(config)
    check_options(family, config)
    local_checkpoint(str(config.encoder))
    check_replaceable(output)
    dataset = read_labels(files.labels, files.unstated)
    validation, calibration, split = files.validation, None, None
    if validation is not None:
        calibration = read_test_dataset(validation, files.unstated)
    if calibration is not None:
        dataset = dataset.without_texts_of(calibration)
        if not len(dataset):
            raise InputError(
                f"no text is left to train on: {validation} holds all of them",
                "calibrate on other reviews, or leave out --validation",
            )
        check_learnable(dataset)
        check_calibratable(calibration)
    else:
        check_measurable(dataset)
        check_learnable(dataset)
        split = split_of(dataset, config)
        tell_of_products(dataset, config, split)
    _tell_of_language(family, dataset, config)
    # torch and what else a training needs: a mistake above is answered without waiting for them.
    from training.export.folder import FolderOptions
    from training.tracking.records import add_training, training_record

    options = FolderOptions(name=family, half_graph=half)
    with stage_bars() as progress, tracker.run(training_record(family, config)) as run:
        manifest = train_family(
            family,
            dataset,
            output,
            config,
            progress,
            calibration=calibration,
            split=split,
            options=options,
        )
        add_training(run, output, manifest)
    return manifest


def tell_of_products(dataset: Dataset, config: TrainConfig, split: Split) -> None:
    """Say whether what is measured is of goods that the model did not see."""
    products = len(set(dataset.product) - {""})
    if split.products:
        note(f"{split.products} products are held out as wholes: scores are of unseen goods")
    elif products and config.held_out == "rows":
        note(f"rows are held out at random: their {products} products were trained on")
    elif products:
        note(
            f"rows are held out at random, which may flatter: {products} named products are too few to "
            "hold some out"
        )


def _tell_of_language(name: str, dataset: Dataset, config: TrainConfig) -> None:
    """Say so where the base was made for another language than the texts are in."""
    from tokenizers import Tokenizer

    from training.encoders.checkpoints import local_checkpoint
    from training.encoders.vocabulary import spelled_share
    from training.models.family import family

    file = local_checkpoint(str(config.encoder)) / "tokenizer.json"
    if not family(name).based or not file.is_file():
        return
    step = max(1, len(dataset) // _LOOKED_AT)
    share = spelled_share(Tokenizer.from_file(str(file)), dataset.normalized[::step])
    if share > _FOREIGN:
        note(
            f"[yellow]the base's vocabulary has none of {share:.0%} of the longer words: it was made for "
            "other texts[/yellow]; [bold]reviews pretrain TEXTS[/bold] makes one of yours for "
            "[bold]--encoder[/bold], and the family [bold]static[/bold] needs none"
        )


def _print(manifest: Manifest, folder: Path, as_json: bool) -> None:
    if as_json:
        out.print_json(
            json.dumps(
                {
                    "folder": str(folder),
                    "version": manifest.version,
                    "family": manifest.family,
                    "metrics": manifest.metrics,
                    "temperature": manifest.temperature,
                    "thresholds": manifest.thresholds,
                }
            )
        )
    else:
        for name, value in manifest.metrics.items():
            out.print(f"{name.replace('_', ' '):28} {value:g}", markup=False)
    _caution(manifest)
    if known := int(manifest.metrics.get("rows_known_to_the_base", 0)):
        note(
            f"the base had learned {known} of the texts that this was measured on: scores and "
            "thresholds flatter. [bold]--validation FILE[/bold] with reviews of your own mends that"
        )
    note(
        f"model [bold]{manifest.version}[/bold] is in {folder}; its card is {folder / 'README.md'}"
    )
    note(
        f"next: [bold]reviews classify FILE -o OUTPUT --model {folder}[/bold], or "
        f"[bold]reviews model add {folder}[/bold]"
    )


def _caution(manifest: Manifest) -> None:
    """Say what the figures do not say."""
    from training.measures.rule import LEAST_MEASURED, not_said, said_of_foreign, said_of_unknown

    for sentence in (
        *not_said(manifest.metrics),
        *said_of_unknown(manifest.thresholds, manifest.promises),
        *said_of_foreign(manifest.metrics),
    ):
        note(f"[yellow]{sentence}[/yellow]")
    rows = int(manifest.metrics.get("held_out_rows", 0))
    people = int(manifest.metrics.get("held_out_rows_by_people", 0))
    if people < rows and rows >= LEAST_MEASURED:
        note(
            f"[yellow]people decided {people} of the {rows} labels that it was measured on: figures "
            "tell how far it agrees with whoever decided the others[/yellow]"
        )
