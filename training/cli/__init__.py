"""The offline half's commands; they join `reviews` through an entry point."""

from __future__ import annotations

import os

import typer


def register(app: typer.Typer) -> None:
    """Add the commands of `training` to the command line.

    Each command's module imports what is heavy only when it runs, so that `reviews --help` is quick.
    """
    # Read once, when torch is imported: its exporter's advice to its own developers is no news to users.
    os.environ.setdefault("TORCH_CPP_LOG_LEVEL", "ERROR")
    from training.cli import (
        calibrate,
        cascade,
        compare,
        evaluate,
        label,
        model,
        pretrain,
        relabel,
        retrain,
        train,
    )

    app.command(rich_help_panel="Learning")(train.train)
    app.command(rich_help_panel="Learning")(pretrain.pretrain)
    app.command(rich_help_panel="Learning")(calibrate.calibrate)
    app.command(rich_help_panel="Learning")(evaluate.evaluate)
    app.command(rich_help_panel="Learning")(compare.compare)
    app.command(rich_help_panel="Learning")(retrain.retrain)
    app.command("relabel-auto", rich_help_panel="Learning")(relabel.relabel_auto)
    app.add_typer(label.app, name="label", rich_help_panel="Learning")
    model.app.command()(cascade.cascade)
    app.add_typer(model.app, name="model", rich_help_panel="Learning")
