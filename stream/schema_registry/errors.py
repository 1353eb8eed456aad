"""What can be wrong with a schema registry, or with a schema."""

from __future__ import annotations

from stream.errors import ReviewsError


class RegistryUnavailable(ReviewsError):
    """The schema registry gives no answer that is one. Messages wait for it."""

    exit_code = 4


class RegistryRefusal(RegistryUnavailable):
    """The schema registry wants other credentials."""


class CompilerMissing(RegistryUnavailable):
    """Protobuf's compiler is not installed here. Messages wait for it: others may have it."""

    exit_code = 7


class UnusableSchema(ValueError):
    """A schema that the registry has, and that nothing can be read with. Its messages are dead letters."""


class AbsentPart(UnusableSchema):
    """The registry does not have what a schema refers to. It may come later."""
