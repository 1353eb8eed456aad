"""Where a web server listens, under which names it may be asked, and by whose pages."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping, Sequence
from typing import Final
from urllib.parse import urlsplit

from stream.errors import ConfigError

_LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "[::1]", "::1"})
# What a browser says of a request that no other site's page has made.
_OWN_SITES: Final = frozenset({"", "same-origin", "none"})


def is_loopback(host: str) -> bool:
    """Return whether only this machine can reach us there."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def refuse_clear_text(host: str, public_url: str | None, *, secrets: str, section: str) -> None:
    """Check that nobody has to sign in over a network without TLS.

    Args:
        host: where we listen.
        public_url: how browsers reach us, if not there.
        secrets: what would be sent, for the message: ``passwords``.
        section: of the settings, for the remedy: ``QUEUE``.

    Raises:
        ConfigError: they would.
    """
    if is_loopback(host) or (public_url or "").startswith("https:"):
        return
    raise ConfigError(
        f"on {host} {secrets} would cross the network in the clear",
        f"put an HTTPS proxy in front and set REVIEWS_{section}__PUBLIC_URL to its https:// address",
    )


class Hosts:
    """The names under which a server may be asked.

    On loopback this stops pages elsewhere that point a name of theirs at us (DNS rebinding).

    Args:
        host: where we listen.
        public_url: how browsers reach us, if not there.
    """

    def __init__(self, host: str, public_url: str | None) -> None:
        self._public = urlsplit(public_url or "")
        named = self._public.hostname
        local = _LOOPBACK if is_loopback(host) else frozenset()
        self._names = local | ({named} if named else set())

    def knows(self, headers: Sequence[str]) -> bool:
        """Return whether a request names one of them, once.

        Args:
            headers: every ``Host`` header of the request.
        """
        return len(headers) == 1 and _name(headers[0]) in self._names

    def sent_it(self, headers: Mapping[str, str]) -> bool:
        """Return whether a change comes from a page of ours, or from no page at all.

        Args:
            headers: of the request, by name in any case.
        """
        if headers.get("Sec-Fetch-Site", "") not in _OWN_SITES:
            return False
        origin = urlsplit(headers.get("Origin", "")).netloc
        return not origin or origin in {headers.get("Host", ""), self._public.netloc}


def _name(header: str) -> str:
    if header.startswith("["):
        return header.partition("]")[0] + "]"
    return header.partition(":")[0].lower()
