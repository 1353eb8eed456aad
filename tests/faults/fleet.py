"""Worker processes, seen from the harness: started, trapped, killed, frozen, watched."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import psutil

# Importing ONNX Runtime and joining a group takes 2 s; a loaded two-core machine ten times that.
READY_SECONDS: Final = 120.0
_STOP_SECONDS: Final = 60.0
_WORKER: Final = ("-m", "tests.faults.worker_main")


class Died(Exception):
    """A process ended by itself although it should have gone on."""


class Member:
    """One process of a pipeline under test.

    Args:
        command: arguments of the Python interpreter.
        environment: variables besides our own.
        log: takes what it writes to standard error.
    """

    def __init__(self, command: Sequence[str], environment: Mapping[str, str], log: Path) -> None:
        self.log = log
        self.expected_to_die = False
        self._command = command
        self._environment = environment
        self._process: asyncio.subprocess.Process | None = None
        self._listening: asyncio.Task[None] | None = None
        self._events: dict[str, asyncio.Future[dict[str, Any]]] = {}

    async def start(self) -> None:
        """Start it; :meth:`heard` ``ready`` says when it works."""
        with self.log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable,
                *self._command,
                env={**os.environ, **self._environment, "PYTHONUNBUFFERED": "1"},
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=log,
                start_new_session=True,
            )
        self._listening = asyncio.create_task(self._listen())

    @property
    def pid(self) -> int:
        """Process id; it must have been started."""
        assert self._process is not None
        return self._process.pid

    @property
    def alive(self) -> bool:
        """Whether it runs; a frozen one does."""
        return self._process is not None and self._process.returncode is None

    @property
    def exit_code(self) -> int | None:
        """As the shell would see it, negative for a signal."""
        return None if self._process is None else self._process.returncode

    def memory(self) -> int:
        """Return the resident bytes, 0 when it is gone."""
        try:
            return int(psutil.Process(self.pid).memory_info().rss) if self.alive else 0
        except psutil.Error:
            return 0

    async def heard(self, event: str, seconds: float = READY_SECONDS) -> dict[str, Any]:
        """Wait for its next report of this kind.

        Raises:
            Died: it ended before.
            TimeoutError: it did not say so in time.
        """
        future = self._future(event)
        assert self._process is not None
        ended = asyncio.create_task(self._process.wait())
        either: list[asyncio.Future[Any]] = [future, ended]
        try:
            await asyncio.wait(either, timeout=seconds, return_when="FIRST_COMPLETED")
        finally:
            ended.cancel()
        if future.done():
            del self._events[event]
            return future.result()
        if not self.alive:
            raise Died(f"exit code {self.exit_code}; the end of its log: {self.last_words()}")
        raise TimeoutError(f"no {event} from {self.pid} in {seconds:.0f} s; see {self.log}")

    async def heard_first(self, *events: str, seconds: float = READY_SECONDS) -> str:
        """Wait for one of these reports, and return its name; of several, the one named first.

        Raises:
            Died: it ended before.
            TimeoutError: none came in time.
        """
        waiting = {asyncio.create_task(self.heard(event, seconds)): event for event in events}
        try:
            done, _ = await asyncio.wait(waiting, return_when="FIRST_COMPLETED")
        finally:
            for task in waiting:
                task.cancel()
        first = min(done, key=lambda task: events.index(waiting[task]))
        first.result()
        return waiting[first]

    async def tell(self, **command: object) -> None:
        """Send a command."""
        assert self._process is not None
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(command).encode() + b"\n")
        await self._process.stdin.drain()

    def signal(self, number: signal.Signals) -> None:
        """Send a signal, if it is still there."""
        if self._process is not None and self.alive:
            self._process.send_signal(number)

    async def kill(self) -> None:
        """End it as a power cut would."""
        self.expected_to_die = True
        self.signal(signal.SIGKILL)
        await self.gone()

    async def stop(self) -> float:
        """Ask it to drain and end. Returns how many seconds it took.

        Raises:
            TimeoutError: it did not; now it is killed.
        """
        started = time.monotonic()
        self.expected_to_die = True
        self.signal(signal.SIGTERM)
        try:
            await self.gone(_STOP_SECONDS)
        except TimeoutError:
            status = psutil.Process(self.pid).status()
            await self.kill()
            raise TimeoutError(
                f"{self.log.stem} ({status}) was not over {_STOP_SECONDS:.0f} s after SIGTERM; "
                f"the end of its log: {self.last_words()}"
            ) from None
        return time.monotonic() - started

    async def gone(self, seconds: float = READY_SECONDS) -> None:
        """Wait for its end."""
        assert self._process is not None
        async with asyncio.timeout(seconds):
            await self._process.wait()
        if self._listening is not None:
            await self._listening

    async def frozen(self, seconds: float = READY_SECONDS) -> None:
        """Wait until the kernel has stopped it."""
        process = psutil.Process(self.pid)
        async with asyncio.timeout(seconds):
            while process.status() != psutil.STATUS_STOPPED:  # noqa: ASYNC110 - the kernel tells nobody
                await asyncio.sleep(0.01)

    def last_words(self) -> str:
        """Return the end of its log."""
        return self.log.read_text(errors="replace")[-2000:]

    def _future(self, event: str) -> asyncio.Future[dict[str, Any]]:
        return self._events.setdefault(event, asyncio.get_running_loop().create_future())

    async def _listen(self) -> None:
        assert self._process is not None
        assert self._process.stdout is not None
        while line := await self._process.stdout.readline():
            if not line.startswith(b"{"):
                continue  # Faust prints its banner here
            message: dict[str, Any] = json.loads(line)
            future = self._future(message["event"])
            if not future.done():
                future.set_result(message)


class Fleet:
    """The members of one pipeline, kept at a wanted number.

    Args:
        command: arguments of the Python interpreter; our worker's runner unless given.
        arguments: further arguments.
        environment: variables of every member.
        folder: for logs.
    """

    def __init__(
        self,
        arguments: Sequence[str],
        environment: Mapping[str, str],
        folder: Path,
        command: Sequence[str] = _WORKER,
    ) -> None:
        self.members: list[Member] = []
        self.accidents: list[str] = []
        """Members that ended by themselves: none may, whatever dies around them."""
        self._command = (*command, *arguments)
        self._environment = environment
        self._folder = folder
        self._started = 0

    async def start(self, **extra: str) -> Member:
        """Start one more member, with further variables, without waiting for it."""
        self._started += 1
        variables = {
            **self._environment,
            "REVIEWS_WORKER__NAME": f"worker-{self._started}",
            **extra,
        }
        member = Member(self._command, variables, self._folder / f"worker-{self._started}.log")
        await member.start()
        self.members.append(member)
        return member

    async def scale(self, wanted: int) -> None:
        """Start or stop members until ``wanted`` are left, and wait until they are ready."""
        self.bury()
        fresh = [await self.start() for _ in range(wanted - len(self.members))]
        surplus = self.members[wanted:]
        self.members = self.members[:wanted]
        await asyncio.gather(*(member.stop() for member in surplus))
        await asyncio.gather(*(self._await_ready(member) for member in fresh))

    async def _await_ready(self, member: Member) -> None:
        with contextlib.suppress(Died):  # it is buried, as an accident, when next we look
            await member.heard("ready")

    def bury(self) -> None:
        """Forget the dead, and note those that nobody had killed."""
        for member in self.members:
            if not member.alive and not member.expected_to_die:
                self.accidents.append(
                    f"{member.log.stem} ended with {member.exit_code}: {member.last_words()}"
                )
        self.members = [member for member in self.members if member.alive]

    def memory(self) -> int:
        """Return the largest member's resident bytes."""
        return max((member.memory() for member in self.members), default=0)

    async def stop(self) -> None:
        """Drain and end all."""
        self.bury()
        await asyncio.gather(*(member.stop() for member in self.members))
        self.members = []

    async def destroy(self) -> None:
        """Kill whatever is left."""
        await asyncio.gather(*(member.kill() for member in self.members if member.alive))
