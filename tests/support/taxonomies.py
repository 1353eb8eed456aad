"""Another taxonomy than the bundled one: so many categories of bank customers' questions."""

from __future__ import annotations

from pathlib import Path

from schemas import Taxonomy, load_taxonomy


def write_taxonomy(folder: Path, categories: int = 77, none: bool = False) -> Path:
    """Write a taxonomy of numbered categories, in English; the last may mean none of these."""
    folder.mkdir(parents=True, exist_ok=True)
    lines = ['name = "bank"', 'languages = ["en"]']
    if none:
        lines.append(f'none = "intent_{categories - 1}"')
    for i in range(categories):
        lines += [
            "[[category]]",
            f'slug = "intent_{i}"',
            f'names = {{ en = "Intent {i}", ru = "Намерение {i}" }}',
            f'descriptions = "Questions of kind {i}."',
            f'group = "Group {i // 10}"',
        ]
    (folder / "taxonomy.toml").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return folder


def bank(folder: Path, categories: int = 77) -> Taxonomy:
    """Return such a taxonomy."""
    return load_taxonomy(write_taxonomy(folder, categories))
