"""What is wrong with the settings, where each mistake stands, and the nearest right name."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Iterable, Iterator
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Final

from pydantic import BaseModel, ValidationError

PREFIX: Final = "REVIEWS_"
_BETWEEN: Final = "__"
_UNKNOWN: Final = "extra_forbidden"
# A name that is further away than this is another one.
_LEAST_ALIKE: Final = 0.6
_OVERVIEW: Final = "`reviews config` shows all settings"


def variable(*names: str) -> str:
    """Return the environment variable of a section, or of a section's option."""
    return PREFIX + _BETWEEN.join(name for name in names if name).upper()


def mistakes_in(error: ValidationError, model: type[BaseModel], file: Path) -> tuple[str, str]:
    """Return what is wrong with the settings, all of it, and the remedy.

    Args:
        error: of reading them.
        model: of the settings; its fields are sections.
        file: that they were read from, if it is there.
    """
    problems, names = [], []
    for mistake in error.errors(include_url=False, include_input=False):
        path = tuple(map(str, mistake["loc"]))
        given = _variable_that_gives(path)
        where = given or (str(file) if _gives(file, path[:2]) else None)
        setting = ".".join(path) + (f" (from {where})" if where else "")
        if mistake["type"] == _UNKNOWN:
            problems.append(f"{setting}: there is no such setting")
            names += _nearest(path, model, in_environment=given is not None)
        else:
            said = mistake["msg"].removeprefix("Value error, ")
            problems.append(f"{setting}: {said}" if setting else said)
    return "; ".join(problems), _remedy(names)


def unknown_variables(model: type[BaseModel]) -> tuple[str, str] | None:
    """Return what is wrong with variables that name no section; None: nothing is.

    Only names with two underscores are ours: others, such as ``REVIEWS_PORT``, Kubernetes makes.
    """
    problems, names = [], []
    for name in sorted(os.environ):
        if not name.startswith(PREFIX) or _BETWEEN not in name:
            continue
        path = tuple(name.removeprefix(PREFIX).lower().split(_BETWEEN, 1))
        if path[0] not in model.model_fields:
            problems.append(f"{name}: there is no such setting")
            names += _nearest(path, model, in_environment=True)
    return ("; ".join(problems), _remedy(names)) if problems else None


def _remedy(names: list[str]) -> str:
    return f"did you mean {' and '.join(names)}? {_OVERVIEW}" if names else _OVERVIEW


def _variable_that_gives(path: tuple[str, ...]) -> str | None:
    """Return the environment's variable that a setting came from; None: it came from elsewhere."""
    wanted = {variable(*path[:2]), variable(path[0])} if path else set()
    return next((given for given in os.environ if given.upper() in wanted), None)


def _gives(file: Path, path: Iterable[str]) -> bool:
    try:
        found: Any = tomllib.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    for name in path:
        if not isinstance(found, dict) or name not in found:
            return False
        found = found[name]
    return True


def _nearest(path: tuple[str, ...], model: type[BaseModel], *, in_environment: bool) -> list[str]:
    """Return the name that was meant, as it is written there; none if nothing is near."""
    known = {".".join(names): names for names in _names(model)}
    said = ".".join(path)
    near = get_close_matches(said, known, n=1, cutoff=_LEAST_ALIKE)
    # The right option in the wrong section, if it is in one section only.
    same = [name for name, names in known.items() if len(path) > 1 and names[1:] == path[1:]]
    if len(same) == 1:
        near = same
    return [variable(*known[name]) if in_environment else name for name in near]


def _names(model: type[BaseModel]) -> Iterator[tuple[str, ...]]:
    for section, field in model.model_fields.items():
        yield (section,)
        inner = field.annotation
        if isinstance(inner, type) and issubclass(inner, BaseModel):
            for option in inner.model_fields:
                yield section, option
