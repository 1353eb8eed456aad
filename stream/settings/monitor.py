"""Settings of the monitor and its alerts."""

from __future__ import annotations

from typing import Self

from pydantic import (
    Field,
    SecretStr,
    model_validator,
)

from stream.settings.fields import Levels, PositiveInt, PositiveSeconds, Section


class MonitorSettings(Section):
    """The monitor: `reviews monitor`.

    An alert has two levels: raised when its value reaches the first, cleared when it is back at the
    second. Between the two nothing changes. In the environment: ``[0.4, 0.3]``.
    """

    host: str = Field("127.0.0.1", description="Loopback unless set.")
    port: int = Field(8500, ge=0, le=65535, description="0: any free port.")
    name: str = Field(
        "monitor",
        pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,50}$",
        description="Names its group and state on Kafka. A second monitor needs another one.",
    )
    public_url: str | None = Field(
        None,
        pattern=r"^https?://[^/\s]+$",
        description="How browsers reach the page, behind a proxy. https makes cookies secure.",
    )
    token: SecretStr | None = Field(
        None, min_length=16, description="Opens the page; unless set, one-time links are printed."
    )
    session_hours: PositiveSeconds = Field(12.0, description="A sign-in holds this long.")
    bucket_seconds: PositiveInt = Field(10, description="Finest step of all statistics.")
    window_seconds: PositiveInt = Field(
        60, description="Length of the tumbling windows on reviews.stats; whole buckets."
    )
    hopping_window_seconds: PositiveInt = Field(
        600, description="Length of the windows that overlap, one begins with every tumbling one."
    )
    grace_seconds: PositiveSeconds = Field(60.0, description="Late events are waited for so long.")
    idle_seconds: PositiveSeconds = Field(
        30.0, description="A partition that is silent for longer holds no window open."
    )
    retention_hours: PositiveSeconds = Field(6.0, description="Buckets are kept so long.")
    baseline_reviews: PositiveInt = Field(
        2000,
        description="First reviews of a model that tell what is normal, if its folder doesn't.",
    )
    publish: bool = Field(True, description="Publish windows to reviews.stats.")
    alert_reviews: PositiveInt = Field(
        200, description="Fewer in a hopping window say nothing about shares and drift."
    )
    alert_hold_seconds: float = Field(
        60.0, ge=0, description="A value must stay beyond a level for so long."
    )
    alert_relabel_share: Levels = Field(
        (0.4, 0.3),
        description="Share of unsure reviews. As with all pairs below, an alert is raised at the first "
        "number and is over at the second.",
    )
    alert_mix_psi: Levels = Field(
        (0.25, 0.1), description="Drift of the category mix, PSI beyond chance."
    )
    alert_confidence_psi: Levels = Field((0.25, 0.1), description="Drift of the confidence, PSI.")
    alert_unknown_share: Levels = Field(
        (0.05, 0.03), description="Share of word pieces that the model does not know."
    )
    alert_dead_share: Levels = Field((0.05, 0.02), description="Share of dead letters.")
    alert_estimated_shortfall: Levels = Field(
        (0.01, 0.0),
        description="Expected precision of what a category publishes, by confidence, below the promise and "
        "beyond chance.",
    )
    alert_lag: Levels = Field((10_000, 1_000), description="Reviews that wait for a worker.")
    alert_silence_seconds: Levels = Field(
        (60, 5), description="Reviews wait and no worker has finished a batch for so long."
    )
    alert_backlog: Levels = Field((5_000, 4_000), description="Reviews that wait for a person.")

    @model_validator(mode="after")
    def _windows_are_whole(self) -> Self:
        if self.window_seconds % self.bucket_seconds:
            raise ValueError("window_seconds must be a multiple of bucket_seconds")
        if self.hopping_window_seconds % self.window_seconds:
            raise ValueError("hopping_window_seconds must be a multiple of window_seconds")
        return self
