"""What decides a training's weights besides its data: options, base checkpoint, code.

Finished runs and half-finished ones are kept under it, so that none is taken up that would come out
otherwise today.
"""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Iterable
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Final

from training.encoders.checkpoints import checkpoint_digest
from training.fit.config import TrainConfig

_ROOT: Final = Path(__file__).resolve().parents[2]
# Whole folders, so that a new module is in it unasked; what only measures or writes files is not.
_SOURCES: Final = (
    "training/data",
    "training/fit",
    "training/models",
    "training/encoders",
    "training/pretraining",
    "training/words",
    "training/distillation.py",
    "training/out_of_fold.py",
    "training/split.py",
    "stream/text",
)
_LIBRARIES: Final = (
    "reviews-stream",
    "numpy",
    "peft",
    "scikit-learn",
    "tokenizers",
    "torch",
    "transformers",
)


def decided_by(config: TrainConfig, *but: str, based: bool = True) -> str:
    """Return all that decides the weights besides the data, as one line.

    Args:
        config: how it is trained.
        but: options that make no difference.
        based: whether it starts from the base checkpoint; a baseline does not.

    Raises:
        LabellerUnavailable: the base checkpoint is not on this machine.
    """
    base = checkpoint_digest(str(config.encoder)) if based else "-"
    taught = [
        "-" if teacher.base is None else checkpoint_digest(teacher.base)
        for teacher in config.distillation.taught_by
    ]
    return " ".join([code_digest(), base, *taught, config.deciding(*but)])


@cache
def code_digest() -> str:
    """Return a digest of the code that decides weights, and of the libraries' versions."""
    return digest_of(sources(), [f"{name} {_version(name)}" for name in _LIBRARIES])


def sources() -> list[Path]:
    """Return the files of the code that decides weights.

    Raises:
        FileNotFoundError: a place of such code has moved and is not named here.
    """
    files: list[Path] = []
    for path in (_ROOT / source for source in _SOURCES):
        found = [path] if path.is_file() else sorted(path.rglob("*.py"))
        if not found:
            raise FileNotFoundError(f"{path} decides weights and is not there")
        files += found
    return files


def digest_of(files: Iterable[Path], further: Iterable[str] = ()) -> str:
    """Return a digest of what Python files do: comments, docstrings and layout do not count.

    Args:
        files: in an order that is always the same.
        further: goes into the digest as it is.
    """
    digest = hashlib.sha256()
    for file in files:
        tree = _WithoutDocstrings().visit(ast.parse(file.read_text(encoding="utf-8")))
        digest.update(f"{file.name}\n{ast.dump(tree)}\n".encode())
    for line in further:
        digest.update(f"{line}\n".encode())
    return digest.hexdigest()[:16]


class _WithoutDocstrings(ast.NodeTransformer):
    def visit_Expr(self, node: ast.Expr) -> ast.Expr | None:
        """Drop a statement that is nothing but text."""
        text = isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
        return None if text else node


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "-"
