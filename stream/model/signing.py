"""Signed announcements: trainers sign with a private key, workers know the public ones.

Ed25519 (RFC 8032). Workers hold nothing that could sign: one that is taken over cannot make the
others serve a model. An announcement holds the manifest's digest and the manifest those of all
files, so that one signature vouches for the whole model, its role and its share.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import os
import stat
from collections.abc import Iterable
from datetime import UTC
from pathlib import Path
from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from schemas import ModelAnnouncement
from stream.errors import ConfigError, ModelError
from stream.settings import LearningSettings, ModelSettings

# What else is signed with such a key one day must never pass for an announcement.
_PURPOSE: Final = "reviews model announcement 1"
_KEY_BYTES: Final = 32
_OTHERS_MAY_USE: Final = stat.S_IRWXG | stat.S_IRWXO
_OTHERS_MAY_WRITE: Final = stat.S_IWGRP | stat.S_IWOTH
_KEYGEN: Final = "`reviews model keygen` makes a pair of keys"
_PRIVATE: Final = 0o600


class SigningKey:
    """A private key.

    Args:
        seed: 32 random bytes.
    """

    def __init__(self, seed: bytes) -> None:
        self._key = Ed25519PrivateKey.from_private_bytes(seed)
        self.public = self._key.public_key().public_bytes_raw()

    @property
    def id(self) -> str:
        """Short name of the pair of keys."""
        return key_id(self.public)

    @property
    def public_text(self) -> str:
        """The public key as settings take it."""
        return base64.b64encode(self.public).decode()

    def sign(self, announcement: ModelAnnouncement) -> ModelAnnouncement:
        """Return the announcement with its signature."""
        signature = base64.b64encode(self._key.sign(_statement(announcement))).decode()
        return announcement.model_copy(update={"signature": f"{self.id}:{signature}"})

    def save(self, path: Path) -> None:
        """Write the private key to a new file that only its owner may read.

        Raises:
            FileExistsError: there is one: it is not replaced.
        """
        path.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, _PRIVATE)
        with os.fdopen(handle, "wb") as file:
            file.write(base64.b64encode(self._key.private_bytes_raw()) + b"\n")


class TrustedKeys:
    """The public keys whose signatures count; none: signatures are not asked for.

    Args:
        keys: 32 bytes each.
    """

    def __init__(self, keys: Iterable[bytes]) -> None:
        self._keys = {key_id(key): Ed25519PublicKey.from_public_bytes(key) for key in keys}

    def __bool__(self) -> bool:
        return bool(self._keys)

    @property
    def ids(self) -> list[str]:
        """Short names of the keys."""
        return list(self._keys)

    def check(self, announcement: ModelAnnouncement) -> None:
        """Make sure that one of the keys signed an announcement; without any key all pass.

        Raises:
            ModelError: nobody signed it, or somebody else, or it was changed since.
        """
        if not self._keys:
            return
        if not announcement.signature:
            raise ModelError(
                "the announcement is not signed",
                "announce it again with the signing key: `reviews model announce`",
            )
        name, _, encoded = announcement.signature.partition(":")
        key = self._keys.get(name)
        if key is None:
            raise ModelError(
                "the announcement is signed with a key that is not trusted here",
                f"trusted are {', '.join(self._keys)}: REVIEWS_MODEL__TRUSTED_KEYS",
            )
        try:
            key.verify(base64.b64decode(encoded, validate=True), _statement(announcement))
        except (InvalidSignature, binascii.Error, ValueError):
            raise ModelError("the announcement's signature is wrong") from None


def check_record(key: bytes | None, announcement: ModelAnnouncement, trusted: TrustedKeys) -> None:
    """Make sure that an announcement counts where it stands.

    Args:
        key: its record's. Brokers keep the last announcement of each.
        announcement: as it was read.
        trusted: whose signatures count.

    Raises:
        ModelError: it stands under another role's key, or who wrote it had no right to.
    """
    if key != announcement.role.encode():
        raise ModelError(f"a {announcement.role} model is announced under another role's key")
    trusted.check(announcement)


def new_key() -> SigningKey:
    """Return a new private key, from the system's source of randomness."""
    return SigningKey(Ed25519PrivateKey.generate().private_bytes_raw())


def key_id(public: bytes) -> str:
    """Return the short name of a public key: it says which one is meant, and proves nothing."""
    return hashlib.sha256(public).hexdigest()[:12]


def signing_key(settings: LearningSettings) -> SigningKey | None:
    """Return the private key of the settings, if they name one.

    Raises:
        ConfigError: it is no key, or other accounts may read its file.
    """
    if settings.signing_key is not None and settings.signing_key.get_secret_value():
        option = "REVIEWS_LEARNING__SIGNING_KEY"
        return SigningKey(_key_of(settings.signing_key.get_secret_value(), option))
    path = settings.signing_key_file
    if path is None:
        return None
    text = _read_key_file(path, _OTHERS_MAY_USE, f"chmod 600 {path}")
    return SigningKey(_key_of(text, str(path)))


def trusted_keys(settings: ModelSettings) -> TrustedKeys:
    """Return the public keys of the settings.

    Raises:
        ConfigError: one is no key, or other accounts may write to their file.
    """
    keys = [_key_of(text, "REVIEWS_MODEL__TRUSTED_KEYS") for text in settings.trusted_keys]
    if (path := settings.trusted_keys_file) is not None:
        lines = _read_key_file(path, _OTHERS_MAY_WRITE, f"chmod 644 {path}").splitlines()
        found = [line for line in map(str.strip, lines) if line and not line.startswith("#")]
        if not found:
            raise ConfigError(f"{path} holds no key", _KEYGEN)
        keys += [_key_of(line, str(path)) for line in found]
    return TrustedKeys(keys)


def _statement(announcement: ModelAnnouncement) -> bytes:
    """Return what is signed: every field by name, in one spelling."""
    fields = {
        "role": announcement.role,
        "version": announcement.version,
        "number": announcement.number,
        "location": announcement.location,
        "manifest_digest": announcement.manifest_digest,
        "canary_share": repr(announcement.canary_share),
        "announced_at": announcement.announced_at.astimezone(UTC).isoformat(),
        "announced_by": announcement.announced_by,
    }
    return json.dumps([_PURPOSE, fields], sort_keys=True, separators=(",", ":")).encode()


def _key_of(text: str, where: str) -> bytes:
    """Return the 32 bytes of a key; the message of a wrong one never holds any of it."""
    try:
        key = base64.b64decode(text.strip(), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if len(key) != _KEY_BYTES:
        raise ConfigError(f"{where}: that is no key (32 bytes in base64)", _KEYGEN)
    return key


def _read_key_file(path: Path, forbidden: int, remedy: str) -> str:
    try:
        with path.open(encoding="ascii", errors="replace") as file:
            mode = os.fstat(file.fileno()).st_mode
            if mode & forbidden:
                raise ConfigError(
                    f"{path}: other accounts may use this key file (mode {mode & 0o777:o})", remedy
                )
            return file.read(1 << 16)
    except OSError as error:
        raise ConfigError(
            f"{path}: the key file cannot be read: {error.strerror}", _KEYGEN
        ) from None
