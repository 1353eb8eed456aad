"""The model that a worker begins with: its folder's, or what is announced where that is of other categories.

Whoever changes the taxonomy, or brings one, announces a model of it; the folder that the settings name, the
bundled one unless set, is of the former categories then.
"""

from __future__ import annotations

import asyncio
from typing import Final

import structlog

from schemas import ModelAnnouncement, decode
from stream.errors import ModelError
from stream.model.classifier import Classifier
from stream.model.folder import OtherCategories
from stream.model.loading import AnnouncedModel
from stream.model.signing import check_record, trusted_keys
from stream.model.topic import LOOK_BACK, last_of_each_role, reading
from stream.model.trial import brief
from stream.settings import Settings

# Milliseconds, if the broker answers.
_READ_SECONDS: Final = 10.0

_log = structlog.get_logger(__name__)


async def model_to_begin_with(settings: Settings) -> Classifier:
    """Load the model of the settings' folder; if its categories are others, the announced one.

    Raises:
        OtherCategories: the folder's model is of other categories, and none of them is announced that can
            be served.
        ModelError: the folder's model cannot be served for another reason.
    """
    model = settings.model
    try:
        return await asyncio.to_thread(
            Classifier.load, model.folder, model.device, model.threads, model.chunk_tokens
        )
    except OtherCategories:
        if not model.watch or (announced := await _announced(settings)) is None:
            raise
    _log.warning(
        "began_with_announced_model",
        version=announced.version,
        reason=f"the model in {model.folder} has other categories than the taxonomy",
    )
    return announced


async def _announced(settings: Settings) -> Classifier | None:
    """Return the serving model that was announced last and can be served; None: there is none."""
    trusted = trusted_keys(settings.model)
    try:
        async with asyncio.timeout(_READ_SECONDS), reading(settings) as (consumer, tp):
            found = await last_of_each_role(consumer, tp, LOOK_BACK)
    except Exception as error:  # noqa: BLE001 - no broker, no topic, no right: that the folder is wrong counts
        _log.warning("announced_models_not_read", error=repr(error))
        return None
    for record in reversed(found[b"serving"]):
        if record.value is None:
            continue
        try:
            announcement = decode(ModelAnnouncement, record.value)
            check_record(record.key, announcement, trusted)
            return await AnnouncedModel(announcement, settings).load()
        # Anybody may have announced it: what is wrong with it may be anything.
        except Exception as error:  # noqa: BLE001
            reason = brief(error.message if isinstance(error, ModelError) else repr(error))
            _log.error("model_refused", role="serving", reason=reason)
    return None
