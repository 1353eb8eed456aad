"""Personal data: what is taken out of a text before it is kept or shown, and erasing a review."""

from stream.privacy.redaction import redact, redacted_message, redacted_review

__all__ = ["redact", "redacted_message", "redacted_review"]
