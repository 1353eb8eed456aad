"""A server process: started attached or detached, ended politely or not, never mistaken."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final

import psutil

from deploy.local.errors import StartFailed

_SUPERVISOR: Final = Path(__file__).with_name("supervisor.py")

ORPHAN_GRACE_SECONDS: Final = 10.0
"""What a server gets to close its files after its parent crashed, before it is killed."""

STOP_SECONDS: Final = 20.0
"""What a server gets when asked to stop: ten times what Kafka needs on an idle machine."""

PRIVATE_UMASK: Final = 0o077
"""Of every server: what it writes, other accounts of the machine cannot read."""

_POLL_SECONDS: Final = 0.05
_TAIL_LINES: Final = 15

# The kernel counts start times from boot in ticks of 10 ms; the wall clock that they are told in
# may be corrected meanwhile.
_CLOCK_TOLERANCE_SECONDS: Final = 2.0

# They would reach our Java through the back door.
_FOREIGN_VARIABLES: Final = ("CLASSPATH", "JAVA_TOOL_OPTIONS", "JDK_JAVA_OPTIONS", "_JAVA_OPTIONS")


@dataclass(frozen=True, slots=True)
class ProcessId:
    """A process for good: numbers are reused, a number with a start time is not.

    Attributes:
        pid: the kernel's number.
        started: seconds since the epoch.
    """

    pid: int
    started: float

    @classmethod
    def of(cls, pid: int) -> ProcessId:
        """Identify a child of ours; one that has ended already becomes an id of nobody."""
        try:
            return cls(pid, psutil.Process(pid).create_time())
        except psutil.NoSuchProcess:
            return cls(pid, 0.0)

    def find(self) -> psutil.Process | None:
        """Return the process if it is still the same one and has not ended."""
        try:
            process = psutil.Process(self.pid)
            same = abs(process.create_time() - self.started) < _CLOCK_TOLERANCE_SECONDS
            return process if same and process.status() != psutil.STATUS_ZOMBIE else None
        except psutil.NoSuchProcess:
            return None


def end(processes: Sequence[psutil.Process]) -> bool:
    """Stop processes gracefully, the deaf ones by force; tell whether there were any."""
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            process.terminate()
            process.resume()  # a suspended one would not hear us
    _, deaf = psutil.wait_procs(processes, STOP_SECONDS)
    for process in deaf:
        with suppress(psutil.NoSuchProcess):
            process.kill()
    psutil.wait_procs(deaf, STOP_SECONDS)
    return bool(processes)


class ServerProcess:
    """One server, started by this process; can be started again after it ended.

    Args:
        name: what to call it in messages; its log is ``NAME.log``.
        folder: where its log goes; made when absent.
        attached: it ends with us, however we end. Otherwise it outlives us.
        working_dir: ours unless given.
    """

    def __init__(
        self, name: str, folder: Path, *, attached: bool = True, working_dir: Path | None = None
    ) -> None:
        self.name = name
        self.log = folder / f"{name}.log"
        self._attached = attached
        self._working_dir = working_dir
        self._handle: subprocess.Popen[bytes] | None = None
        self._id: ProcessId | None = None
        self._log_start = 0

    @property
    def pid(self) -> int | None:
        """Number of the server itself (not of its supervisor), None when it does not run."""
        return self._id.pid if self._id is not None and self.is_alive() else None

    @property
    def id(self) -> ProcessId | None:
        """Identity of the server that runs now, None when none does."""
        return self._id if self.is_alive() else None

    def start(
        self,
        command: Sequence[str],
        ready: Callable[[], bool],
        seconds: float,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        """Start the server and wait until it is ready.

        Args:
            command: program and arguments.
            ready: asked again and again until it says so.
            seconds: how long to wait.
            environment: variables besides our own.

        Raises:
            StartFailed: it cannot be executed, ended, or was not ready in time; it is gone then.
        """
        self.launch(command, environment)
        self.await_ready(ready, seconds)

    def launch(self, command: Sequence[str], environment: Mapping[str, str] | None = None) -> None:
        """Start the server and return at once.

        It gets a session of its own, so that Ctrl-C in the terminal reaches us only.

        Raises:
            StartFailed: it cannot be executed.
        """
        self._wait(0)  # one that ended by itself has left its pipe open
        self.log.parent.mkdir(parents=True, exist_ok=True)
        self._log_start = self.log.stat().st_size if self.log.exists() else 0
        variables = {k: v for k, v in os.environ.items() if k not in _FOREIGN_VARIABLES}
        variables |= environment or {}
        spawn = self._spawn_supervised if self._attached else self._spawn_detached
        try:
            self.log.touch(mode=0o600)
            with self.log.open("ab") as log:
                spawn(list(command), log, variables)
        except OSError as error:
            raise StartFailed(f"{self.name} cannot be executed: {error}") from error

    def await_ready(self, ready: Callable[[], bool], seconds: float) -> None:
        """Wait until a launched server is ready.

        Raises:
            StartFailed: it ended, or was not ready in time; it is gone then.
        """
        deadline = time.monotonic() + seconds
        while not ready():
            ended = not self.is_alive()
            if ended or time.monotonic() > deadline:
                self.kill()
                late = f"was not ready after {seconds:.0f} s"
                raise self._failure("ended while starting" if ended else late)
            time.sleep(_POLL_SECONDS)

    def is_alive(self) -> bool:
        """Tell whether the server runs (a suspended one does)."""
        return self._handle is not None and self._handle.poll() is None

    def send(self, number: signal.Signals) -> None:
        """Send a signal to the server; does nothing when it has ended."""
        # Its parent, the supervisor or we ourselves, has not collected it while the handle is
        # open: the number cannot have been given to another process.
        if self._id is not None and self.is_alive():
            os.kill(self._id.pid, number)

    def kill(self) -> None:
        """End it as a power cut would, and wait until it is gone."""
        self.send(signal.SIGKILL)
        self._wait(ORPHAN_GRACE_SECONDS)

    def stop(self, seconds: float = STOP_SECONDS) -> None:
        """Ask it to end, wait, and kill it when the time is over."""
        self.send(signal.SIGTERM)
        if not self._wait(seconds):
            self.kill()

    def output(self) -> str:
        """Return what it has logged since it was started last."""
        try:
            with self.log.open("rb") as log:
                log.seek(self._log_start)
                return log.read().decode(errors="replace")
        except FileNotFoundError:
            return ""

    def tail(self, lines: int = _TAIL_LINES) -> str:
        """Return the last lines that it logged since it was started last."""
        return "\n".join(self.output().splitlines()[-lines:])

    def _wait(self, seconds: float) -> bool:
        if self._handle is None:
            return True
        try:
            self._handle.wait(seconds)
        except subprocess.TimeoutExpired:
            return False
        if self._handle.stdin is not None:
            self._handle.stdin.close()
        return True

    def _failure(self, what: str) -> StartFailed:
        said = self.tail() or "(nothing)"
        return StartFailed(
            f"{self.name} {what}. The end of its log:\n{said}", f"the whole log is in {self.log}"
        )

    def _spawn_detached(
        self, command: list[str], log: IO[bytes], variables: Mapping[str, str]
    ) -> None:
        self._handle = subprocess.Popen(  # noqa: S603 - no shell, and the command is our own
            command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd=self._working_dir,
            env=variables,
            start_new_session=True,
            umask=PRIVATE_UMASK,
        )
        self._id = ProcessId.of(self._handle.pid)

    def _spawn_supervised(
        self, command: list[str], log: IO[bytes], variables: Mapping[str, str]
    ) -> None:
        grace = str(ORPHAN_GRACE_SECONDS)
        self._handle = subprocess.Popen(  # noqa: S603 - likewise
            [sys.executable, "-I", "-S", str(_SUPERVISOR), grace, *command],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            cwd=self._working_dir,
            env=variables,
            start_new_session=True,
            umask=PRIVATE_UMASK,
        )
        told = _first_line(self._handle.stdout)
        if not told:
            self._handle.communicate()
            raise StartFailed(f"{self.name} cannot be executed: {self.tail()}")
        self._id = ProcessId.of(int(told))


def _first_line(pipe: IO[bytes] | None) -> bytes:
    if pipe is None:
        return b""
    with pipe:
        return pipe.readline()
