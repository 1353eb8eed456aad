"""Reference: aiokafka's documented loop, ``python -m tests.faults.reference_aiokafka FOLDER``.

https://aiokafka.readthedocs.io/en/stable/examples/transaction_example.html, in its own order:
``getmany``, then one transaction with all outputs and ``send_offsets_to_transaction``. Each process
has a transactional id of its own, as two cannot share one. What the page leaves open is set as for
our worker: time-outs, and a restart of what has ended.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
import sys
from pathlib import Path
from typing import Final

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

from stream.kafka.connection import connection_options
from stream.settings import load_settings
from tests.faults.controls import Controls
from tests.faults.doubles import report
from tests.faults.reference_outcomes import outcomes

# So long that shutdown is soon heard of.
_POLL_MS: Final = 500


async def _loop(folder: Path, controls: Controls) -> None:
    settings = load_settings()
    topics, worker = settings.topic_names, settings.worker
    classifier = controls.classifier(folder, settings)
    consumer = AIOKafkaConsumer(
        topics.incoming,
        **connection_options(settings.kafka),
        group_id=worker.group,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        isolation_level="read_committed",
        session_timeout_ms=worker.session_timeout_ms,
        heartbeat_interval_ms=worker.heartbeat_interval_ms,
    )
    producer = AIOKafkaProducer(
        **connection_options(settings.kafka),
        transactional_id=f"{worker.group}-{worker.name}",
        transaction_timeout_ms=worker.transaction_timeout_ms,
    )
    await consumer.start()
    await producer.start()
    report("ready")
    try:
        while True:
            polled = await consumer.getmany(timeout_ms=_POLL_MS, max_records=256)
            if not polled:
                continue
            async with producer.transaction():
                offsets = {tp: records[-1].offset + 1 for tp, records in polled.items()}
                values = [record.value for records in polled.values() for record in records]
                # In a thread, or heartbeats would wait for the model.
                decided = await asyncio.to_thread(
                    lambda batch: list(outcomes(batch, classifier, topics)), values
                )
                for topic, key, value in decided:
                    await producer.send(topic, key=key, value=value)
                await producer.send_offsets_to_transaction(offsets, worker.group)
    finally:
        await consumer.stop()
        await producer.stop()


async def _main(folder: Path) -> None:
    controls = Controls()
    looping = asyncio.create_task(_loop(folder, controls))
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, looping.cancel)
    obeying = asyncio.create_task(controls.obey())
    obeying.add_done_callback(lambda _: looping.cancel())
    with contextlib.suppress(asyncio.CancelledError):
        await looping
    obeying.cancel()


if __name__ == "__main__":
    asyncio.run(_main(Path(sys.argv[1])))
