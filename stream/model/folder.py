"""A model is a folder: reading it, checking it, and writing its manifest.

The folder holds ``model.onnx``, optionally ``model.fp16.onnx`` for a GPU, ``tokenizer.json``,
``manifest.json`` and ``README.md`` (the model card); a cascade also ``first.onnx`` and
``first.tokenizer.json``, of its first stage. Nothing in it is ever unpickled or executed.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Annotated, Final, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from schemas import active_taxonomy
from stream.errors import ModelError
from stream.listing import some
from stream.text import READABLE_BY, TEXT_VERSION

MANIFEST: Final = "manifest.json"
CPU_GRAPH: Final = "model.onnx"
GPU_GRAPH: Final = "model.fp16.onnx"
TOKENIZER: Final = "tokenizer.json"
FIRST_GRAPH: Final = "first.onnx"
FIRST_TOKENIZER: Final = "first.tokenizer.json"
KNOWN: Final = "known.npy"
"""Hashes of the texts that a model, and its base, were trained on; see `training.encoders.known`."""
REQUIRED_FILES: Final = (CPU_GRAPH, TOKENIZER)
FIRST_STAGE_FILES: Final = (FIRST_GRAPH, FIRST_TOKENIZER)
"""What a cascade needs besides."""
_DIGEST_CHUNK: Final = 1 << 20
_RESTORE: Final = "restore the folder from the registry"

# Anything else made every probability NaN: all reviews became tasks that no reader could parse.
_Threshold = Annotated[float, Field(ge=0.0, allow_inf_nan=False)]
# The logarithm of a ratio of shares: beyond these one of them is nothing.
_Bias = Annotated[float, Field(ge=-100.0, le=100.0, allow_inf_nan=False)]


class OtherCategories(ModelError):
    """The model sorts by other categories than the active taxonomy has."""


class SelfTest(BaseModel):
    """A text and the logits that the CPU graph gave for it when the folder was made."""

    model_config = ConfigDict(frozen=True)

    text: str
    logits: list[float]


class Reference(BaseModel):
    """What the model saw on its validation data: the monitor measures drift against it."""

    model_config = ConfigDict(frozen=True)

    category_share: dict[str, float] = Field(default_factory=dict)
    confidence_histogram: list[float] = Field(
        default_factory=list, description="Shares in 20 equal bins of 0 to 1."
    )
    unknown_token_share: float = 0.0


class PromisedPrecision(BaseModel):
    """What held-out rows say of one category's published precision.

    Attributes:
        rows: held-out rows that the model takes for the category.
        published: of them, those that are sure enough.
        right: of those, how many are right.
        lower: precision that holds with 95% confidence, one-sided; 0 where nothing is published.
        needed: rows that it would take to promise what was asked; None where it would not be reached.
    """

    model_config = ConfigDict(frozen=True)

    rows: int
    published: int
    right: int
    lower: float
    needed: int | None = None


class FirstStage(BaseModel):
    """The cheap stage of a cascade: what it is sure enough of, the other stage is not asked."""

    model_config = ConfigDict(frozen=True)

    version: str = Field(description="Of the model folder that it was taken from.")
    family: str
    max_length: int = Field(ge=8, le=512, description="Word pieces, specials included.")
    pad_id: int = Field(ge=0)
    unknown_id: int = Field(ge=0)
    text_version: int
    temperature: float = Field(ge=1e-3, le=1e3, description="Its own, for what it keeps.")
    scale: float = Field(
        ge=1e-6, le=1e6, description="Its logits times this are in the scale of the other stage's."
    )
    keep: dict[str, _Threshold] = Field(
        description="Least calibrated probability of its own at which it decides, by slug."
    )
    training_digest: str = ""
    self_test: tuple[SelfTest, ...]


class Manifest(BaseModel):
    """What a model folder says of itself (``manifest.json``)."""

    model_config = ConfigDict(frozen=True, protected_namespaces=())

    version: str = Field(description="Content digest of the files; see `content_version`.")
    name: str = "starter"
    family: str = "bert"
    created_at: str = ""
    categories: tuple[str, ...] = Field(
        default_factory=lambda: active_taxonomy().slugs, description="Slugs, in the logits' order."
    )
    taxonomy: str = Field(
        default="",
        description="Digest of the taxonomy; empty in models from before there were others.",
    )
    max_length: int = Field(
        default=128, ge=8, le=512, description="Word pieces, specials included."
    )
    pad_id: int = Field(default=0, ge=0)
    unknown_id: int = Field(default=1, ge=0)
    text_version: int = TEXT_VERSION
    temperature: float = Field(default=1.0, ge=1e-3, le=1e3)
    thresholds: dict[str, _Threshold] = Field(
        description="Least calibrated probability at which a category is published."
    )
    bias: dict[str, _Bias] = Field(
        default_factory=dict,
        description="Added to the scaled logits: what a category's share on this stream differs by from "
        "that in training. Empty: nothing.",
    )
    asked_precision: float = Field(
        default=0.0,
        ge=0.0,
        le=1.0,
        allow_inf_nan=False,
        description="Of what is published, when thresholds were chosen; 0: not kept.",
    )
    guaranteed: bool = Field(
        default=False, description="Thresholds keep the asked precision with 95% confidence."
    )
    promises: dict[str, PromisedPrecision] = Field(
        default_factory=dict, description="By slug; empty in models from before there were any."
    )
    metrics: dict[str, float] = Field(default_factory=dict)
    training_digest: str = ""
    code_version: str = ""
    files: dict[str, str] = Field(description="SHA-256 of every file but the manifest.")
    self_test: tuple[SelfTest, ...] = ()
    reference: Reference = Reference()
    first_stage: FirstStage | None = Field(
        default=None,
        description="Of a cascade. Files, word pieces and self-test beside it are the other stage's, "
        "all else is of the whole.",
    )

    @model_validator(mode="after")
    def _bias_is_of_categories(self) -> Self:
        if unknown := sorted(self.bias.keys() - set(self.categories)):
            raise ValueError(f"bias of no category: {some(unknown)}")
        return self


def graph_bytes(folder: Path, manifest: Manifest) -> int:
    """Return the size of what runs on the CPU: the graph, or both of a cascade."""
    graphs = (CPU_GRAPH,) if manifest.first_stage is None else (CPU_GRAPH, FIRST_GRAPH)
    return sum((folder / name).stat().st_size for name in graphs)


def file_digest(path: Path) -> str:
    """Return a file's SHA-256, hexadecimal."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_DIGEST_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def content_version(files: dict[str, str], decision: str) -> str:
    """Return the version of a model: a digest over its files and its decision rule.

    Args:
        files: SHA-256 by file name.
        decision: canonical text of temperature and thresholds. They change what is published
            under unchanged weights, so they must change the version, and with it the cache's keys.
    """
    lines = [f"{name}:{digest}" for name, digest in sorted(files.items()) if name != "README.md"]
    return hashlib.sha256("\n".join([*lines, decision]).encode()).hexdigest()[:16]


