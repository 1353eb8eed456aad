"""`reviews backfill`: what came in since some time, once more, with another model."""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from stream.cli.console import err, note, out
from stream.cli.interruption import told_if_interrupted
from stream.cli.options import Json, Prefix, Servers, settings_from
from stream.cli.signals import interruptible


def backfill(
    since: Annotated[
        datetime,
        typer.Option(
            "--from",
            formats=["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M:%S%z"],
            help="Time of the first review on Kafka; UTC unless it says otherwise.",
        ),
    ],
    suffix: Annotated[
        str,
        typer.Option(
            "--to-topic-suffix",
            help="What the outcomes' topics end with, as .model-7; names the run, too.",
        ),
    ],
    model: Annotated[
        Path | None,
        typer.Option(help="Model folder; else REVIEWS_MODEL__FOLDER.", show_default=False),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Count, change nothing.")] = False,
    servers: Servers = None,
    prefix: Prefix = None,
    as_json: Json = False,
) -> None:
    """Classify past reviews again, onto topics of their own; the live ones are only read.

    Stopped and started again with the same suffix, it goes on where it was. Consumers read the
    result with REVIEWS_TOPICS__OUTPUT_SUFFIX set to the suffix.
    """
    from stream.model.classifier import Classifier
    from stream.operations.backfill import Backfill
    from stream.worker.gc_tuning import tuned_gc

    if not suffix.strip("."):
        raise typer.BadParameter("a suffix is needed: the live topics are not written to")
    suffix = suffix if suffix.startswith(".") else f".{suffix}"
    sections = {"model": {"folder": model}} if model is not None else {}
    settings = settings_from(servers, prefix, topics={"output_suffix": suffix}, **sections)
    job = Backfill(settings, since if since.tzinfo else since.replace(tzinfo=UTC))

    def what_is_left() -> str:
        if dry_run:
            return "nothing was changed"
        return (
            f"what is classified is on the topics with {suffix}; the same command goes on after it"
        )

    with told_if_interrupted(what_is_left), err.status("classifying past reviews"):
        if dry_run:
            report = interruptible(job.plan())
        else:
            m = settings.model
            classifier = Classifier.load(m.folder, m.device, m.threads, m.chunk_tokens)
            with tuned_gc():
                report = interruptible(job.run(classifier))
    if as_json:
        out.print_json(json.dumps({**asdict(report), "dry_run": dry_run}))
    if report.resumed:
        note(f"a run with {suffix} had begun: it went on from there, not from --from")
    verb = "would be classified" if dry_run else "classified"
    note(f"at most {report.events:,} reviews {verb}, onto topics that end with {suffix}")
    if not dry_run:
        note(f"next: [bold]REVIEWS_TOPICS__OUTPUT_SUFFIX={suffix} reviews consume --drain[/bold]")
