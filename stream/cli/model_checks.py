"""What `reviews doctor` says of models: the configured one, and what is announced to workers."""

from __future__ import annotations

import asyncio

from aiokafka.errors import KafkaError

from schemas import ModelAnnouncement, decode
from stream.cli.findings import Finding
from stream.errors import BrokerError
from stream.model.beginning import model_to_begin_with
from stream.model.classifier import Classifier
from stream.model.folder import OtherCategories
from stream.model.loading import AnnouncedModel
from stream.model.signing import TrustedKeys, check_record, signing_key, trusted_keys
from stream.model.topic import last_of_each_role, reading
from stream.model.trial import brief
from stream.settings import Settings


async def configured_model(settings: Settings) -> list[Finding]:
    """Load the model that workers begin with."""
    model = settings.model
    try:
        classifier = await asyncio.to_thread(
            Classifier.load, model.folder, model.device, model.threads, model.chunk_tokens
        )
    except OtherCategories as other:
        announced = await model_to_begin_with(settings)  # or what ends a worker
        detail = f"workers begin with the announced {announced.version}: {other.message}"
        return [Finding("model", "warning", detail, other.remedy)]
    name = f"{classifier.manifest.name} {classifier.version} on {classifier.device}"
    stages = "both stages' self-tests" if classifier.cascaded else "self-test"
    return [Finding("model", "ok", f"{name}, {stages} passed ({model.folder})")]


async def signatures(settings: Settings) -> list[Finding]:
    """Tell whether announced models must be signed, and whether we could sign one."""
    trusted = trusted_keys(settings.model)
    key = signing_key(settings.learning)
    if not trusted:
        detail = "announced models need no signature: who writes to the topic chooses among them"
        remedy = "`reviews model keygen`, then REVIEWS_MODEL__TRUSTED_KEYS on all workers"
        return [Finding("signing", "warning", detail, remedy)]
    detail = f"announced models must be signed with {' or '.join(trusted.ids)}"
    if key is not None and key.id not in trusted.ids:
        remedy = "set REVIEWS_LEARNING__SIGNING_KEY_FILE to the key of one of them"
        return [Finding("signing", "failed", f"{detail}; ours is {key.id}", remedy, 2)]
    return [Finding("signing", "ok", detail)]


async def announced_models(settings: Settings) -> list[Finding]:
    """Examine what is announced as a worker here would, without serving it."""
    if not settings.model.watch:
        return [Finding("announced", "skipped", "announced models are not followed")]
    try:
        async with reading(settings) as (consumer, tp):
            found = await last_of_each_role(consumer, tp)
    except (BrokerError, KafkaError, OSError):
        return []  # the looks at the broker and its topics say so
    trusted = trusted_keys(settings.model)
    values = {key: records[-1].value for key, records in found.items() if records}
    findings = [
        await _announced(settings, trusted, key.decode(), value)
        for key, value in values.items()
        if value is not None
    ]
    return findings or [Finding("announced", "ok", "no model is announced: the configured serves")]


async def _announced(settings: Settings, trusted: TrustedKeys, role: str, value: bytes) -> Finding:
    try:
        announcement = decode(ModelAnnouncement, value)
        check_record(role.encode(), announcement, trusted)
        await AnnouncedModel(announcement, settings).examine()
    # What is announced is anybody's, and what it leads to as well.
    except Exception as error:  # noqa: BLE001
        detail = f"the {role} model is refused here: {brief(str(error) or type(error).__name__)}"
        remedy = brief(getattr(error, "remedy", "")) or "`reviews model rollback`, or announce anew"
        return Finding("announced", "warning", detail, remedy)
    number = f"version {announcement.number}, " if announcement.number else ""
    return Finding("announced", "ok", f"{role}: {number}{brief(announcement.version)} loads")
