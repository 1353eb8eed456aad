"""What every member of a pipeline under test has: fault doubles, and ears for the harness.

Commands are JSON lines on standard input; when that ends, the harness is gone, and so is the
member. Settings come from the environment (``REVIEWS_*``), as in production.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer

from stream.model.classifier import Classifier
from stream.model.folder import TOKENIZER, verify
from stream.model.inference import open_graph
from stream.model.stage import Stage
from stream.settings import Settings
from tests.faults.doubles import FaultyGraph, JumpingClock, Trap, report

CALL_MS = "FAULTS_CALL_MS"
ROW_MS = "FAULTS_ROW_MS"
TRAP = "FAULTS_TRAP"
"""JSON arguments of a trap that is armed from the start."""


class Controls:
    """A member's traps and its clock, both installed; :meth:`obey` listens to the harness."""

    def __init__(self) -> None:
        self.trap = Trap()
        self._clock = JumpingClock()
        self.trap.install()
        self._clock.install()
        if TRAP in os.environ:
            self.trap.arm(**json.loads(os.environ[TRAP]))

    def classifier(self, folder: Path, settings: Settings) -> Classifier:
        """Load the model folder with fault doubles around its graph."""
        manifest = verify(folder)
        graph = FaultyGraph(
            open_graph(folder, "cpu", 1, manifest.max_length),
            self.trap,
            float(os.environ.get(CALL_MS, "3")) / 1000,
            float(os.environ.get(ROW_MS, "0")) / 1000,
        )
        tokenizer = Tokenizer.from_file(str(folder / TOKENIZER))
        return Classifier(manifest, Stage(tokenizer, graph, manifest, settings.model.chunk_tokens))

    async def obey(self) -> None:
        """Do what the harness says until it is gone."""
        reader = asyncio.StreamReader()
        loop = asyncio.get_running_loop()
        await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
        while line := await reader.readline():
            command: dict[str, Any] = json.loads(line)
            if "trap" in command:
                self.trap.arm(command["trap"], command["after"], command["do"])
            elif "disarm" in command:
                self.trap.disarm()
                report("disarmed")
            elif "jump" in command:
                self._clock.jump(command["jump"])
            elif "stats" in command:
                report("stats", tasks=len(asyncio.all_tasks()))
