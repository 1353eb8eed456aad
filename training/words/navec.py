"""The Navec word vectors that come with the ``natasha`` wheel: 300 numbers a word, Russian news."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

from training.errors import LabellerUnavailable


def bundled_navec() -> Path:
    """Return the vectors inside the installed ``natasha`` package.

    Raises:
        LabellerUnavailable: the package is there without its vectors.
    """
    folder = Path(str(files("natasha"))) / "data" / "emb"
    found = sorted(folder.glob("navec_*.tar"))
    if not found:
        raise LabellerUnavailable(f"{folder} holds no Navec vectors", "reinstall natasha")
    return found[0]
