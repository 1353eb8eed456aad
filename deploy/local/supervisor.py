"""Runs one server and ends it when whoever started it is gone.

:mod:`deploy.local.process` executes this file as a script in an isolated interpreter, so it imports
the standard library only. Its standard input is a pipe that the parent holds open and never writes
to: however the parent ends, by ``kill -9`` too, the kernel closes the pipe, and the supervisor stops
its server. (A parent-death signal set in the parent would not do: it fires when the *thread* that
started the server ends.)

Usage: ``supervisor.py GRACE_SECONDS COMMAND...``. The first and only line on standard output is the
server's process id; the server's own output goes to our standard error.
"""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import threading

_PR_SET_PDEATHSIG = 1


def main() -> int:
    """Run the server until it ends; return its exit status as a shell would."""
    grace_seconds, *command = sys.argv[1:]
    server = subprocess.Popen(  # noqa: S603 - the command is our parent's
        command,
        stdin=subprocess.DEVNULL,
        stdout=sys.stderr,
        preexec_fn=_die_with_supervisor,  # noqa: PLW1509 - there is one thread yet
    )
    signal.signal(signal.SIGTERM, lambda *_: server.terminate())
    sys.stdout.write(f"{server.pid}\n")
    sys.stdout.flush()
    threading.Thread(
        target=_stop_when_orphaned, args=(server, float(grace_seconds)), daemon=True
    ).start()
    status = server.wait()
    return 128 - status if status < 0 else status


def _stop_when_orphaned(server: subprocess.Popen[bytes], grace_seconds: float) -> None:
    while os.read(sys.stdin.fileno(), 1):
        pass  # nothing is ever sent; only the end of the pipe matters
    server.terminate()
    try:
        server.wait(grace_seconds)
    except subprocess.TimeoutExpired:
        server.kill()


def _die_with_supervisor() -> None:
    # Linux only. Elsewhere a `kill -9` of the supervisor itself leaves the server running.
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


if __name__ == "__main__":
    sys.exit(main())
