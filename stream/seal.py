"""Seals: proof that a value kept where others may write was written by one of us.

Keyed BLAKE2b (RFC 7693), which is a MAC by itself and quicker than HMAC-SHA-256 on short values. A
seal tells who wrote a value and for which place, not when: an older value can be put back.
"""

from __future__ import annotations

import hashlib
import hmac
import struct
from typing import Final

SEAL_BYTES: Final = 16
"""2^-128: nobody guesses one, however many they try."""
_LENGTH: Final = struct.Struct("<I")


class Seal:
    """Seals values with one key.

    Args:
        secret: from which the key is derived.
        purpose: keeps the seals of one use from being taken for those of another; 16 bytes at most.
    """

    def __init__(self, secret: str, purpose: bytes) -> None:
        key = hashlib.blake2b(secret.encode(), digest_size=32, person=purpose).digest()
        # The key is mixed in once; every value goes on from a copy.
        self._keyed = hashlib.blake2b(key=key, digest_size=SEAL_BYTES)
        self.key_id = hashlib.blake2b(key, digest_size=4, person=b"key id").hexdigest()
        """Names the key and tells nothing of it: 8 hex digits."""

    def of(self, value: bytes) -> bytes:
        """Return the seal of a value: 16 bytes."""
        state = self._keyed.copy()
        state.update(value)
        return state.digest()

    def holds(self, seal: bytes, value: bytes) -> bool:
        """Return whether this is the seal of this value."""
        return hmac.compare_digest(seal, self.of(value))


def joined(*parts: str) -> bytes:
    """Return texts as one value in which none can pass for a piece of another."""
    encoded = [part.encode("utf-8", "surrogatepass") for part in parts]
    return b"".join(_LENGTH.pack(len(part)) + part for part in encoded)
