"""Whether the brokers can be reached where they say they are (``advertised.listeners``).

A client asks the address that it was given only once: for the brokers' own addresses, and then talks to
those alone. If they cannot be reached from here, as with a container's own name, nothing ever comes.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

from aiokafka.conn import AIOKafkaConnection
from aiokafka.errors import KafkaError
from aiokafka.protocol.metadata import MetadataRequest

from stream.errors import BrokerError

_SECONDS: Final = 3.0


@dataclass(frozen=True, slots=True)
class Referral:
    """Where a broker sent us.

    Attributes:
        server: the address that answered.
        reachable: brokers that can be connected to.
        unreachable: brokers that cannot, and why.
    """

    server: str
    reachable: tuple[str, ...]
    unreachable: dict[str, str]

    def error(self) -> BrokerError | None:
        """Return what is wrong, if none of the brokers can be reached."""
        if self.reachable or not self.unreachable:
            return None
        there = ", ".join(f"{where} ({why})" for where, why in self.unreachable.items())
        return BrokerError(
            f"Kafka answers at {self.server}, but sends us to {there}",
            "let the broker's advertised.listeners name an address that can be reached from here",
        )


async def referral(servers: str, options: dict[str, Any]) -> Referral | None:
    """Ask the first server that answers where the brokers are, and knock there.

    Args:
        servers: where to ask, in their normal form.
        options: of a connection.

    Returns:
        None where no server answers: that is another trouble.
    """
    answer = await _first_answer(servers, options, [])
    if answer is None:
        return None
    server, found = answer
    brokers = sorted({(broker[1], broker[2]) for broker in found.brokers})
    refusals = await asyncio.gather(*(_refusal(*broker) for broker in brokers))
    met = {_address(*broker): why for broker, why in zip(brokers, refusals, strict=True)}
    return Referral(
        server,
        tuple(where for where, why in met.items() if why is None),
        {where: why for where, why in met.items() if why is not None},
    )


def host_and_port(server: str) -> tuple[str, int]:
    """Return the parts of an address in its normal form."""
    host, _, port = server.rpartition(":")
    return host.strip("[]"), int(port)


async def metadata(servers: str, options: dict[str, Any], topics: Iterable[str]) -> Any:
    """Return the metadata of topics as the first server that answers gives it; None: none does.

    Args:
        servers: where to ask, in their normal form.
        options: of a connection.
        topics: which; empty: all.
    """
    answer = await _first_answer(servers, options, list(topics) or None)
    return None if answer is None else answer[1]


async def _first_answer(
    servers: str, options: dict[str, Any], topics: list[str] | None
) -> tuple[str, Any] | None:
    """Return the first server that answers, and its metadata."""
    for server in servers.split(","):
        found = await _metadata(*host_and_port(server), options, topics)
        if found is not None:
            return server, found
    return None


async def _metadata(host: str, port: int, options: dict[str, Any], topics: list[str] | None) -> Any:
    connection = AIOKafkaConnection(host, port, **options)
    try:
        await connection.connect()
        return await connection.send(MetadataRequest(topics))
    except (KafkaError, OSError, TimeoutError):
        return None
    finally:
        connection.close()


async def _refusal(host: str, port: int) -> str | None:
    try:
        async with asyncio.timeout(_SECONDS):
            _, writer = await asyncio.open_connection(host, port)
    except TimeoutError:
        return "nobody answers"
    except socket.gaierror:
        return "no such host"
    except OSError:
        return "connection refused"
    writer.close()
    return None


def _address(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
