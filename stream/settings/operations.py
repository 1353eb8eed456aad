"""Settings of what is seen and told of a running system: HTTP, logs, privacy, traces."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import (
    BeforeValidator,
    Field,
)
from pydantic_settings import NoDecode

from stream.privacy.kinds import ALWAYS, Kind
from stream.settings.fields import Section, listed


class HttpSettings(Section):
    """Health and metrics of the worker."""

    host: str = Field("127.0.0.1", description="Loopback unless set.")
    port: int = Field(9400, ge=0, le=65535, description="0: any free port.")
    enabled: bool = Field(True, description="Whether there are health and metrics at all.")


class LogSettings(Section):
    """Structured logs on standard error."""

    level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="What is less important is not logged."
    )
    format: Literal["auto", "json", "console"] = Field(
        "auto", description="auto: console on a terminal, else JSON."
    )
    redact: bool = Field(
        True,
        description="Mask the kinds of personal data that `privacy.redact_kinds` names in log lines.",
    )


class PrivacySettings(Section):
    """Personal data in what is stored."""

    redact_stored: bool = Field(
        False,
        description="Workers mask personal data before they store a text to be labelled or a dead "
        "letter, or classify one. Category topics keep what was sent.",
    )
    redact_kinds: Annotated[tuple[Kind, ...], NoDecode, BeforeValidator(listed)] = Field(
        ALWAYS,
        description="What is masked, there and in logs; also passport, snils, account (bank "
        "accounts), messenger (names and links).",
    )


class TracingSettings(Section):
    """OpenTelemetry traces; they need the extra `otel`."""

    enabled: bool = Field(False, description="Make spans of producers and workers.")
    endpoint: str = Field(
        "http://127.0.0.1:4318/v1/traces",
        pattern=r"^https?://\S+$",
        description="Collector, OTLP over HTTP.",
    )
    sample_share: float = Field(
        0.01,
        ge=0,
        le=1,
        description="Share of a producer's calls that are traced; workers follow what it chose.",
    )
