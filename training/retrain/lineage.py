"""What a model was trained on, written beside its dataset and into the registry."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict, Field


class SourceFile(BaseModel):
    """A file of labelled texts."""

    model_config = ConfigDict(frozen=True)

    name: str
    rows: int
    digest: str = Field(description="SHA-256 over its rows as they were used.")


class LabelsRead(BaseModel):
    """How much of ``reviews.labels`` went in, and what was left out."""

    model_config = ConfigDict(frozen=True)

    topic: str
    offsets: dict[int, int] = Field(description="Next offset by partition: where to go on.")
    read: int
    unreadable: int = 0
    reviews: int = Field(description="With a category that holds.")
    decided_by: dict[str, int]
    codebook_versions: dict[str, int]
    dropped: dict[str, int] = Field(description="Labels left out, by reason.")
    same_text: int = Field(description="Reviews whose text another review has as well.")
    contradicted: int = Field(description="Texts that equals of one rank decided differently.")
    held_out: int = Field(description="People's labels kept for comparing models.")
    in_frozen_sets: int = Field(description="Texts that stand in a frozen set.")
    audited: int = Field(
        default=0,
        description="Texts kept out to judge by: audits of what the serving model published.",
    )


class Lineage(BaseModel):
    """Everything that is needed to tell where a model's knowledge comes from."""

    model_config = ConfigDict(frozen=True, protected_namespaces=())

    made_at: datetime
    digest: str = Field(description="Of the training set; the manifest names it as well.")
    rows: int
    rows_by_origin: dict[str, int]
    rows_by_category: dict[str, int]
    labels: LabelsRead
    base: tuple[SourceFile, ...]
    frozen: tuple[SourceFile, ...]
    family: str = ""
    config: dict[str, Any] = Field(default_factory=dict)
    code_version: str = ""
