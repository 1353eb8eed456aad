"""Random interleavings of what partition processors do, against a broker that is a model.

A state machine's steps run on a loop of its own, and nothing in them waits for a clock.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from aiokafka import ConsumerRecord
from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, run_state_machine_as_test

from stream.exactly_once.partition_processor import PartitionProcessor
from stream.worker.input_event import InputEvent

_sleep = asyncio.sleep


async def turns(count: int) -> None:
    """Let everything run that can, for so many turns of the loop."""
    for _ in range(count):
        await _sleep(0)


def event_of(processor: PartitionProcessor, offset: int) -> InputEvent:
    """Return what was read at an offset of a processor's partition."""
    tp = processor.tp
    record = ConsumerRecord(tp.topic, tp.partition, offset, 0, 0, None, b"", None, -1, -1, ())
    return InputEvent(processor, processor.epoch, record, 0.0)


def run_interleavings(
    machine: type[RuleBasedStateMachine],
    monkeypatch: pytest.MonkeyPatch,
    committed: Callable[[Any, Any], int],
    *,
    examples: int,
    steps: int,
) -> None:
    """Run a machine whose consumer knows its ``broker``; back-offs pass at once.

    Args:
        machine: the state machine.
        monkeypatch: of the test.
        committed: gives a broker's committed offset of a partition.
        examples: how many runs.
        steps: of each run, at most.
    """

    async def committed_offset(consumer: Any, group: str, tp: Any, settled: bool) -> int:
        return committed(consumer.broker, tp)

    monkeypatch.setattr("stream.exactly_once.recovery.committed_offset", committed_offset)
    monkeypatch.setattr(
        "stream.exactly_once.partition_processor.asyncio.sleep", lambda _: _sleep(0)
    )
    run_state_machine_as_test(
        machine,
        settings=settings(max_examples=examples, stateful_step_count=steps, deadline=None),
    )
