"""What can be wrong with an event.

::

    ContractError                  an event breaks the contract: catch this at a topic's edge
    ├── NotJson                    the bytes are not UTF-8 JSON
    │   └── OtherFormat            they are a format that is not read, or not as its schema says
    ├── WrongShape                 JSON, but a field is missing or of the wrong type
    ├── UnknownSchemaVersion       made by a future contract that this code does not know
    ├── TooLarge                   over the size that the contract allows
    └── UnknownCategory            a slug that the active taxonomy does not have
    TaxonomyError                  a taxonomy cannot be read, or is wrong
"""

from __future__ import annotations

from typing import ClassVar


class ContractError(ValueError):
    """An event breaks the contract. ``code`` is stable and goes into dead-letter headers."""

    code: ClassVar[str] = "contract"


class NotJson(ContractError):
    """The value is not UTF-8 encoded JSON, or there is no value at all."""

    code = "not-json"


class OtherFormat(NotJson):
    """The value is of a format that is known by its bytes and not read, or is not what its schema says."""

    code = "other-format"


class WrongShape(ContractError):
    """A required field is missing or a field has the wrong type; the message names it."""

    code = "wrong-shape"


class UnknownSchemaVersion(ContractError):
    """The event names a schema version that this code does not know."""

    code = "unknown-schema-version"


class TooLarge(ContractError):
    """The value is larger than the contract allows."""

    code = "too-large"


class TaxonomyError(ValueError):
    """A taxonomy cannot be read, or something in it is wrong; ``remedy`` says what to do."""

    def __init__(self, message: str, remedy: str = "") -> None:
        super().__init__(message)
        self.remedy = remedy


class UnknownCategory(ContractError):
    """A slug that the active taxonomy does not have."""

    code = "unknown-category"
