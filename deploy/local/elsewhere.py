"""Stacks that were left running in other folders, found by their processes."""

from __future__ import annotations

import os
from pathlib import Path

import psutil

from deploy.local.state import StackState


def left_running() -> dict[Path, StackState]:
    """Return the stacks of this account that end with no other process, by their data folders.

    Each server works in a folder of its own in the data folder, where its process is written down:
    what only looks like one is none.
    """
    found: dict[Path, StackState] = {}
    for process in psutil.process_iter():
        try:
            if process.uids().real != os.geteuid():
                continue
            folder = Path(process.cwd()).parent
        except psutil.Error:  # it has ended, or is nobody's to ask
            continue
        state = StackState.read(folder)
        if state is not None and state.owner is None and _runs(state, process.pid):
            found[folder] = state
    return dict(sorted(found.items()))


def _runs(state: StackState, pid: int) -> bool:
    return any(server.id.pid == pid and server.id.find() for server in state.servers)
