"""The contract: categories, events, topics, headers. It imports neither `stream` nor `training`."""

from schemas.categories import CATEGORIES, CATEGORY_INFO, Category, CategoryInfo
from schemas.codec import MAX_EVENT_BYTES, decode, encode
from schemas.errors import ContractError, NotJson, TooLarge, UnknownSchemaVersion, WrongShape
from schemas.events import (
    CONFIDENCE_BINS,
    EVENTS,
    MAX_TEXT_CHARS,
    SCHEMA_VERSION,
    BatchSummary,
    CategorizedReview,
    CategoryCount,
    CategoryWindow,
    ComparedOpinion,
    DecidedBy,
    Event,
    Judgement,
    Label,
    ModelAnnouncement,
    RelabelTask,
    Review,
    SourcePosition,
)
from schemas.headers import DeadLetterReason, Headers, cloud_event, without_dead_letter
from schemas.topics import TopicNames, TopicPolicy

__all__ = [
    "CATEGORIES",
    "CATEGORY_INFO",
    "CONFIDENCE_BINS",
    "EVENTS",
    "MAX_EVENT_BYTES",
    "MAX_TEXT_CHARS",
    "SCHEMA_VERSION",
    "BatchSummary",
    "CategorizedReview",
    "Category",
    "CategoryCount",
    "CategoryInfo",
    "CategoryWindow",
    "ComparedOpinion",
    "ContractError",
    "DeadLetterReason",
    "DecidedBy",
    "Event",
    "Headers",
    "Judgement",
    "Label",
    "ModelAnnouncement",
    "NotJson",
    "RelabelTask",
    "Review",
    "SourcePosition",
    "TooLarge",
    "TopicNames",
    "TopicPolicy",
    "UnknownSchemaVersion",
    "WrongShape",
    "cloud_event",
    "decode",
    "encode",
    "without_dead_letter",
]
