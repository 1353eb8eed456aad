"""`reviews model`: the registry, promotion, rollback, shadow and canary."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from stream.cli.console import err, note, out
from stream.cli.options import Json, Prefix, Servers, settings_from
from stream.cli.signals import interruptible

if TYPE_CHECKING:
    from rich.table import Table

    from stream.settings import Settings
    from training.registry.records import State, VersionRecord
    from training.registry.store import Registry

app = typer.Typer(
    help="Model versions: list, compare, promote, roll back, try out.", no_args_is_help=True
)

# Column of `list`, and the metric of the manifest that it shows.
_FIGURES = {
    "F1": "weighted_f1",
    "precision": "published_precision",
    "published": "published_coverage",
}

Folder = Annotated[
    Path | None,
    typer.Option("--registry", help="Else REVIEWS_LEARNING__REGISTRY.", show_default=False),
]
Version = Annotated[str, typer.Argument(help="Number, champion, challenger, or content version.")]
Why = Annotated[str, typer.Option("--why", help="Goes into the history.")]
Quiet = Annotated[
    bool, typer.Option("--no-announce", help="Only change the registry; tell no worker.")
]


@app.command("list")
def list_versions(registry: Folder = None, as_json: Json = False) -> None:
    """Show all versions, the newest last, and which one is champion."""
    _, store = _open(registry)
    state = store.state()
    if as_json:
        out.print_json(state.model_dump_json())
        return
    if not state.versions:
        note(f"the registry {store.folder} is empty: [bold]reviews model add FOLDER[/bold]")
        return
    out.print(_table(state))


@app.command()
def show(version: Version = "champion", registry: Folder = None, as_json: Json = False) -> None:
    """Show one version: where it is, what it was trained on, and its history."""
    _, store = _open(registry)
    state = store.state()
    record = store.resolve(version, state)
    changes = [c for c in state.history if record.number in {c.number, c.previous}]
    details = {
        **record.model_dump(mode="json"),
        "location": str(store.path(record)),
        "reports": sorted(map(str, store.report_folder(record).glob("*.html"))),
        "history": [c.model_dump(mode="json") for c in changes],
    }
    store.check(record)
    if as_json:
        out.print_json(json.dumps(details))
        return
    for key, value in details.items():
        if key != "history" and value not in ("", {}, []):
            out.print(f"{key:16} {_brief(value)}", markup=False)
    for change in changes:
        out.print(f"{_when(change.at)}  {_said(change)}", markup=False)
    note("next: [bold]reviews model diff champion N[/bold] compares two versions")


@app.command()
def promise(
    folder: Annotated[
        Path | None,
        typer.Argument(help="Model folder; else REVIEWS_MODEL__FOLDER.", show_default=False),
    ] = None,
    as_json: Json = False,
) -> None:
    """Show what precision a model promises for each category, and on how many labels that stands."""
    from stream.model.folder import read_manifest
    from training.cli.calibrate import promise_table
    from training.measures.rule import said_of_foreign, said_of_unknown

    settings = settings_from(None, None)
    manifest = read_manifest(folder or settings.model.folder)
    if as_json:
        fields = {"version", "asked_precision", "guaranteed", "thresholds", "promises"}
        out.print_json(manifest.model_dump_json(include=fields))
        return
    out.print(promise_table(manifest))
    if not manifest.promises:
        note(
            "made before promises were kept: `reviews calibrate LABELS -o FOLDER` makes one with them"
        )
    for sentence in (
        *said_of_unknown(manifest.thresholds, manifest.promises),
        *said_of_foreign(manifest.metrics),
    ):
        note(f"[yellow]{sentence}[/yellow]")


@app.command()
def add(
    folder: Annotated[Path, typer.Argument(help="A model folder.")],
    registry: Folder = None,
    why: Why = "",
    as_json: Json = False,
) -> None:
    """Store a copy of a model folder under the next number."""
    _, store = _open(registry)
    record = store.add(folder, why=why)
    _print(record, as_json)
    note(f"next: [bold]reviews model promote {record.number}[/bold]")


@app.command()
def promote(
    version: Version,
    registry: Folder = None,
    why: Why = "",
    despite_gate: Annotated[
        str,
        typer.Option(
            "--despite-gate",
            metavar="REASON",
            help="Promote what the gate refused; the reason is kept.",
            show_default=False,
        ),
    ] = "",
    quiet: Quiet = False,
    servers: Servers = None,
    prefix: Prefix = None,
    as_json: Json = False,
) -> None:
    """Make a version the champion, and have all workers serve it.

    The gate is not asked; what it refused before needs --despite-gate and a reason.
    """
    settings, store = _open(registry, servers, prefix)
    _try_out(settings, store, store.resolve(version))
    record = store.promote(version, why=why, despite_gate=despite_gate)
    _tell(settings, store, record, quiet)
    _print(record, as_json)
    note("next: [bold]reviews model rollback[/bold] takes it back")


@app.command()
def rollback(
    registry: Folder = None,
    why: Why = "",
    quiet: Quiet = False,
    servers: Servers = None,
    prefix: Prefix = None,
    as_json: Json = False,
) -> None:
    """Make the former champion serve again."""
    settings, store = _open(registry, servers, prefix)
    record = store.rollback(why=why)
    state = store.state()
    _tell(settings, store, record, quiet)
    _print(record, as_json)
    if (left := state.find(state.history[-1].previous or 0)) is not None:
        note(
            f"rolled back from version {left.number} ({left.version}) "
            f"to version {record.number} ({record.version})"
        )
    note("next: [bold]reviews model list[/bold] shows who serves now")


@app.command()
def diff(
    before: Version = "champion",
    after: Version = "challenger",
    registry: Folder = None,
    as_json: Json = False,
) -> None:
    """Show what differs between two versions."""
    from dataclasses import asdict

    from training.registry.diff import differences

    _, store = _open(registry)
    state = store.state()
    old, new = store.resolve(before, state), store.resolve(after, state)
    found = differences((old, store.check(old)), (new, store.check(new)))
    if as_json:
        out.print_json(json.dumps([asdict(d) for d in found]))
        return
    from rich.table import Table

    table = Table("", str(old.number), str(new.number), box=None, pad_edge=False)
    for difference in found:
        table.add_row(difference.what, difference.before, difference.after)
    out.print(table if found else "the two versions are the same")


@app.command()
def announce(
    version: Version = "champion",
    registry: Folder = None,
    servers: Servers = None,
    prefix: Prefix = None,
    as_json: Json = False,
) -> None:
    """Tell all workers once more to serve the champion, after an outage for example."""
    settings, store = _open(registry, servers, prefix)
    record = store.resolve(version)
    if record.number != store.state().champion:
        from training.registry.errors import RegistryError

        raise RegistryError(
            f"version {record.number} is not the champion",
            f"`reviews model promote {record.number}` makes it so and announces it",
        )
    _tell(settings, store, record, False)
    _print(record, as_json)


@app.command()
def shadow(
    version: Version = "challenger",
    registry: Folder = None,
    servers: Servers = None,
    prefix: Prefix = None,
    as_json: Json = False,
) -> None:
    """Let a version score live reviews beside the serving model; only disagreement is counted."""
    settings, store = _open(registry, servers, prefix)
    record = store.resolve(version)
    _try_out(settings, store, record)
    _tell(settings, store, record, False, role="shadow")
    _print(record, as_json)
    note("its agreement: metric [bold]reviews_shadow_total[/bold]; [bold]reviews model off shadow")


@app.command()
def canary(
    version: Version = "challenger",
    share: Annotated[
        float, typer.Option(min=0.001, max=1.0, help="Share of review ids that it decides.")
    ] = 0.1,
    registry: Folder = None,
    servers: Servers = None,
    prefix: Prefix = None,
    as_json: Json = False,
) -> None:
    """Let a version decide a share of the reviews, chosen by a hash of their ids."""
    settings, store = _open(registry, servers, prefix)
    record = store.resolve(version)
    _try_out(settings, store, record)
    _tell(settings, store, record, False, role="canary", share=share)
    _print(record, as_json)
    note("[bold]reviews model promote[/bold] gives it all of them, [bold]off canary[/bold] none")


@app.command()
def off(
    role: Annotated[Literal["shadow", "canary"], typer.Argument(help="What ends.")],
    servers: Servers = None,
    prefix: Prefix = None,
) -> None:
    """End the shadow or the canary on all workers."""
    from training.registry.announce import withdraw

    interruptible(withdraw(settings_from(servers, prefix), role))
    note(f"the {role} ends on every worker as soon as it hears of it")


@app.command()
def keygen(
    folder: Annotated[
        Path, typer.Argument(help="Where the two files go.", show_default=True)
    ] = Path(".reviews/keys"),
    as_json: Json = False,
) -> None:
    """Make a pair of keys: trainers sign what they announce, workers serve nothing else."""
    from rich.markup import escape

    from stream.errors import InputError
    from stream.model.signing import new_key

    key = new_key()
    private, public = folder / "model-signing.key", folder / "model-signing.pub"
    try:
        key.save(private)
        with public.open("x", encoding="ascii") as file:
            file.write(f"{key.public_text}\n")
    except FileExistsError as error:
        raise InputError(
            f"{error.filename} is there already, and is not replaced: what it signed would be refused",
            "name another folder; workers may trust several keys at a time",
        ) from None
    if as_json:
        said = {"id": key.id, "public": key.public_text, "files": [str(private), str(public)]}
        out.print_json(json.dumps(said))
        return
    out.print(f"key {key.id}: {private} (keep it secret), {public}", markup=False)
    note(
        "next, for who trains and announces: "
        f"[bold]export REVIEWS_LEARNING__SIGNING_KEY_FILE={escape(str(private))}[/bold]\n"
        "      then: [bold]reviews model announce[/bold] signs what is announced already\n"
        "      last, for all workers: "
        f"[bold]export REVIEWS_MODEL__TRUSTED_KEYS='[\"{key.public_text}\"]'[/bold]"
    )


def _open(
    folder: Path | None, servers: str | None = None, prefix: str | None = None
) -> tuple[Settings, Registry]:
    from training.registry.store import Registry

    sections: dict[str, Any] = {"learning": {"registry": folder}} if folder is not None else {}
    settings = settings_from(servers, prefix, **sections)
    return settings, Registry(settings.learning.registry)


def _try_out(settings: Settings, store: Registry, record: VersionRecord) -> None:
    """Load a version as workers do before they serve it: what they would refuse is not announced."""
    from stream.model.trial import Trial

    store.check(record)
    with err.status("trying it out"):
        Trial(store.path(record), settings.model).run()


def _tell(
    settings: Settings,
    store: Registry,
    record: VersionRecord,
    quiet: bool,
    role: Literal["serving", "shadow", "canary"] = "serving",
    share: float = 0.0,
) -> None:
    """Announce, unless told to be quiet; say what to do if Kafka does not take it."""
    from stream.errors import BrokerError
    from training.registry.announce import announce as publish
    from training.registry.announce import announcement

    if quiet:
        return
    store.check(record)
    seen_at = settings.learning.registry_seen_at
    message = announcement(store, record, role, seen_at=seen_at, share=share, by=store.user)
    try:
        interruptible(publish(settings, message))
    except BrokerError as error:
        if role == "serving":
            error.remedy = f"{error.remedy}; then `reviews model announce` tells the workers"
            error.message += f" (in the registry, {record.number} is champion now)"
        raise
    note(f"announced version {record.number} ({record.version}) as {role}")


def _print(record: VersionRecord, as_json: bool) -> None:
    if as_json:
        out.print_json(record.model_dump_json())
    else:
        out.print(f"{record.number} {record.version} {record.name}", markup=False)


def _table(state: State) -> Table:
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    right = {"", "MB", *_FIGURES}
    for name in ("", "version", "added", "by", "family", "MB", *_FIGURES, "gate", "name", "why"):
        table.add_column(name, justify="right" if name in right else "left")
    last = {change.number: change for change in state.history}
    for record in state.versions:
        is_champion = record.number == state.champion
        role = "champion" if is_champion else ""
        role = role or ("challenger" if record.number == state.challenger else "")
        verdict = state.verdict(record.number)
        table.add_row(
            str(record.number),
            record.version,
            _when(record.added_at),
            record.added_by,
            record.family,
            f"{record.size_bytes / 1e6:.1f}",
            *(_share(record.metrics.get(metric)) for metric in _FIGURES.values()),
            "-" if verdict is None else verdict.action,
            role,
            last[record.number].despite_gate or last[record.number].why or record.why,
            style="bold" if is_champion else None,
        )
    return table


def _share(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def _when(at: Any) -> str:
    return str(at.astimezone().strftime("%Y-%m-%d %H:%M"))


def _said(change: Any) -> str:
    instead = f" instead of {change.previous}" if change.previous else ""
    why = f": {change.why}" if change.why else ""
    despite = f", despite the gate: {change.despite_gate}" if change.despite_gate else ""
    return f"{change.action} {change.number}{instead} by {change.by}{why}{despite}"


def _brief(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