def write_manifest(folder: Path, manifest: Manifest) -> Manifest:
    """Fill in digests and version from the folder's files, and write ``manifest.json``.

    Args:
        folder: holds all other files already.
        manifest: everything else that is to be recorded; its version and files are replaced.
    """
    files = {
        path.name: file_digest(path)
        for path in sorted(folder.iterdir())
        if path.is_file() and path.name != MANIFEST
    }
    version = content_version(files, _decision(manifest))
    complete = manifest.model_copy(update={"files": files, "version": version})
    (folder / MANIFEST).write_text(complete.model_dump_json(indent=2) + "\n", encoding="utf-8")
    return complete


def _decision(manifest: Manifest) -> str:
    thresholds = {slug: manifest.thresholds[slug] for slug in manifest.categories}
    decision = f"T={manifest.temperature!r} thresholds={thresholds!r}"
    if manifest.bias:
        decision += f" bias={dict(sorted(manifest.bias.items()))!r}"
    if (first := manifest.first_stage) is not None:
        keep = {slug: first.keep[slug] for slug in manifest.categories}
        decision += f" first: T={first.temperature!r} scale={first.scale!r} keep={keep!r}"
    return decision


def read_manifest(folder: Path) -> Manifest:
    """Read and check a folder's manifest, but not yet its files.

    Raises:
        ModelError: the folder or its manifest is absent, unreadable, or made for another contract.
    """
    return parse_manifest(_manifest_bytes(folder), folder)


def read_any_manifest(folder: Path) -> Manifest:
    """Read a manifest, whatever its categories are: a successor may have others.

    Raises:
        ModelError: the folder or its manifest is absent or unreadable.
    """
    return _parsed(_manifest_bytes(folder), folder)


def has_active_categories(manifest: Manifest) -> bool:
    """Tell whether a model sorts by the active taxonomy."""
    taxonomy = active_taxonomy()
    return manifest.categories == taxonomy.slugs and manifest.taxonomy in {"", taxonomy.digest}


