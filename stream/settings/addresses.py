"""Addresses of brokers as people write them, and as clients want them."""

from __future__ import annotations

import re
from ipaddress import AddressValueError, IPv6Address
from typing import Final

PROTOCOLS: Final = ("PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL")
_PORT: Final = 9092
_MOST_PORT: Final = 65535
_SCHEME: Final = re.compile(r"^([A-Za-z][A-Za-z0-9_+.-]*)://")
_HOST: Final = re.compile(r"^[A-Za-z0-9_]([A-Za-z0-9_.-]*[A-Za-z0-9_])?\.?$")


def normal_servers(text: str) -> str:
    """Return addresses as ``host:port,host:port``.

    Taken as well: spaces and line breaks, listeners' names (``PLAINTEXT://``), no port (9092), IPv6 with
    brackets or without, a slash or a comma at the end.

    Raises:
        ValueError: a part is no address; the message names it.
    """
    found = [_normal(part) for part in re.split(r"[,;\s]+", text) if part]
    if not found:
        raise ValueError("names no broker; write host:9092,host:9092")
    return ",".join(dict.fromkeys(found))


def named_protocols(text: str) -> set[str]:
    """Return the security protocols that addresses begin with, as brokers' own files write them."""
    schemes = {
        found[1].upper()
        for part in re.split(r"[,;\s]+", text)
        if (found := _SCHEME.match(part)) is not None
    }
    return schemes & set(PROTOCOLS)


def _normal(part: str) -> str:
    address = _SCHEME.sub("", part).rstrip("/")
    if address.startswith("["):
        host, closed, port = address[1:].partition("]")
        port = port.removeprefix(":")
        usable = bool(closed) and _is_ipv6(host)
    elif _is_ipv6(address):
        host, port, usable = address, "", True
    else:
        host, _, port = address.partition(":")
        usable = _HOST.match(host) is not None
    number = port or str(_PORT)
    if not usable or not number.isdecimal() or not 0 < int(number) <= _MOST_PORT:
        raise ValueError(f"{part!r} is no address of a broker; write host:9092")
    return f"[{host}]:{int(number)}" if ":" in host else f"{host}:{int(number)}"


def _is_ipv6(text: str) -> bool:
    try:
        IPv6Address(text)
    except AddressValueError:
        return False
    return True
