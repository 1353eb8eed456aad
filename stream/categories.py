"""Categories as people name them: by slug, or by name in any of the taxonomy's languages."""

from __future__ import annotations

from difflib import get_close_matches
from typing import Final

from schemas import Category, active_taxonomy
from stream.errors import ConfigError

# A list of more says less than the nearest ones.
_MOST_LISTED: Final = 12
_MOST_SAID: Final = 60


def title(category: Category) -> str:
    """Return a category's name in the main language of the taxonomy, as a terminal shows it."""
    return category.info.name(active_taxonomy().languages[0])


def any_category() -> str:
    """Return all slugs, or where they are listed if they are many, as a message goes on after "use"."""
    slugs = active_taxonomy().slugs
    if len(slugs) <= _MOST_LISTED:
        return f"one of {', '.join(slugs)}"
    return f"one of the {len(slugs)} that `reviews taxonomy check` lists"


def why_none(said: str) -> str:
    """Return why what somebody calls a category is none: it means several, or nothing.

    Args:
        said: what :meth:`~schemas.Taxonomy.find` takes for no category.
    """
    short = repr(said[:_MOST_SAID])
    named = active_taxonomy().called(said)
    if len(named) > 1:
        return f"{short} is the name of {' and of '.join(named)}: a slug tells them apart"
    return f"no known category in {short}"


def category_named(said: str) -> Category:
    """Return the category that somebody names.

    Raises:
        ConfigError: there is none; the remedy lists the nearest, or all where they are few. Or there are
            several.
    """
    taxonomy = active_taxonomy()
    found = taxonomy.find(said)
    if found is not None:
        return found
    if len(named := taxonomy.called(said)) > 1:
        raise ConfigError(why_none(said), f"use {' or '.join(named)}")
    near = get_close_matches(said.lower(), taxonomy.slugs, n=3, cutoff=0.6)
    remedy = f"did you mean {' or '.join(near)}?" if near else f"use {any_category()}"
    raise ConfigError(f"there is no category {said!r} in the taxonomy {taxonomy.name!r}", remedy)
