"""Personal data: what is taken out of a text before it is kept or shown."""

from stream.privacy.redaction import redact

__all__ = ["redact"]
