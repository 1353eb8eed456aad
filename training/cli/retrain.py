"""`reviews retrain`: from decisions to a better model, or a refusal that says why."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from stream.cli.console import err, note, out
from stream.cli.interruption import told_if_interrupted
from stream.cli.options import Json, Prefix, Servers, settings_from
from stream.cli.reading import reads_files
from stream.cli.signals import interruptible
from stream.errors import InputError
from stream.listing import some
from training.cli.labels_by import LabelsBy, unstated_of
from training.cli.progress import stage_bars
from training.cli.train import config_of, options_of

if TYPE_CHECKING:
    from stream.files import Options
    from stream.settings import Settings
    from training.retrain.lineage import Lineage
    from training.retrain.run import Plan, RetrainOutcome

_REFUSED = 1
_MOST_UNSEEN = 12


@reads_files
def retrain(
    family: Annotated[
        str | None,
        typer.Option(
            help="Else REVIEWS_LEARNING__FAMILY, or that of the serving model.", show_default=False
        ),
    ] = None,
    base: Annotated[
        list[Path] | None,
        typer.Option(help="Labelled file to begin with; repeatable.", show_default=False),
    ] = None,
    no_base: Annotated[bool, typer.Option("--no-base", help="Only what was decided.")] = False,
    frozen: Annotated[
        list[Path] | None,
        typer.Option(help="Labelled file to compare models on; repeatable.", show_default=False),
    ] = None,
    config: Annotated[
        Path | None,
        typer.Option(help="JSON file with training options.", show_default=False),
    ] = None,
    registry: Annotated[
        Path | None,
        typer.Option("--registry", help="Else REVIEWS_LEARNING__REGISTRY.", show_default=False),
    ] = None,
    watch: Annotated[
        bool, typer.Option("--watch", help="Retrain whenever enough was decided, until stopped.")
    ] = False,
    min_new: Annotated[
        int, typer.Option(min=1, help="With --watch: newly decided reviews that are enough.")
    ] = 100,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only show what would be trained on.")
    ] = False,
    no_announce: Annotated[
        bool, typer.Option("--no-announce", help="Promote in the registry; tell no worker.")
    ] = False,
    trial: Annotated[
        Literal["shadow", "canary"] | None,
        typer.Option(help="What passes is tried beside the champion first.", show_default=False),
    ] = None,
    share: Annotated[
        float, typer.Option(min=0.001, max=1.0, help="With --trial canary: share of review ids.")
    ] = 0.1,
    labels_by: LabelsBy = None,
    servers: Servers = None,
    prefix: Prefix = None,
    as_json: Json = False,
    *,
    reading_as: Options,
) -> None:
    """Train a model on what was decided, compare it with the serving one, and promote or refuse it.

    Exit code 1: the new model was refused. Ctrl-C is safe at any time: the serving model goes on.
    """
    from training.retrain.run import Plan, serving_family
    from training.train import check_options, check_servable, check_teachers

    sections: dict[str, Any] = {"learning": {"registry": registry}} if registry else {}
    settings = settings_from(servers, prefix, **sections)
    if base and no_base:
        raise InputError("--base and --no-base exclude each other", "leave one of them out")
    if trial and no_announce:
        raise InputError("--trial is for the workers to be told", "leave --no-announce out")
    chosen = family or settings.learning.family or serving_family(settings)
    check_servable(chosen)
    options = config_of(options_of(config))
    check_teachers(options)
    check_options(chosen, options)
    plan = Plan(
        family=chosen,
        config=options,
        base=() if no_base else base,
        frozen=frozen or (),
        unstated=unstated_of(labels_by, reading_as),
        tell_workers=not no_announce,
        dry_run=dry_run,
        role=trial or "serving",
        share=share,
    )
    if watch:
        _watch(settings, plan, min_new, as_json)
        return
    outcome = _once(settings, plan)
    _print(outcome, plan, as_json)
    if outcome.verdict is not None and not outcome.verdict.passed:
        raise typer.Exit(_REFUSED)


def _once(settings: Settings, plan: Plan) -> RetrainOutcome:
    from training.retrain.run import retrain as run

    def what_is_left() -> str:
        return "the serving model was not touched; the same command goes on"

    with told_if_interrupted(what_is_left), stage_bars() as progress:
        return run(
            settings,
            plan,
            progress=progress,
            before=lambda lineage: _say_what_is_to_come(settings, plan, lineage),
        )


def _say_what_is_to_come(settings: Settings, plan: Plan, lineage: Lineage) -> None:
    """Say how long it will take, and what the decisions suffice for."""
    from schemas import all_categories
    from training.retrain.durations import expected_seconds

    if plan.base is None and not lineage.base:
        note(
            "[yellow]no base:[/yellow] only what was decided is trained on. Name the labelled files that the "
            "serving model began with, REVIEWS_LEARNING__BASE or --base; --no-base says that there are none"
        )
    if unseen := [c for c in all_categories() if not lineage.rows_by_category.get(c)]:
        note(
            f"[yellow]no text of {some(unseen, _MOST_UNSEEN)}:[/yellow] what belongs there is taken for "
            "another category, or asked about; label some"
        )
    known = expected_seconds(settings.learning.runs, plan.family, lineage.rows)
    if known is None:
        note(f"{lineage.rows:,} texts; how long {plan.family} takes is not known here yet")
    else:
        seconds, run = known
        note(
            f"{lineage.rows:,} texts: about {_minutes(seconds)}; the last run of {plan.family} took "
            f"{_minutes(run.seconds)} for {run.rows:,}"
        )
    held_out = lineage.labels.held_out
    share = settings.learning.held_out_share
    support = settings.gate.category_support
    note(
        f"decided: {lineage.labels.reviews:,}; {held_out:,} of them are held out for the comparison. "
        f"A category is judged by itself from {support} held out, about {support / share:,.0f} decisions"
        if share
        else f"decided: {lineage.labels.reviews:,}; none is held out for the comparison"
    )


def _minutes(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 90 else f"{seconds / 60:.0f} min"  # noqa: PLR2004 - reads better


def _watch(settings: Settings, plan: Plan, min_new: int, as_json: bool) -> None:
    from stream.queue.label_topic import read_labels
    from training.registry.store import Registry
    from training.retrain.errors import NothingToLearn
    from training.retrain.labels import wait_for_labels
    from training.retrain.run import last_offsets

    since = last_offsets(Registry(settings.learning.registry).state())
    while True:
        note(f"waiting for {min_new} newly decided reviews; Ctrl-C stops")
        count = interruptible(wait_for_labels(settings, since, min_new, _say_unreadable))
        note(f"{count} reviews were decided: retraining")
        try:
            outcome = _once(settings, plan)
        except NothingToLearn as nothing:
            note(f"{nothing.message}: waiting for more")
            since = interruptible(read_labels(settings)).offsets
            continue
        since = outcome.lineage.labels.offsets
        _print(outcome, plan, as_json)


def _say_unreadable(count: int) -> None:
    note(f"[yellow]{count:,} messages on the topic are no labels: left out[/yellow]")


def _print(outcome: RetrainOutcome, plan: Plan, as_json: bool) -> None:
    verdict, record = outcome.verdict, outcome.record
    if as_json:
        out.print_json(
            json.dumps(
                {
                    "promoted": verdict.passed and plan.role == "serving" if verdict else None,
                    "passed": verdict.passed if verdict else None,
                    "role": plan.role if verdict and verdict.passed else None,
                    "announced": outcome.announced,
                    "number": record.number if record else None,
                    "version": record.version if record else None,
                    "reasons": verdict.reasons if verdict else [],
                    "lineage": outcome.lineage.model_dump(mode="json"),
                    "report": str(outcome.folder / "gate.html") if verdict else None,
                },
                ensure_ascii=False,
            )
        )
    else:
        _print_lineage(outcome)
    if verdict is None or record is None:
        note("nothing was trained; without --dry-run it is")
        return
    word = "[red]refused[/red]"
    if verdict.passed:
        word = f"[green]{'promoted' if plan.role == 'serving' else f'tried as {plan.role}'}[/green]"
    note(f"version {record.number} is {word}")
    for reason in verdict.reasons:
        err.print(f"  {reason}", markup=False, soft_wrap=True)
    note(f"report: {outcome.folder / 'gate.html'}")
    if verdict.passed and plan.role != "serving":
        note(
            f"next: [bold]reviews model promote {record.number}[/bold] or "
            f"[bold]reviews model off {plan.role}[/bold]"
        )
    elif verdict.passed:
        note("next: [bold]reviews model list[/bold]; [bold]reviews model rollback[/bold] undoes it")
    else:
        note("next: look at the report; the serving model goes on")


def _print_lineage(outcome: RetrainOutcome) -> None:
    lineage = outcome.lineage
    labels = lineage.labels
    rows = (
        ("trained on", f"{lineage.rows} texts: {_counts(lineage.rows_by_origin)}"),
        ("decided", f"{labels.reviews} reviews: {_counts(labels.decided_by)}"),
        (
            "left out",
            _counts(
                {
                    **labels.dropped,
                    "unreadable": labels.unreadable,
                    "held out": labels.held_out,
                    "audits": labels.audited,
                }
            ),
        ),
        ("categories", _counts(lineage.rows_by_category)),
        ("compared on", _counts({s.name: s.rows for s in lineage.frozen})),
        ("dataset", lineage.digest[:16]),
    )
    for name, value in rows:
        out.print(f"{name:12} {value}", markup=False)


def _counts(counts: dict[str, int]) -> str:
    return ", ".join(f"{name} {n}" for name, n in counts.items() if n) or "nothing"
