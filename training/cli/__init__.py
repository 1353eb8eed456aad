"""The offline half's commands; they join `reviews` through an entry point."""

from __future__ import annotations

import typer


def register(app: typer.Typer) -> None:
    """Add the commands of `training` to the command line.

    Each command's module imports what is heavy only when it runs, so that `reviews --help` is quick.
    """
    from training.cli import compare, label, model, pretrain, relabel, retrain, train

    app.command(rich_help_panel="Learning")(train.train)
    app.command(rich_help_panel="Learning")(pretrain.pretrain)
    app.command(rich_help_panel="Learning")(compare.compare)
    app.command(rich_help_panel="Learning")(retrain.retrain)
    app.command("relabel-auto", rich_help_panel="Learning")(relabel.relabel_auto)
    app.add_typer(label.app, name="label", rich_help_panel="Learning")
    app.add_typer(model.app, name="model", rich_help_panel="Learning")
