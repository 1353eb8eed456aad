"""Settings of the guard: what follows when a category does not keep its promise."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, SecretStr, field_validator

from stream.settings.fields import Section, checked_sealing_key


class GuardSettings(Section):
    """The guard of what is published: the monitor decides, workers follow."""

    mode: Literal["off", "alarm", "hold"] = Field(
        "alarm",
        description="When audits show that a category's promise is broken: nothing; an alarm; or an alarm, "
        "and its reviews go to people until somebody or a new model releases it. The same for monitor and "
        "workers.",
    )
    promised: float | None = Field(
        None,
        ge=0.5,
        le=0.999,
        description="Precision to keep; unless set, what the model's manifest says that was asked for.",
    )
    key: SecretStr | None = Field(
        None,
        description="Seals the guard's decisions, so that nobody else who writes the topic holds or "
        "releases; the same for monitor, workers and who releases, 16 characters or more.",
    )

    _key_is_long = field_validator("key")(checked_sealing_key)
