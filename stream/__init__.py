"""The online half: workers, clients, review queue, monitor, command line. Never imports torch."""

from importlib.util import find_spec as _find_spec
from pathlib import Path as _Path


def _check_neighbour() -> None:
    """Refuse to run beside somebody else's package `schemas`: it would be taken for ours.

    Raises:
        ImportError: it is imported from another place than this package.
    """
    found = _find_spec("schemas")
    here = _Path(__file__).resolve().parents[1]
    if found is None or found.origin is None or _Path(found.origin).resolve().parents[1] != here:
        where = "nowhere" if found is None else found.origin or found.submodule_search_locations
        raise ImportError(
            f"reviews-stream needs its own package `schemas`, and finds another one: {where}. Install "
            "reviews-stream into an environment of its own, or rename the other one"
        )


_check_neighbour()
