"""Categories as people name them: by slug, or by name in any of the taxonomy's languages."""

from __future__ import annotations

from difflib import get_close_matches
from typing import Final

from schemas import Category, active_taxonomy
from stream.errors import ConfigError

# A list of more says less than the nearest ones.
_MOST_LISTED: Final = 12


def category_named(said: str) -> Category:
    """Return the category that somebody names.

    Raises:
        ConfigError: there is none; the remedy lists the nearest, or all where they are few.
    """
    taxonomy = active_taxonomy()
    found = taxonomy.find(said)
    if found is not None:
        return found
    near = get_close_matches(said.lower(), taxonomy.slugs, n=3, cutoff=0.6)
    if near:
        remedy = f"did you mean {' or '.join(near)}?"
    elif len(taxonomy.slugs) <= _MOST_LISTED:
        remedy = f"one of: {', '.join(taxonomy.slugs)}"
    else:
        remedy = "`reviews taxonomy check` lists them"
    raise ConfigError(f"there is no category {said!r} in the taxonomy {taxonomy.name!r}", remedy)
