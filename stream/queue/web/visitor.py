"""Whoever sends a request."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import Literal

from stream.queue.desk import Person
from stream.queue.guidelines import Language
from stream.queue.web.errors import NotSignedIn

Theme = Literal["auto", "light", "dark"]
Way = Literal["nobody", "session", "proxy", "token"]


@dataclass(frozen=True, slots=True)
class Visitor:
    """A browser or a program, signed in or not."""

    person: Person | None
    way: Way
    """How they proved who they are."""
    visit: str
    """The browser's own random cookie."""
    is_new: bool
    """The browser has no cookie yet."""
    language: Language
    theme: Theme
    address: str
    """Where they come from, as far as that can be believed."""
    device: str
    """The browser's cookie of earlier sign-ins; empty for none."""
    here: str
    """The page that they see, where a switch leads back to."""

    @property
    def name(self) -> str:
        """The account's name; empty for nobody."""
        return self.person.name if self.person else ""

    @property
    def acting(self) -> Person:
        """The person.

        Raises:
            NotSignedIn: it is nobody.
        """
        if self.person is None:
            raise NotSignedIn
        return self.person

    @property
    def is_lead(self) -> bool:
        """Whether they may settle disagreements and import."""
        return self.person is not None and self.person.lead


def new_visit() -> str:
    """Return a value for a browser's own cookie."""
    return secrets.token_urlsafe(18)
