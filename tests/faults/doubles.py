"""Fault doubles that live inside a worker process: traps, a graph that fails, a clock that jumps.

They are put around the product's and the client library's own functions by the runner
(:mod:`tests.faults.worker_main`); the product itself has no hooks for tests.
"""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Coroutine
from typing import Any, Final, Literal

import numpy as np
from aiokafka.conn import AIOKafkaConnection
from numpy.typing import NDArray

from stream.exactly_once.partition_processor import PartitionProcessor
from stream.model.inference import Graph
from tests.faults.wire import Api
from tests.faults.workload import POISON_TEXT
from tests.support.tiny_model import KEYWORDS

Deed = Literal["kill", "stop", "raise"]
_STDOUT: Final = 1
_SIGNALS: Final = {"kill": signal.SIGKILL, "stop": signal.SIGSTOP}


def report(event: str, **fields: object) -> None:
    """Tell the harness something, at once: one JSON line on standard output."""
    # Not sys.stdout: Faust puts a logger in its place. And a line of its own: Faust has drawn its
    # start, a sign at a time, without ending the line.
    os.write(_STDOUT, b"\n" + json.dumps({"event": event, **fields}).encode() + b"\n")


class Trap:
    """Kills or stops this very process at a named phase, in the middle of what it does, or raises.

    Phases: ``fetched``, ``inferring``, and for each request of :class:`~tests.faults.wire.Api`
    ``before:``, ``sent:`` and ``answered:`` (for example ``sent:END_TXN``: the request has left for
    the broker and nobody will ever hear the reply).
    """

    def __init__(self) -> None:
        self._phase = ""
        self._after = 0
        self._deed: Deed = "kill"

    def arm(self, phase: str, after: int, deed: Deed) -> None:
        """Wait for the ``after``-th time from now that ``phase`` is reached."""
        self._phase, self._after, self._deed = phase, after, deed

    def disarm(self) -> None:
        """Wait for nothing any more."""
        self._phase = ""

    def reached(self, phase: str) -> None:
        """Note that a phase was reached."""
        if phase != self._phase:
            return
        self._after -= 1
        if self._after <= 0:
            self._phase = ""
            report("trapped", phase=phase, deed=self._deed)
            if self._deed == "raise":
                raise RuntimeError("a failure that passes")
            os.kill(os.getpid(), _SIGNALS[self._deed])

    def install(self) -> None:
        """Put the trap around the client library's connections and the processors' intake."""
        self._watch_requests()
        add_in_flight = PartitionProcessor.add_in_flight

        def watched(processor: PartitionProcessor, events: int, held: int = 0) -> None:
            add_in_flight(processor, events, held)
            self.reached("fetched")

        PartitionProcessor.add_in_flight = watched  # type: ignore[method-assign,assignment]

    def _watch_requests(self) -> None:
        send = AIOKafkaConnection.send
        names = {api.value: api.name for api in Api}

        def watched(connection: Any, request: Any, expect_response: bool = True) -> Any:
            name = names.get(request.API_KEY)
            if name is None:
                return send(connection, request, expect_response)
            self.reached(f"before:{name}")
            reply = send(connection, request, expect_response)
            self.reached(f"sent:{name}")
            return self._answered(name, reply) if expect_response else reply

        AIOKafkaConnection.send = watched

    async def _answered(self, name: str, reply: Coroutine[Any, Any, Any]) -> Any:
        answer = await reply
        self.reached(f"answered:{name}")
        return answer


class FaultyGraph:
    """A graph that takes its time, reports the phase, and raises at the poison text.

    Args:
        inner: the real graph.
        trap: told that inference is under way.
        call_seconds: added to each call.
        row_seconds: added for each row: bounds the capacity at its inverse.
    """

    def __init__(
        self, inner: Graph, trap: Trap, call_seconds: float, row_seconds: float = 0.0
    ) -> None:
        self.device = inner.device
        self.parallel_calls = inner.parallel_calls
        self._inner = inner
        self._trap = trap
        self._call_seconds = call_seconds
        self._row_seconds = row_seconds
        # The tiny tokenizer knows its keywords by number, from 2.
        self._poison = [KEYWORDS.index(word) + 2 for word in POISON_TEXT.split()]

    def run(
        self, input_ids: NDArray[np.int64], attention_mask: NDArray[np.int64]
    ) -> NDArray[np.float32]:
        """See :class:`stream.model.inference.Graph`.

        Raises:
            ValueError: a row is the poison text.
        """
        half = (self._call_seconds + self._row_seconds * len(input_ids)) / 2
        time.sleep(half)
        self._trap.reached("inferring")
        time.sleep(half)
        if self._poison in (row[: len(self._poison)] for row in input_ids.tolist()):
            raise ValueError("a poison pill")
        return self._inner.run(input_ids, attention_mask)


class JumpingClock:
    """Moves this process' wall clock: what Python code reads with ``time.time()``."""

    def __init__(self) -> None:
        self._time = time.time
        self._offset = 0.0

    def install(self) -> None:
        """Take the clock's place."""
        time.time = lambda: self._time() + self._offset

    def jump(self, seconds: float) -> None:
        """Move the clock, as a wrong time server would."""
        self._offset += seconds
