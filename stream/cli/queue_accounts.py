"""`reviews queue add-user` and the like: who may decide, and with which tokens programs do."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Annotated, Final

import typer

from schemas import Category
from stream.categories import category_named
from stream.cli.console import note, out
from stream.cli.options import Json, settings_from
from stream.terminal import one_line

if TYPE_CHECKING:
    from stream.queue.accounts import Accounts

_NOTE_LETTERS: Final = 100

Name = Annotated[str, typer.Argument(help="Account's name.", show_default=False)]


def register(queue: typer.Typer) -> None:
    """Add the commands to `reviews queue`."""
    queue.command("add-user")(add_user)
    queue.command("users")(users)
    queue.command("assign")(assign)
    queue.command("remove-user")(remove_user)
    queue.command("sign-out")(sign_out)
    queue.command("token")(token)
    queue.command("tokens")(tokens)
    queue.command("revoke-token")(revoke_token)


def add_user(
    name: Name,
    lead: Annotated[
        bool, typer.Option("--lead", help="May settle disagreements and import files.")
    ] = False,
    reset: Annotated[
        bool, typer.Option("--reset", help="Give an account that exists a new password.")
    ] = False,
) -> None:
    """Make an account. The password is asked for, or read from standard input."""
    accounts = open_accounts()
    password = _password()
    if reset:
        accounts.reset(name, password)
        note(f"{name} has a new password; former sign-ins and tokens are over")
        return
    accounts.add(name, password, lead=lead)
    note(f"{name} may sign in{' and leads' if lead else ''}")
    note("next: [bold]reviews queue[/bold] serves the pages")


def users(as_json: Json = False) -> None:
    """List the accounts."""
    accounts = open_accounts().all()
    found = [
        {
            "name": a.name,
            "lead": a.lead,
            "password": bool(a.password),
            "tokens": len(a.tokens),
            "categories": list(a.categories),
        }
        for a in accounts
    ]
    if as_json:
        out.print_json(json.dumps(found))
        return
    for account in accounts:
        role = "lead" if account.lead else "reviewer"
        row = [account.name, role, f"{len(account.tokens)} tokens", *account.categories]
        out.print("\t".join(row), markup=False, soft_wrap=True)
    if not found:
        note("no accounts yet; make one with [bold]reviews queue add-user NAME --lead[/bold]")


def assign(
    name: Name,
    category: Annotated[
        list[Category] | None,
        typer.Option(
            parser=category_named, metavar="SLUG", help="Again for each.", show_default=False
        ),
    ] = None,
) -> None:
    """Assign categories to a person, who sees them first; others are not given them. Without any: take back."""
    open_accounts().assign(name, category or ())
    if not category:
        note(f"{name} has no share any more")
        return
    note(f"{name} sees first what the model takes for {', '.join(c.slug for c in category)}")
    note("without --category it is taken back; a filter or a search still leads others there")


def remove_user(name: Name) -> None:
    """Remove an account. What it decided stays."""
    open_accounts().remove(name)
    note(f"{name} is removed; sessions and tokens are over")


def sign_out(name: Name) -> None:
    """End all sessions of an account and revoke its tokens, e.g. after a device was lost."""
    open_accounts().end_sessions(name, tokens=True)
    note(f"{name} is signed out everywhere; tokens are revoked")


def token(
    name: Name,
    days: Annotated[
        int | None,
        typer.Option(min=1, max=3650, help="How long it opens anything.", show_default=False),
    ] = None,
    purpose: Annotated[
        str, typer.Option("--note", help="What it is for; the list shows it.", show_default=False)
    ] = "",
) -> None:
    """Print a new API token of an account. It cannot be shown again."""
    from datetime import timedelta

    lifetime = timedelta(days=days or settings_from(None, None).queue.token_days)
    out.print(open_accounts().issue_token(name, lifetime, purpose[:_NOTE_LETTERS]), markup=False)
    note(f"it ends in {lifetime.days} days; [bold]reviews queue revoke-token[/bold] ends it now")
    note(
        "send it as [bold]Authorization: Bearer TOKEN[/bold]; /api/v1/openapi.json describes the API"
    )


def tokens(
    name: Annotated[
        str | None, typer.Argument(help="Account's name; all unless given.", show_default=False)
    ] = None,
    as_json: Json = False,
) -> None:
    """List API tokens: whose, until when, what for. The tokens themselves are not kept."""
    from datetime import UTC, datetime

    now = datetime.now(UTC)
    found = [
        {
            "account": account.name,
            "id": token.id,
            "made": token.made.isoformat(timespec="minutes") if token.made else None,
            "expires": token.expires.isoformat(timespec="minutes") if token.expires else None,
            "alive": token.is_alive(now),
            "note": token.note,
        }
        for account in open_accounts().all()
        if name in {None, account.name}
        for token in account.tokens
    ]
    if as_json:
        out.print_json(json.dumps(found))
        return
    for row in found:
        until = f"until {row['expires']}" if row["expires"] else "without an end"
        state = until if row["alive"] else "over"
        shown = (row["account"], row["id"], state, one_line(str(row["note"])))
        out.print("\t".join(map(str, shown)), markup=False, soft_wrap=True)
    if not found:
        note("no tokens; [bold]reviews queue token NAME[/bold] makes one")


def revoke_token(
    name: Name,
    token_id: Annotated[
        str, typer.Argument(metavar="ID", help="As the list shows it.", show_default=False)
    ],
) -> None:
    """End an API token now."""
    open_accounts().revoke_token(name, token_id)
    note(f"{name}'s token {token_id} is revoked")


def open_accounts() -> Accounts:
    """Open the file of accounts that the settings name."""
    from stream.queue.accounts import Accounts

    return Accounts(settings_from(None, None).queue.accounts)


def _password() -> str:
    if sys.stdin.isatty():
        return str(typer.prompt("Password", hide_input=True, confirmation_prompt=True, err=True))
    return sys.stdin.readline().rstrip("\n")
