"""Who may sign in: a file of accounts that holds argon2 hashes and digests of tokens only."""

from __future__ import annotations

import asyncio
import functools
import re
import secrets
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from schemas import Category, all_categories
from stream.private_files import kept_secret, locked, write_private
from stream.queue.errors import AccountError, AccountsUnavailable
from stream.queue.tokens import DEFAULT_LIFETIME, Token, digest_of, new_token
from stream.settings import QueueSettings

MIN_PASSWORD: Final = 10
MAX_PASSWORD: Final = 200
MAX_NAME: Final = 60
# Letters of any alphabet. No separators that our keys and headers use.
_NAME: Final = re.compile(rf"[\w.@+-]{{1,{MAX_NAME}}}")
# Each takes 64 MiB for about 50 ms: more of them at once would only starve the pages.
_HASHES_AT_ONCE: Final = 2
# JavaScript's largest whole number: the accounts file may be read by other tools.
_EPOCHS: Final = 2**53


def _first_epoch() -> int:
    return secrets.randbelow(_EPOCHS - 1_000_000)


class Account(BaseModel):
    """One person, or one program with a token."""

    model_config = ConfigDict(frozen=True)

    name: str
    lead: bool = False
    """Leads settle disagreements and import."""
    password: str = ""
    """argon2id hash; empty: no password opens it."""
    epoch: int = Field(default_factory=_first_epoch)
    """Sessions of another epoch are over: a sign-out or a new password raises it. It begins at
    random: an account that is made again under a removed one's name revives none of its sessions."""
    tokens: tuple[Token, ...] = ()
    """API tokens, as digests."""
    categories: tuple[str, ...] = ()
    """Slugs of the categories that are assigned to the person; those of a former taxonomy mean nothing."""


@dataclass(frozen=True, slots=True)
class AssignedShare:
    """The part of the queue that is one person's.

    Attributes:
        own: categories that the model suggests of reviews that they see first.
        of_others: those that are assigned to others and not to them: they are not given these.
    """

    own: frozenset[Category] = frozenset()
    of_others: frozenset[Category] = frozenset()


NO_SHARE: Final = AssignedShare()


class _File(BaseModel):
    version: int = 1
    accounts: dict[str, Account] = {}


