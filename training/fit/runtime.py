"""Devices, precision, and progress on disk."""

from __future__ import annotations

import os
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Final

import torch
from torch import nn

from stream.errors import DiskFull
from training.errors import TrainingError

_FILE: Final = "progress.pt"


def pick_device(wanted: str) -> torch.device:
    """Return the device to train on; ``auto`` takes a GPU where there is one.

    Raises:
        TrainingError: ``cuda`` was demanded and there is none.
    """
    available = torch.cuda.is_available()
    if wanted == "cuda" and not available:
        raise TrainingError("torch finds no GPU", "train with --device cpu")
    return torch.device("cuda" if available and wanted != "cpu" else "cpu")


def autocast(device: torch.device) -> AbstractContextManager[Any]:
    """Compute in bfloat16 where the processor is faster at it, in single precision elsewhere."""
    return torch.autocast(device.type, torch.bfloat16, enabled=_has_bfloat16(device))


def _has_bfloat16(device: torch.device) -> bool:
    """Tell whether a processor multiplies in bfloat16; torch would imitate it on any."""
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    try:
        flags = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return False
    return "avx512_bf16" in flags or "amx_bf16" in flags


def save_progress(
    folder: Path, epoch: int, losses: list[float], model: nn.Module, optimizer: Any, key: str
) -> None:
    """Keep everything that the next epoch needs; an interruption leaves the former state whole.

    Args:
        folder: is made if it is absent.
        epoch: epochs that are done.
        losses: of each.
        model: as it is now.
        optimizer: likewise.
        key: says what is being trained, and how: another training must not take this up.

    Raises:
        DiskFull: it cannot be written.
        TrainingError: another training writes there as well.
    """
    folder.mkdir(parents=True, exist_ok=True)
    state = {
        "key": key,
        "epoch": epoch,
        "losses": losses,
        "model": model.state_dict(),
        "optimizer": optimizer.state_dict(),
    }
    partial = folder / (_FILE + ".partial")
    try:
        torch.save(state, partial)
    # On a full disk torch complains of a position in the file that it did not expect.
    except (OSError, RuntimeError) as error:
        partial.unlink(missing_ok=True)
        raise DiskFull(
            f"progress cannot be kept in {folder}: {' '.join(str(error).split())}",
            "free some space and run the command again: it goes on after the last whole epoch",
        ) from None
    try:
        os.replace(partial, folder / _FILE)  # noqa: PTH105 - Path.replace is the same call
    except FileNotFoundError:
        raise TrainingError(
            f"another training keeps its progress in {folder} as well",
            "wait for it, or give each a folder of its own (--work)",
        ) from None


def resume(folder: Path, model: nn.Module, optimizer: Any, key: str) -> tuple[int, list[float]]:
    """Take up what :func:`save_progress` kept under the same key.

    Returns:
        Epochs that are done, and their losses; none if the folder holds nothing of this training.

    Raises:
        TrainingError: what was kept is damaged.
    """
    path = folder / _FILE
    if not path.is_file():
        return 0, []
    # weights_only: tensors and numbers are read, nothing is unpickled into objects or executed.
    # On the CPU, wherever it was kept: the GPU may be gone, or too full for a second copy.
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
        kept = state["key"]
    except Exception as error:  # noqa: BLE001 - the library fails in every way there is
        why = (str(error).splitlines() or [type(error).__name__])[0]
        raise TrainingError(
            f"{path}, the progress that was kept, is damaged: {why}",
            "remove the file: this part of the training begins anew",
        ) from None
    if kept != key:
        return 0, []
    model.load_state_dict(state["model"])
    optimizer.load_state_dict(state["optimizer"])
    return int(state["epoch"]), list(state["losses"])
