"""Parts of a taxonomy that labellers read: TOML of a known shape, and one line for what is wrong in it."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from schemas.toml import read_toml
from training.errors import RulesError

ModelT = TypeVar("ModelT", bound=BaseModel)
Location = tuple[int | str, ...]


def _dotted(data: Mapping[str, Any], location: Location) -> str:  # noqa: ARG001 - others look in there
    return f"{'.'.join(map(str, location))}: "


def read_part(
    path: Path,
    shape: type[ModelT],
    absent: str,
    wrong: str,
    place: Callable[[Mapping[str, Any], Location], str] = _dotted,
) -> ModelT:
    """Read and check a file.

    Args:
        path: of the file.
        shape: that it must have.
        absent: what to do where it cannot be read.
        wrong: what to do where something in it is wrong.
        place: names the place of a mistake, from the file's data and pydantic's location.

    Raises:
        RulesError: it cannot be read, is not TOML, or something in it is wrong.
    """
    try:
        data = read_toml(path)
    except OSError as error:
        raise RulesError(f"{path} cannot be read: {error.strerror}", absent) from None
    except tomllib.TOMLDecodeError as error:
        raise RulesError(f"{path} is not TOML: {error}", "correct that line") from None
    try:
        return shape.model_validate(data)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        raise RulesError(f"{path}: {place(data, first['loc'])}{first['msg']}", wrong) from None
