"""Writing a proposed taxonomy into a folder, as files that people edit."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from math import log
from pathlib import Path
from typing import Final

from schemas import load_taxonomy
from schemas.taxonomy import FILE, MAX_NAME
from stream.errors import InputError, not_written
from stream.private_files import replace_whole
from stream.taxonomies.proposal import Proposal, ProposedCategory
from stream.taxonomies.words import TellingWord

RULES: Final = "rules.toml"
EXAMPLES: Final = "examples.jsonl"
# A rule's word: what the labeller of rules can read.
_WORD: Final = re.compile(r"[^\W\d_]+")
# A word that may stand elsewhere as often is no rule.
_LEAST_SHARE: Final = 0.3
_LEAST_Z: Final = 2.0
# Of the texts that hold a word, so many at least are of the category: it names the thing. What says
# less merely hints at it.
_NAMES: Final = 0.8
# What is named first has so much more by itself.
_FIRST_NAMED: Final = 1.0
_LEAST_WEIGHT, _MOST_WEIGHT = 0.5, 20.0
_READABLE: Final = 0o644


def write_proposal(proposal: Proposal, folder: Path, name: str, *, force: bool) -> list[Path]:
    """Write ``taxonomy.toml``, and ``rules.toml`` where any word tells a category.

    Raises:
        InputError: the folder holds a taxonomy already, or cannot be written to.
        DiskFull: no space is left.
    """
    if (folder / FILE).exists() and not force:
        raise InputError(
            f"{folder} holds a taxonomy", "name another folder with --output, or add --force"
        )
    files = {FILE: _taxonomy(proposal, name[:MAX_NAME])}
    if rules := _rules(proposal):
        files[RULES] = rules
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for file, text in files.items():
            replace_whole(folder / file, text, _READABLE)
        if RULES not in files:
            (folder / RULES).unlink(missing_ok=True)  # of the taxonomy that is replaced
    except OSError as error:
        raise not_written(folder, error, "choose another") from None
    load_taxonomy(folder)  # what we wrote ourselves must be right
    return [folder / file for file in files]


def _taxonomy(proposal: Proposal, name: str) -> str:
    lines = [
        "# Categories in a fixed order: a model's output `i` is category `i`. Add new ones at the end.",
        "# Names and descriptions are for people and for language models: make them tell the categories",
        '# apart. `names = { en = "...", ru = "..." }` gives one for each language; `group` is a heading.',
        '# A category that is renamed keeps its old slug in `formerly = ["..."]`.',
        "",
        f"name = {_text(name)}",
        'version = "1"',
        *_languages(proposal),
        '# task = "questions of bank customers by what they ask for"',
    ]
    if proposal.none is not None:
        lines.append(f"none = {_text(proposal.none)}")
    else:
        lines.append('# none = "other"  # the slug of the category that means "none of these"')
    for category in proposal.categories:
        lines += [
            "",
            f"# {category.texts:,} texts" + _words_told(category),
            "[[category]]",
            f"slug = {_text(category.slug)}",
            f"name = {_text(category.name)}",
            *([f"group = {_text(category.group)}"] if category.group else []),
            *_spellings(category),
            'description = ""',
            f"examples = [{', '.join(_text(text) for text in category.examples)}]",
        ]
    return "\n".join(lines) + "\n"


def _languages(proposal: Proposal) -> list[str]:
    if not proposal.languages:
        return [
            '# languages = ["en"]  # what is written in another script or language goes to people'
        ]
    names = ", ".join(map(_text, proposal.languages))
    return [
        "# By script, commonest words and letters; correct it. What is written in another one goes to people.",
        f"languages = [{names}]",
    ]


def _spellings(category: ProposedCategory) -> list[str]:
    if not category.spellings:
        return []
    names = ", ".join(map(_text, category.spellings))
    return [f"formerly = [{names}]  # so the file calls it"]


def _words_told(category: ProposedCategory) -> str:
    words = ", ".join(word.words for word in category.telling[:6])
    return f"; telling words: {words}" if words else ""


def _rules(proposal: Proposal) -> str:
    """Return the rules as a file; empty where there are none."""
    head = [
        "# Words that speak for a category, proposed from labels: strike out what only looks so.",
        "# words: one each; `word!` this form alone, `wor*` every word that begins so. phrases: several in",
        "# a row. weight: how much they say, as the labels bear out. tier: product for what names it, hint for",
        "# what is often said of it. The bundled taxonomy's file explains all that can be written.",
        "",
        'codebook = "1"',
    ]
    others, rules = len(proposal.categories) - 1, list[str]()
    for category in proposal.categories:
        found = [w for w in category.telling if w.least_share >= _LEAST_SHARE and w.z >= _LEAST_Z]
        rules += _rule(category, [w for w in found if w.least_share >= _NAMES], others, names=True)
        rules += _rule(category, [w for w in found if w.least_share < _NAMES], others, names=False)
    return "\n".join([*head, *rules]) + "\n" if rules else ""


def _rule(
    category: ProposedCategory, telling: Sequence[TellingWord], others: int, *, names: bool
) -> list[str]:
    """Return a rule whose weakest word makes the category as likely as the labels bear out.

    The labeller takes weights for log-odds against each of the other categories. It counts further words
    of a rule for less, and those of another rule in full: so these are few rules, not one a word.
    """
    words = [w for w in telling if _WORD.fullmatch(w.words)]
    phrases = [w for w in telling if _is_phrase(w.words)]
    if not words and not phrases:
        return []
    share = min(w.least_share for w in (*words, *phrases))
    weight = log(share / (1 - share) * others) - (_FIRST_NAMED if names else 0.0)
    lines = [
        "",
        "[[rule]]",
        f'id = "{category.slug.replace("_", "-")}.{"names" if names else "hints"}"',
        f'tier = "{"product" if names else "hint"}"',
        f"category = {_text(category.slug)}",
        f"weight = {min(max(weight, _LEAST_WEIGHT), _MOST_WEIGHT):.1f}",
    ]
    if words:
        lines.append(f"words = {_text(' '.join(w.words for w in words))}")
    if phrases:
        lines.append(f"phrases = [{', '.join(_text(w.words) for w in phrases)}]")
    return lines


def _is_phrase(words: str) -> bool:
    parts = words.split()
    return len(parts) > 1 and all(_WORD.fullmatch(part) for part in parts)


def _text(text: str) -> str:
    """Return a TOML string: JSON's is one, but for the one character that only JSON lets through."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
