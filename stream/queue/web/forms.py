"""What our forms carry, checked."""

from __future__ import annotations

import re
from typing import Annotated, Final, TypeVar
from urllib.parse import unquote, urlencode

from fastapi import Query, Request
from pydantic import BaseModel, BeforeValidator, Field, ValidationError
from starlette.datastructures import FormData

from schemas import Category, all_categories
from schemas.events import NOTE_CHARS
from stream.queue.errors import (
    AlreadyDecided,
    NotAllowed,
    OwnDispute,
    OwnOpinion,
    Taken,
    TextChanged,
)
from stream.queue.item import Kind, Order
from stream.queue.web.errors import Malformed

_MOST_FIELDS: Final = 1000
REFUSALS: Final = frozenset(
    {
        AlreadyDecided.code,
        OwnOpinion.code,
        OwnDispute.code,
        NotAllowed.code,
        Taken.code,
        TextChanged.code,
    }
)
"""Codes of why one review of many was not decided."""


def _empty_is_none(value: object) -> object:
    return None if value == "" else value


MaybeCategory = Annotated[Category | None, BeforeValidator(_empty_is_none)]


def _unquoted(value: object) -> object:
    return unquote(value, errors="strict") if isinstance(value, str) else value


# Percent-encoded in our forms: see the templates' filter ``quoted``.
ReviewIdField = Annotated[str, BeforeValidator(_unquoted), Field(min_length=1, max_length=200)]
# The browser's clock: a page left open over lunch says nothing about the review.
Seconds = Annotated[Annotated[float, Field(ge=0, le=1e6)] | None, BeforeValidator(_empty_is_none)]


Note = Annotated[str, Field(max_length=NOTE_CHARS)]


class View(BaseModel):
    """What a person wants to see next; part of the page's address."""

    order: Order = "informative"
    filter: MaybeCategory = None
    """Only reviews that the model takes for this category."""

    @property
    def address(self) -> str:
        """The page that shows it."""
        chosen = {
            **({"order": self.order} if self.order != "informative" else {}),
            **({"filter": self.filter.slug} if self.filter else {}),
        }
        return "/?" + urlencode(chosen) if chosen else "/"


class DecisionForm(View):
    """A decision, or what else can be done with the item on the screen."""

    review_id: ReviewIdField
    print: str
    kind: Kind
    category: MaybeCategory = None
    shown: bool = False
    seconds: Seconds = None
    note: Note = ""
    back: str = "/"


class CorrectionForm(BaseModel):
    """Another decision in the place of one that holds."""

    review_id: ReviewIdField
    revision: int
    """Of the decision that was on the screen."""
    category: MaybeCategory
    note: Note = ""


class TakeBackForm(BaseModel):
    """The latest act, if it decided this review; then back to a page."""

    review_id: ReviewIdField
    back: str = "/"


class BulkForm(BaseModel):
    """One category for many reviews."""

    category: MaybeCategory
    item: Annotated[str, BeforeValidator(_unquoted), Field(max_length=200)] = ""
    """The near-identical review that led here; empty where they were found by a search."""
    shown: bool = True
    """The page told the model's guess."""
    chosen: Annotated[list[str], Field(min_length=1)]
    """Fingerprints and ids, ``fingerprint id``."""

    @property
    def texts(self) -> list[tuple[str, str]]:
        """Id and fingerprint of each."""
        pairs = (entry.partition(" ") for entry in self.chosen)
        return [(unquote(review_id), fingerprint) for fingerprint, _, review_id in pairs]


class BulkDone(BaseModel):
    """What became of a bulk decision, as the address of its page holds it."""

    decided: Annotated[int, Field(ge=0, le=1_000_000)] = 0
    refused: Annotated[str, Field(max_length=400)] = ""
    """Codes of errors with their counts, ``code:count,...``."""
    category: str = ""
    first: Annotated[str, Field(max_length=200)] = ""
    """One of the reviews that were decided; empty for none."""

    @property
    def chosen(self) -> Category | None:
        """What they were decided to be; None: cannot tell."""
        return Category(self.category) if self.category in set(all_categories()) else None

    @property
    def reasons(self) -> list[tuple[str, int]]:
        """Codes of known errors with how many reviews they kept from being decided."""
        found = re.findall(r"([a-z-]{1,40}):(\d{1,6})(?:,|$)", self.refused)
        return [(code, int(count)) for code, count in found if code in REFUSALS]


async def view_of(
    order: Annotated[Order, Query()] = "informative",
    filter: Annotated[str, Query()] = "",  # noqa: A002 - the address says filter
) -> View:
    """Return the view that an address names; an unknown category is no filter."""
    return View(order=order, filter=Category(filter) if filter in set(all_categories()) else None)


async def sent_form(request: Request) -> FormData:
    """Return the form that a request carries; empty where it carries none.

    Raises:
        Malformed: its encoding cannot be read, or is not text.
    """
    try:
        form = await request.form(max_files=1, max_fields=_MOST_FIELDS)
        for field in form.multi_items():
            for part in field:
                if isinstance(part, str):
                    part.encode()  # a form may name an encoding with halves of characters
    except ValueError:
        raise Malformed("the form cannot be read", "load the page again") from None
    return form


FormT = TypeVar("FormT", bound=BaseModel)


def read_form(model: type[FormT], form: FormData, *, many: tuple[str, ...] = ()) -> FormT:
    """Return a form's fields, checked.

    Args:
        model: what they should be.
        form: what came.
        many: fields that may come more than once.

    Raises:
        Malformed: a field is missing or wrong.
    """
    fields: dict[str, object] = {k: v for k, v in form.items() if isinstance(v, str)}
    fields.update({name: form.getlist(name) for name in many})
    try:
        return model.model_validate(fields)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(map(str, first["loc"]))
        raise Malformed(f"{where}: {first['msg']}", "load the page again") from None


def own_path(address: str) -> str:
    """Return an address if it is on this site, else the start page: nobody is sent elsewhere."""
    safe = (
        address.startswith("/") and not address.startswith(("//", "/\\")) and address.isprintable()
    )
    return address if safe else "/"
