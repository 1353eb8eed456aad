"""`reviews topics`: creating, describing and updating topics."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from stream.cli.console import note, out
from stream.cli.options import Json, Prefix, Servers, settings_from
from stream.cli.signals import interruptible

if TYPE_CHECKING:
    from rich.table import Table

    from schemas import TopicPolicy
    from stream.kafka.topic_descriptions import TopicDescription

app = typer.Typer(help="Create, describe and update the topics.", no_args_is_help=True)


@app.command()
def create(
    servers: Servers = None,
    prefix: Prefix = None,
    partitions: Annotated[
        int | None, typer.Option(min=1, help="Partitions of each topic.", show_default=False)
    ] = None,
    replication: Annotated[
        int | None, typer.Option(min=1, help="Copies of each partition.", show_default=False)
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only say what would be made.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Create every topic that is absent; what exists is left as it is."""
    from stream.kafka.topic_creation import create_topics
    from stream.kafka.topics import list_topics

    given = {"partitions": partitions, "replication": replication}
    section = {name: value for name, value in given.items() if value is not None}
    settings = settings_from(servers, prefix, topics=section)
    if dry_run:
        present = interruptible(list_topics(settings.kafka))
        done = [
            {"name": p.name, "outcome": _would(p, present)} for p in settings.topic_names.policies()
        ]
    else:
        done = [asdict(topic) for topic in interruptible(create_topics(settings))]
    if as_json:
        out.print_json(json.dumps(done))
        return
    for topic in done:
        out.print(f"{topic['name']}: {topic['outcome']}", markup=False)
    produce = ", and in another terminal [bold]reviews produce[/bold]"
    note(f"next: [bold]reviews work[/bold]{'' if settings.topic_names.existing else produce}")


@app.command()
def describe(servers: Servers = None, prefix: Prefix = None, as_json: Json = False) -> None:
    """Show every topic of the contract as the broker has it."""
    from stream.kafka.topic_descriptions import describe_topics

    settings = settings_from(servers, prefix)
    found = interruptible(describe_topics(settings))
    if as_json:
        out.print_json(json.dumps([asdict(topic) for topic in found]))
        return
    out.print(_table(found))
    if any(not topic.exists for topic in found):
        note("some topics are absent: [bold]reviews topics create[/bold]")
        raise typer.Exit(1)


@app.command()
def update(
    servers: Servers = None,
    prefix: Prefix = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be set.")] = False,
    as_json: Json = False,
) -> None:
    """Give topics that exist the settings of the contract, where they fall short of it.

    What is kept for longer, or takes larger messages, stays so. The number of partitions and replicas
    is not changed.
    """
    from stream.kafka.topic_settings import apply_settings, missing_settings

    settings = settings_from(servers, prefix)
    changes = interruptible(missing_settings(settings))
    if not dry_run:
        interruptible(apply_settings(settings, changes))
    if as_json:
        out.print_json(json.dumps([asdict(change) for change in changes]))
        return
    for change in changes:
        what = f"{change.topic}: {change.setting} {change.found} -> {change.wanted}"
        out.print(what, markup=False, soft_wrap=True)
    if dry_run and changes:
        note("nothing was changed; without [bold]--dry-run[/bold] it is")
    elif not changes:
        note("every topic that exists has what the contract wants")


def _would(policy: TopicPolicy, present: set[str]) -> str:
    if policy.name in present:
        return "exists"
    return "is not there, and is not ours to create" if policy.foreign else "would be created"


def _table(found: list[TopicDescription]) -> Table:
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    table.add_column("topic")
    for name in ("partitions", "replicas", "messages (at most)"):
        table.add_column(name, justify="right")
    table.add_column("kept")
    table.add_column("holds")
    for topic in found:
        if not topic.exists:
            table.add_row(topic.name, "absent", "", "", "", topic.description, style="red")
            continue
        table.add_row(
            topic.name,
            str(topic.partitions),
            str(topic.replication),
            f"{topic.messages:,}",
            _kept(topic.config),
            "; ".join((topic.description, *topic.problems)),
            style="yellow" if topic.problems else None,
        )
    return table


def _kept(config: dict[str, str]) -> str:
    policy = config.get("cleanup.policy", "")
    if "delete" not in policy:
        return policy
    day_ms = 24 * 60 * 60 * 1000
    retention = int(config.get("retention.ms", -1))
    return "for ever" if retention < 0 else f"{retention / day_ms:g} days"
