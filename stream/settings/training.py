"""Settings of the offline half: labelling, retraining, tracking, the gate."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import (
    Field,
    SecretStr,
)

from stream.settings.fields import Paths, PositiveInt, PositiveSeconds, Section


class LabelSettings(Section):
    """Auto-labelling: `reviews label`, and the online relabeller `reviews relabel-auto`."""

    precision: float = Field(
        0.95, gt=0.5, lt=1, description="Wanted of all that is decided without people."
    )
    zero_shot_model: str | None = Field(
        "cointegrated/rubert-base-cased-nli-threeway",
        description="NLI checkpoint for zero-shot votes: a folder or a hub name, best with a commit "
        "(NAME@COMMIT). Empty: none.",
    )
    encoder: str | None = Field(
        None,
        description="Encoder (folder, hub name or NAME@COMMIT) for the dictionary; Navec unless set.",
    )
    classifier_votes: bool = Field(False, description="The serving classifier votes too.")
    device: str = Field("cpu", description="torch device of zero-shot, encoder and local LLM.")
    llm_url: str | None = Field(
        None,
        pattern=r"^https?://\S+$",
        description="OpenAI-compatible endpoint up to /v1. Unless set, no LLM is asked.",
    )
    llm_model: str = Field("qwen2.5-7b-instruct", min_length=1, description="Model to ask for.")
    llm_api_key: SecretStr | None = Field(None, description="Sent over https or to loopback only.")
    llm_structured: Literal["json_schema", "json_object", "off"] = Field(
        "json_schema", description="How the endpoint is told to answer with JSON."
    )
    llm_samples: PositiveInt = Field(
        3, le=25, description="Votes per review; stops early when the rest cannot change it."
    )
    llm_temperature: float = Field(0.7, ge=0, le=2, description="With one sample, 0 is used.")
    llm_concurrency: PositiveInt = Field(8, description="Requests in flight.")
    llm_timeout: PositiveSeconds = Field(60.0, description="Seconds to wait for one answer.")
    llm_attempts: PositiveInt = Field(5, description="Per request, counting the first.")
    llm_max_tokens: PositiveInt = Field(
        2_000_000, description="Budget of one run, prompt and answer. Then it stops asking."
    )
    llm_price_prompt: float = Field(0.0, ge=0, description="Per million prompt tokens.")
    llm_price_answer: float = Field(0.0, ge=0, description="Per million answer tokens.")
    llm_cache: Path = Field(
        Path(".reviews/llm-answers.sqlite"), description="Every answer is kept here and reused."
    )
    llm_local: Path | None = Field(
        None, description="Folder of a causal model to run here instead of an endpoint."
    )
    ensemble: Path = Field(
        Path(".reviews/ensemble.json"),
        description="Fitted thresholds that `reviews label run --save-ensemble` writes and the "
        "relabeller reads.",
    )
    nli: Path = Field(
        Path(".reviews/nli"),
        description="NLI checkpoint that `reviews label nli` makes; votes where `zero_shot_model` "
        "is not at hand.",
    )
    http_port: int = Field(
        9410, ge=0, le=65535, description="Health and metrics of the relabeller; 0: any free port."
    )
    group: str = Field("reviews-relabeller", min_length=1, description="Relabeller's group.")
    batch_rows: PositiveInt = Field(64, description="Reviews that the relabeller decides at once.")
    transaction_timeout_ms: PositiveInt = Field(
        60_000, description="Longer than the worker's: one batch may wait for the LLM."
    )


class LearningSettings(Section):
    """The learning loop: `reviews retrain` and `reviews model`."""

    registry: Path = Field(
        Path(".reviews/registry"),
        description="Folder of all model versions. Workers serve announced models from here alone.",
    )
    registry_seen_at: Path | None = Field(
        None, description="The same folder as the workers see it, if they mount it elsewhere."
    )
    signing_key: SecretStr | None = Field(
        None, description="Private key that signs what is announced to workers."
    )
    signing_key_file: Path | None = Field(
        None, description="File of the private key, which its owner alone may read."
    )
    family: str = Field(
        "",
        description="Model family that a retraining trains; that of the serving model unless set.",
    )
    runs: Path = Field(Path(".reviews/retrain"), description="Datasets and reports of retrainings.")
    base: Paths = Field(
        (), description="Labelled files or datasets that every training begins with."
    )
    frozen: Paths = Field(
        (),
        description="Labelled files to compare models on, never trained on; the taxonomy's "
        "`heldout.jsonl` unless set.",
    )
    held_out_share: float = Field(
        0.15,
        ge=0,
        lt=1,
        description="Share of people's labels kept for comparing, never trained on.",
    )


class TrackingSettings(Section):
    """Records of trainings and comparisons in MLflow; they need the extra `mlflow`.

    MLflow's own variables say how to sign in (``MLFLOW_TRACKING_USERNAME``, ``MLFLOW_TRACKING_TOKEN``,
    ...). ``MLFLOW_TRACKING_URI`` is not read: an address set for other work starts no upload here.
    """

    uri: SecretStr | None = Field(
        None, description="Tracking server (http, https) or a folder. Unless set, none is kept."
    )
    experiment: str = Field("reviews", min_length=1, description="Experiment that runs belong to.")
    texts: bool = Field(
        False, description="Also send the page of a comparison, which holds texts of reviews."
    )


class GateSettings(Section):
    """What a new model must show before it serves."""

    better_with: float = Field(
        0.9, gt=0.5, lt=1, description="Share of bootstrap resamples in which it must be better."
    )
    resamples: PositiveInt = Field(2000, description="Resamples of the paired bootstrap.")
    category_loss: float = Field(0.1, ge=0, le=1, description="No category's F1 may fall by more.")
    category_support: PositiveInt = Field(
        10, description="Categories with fewer frozen reviews are not judged by themselves."
    )
    precision: float = Field(
        0.95, gt=0, le=1, description="Wanted of what is published unseen, or what serving reaches."
    )
    precision_loss: float = Field(0.02, ge=0, le=1, description="Allowed below that.")
    audit_support: PositiveInt = Field(
        100,
        description="Audits of the serving model, of equal weight, from which on precision is judged by "
        "them as well.",
    )
    published_loss: float = Field(
        0.1, ge=0, le=1, description="The share published unseen may not fall by more."
    )
    calibration_error: float = Field(
        0.1,
        gt=0,
        le=1,
        description="Expected calibration error allowed, unless the serving's is worse.",
    )
    canaries: Path | None = Field(
        None,
        description="Labelled texts whose right answers must stay right; the taxonomy's "
        "`canaries.jsonl` unless set.",
    )
    slower: float = Field(
        1.5, ge=1, description="Time per review allowed, times the serving model's."
    )
    larger: float = Field(1.5, ge=1, description="Size allowed, times the serving model's.")
