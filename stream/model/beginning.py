"""The model that a worker begins with: its folder's, or what is announced where that is of other categories.

Whoever changes the taxonomy, or brings one, announces a model of it; the folder that the settings name, the
bundled one unless set, is of the former categories then.
"""

from __future__ import annotations

import asyncio
from typing import Final

import structlog

from schemas import ContractError, ModelAnnouncement, decode
from stream.errors import ModelError
from stream.model.admission import announced_manifest
from stream.model.classifier import Classifier
from stream.model.folder import Manifest, OtherCategories, read_manifest
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


async def serving_manifest(settings: Settings) -> Manifest:
    """Return what the serving model says of itself: the announced one, or else that of the settings' folder.

    Raises:
        OtherCategories: nothing is announced that can be read here, and the folder's is of other categories.
        ModelError: likewise, and the folder holds no model.
    """
    for announcement in await _announcements(settings) if settings.model.watch else []:
        try:
            return announced_manifest(announcement, settings.learning.registry)
        except (ModelError, OSError) as error:  # the registry may lie where this host sees nothing
            _log.info("announced_model_not_seen", reason=brief(str(error)))
    return read_manifest(settings.model.folder)


async def _announced(settings: Settings) -> Classifier | None:
    """Return the serving model that was announced last and can be served; None: there is none."""
    for announcement in await _announcements(settings):
        try:
            return await AnnouncedModel(announcement, settings).load()
        except ModelError as error:
            _tell_refused(error)
    return None


async def _announcements(settings: Settings) -> list[ModelAnnouncement]:
    """Return the last announcements of serving models that count, the latest first."""
    trusted = trusted_keys(settings.model)
    try:
        async with asyncio.timeout(_READ_SECONDS), reading(settings) as (consumer, tp):
            found = await last_of_each_role(consumer, tp, LOOK_BACK)
    except Exception as error:  # noqa: BLE001 - no broker, no topic, no right: then the folder's counts
        _log.warning("announced_models_not_read", error=repr(error))
        return []
    counting = []
    for record in reversed(found[b"serving"]):
        try:
            announcement = decode(ModelAnnouncement, record.value or b"")
            check_record(record.key, announcement, trusted)
        except (ContractError, ModelError) as error:
            _tell_refused(error)
        else:
            counting.append(announcement)
    return counting


def _tell_refused(error: Exception) -> None:
    _log.error("model_refused", role="serving", reason=brief(str(error)))
