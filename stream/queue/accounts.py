"""Who may sign in: a file of accounts that holds argon2 hashes and digests of tokens only."""

from __future__ import annotations

import asyncio
import fcntl
import functools
import hashlib
import json
import os
import re
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from pydantic import BaseModel, ConfigDict, ValidationError

from stream.queue.errors import AccountError

MIN_PASSWORD: Final = 10
MAX_PASSWORD: Final = 200
# Letters of any alphabet. No separators that our keys and headers use.
_NAME: Final = re.compile(r"[\w.@+-]{1,60}")
# Each takes 64 MiB for about 50 ms: more of them at once would only starve the pages.
_HASHES_AT_ONCE: Final = 2
_TOKEN_PREFIX: Final = "rq_"  # noqa: S105 - marks our tokens, opens nothing


class Account(BaseModel):
    """One person, or one program with a token."""

    model_config = ConfigDict(frozen=True)

    name: str
    lead: bool = False
    """Leads settle disagreements and import."""
    password: str = ""
    """argon2id hash; empty: no password opens it."""
    epoch: int = 1
    """Sessions of another epoch are over: a sign-out or a new password raises it."""
    tokens: tuple[str, ...] = ()
    """SHA-256 of each API token. Tokens are random, so that a fast digest is enough."""


class _File(BaseModel):
    version: int = 1
    accounts: dict[str, Account] = {}


class Accounts:
    """The accounts file. Several servers and commands may use it at the same time.

    Args:
        path: made when the first account is added; readable by its owner only.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._hasher = PasswordHasher()
        self._hashing = asyncio.Semaphore(_HASHES_AT_ONCE)
        # A file's time is coarse: two changes may share it, but each is a new inode.
        self._known: tuple[tuple[int, int, int], _File] = ((0, 0, 0), _File())
        # Checking an unknown name takes as long as a known one: the answer's time tells nothing.
        self._nobody = _hash_of_nobody()

    def all(self) -> list[Account]:
        """Return all accounts by name.

        Raises:
            AccountError: the file is damaged.
        """
        return sorted(self._read().accounts.values(), key=lambda account: account.name)

    def get(self, name: str) -> Account | None:
        """Return an account, None if there is none of that name."""
        return self._read().accounts.get(name)

    def add(self, name: str, password: str, *, lead: bool = False) -> Account:
        """Make an account.

        Raises:
            AccountError: the name is taken or not allowed, or the password is too short.
        """
        if not _NAME.fullmatch(name):
            raise AccountError(
                "a name has 1 to 60 letters, digits or . @ + - _", "choose another name"
            )
        hashed = self._hash(password)
        with self._changing() as file:
            if name in file.accounts:
                raise AccountError(
                    f"there is an account {name} already", "choose another name, or --reset it"
                )
            file.accounts[name] = Account(name=name, lead=lead, password=hashed)
            return file.accounts[name]

    def reset(self, name: str, password: str) -> None:
        """Give an account a new password. All its sessions end.

        Raises:
            AccountError: no such account, or the password is too short.
        """
        hashed = self._hash(password)
        self._change(
            name, lambda a: a.model_copy(update={"password": hashed, "epoch": a.epoch + 1})
        )

    def remove(self, name: str) -> None:
        """Remove an account, its sessions and tokens. What it decided stays.

        Raises:
            AccountError: no such account.
        """
        with self._changing() as file:
            if file.accounts.pop(name, None) is None:
                raise _unknown(name)

    def end_sessions(self, name: str) -> None:
        """Sign an account out everywhere.

        Raises:
            AccountError: no such account.
        """
        self._change(name, lambda a: a.model_copy(update={"epoch": a.epoch + 1}))

    def issue_token(self, name: str) -> str:
        """Return a new API token of an account. It cannot be read again.

        Raises:
            AccountError: no such account.
        """
        token = _TOKEN_PREFIX + secrets.token_urlsafe(32)
        self._change(name, lambda a: a.model_copy(update={"tokens": (*a.tokens, _digest(token))}))
        return token

    def by_token(self, token: str) -> Account | None:
        """Return the account that a token belongs to."""
        digest = _digest(token)
        for account in self._read().accounts.values():
            if any(secrets.compare_digest(digest, known) for known in account.tokens):
                return account
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
            return self._hasher.verify(known, password[:MAX_PASSWORD])
        except (VerificationError, InvalidHashError):
            return False

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
            raise AccountError(
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
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with self._path.with_suffix(".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            file = self._read().model_copy(deep=True)
            yield file
            write_private(self._path, file.model_dump_json(indent=1))


def server_secret(beside: Path) -> str:
    """Return the secret that signs sessions, made at the first call and kept beside the accounts.

    Args:
        beside: the accounts file.
    """
    path = beside.with_name("queue-secret")
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            return server_secret(beside)  # another server was quicker
        with os.fdopen(descriptor, "w") as file:
            file.write(json.dumps(secrets.token_urlsafe(48)))
    return str(json.loads(path.read_text(encoding="utf-8")))


def write_private(path: Path, text: str) -> None:
    """Replace a file at once and whole; only its owner can read it."""
    draft = path.with_name(f"{path.name}.{os.getpid()}.new")
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(text)
    draft.replace(path)


@functools.cache
def _hash_of_nobody() -> str:
    return PasswordHasher().hash(secrets.token_hex())


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()


def _unknown(name: str) -> AccountError:
    return AccountError(f"there is no account {name}", "`reviews queue users` lists them")
