"""Draw the README's picture of the demo, by running it: ``python deploy/docs/picture.py``."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

from stream.cli.console import out
from stream.cli.demo import demo
from stream.cli.local import DEFAULT_DATA_DIR

PICTURE: Final = Path(__file__).parent / "demo.svg"
_COLUMNS: Final = 122
# Rich's drawing fetches its font from a content delivery network: a picture must not.
_FONT_FACE: Final = re.compile(r"@font-face\s*\{[^{}]*\}\s*")


def main() -> None:
    """Run the demo on a recording console and write what it showed."""
    out.record = True
    out.width = _COLUMNS
    demo(file=None, keep=False, data_dir=DEFAULT_DATA_DIR)
    drawing = out.export_svg(title="make demo", unique_id="demo")
    PICTURE.write_text(_FONT_FACE.sub("", drawing), encoding="utf-8")
    out.print(f"written: {PICTURE.name}")


if __name__ == "__main__":
    main()
