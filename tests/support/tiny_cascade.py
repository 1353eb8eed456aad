"""A model folder of two stages made in milliseconds from two tiny models."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path

from schemas import all_categories
from stream.model.folder import (
    CPU_GRAPH,
    FIRST_GRAPH,
    FIRST_TOKENIZER,
    TOKENIZER,
    FirstStage,
    Manifest,
    read_manifest,
    write_manifest,
)
from tests.support.tiny_model import THRESHOLD, write_tiny_model


def write_tiny_cascade(
    folder: Path,
    *,
    keep: float = THRESHOLD,
    scale: float = 1.0,
    mistakes: Mapping[int, int] | None = None,
    first_logit: float = 6.0,
    last_logit: float = 6.0,
) -> Manifest:
    """Write a loadable folder of two stages and return its manifest.

    Args:
        folder: made if it is absent.
        keep: least probability at which the first stage decides, of every category.
        scale: of the first stage's logits.
        mistakes: of the first stage, by category id: they show who decided.
        first_logit: of a keyword's category, in the first stage.
        last_logit: likewise, in the last one.
    """
    write_tiny_model(folder, sure_logit=last_logit, name="cascade")
    cheap = folder.parent / f"{folder.name}-cheap"
    first = write_tiny_model(cheap, sure_logit=first_logit, mistakes=mistakes)
    shutil.copyfile(cheap / CPU_GRAPH, folder / FIRST_GRAPH)
    shutil.copyfile(cheap / TOKENIZER, folder / FIRST_TOKENIZER)
    stage = FirstStage(
        version=first.version,
        family=first.family,
        max_length=first.max_length,
        pad_id=first.pad_id,
        unknown_id=first.unknown_id,
        text_version=first.text_version,
        temperature=first.temperature,
        scale=scale,
        keep=dict.fromkeys(all_categories(), keep),
        self_test=first.self_test,
    )
    return write_manifest(folder, read_manifest(folder).model_copy(update={"first_stage": stage}))
