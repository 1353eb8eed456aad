"""A form that came after its session had ended: kept through the sign-in, then offered again.

The page's script keeps decisions itself; this is for pages and browsers without it. Nothing is kept
on the server: the form travels in the sign-in page.
"""

from __future__ import annotations

from typing import Final, Literal, Self, cast, get_args
from urllib.parse import unquote

from pydantic import BaseModel, ValidationError
from starlette.datastructures import FormData

from schemas import Category, all_categories

_MOST_CHARS: Final = 256 * 1024
Path = Literal["/decide", "/correct", "/bulk"]


class Kept(BaseModel):
    """A form of decisions, as it was sent."""

    path: Path
    fields: list[tuple[str, str]]

    @staticmethod
    def may_be(path: str) -> bool:
        """Return whether forms that are sent there decide anything."""
        return path in get_args(Path)

    @classmethod
    def of(cls, path: str, form: FormData) -> Self | None:
        """Return a form to be kept; None if it decides nothing."""
        if not cls.may_be(path):
            return None
        fields = [(name, value) for name, value in form.multi_items() if isinstance(value, str)]
        kept = cls(path=cast("Path", path), fields=fields)
        return kept if len(kept.sealed) <= _MOST_CHARS else None

    @classmethod
    def unsealed(cls, text: object) -> Self | None:
        """Return what :attr:`sealed` made; None of anything else."""
        try:
            return cls.model_validate_json(text) if isinstance(text, str) else None
        except ValidationError:
            return None

    @property
    def sealed(self) -> str:
        """The form as one field of another form."""
        return self.model_dump_json()

    @property
    def token(self) -> str:
        """The form token, which says for whom its page was made."""
        return self._first("csrf")

    @property
    def to_send(self) -> list[tuple[str, str]]:
        """The fields without the token, which is out of date."""
        return [(name, value) for name, value in self.fields if name != "csrf"]

    @property
    def category(self) -> Category | None:
        """What was chosen; None: cannot tell."""
        chosen = self._first("category")
        return Category(chosen) if chosen in set(all_categories()) else None

    @property
    def review_ids(self) -> list[str]:
        """The reviews that it decides."""
        if self.path != "/bulk":
            return [unquote(self._first("review_id"))]
        chosen = [value for name, value in self.fields if name == "chosen"]
        return [unquote(entry.partition(" ")[2]) for entry in chosen]

    def _first(self, wanted: str) -> str:
        return next((value for name, value in self.fields if name == wanted), "")
