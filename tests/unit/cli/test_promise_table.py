"""A table of promises fits into a terminal of eighty columns."""

import io
from pathlib import Path

from rich.console import Console

from stream.model.folder import read_manifest
from training.cli.calibrate import promise_table

BUNDLED = Path(__file__).parents[3] / "deploy" / "model"


def test_eighty_columns_hold_every_word_and_number():
    shown = io.StringIO()
    Console(file=shown, width=80).print(promise_table(read_manifest(BUNDLED)))
    text = shown.getvalue()
    assert "…" not in text
    assert max(map(len, text.splitlines())) <= 80
    assert "household-appliances" in text
