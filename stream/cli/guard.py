"""`reviews guard`: which categories are held and why; `reviews guard release` lets one go."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated

import typer

from stream.account import account_name
from stream.cli.console import note, out
from stream.cli.options import Json, Prefix, Servers, settings_from
from stream.cli.signals import interruptible
from stream.errors import InputError

if TYPE_CHECKING:
    from rich.table import Table

    from schemas import GuardDecision

app = typer.Typer(help="Categories that are held because their promise was found broken.")


@app.callback(invoke_without_command=True)
def guard(
    context: typer.Context,
    history: Annotated[
        bool, typer.Option("--history", help="Every decision, the oldest first.")
    ] = False,
    servers: Servers = None,
    prefix: Prefix = None,
    as_json: Json = False,
) -> None:
    """Say which categories are held, and why. Exit code 1: one is."""
    if context.invoked_subcommand is not None:
        return
    from stream.guard.topic import read_holds

    settings = settings_from(servers, prefix)
    holds = interruptible(read_holds(settings))
    shown = holds.history if history else holds.all_held()
    if as_json:
        out.print_json(json.dumps([one.model_dump(mode="json") for one in shown]))
    elif shown:
        out.print(_table(shown))
    else:
        out.print("no category is held" if not history else "nothing was ever held")
    if settings.guard.mode != "hold":
        note(f"REVIEWS_GUARD__MODE is {settings.guard.mode} here: such workers hold nothing")
    if holds.all_held():
        raise typer.Exit(1)


@app.command()
def release(
    category: Annotated[str, typer.Argument(help="Slug or name of the category.")],
    why: Annotated[str, typer.Option("--note", help="Kept with the release.")] = "",
    by: Annotated[
        str | None, typer.Option(help="Who releases; else the account.", show_default=False)
    ] = None,
    servers: Servers = None,
    prefix: Prefix = None,
) -> None:
    """Let a category be published again. Only audits of what is published from now on count then."""
    from stream.categories import category_named
    from stream.guard.sealing import DecisionSeal
    from stream.guard.topic import publish, read_holds

    settings = settings_from(servers, prefix)
    wanted = category_named(category)
    held = list(interruptible(read_holds(settings)).of(wanted))
    if not held:
        raise InputError(f"{wanted} is not held", "`reviews guard` lists what is")
    seal = DecisionSeal(settings.guard, settings.topics.prefix)
    released = [seal.sealed(_released(one, by or account_name(), why)) for one in held]
    interruptible(publish(settings, released))
    counted = interruptible(read_holds(settings))
    for one in released:
        last = counted.last(one.model_version, one.category)
        if last is None or last.number < one.number or last.action != "released":
            raise InputError(
                f"{wanted} was not released: the decision does not count",
                "REVIEWS_GUARD__KEY must be that of monitor and workers",
            )
        out.print(f"{wanted} of model {one.model_version} is released")


def _released(held: GuardDecision, by: str, why: str) -> GuardDecision:
    from schemas import GuardDecision, encode

    try:
        decision = GuardDecision(
            category=held.category,
            model_version=held.model_version,
            number=held.number + 1,
            action="released",
            decided_by=by,
            note=why,
        )
        encode(decision)
    except ValueError:  # too long, or bytes of another encoding
        raise InputError(
            "nothing is released: the words do not fit into a decision",
            "write --note and --by as plain text, a few sentences at most",
        ) from None
    return decision


def _table(shown: list[GuardDecision]) -> Table:
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    for name in ("when", "category", "model", "", "by", "why"):
        table.add_column(name)
    for one in shown:
        why = one.note
        if one.action == "held" and one.promised is not None:
            why = f"{one.right:,} of {one.audited:,} audits right, {one.promised:.1%} promised"
        when = f"{one.decided_at:%Y-%m-%d %H:%M}"
        table.add_row(when, one.category.slug, one.model_version, one.action, one.decided_by, why)
    return table
