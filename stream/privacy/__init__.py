"""What may tell who a person is: found and masked, found and erased."""

from stream.privacy.kinds import ALWAYS, Kind
from stream.privacy.redaction import (
    PersonalPart,
    personal_parts,
    redact,
    redacted_message,
    redacted_review,
)

__all__ = [
    "ALWAYS",
    "Kind",
    "PersonalPart",
    "personal_parts",
    "redact",
    "redacted_message",
    "redacted_review",
]