class Accounts:
    """The accounts file. Several servers and commands may use it at the same time.

    Args:
        path: made when the first account is added; readable by its owner only.
        now: the time; a test's own otherwise.
    """

    def __init__(self, path: Path, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._path = path
        self._now = now
        self._hasher = PasswordHasher()
        self._hashing = asyncio.Semaphore(_HASHES_AT_ONCE)
        # A file's time is coarse: two changes may share it, but each is a new inode.
        self._known: tuple[tuple[int, int, int], _File] = ((0, 0, 0), _File())
        # Checking an unknown name takes as long as a known one: the answer's time tells nothing.
        self._nobody = _hash_of_nobody()

    def all(self) -> list[Account]:
        """Return all accounts by name.

        Raises:
            AccountsUnavailable: the file is damaged.
        """
        return sorted(self._read().accounts.values(), key=lambda account: account.name)

    def require(self) -> None:
        """Check that the accounts can be read.

        Raises:
            AccountsUnavailable: the file is damaged.
        """
        self._read()

    def get(self, name: str) -> Account | None:
        """Return an account, None if there is none of that name."""
        return self._read().accounts.get(name)

    def add(
        self, name: str, password: str, *, lead: bool = False, only_first: bool = False
    ) -> Account:
        """Make an account.

        Args:
            name: of the person.
            password: kept as a hash.
            lead: whether they may settle disagreements and import.
            only_first: refuse where there is any account already, whoever made it meanwhile.

        Raises:
            AccountError: the name is taken or not allowed, or the password is too short.
        """
        if not _NAME.fullmatch(name):
            raise AccountError(
                f"a name has 1 to {MAX_NAME} letters, digits or . @ + - _", "choose another name"
            )
        hashed = self._hash(password)
        with self._changing() as file:
            if only_first and file.accounts:
                raise AccountError("somebody has an account already", "sign in instead")
            if name in file.accounts:
                raise AccountError(
                    f"there is an account {name} already", "choose another name, or --reset it"
                )
            file.accounts[name] = Account(name=name, lead=lead, password=hashed)
            return file.accounts[name]

    def reset(self, name: str, password: str) -> None:
        """Give an account a new password. All its sessions and tokens are over.

        Raises:
            AccountError: no such account, or the password is too short.
        """
        hashed = self._hash(password)
        over = {"password": hashed, "tokens": ()}
        self._change(name, lambda a: a.model_copy(update={**over, "epoch": a.epoch + 1}))

    def remove(self, name: str) -> None:
        """Remove an account, its sessions and tokens. What it decided stays.

        Raises:
            AccountError: no such account.
        """
        with self._changing() as file:
            if file.accounts.pop(name, None) is None:
                raise _unknown(name)

    def assign(self, name: str, categories: Iterable[Category]) -> None:
        """Make categories a person's share, in place of the former one; none: they have no share.

        Raises:
            AccountError: no such account.
        """
        slugs = tuple(dict.fromkeys(category.slug for category in categories))
        self._change(name, lambda a: a.model_copy(update={"categories": slugs}))

    def share_of(self, name: str) -> AssignedShare:
        """Return what is assigned to a person, and what to others alone.

        Raises:
            AccountsUnavailable: the file is damaged.
        """
        assigned: dict[str, set[str]] = {
            account.name: set(account.categories) for account in self._read().accounts.values()
        }
        own = assigned.pop(name, set())
        others = {slug for slugs in assigned.values() for slug in slugs} - own
        known = all_categories()
        return AssignedShare(
            frozenset(category for category in known if category.slug in own),
            frozenset(category for category in known if category.slug in others),
        )

    def end_sessions(self, name: str, *, tokens: bool = False) -> None:
        """Sign an account out everywhere.

        Args:
            name: of the account.
            tokens: also revoke what its programs use. A person who signs out in the browser does
                not mean them.

        Raises:
            AccountError: no such account.
        """
        over: dict[str, object] = {"tokens": ()} if tokens else {}
        self._change(name, lambda a: a.model_copy(update={**over, "epoch": a.epoch + 1}))

    def issue_token(self, name: str, lifetime: timedelta = DEFAULT_LIFETIME, note: str = "") -> str:
        """Return a new API token of an account. It cannot be read again.

        Args:
            name: of the account.
            lifetime: how long it opens anything.
            note: what it is for, shown in the list.

        Raises:
            AccountError: no such account.
        """
        secret, token = new_token(self._now(), lifetime, note)

        def with_token(account: Account) -> Account:
            alive = [known for known in account.tokens if known.is_alive(self._now())]
            return account.model_copy(update={"tokens": (*alive, token)})

        self._change(name, with_token)
        return secret

    def revoke_token(self, name: str, token_id: str) -> None:
        """End one token.

        Args:
            name: of the account.
            token_id: as :attr:`~stream.queue.tokens.Token.id` tells.

        Raises:
            AccountError: no such account, or it has no such token.
        """

        def without(account: Account) -> Account:
            left = tuple(token for token in account.tokens if token.id != token_id)
            if left == account.tokens:
                raise AccountError(
                    f"{name} has no token {token_id}", f"`reviews queue tokens {name}` lists them"
                )
            return account.model_copy(update={"tokens": left})

        self._change(name, without)

    def by_token(self, secret: str) -> Account | None:
        """Return the account that a token belongs to, while it is alive."""
        digest, now = digest_of(secret), self._now()
        for account in self._read().accounts.values():
            for token in account.tokens:
                if secrets.compare_digest(digest, token.digest):
                    return account if token.is_alive(now) else None
        return None

    async def check(self, name: str, password: str) -> Account | None:
        """Return the account if the password is its own. Never blocks the event loop."""
        account = self.get(name)
        known = account.password if account is not None else ""
        async with self._hashing:
            fits = await asyncio.to_thread(self._fits, known or self._nobody, password)
        return account if fits and known else None

    def _fits(self, known: str, password: str) -> bool:
        try:
            # Cut before it is hashed, so that nobody makes us hash megabytes; too long is wrong.
            fits = self._hasher.verify(known, password[:MAX_PASSWORD])
        except (VerificationError, InvalidHashError):
            return False
        return fits and len(password) <= MAX_PASSWORD

    def _hash(self, password: str) -> str:
        if not MIN_PASSWORD <= len(password) <= MAX_PASSWORD:
            raise AccountError(
                f"a password has {MIN_PASSWORD} to {MAX_PASSWORD} characters", "choose a longer one"
            )
        return self._hasher.hash(password)

    def _read(self) -> _File:
        try:
            found = self._path.stat()
            changed = (found.st_mtime_ns, found.st_ino, found.st_size)
            if self._known[0] != changed:
                self._known = (changed, _File.model_validate_json(self._path.read_bytes()))
        except FileNotFoundError:
            return _File()
        except (ValidationError, OSError) as error:
            raise AccountsUnavailable(
                f"the accounts file {self._path} cannot be read: {type(error).__name__}",
                "restore it from a copy, or move it away and add the accounts anew",
            ) from None
        return self._known[1]

    def _change(self, name: str, change: Callable[[Account], Account]) -> None:
        with self._changing() as file:
            if name not in file.accounts:
                raise _unknown(name)
            file.accounts[name] = change(file.accounts[name])

    @contextmanager
    def _changing(self) -> Iterator[_File]:
        with locked(self._path):
            file = self._read().model_copy(deep=True)
            yield file
            write_private(self._path, file.model_dump_json(indent=1))


def server_secret(beside: Path) -> str:
    """Return the secret that signs sessions, made at the first call and kept beside the accounts.

    Args:
        beside: the accounts file.

    Raises:
        ConfigError: others can read it, or it is damaged.
    """
    return kept_secret(beside.with_name("queue-secret"))


def queue_secret(settings: QueueSettings) -> str:
    """Return the secret of a queue: the one that is set, or else the one beside its accounts.

    Raises:
        ConfigError: others can read it, or it is damaged.
    """
    if settings.secret is not None:
        return settings.secret.get_secret_value()
    return server_secret(settings.accounts)


@functools.cache
def _hash_of_nobody() -> str:
    return PasswordHasher().hash(secrets.token_hex())


def _unknown(name: str) -> AccountError:
    return AccountError(f"there is no account {name}", "`reviews queue users` lists them")