def _manifest_bytes(folder: Path) -> bytes:
    path = folder / MANIFEST
    if not folder.is_dir():
        raise ModelError(
            f"there is no model folder {folder}",
            "set REVIEWS_MODEL__FOLDER, or make one with `reviews train`",
        )
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise ModelError(
            f"{folder} is no model folder: it has no {MANIFEST}",
            "name a folder that `reviews train` or the registry wrote",
        ) from None
    except OSError as error:
        raise _unreadable(path, error) from None


def parse_manifest(data: bytes, folder: Path) -> Manifest:
    """Return a manifest that was read, if it is one for this version.

    Args:
        data: of ``manifest.json``.
        folder: where it lies, for messages.

    Raises:
        ModelError: it is no manifest, or was made for another contract.
    """
    manifest = _parsed(data, folder)
    _check_contract(folder, manifest)
    return manifest


def _parsed(data: bytes, folder: Path) -> Manifest:
    try:
        return Manifest.model_validate_json(data)
    except (ValidationError, RecursionError, MemoryError) as error:
        raise _unreadable(folder / MANIFEST, error) from None


def _unreadable(path: Path, error: Exception) -> ModelError:
    return ModelError(f"{path} cannot be read: {error}", _RESTORE)


def verify(folder: Path) -> Manifest:
    """Read the manifest, and check every file's digest and the version, which names them all.

    Raises:
        ModelError: something is absent, or not what the manifest describes.
    """
    manifest = read_manifest(folder)
    for name, wanted in manifest.files.items():
        path = folder / name
        if Path(name).name != name:
            raise ModelError(f"{folder}: the manifest names a file outside: {name!r}", _RESTORE)
        if not path.is_file():
            raise ModelError(f"{folder}: {name} is absent", _RESTORE)
        if file_digest(path) != wanted:
            raise ModelError(
                f"{folder}: {name} is damaged (its SHA-256 is not the manifest's)",
                _RESTORE,
            )
    if content_version(manifest.files, _decision(manifest)) != manifest.version:
        raise ModelError(
            f"{folder}: temperature, thresholds, bias or files were changed without the version",
            _RESTORE,
        )
    return manifest


def _check_contract(folder: Path, manifest: Manifest) -> None:
    _check_taxonomy(folder, manifest)
    _check_text_version(folder, manifest.text_version)
    if missing := [slug for slug in manifest.categories if slug not in manifest.thresholds]:
        raise ModelError(f"{folder}: no threshold for {', '.join(missing)}", _RESTORE)
    required: tuple[str, ...] = REQUIRED_FILES
    if (first := manifest.first_stage) is not None:
        _check_text_version(folder, first.text_version)
        required += FIRST_STAGE_FILES
        if missing := [slug for slug in manifest.categories if slug not in first.keep]:
            raise ModelError(
                f"{folder}: the first stage does not say when to keep {some(missing)}", _RESTORE
            )
        if foreign := [slug for slug in first.keep if slug not in manifest.categories]:
            raise ModelError(
                f"{folder}: the first stage keeps {some(foreign)}, which the model does not know",
                _RESTORE,
            )
    if missing := [name for name in required if name not in manifest.files]:
        raise ModelError(f"{folder}: the manifest does not list {', '.join(missing)}", _RESTORE)


def _check_text_version(folder: Path, version: int) -> None:
    if version not in READABLE_BY:
        raise ModelError(
            f"{folder}: trained with text preprocessing {version}, this version has {TEXT_VERSION}",
            "retrain the model with this version",
        )


def _check_taxonomy(folder: Path, manifest: Manifest) -> None:
    """Refuse a model of another taxonomy, and say what differs."""
    if has_active_categories(manifest):
        return
    taxonomy = active_taxonomy()
    absent = [slug for slug in taxonomy.slugs if slug not in manifest.categories]
    foreign = [slug for slug in manifest.categories if slug not in taxonomy.slugs]
    differs = [
        *([f"it lacks {some(absent)}"] if absent else []),
        *([f"it has {some(foreign)} besides"] if foreign else []),
    ]
    if not differs:
        same = manifest.categories == taxonomy.slugs
        differs = ["another category means none of these" if same else "their order differs"]
    raise OtherCategories(
        f"{folder}: the model's categories are not those of the taxonomy {taxonomy.name!r}: "
        f"{'; '.join(differs)}",
        "name a model of this taxonomy (REVIEWS_MODEL__FOLDER), promote one, or train one; or set "
        "REVIEWS_TAXONOMY to the model's",
    )
