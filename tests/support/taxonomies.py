"""Another taxonomy than the bundled one: so many categories of bank customers' questions."""

from __future__ import annotations

from pathlib import Path

import pytest

from schemas import Taxonomy, load_taxonomy

both_taxonomies = pytest.mark.parametrize("taxonomy", ["marketplace", "bank"], indirect=True)
"""The test holds for the bundled categories and for somebody else's: more of them, in English."""


def write_taxonomy(
    folder: Path, categories: int = 77, none: bool = False, language: str = "en"
) -> Path:
    """Write a taxonomy of numbered categories; the last may mean none of these."""
    folder.mkdir(parents=True, exist_ok=True)
    lines = ['name = "bank"', f'languages = ["{language}"]']
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


SUBJECTS = {
    "card": "карта",
    "transfer": "перевод",
    "top-up": "пополнение",
    "cash": "наличные",
    "account": "счёт",
    "exchange": "обмен валюты",
    "refund": "возврат",
    "PIN": "пин-код",
    "app": "приложение",
    "salary": "зарплата",
    "loan": "кредит",
}
ASPECTS = {
    "has not arrived": "ещё нет",
    "declined": "отказано",
    "fee charged": "взята комиссия",
    "takes how long": "сколько ждать",
    "limit reached": "исчерпан лимит",
    "cancelled": "отменено",
    "lost or stolen": "потеря или кража",
}


def write_helpdesk(folder: Path, times: int = 1, none: str | None = None) -> Path:
    """Write a taxonomy of 77 categories, or a multiple, with telling names in English and Russian.

    Args:
        folder: where to.
        times: how often 77.
        none: the slug that means none of these; None: there is none.
    """
    lines = ['name = "helpdesk"', 'languages = ["en", "ru"]']
    if none is not None:
        lines.append(f'none = "{none}"')
    for round_ in range(times):
        end = f" {round_ + 1}" if round_ else ""
        for subject, russian in SUBJECTS.items():
            for aspect, aspect_russian in ASPECTS.items():
                name = f"{subject} {aspect}{end}"
                lines += [
                    "[[category]]",
                    f'slug = "{name.lower().replace(" ", "_").replace("-", "_")}"',
                    f'names = {{ en = "{name}", ru = "{russian}: {aspect_russian}{end}" }}',
                    f'descriptions = "Messages that say: {name}."',
                    f'group = {{ en = "About the {subject}", ru = "{russian.capitalize()}" }}',
                ]
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "taxonomy.toml").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return folder


def helpdesk(folder: Path, times: int = 1, none: str | None = None) -> Taxonomy:
    """Return such a taxonomy."""
    return load_taxonomy(write_helpdesk(folder, times, none))
