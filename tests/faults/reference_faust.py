"""Reference: Faust, ``exactly_once`` and ``take()``: ``python -m tests.faults.reference_faust FOLDER``.

An agent as in Faust's user guide (https://faust-streaming.github.io/faust/userguide/streams.html,
"take"): it buffers reviews, classifies them at once and sends each to its category topic. Where
Faust leaves a choice it is ours: session time-out and heartbeats.
"""

from __future__ import annotations

import asyncio
import os
import sys
import tempfile
from pathlib import Path
from typing import Any, Final

import faust

from stream.settings import load_settings
from tests.faults.controls import Controls
from tests.faults.doubles import report
from tests.faults.reference_outcomes import outcomes

_BATCH: Final = 256
_WITHIN_SECONDS: Final = 0.05


def _app(folder: Path) -> faust.App:
    settings, controls = load_settings(), Controls()
    topics, worker = settings.topic_names, settings.worker
    classifier = controls.classifier(folder, settings)
    app = faust.App(
        worker.group,
        broker=f"kafka://{settings.kafka.bootstrap_servers.replace(',', ';')}",
        processing_guarantee="exactly_once",
        broker_session_timeout=worker.session_timeout_ms / 1000,
        broker_heartbeat_interval=worker.heartbeat_interval_ms / 1000,
        consumer_auto_offset_reset="earliest",
        topic_disable_leader=True,
        web_enabled=False,
        datadir=tempfile.mkdtemp(prefix="faust-"),
    )
    raw: dict[str, Any] = {
        "key_type": bytes,
        "key_serializer": "raw",
        "value_type": bytes,
        "value_serializer": "raw",
    }
    outputs = {name: app.topic(name, **raw) for name in topics.categories}

    @app.agent(app.topic(topics.incoming, **raw))
    async def classify(stream: Any) -> None:
        async for values in stream.take(_BATCH, within=_WITHIN_SECONDS):
            decided = await asyncio.to_thread(
                lambda batch: list(outcomes(batch, classifier, topics)), values
            )
            for topic, key, value in decided:
                await outputs[topic].send(key=key, value=value)

    @app.task  # type: ignore[untyped-decorator]
    async def obey() -> None:
        await controls.obey()
        os._exit(0)  # the harness is gone

    @app.on_partitions_assigned.connect
    async def announce(*_: Any, **__: Any) -> None:
        report("ready")

    return app


if __name__ == "__main__":
    faust.Worker(_app(Path(sys.argv[1])), loglevel="WARN", quiet=True).execute_from_commandline()
