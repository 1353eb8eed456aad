"""The tolerant side of the contract: whatever may stand on ``reviews.incoming``, as a strict review.

A review that is exact already is read as fast as :func:`schemas.decode` reads it. All else is looked at
closely: numbers become text, null is absent, dates are read in any form, envelopes taken off. What is
left to refuse has no words, or no way to be named.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from itertools import islice
from typing import Any, Final, Literal, Protocol

from pydantic import ValidationError

from schemas.codec import MAX_EVENT_BYTES, too_large, wrong_shape
from schemas.dates import FIRST_YEAR, LAST_YEAR, read_date
from schemas.encodings import json_in, mended
from schemas.envelopes import UNAVAILABLE, Envelope, Fields, deleted_row, unwrapped
from schemas.errors import ContractError, NotJson, OtherFormat, UnknownSchemaVersion, WrongShape
from schemas.events import MAX_TEXT_CHARS, SCHEMA_VERSION, Review
from schemas.formats import binary_format, looks_like_json, registry_head, schema_named_by
from schemas.loose_fields import (
    IDS,
    LONGEST_NAME,
    NO_NAMES,
    any_text,
    by_plain_name,
    first_of,
    name_in_json,
    name_in_key,
    named_by,
    paths_in,
    plain_name,
    scalar_text,
    value_at,
    words_in,
)

# What Debezium leaves in a row that looks like a review, and says that it is none: `__deleted`, and
# the mark of a value that was not sent. One search, since every message pays for it.
_DEBEZIUM_MARK: Final = b'"__de'
# What `model_validate_json` calls, without the call.
_validated: Final[Callable[[bytes], Review]] = Review.__pydantic_validator__.validate_json
_TEXTS: Final = ("text", "reviewtext")
_PARTS: Final = ("pros", "cons")
_MOST_NAMES: Final = 12

LongTexts = Literal["refuse", "cut"]
_SCHEMA_IN_HEADER: Final = "__value_schema_id"
_NAMED_IN_HEADER: Final = (
    f"the value is Avro, Protobuf or the like: its schema's id is in the header {_SCHEMA_IN_HEADER}, where it "
    "is not read; have the producer write it before the value, with PrefixSchemaIdSerializer"
)
_NAMES_NONE: Final = "names no review: a number that was rounded, a list, or a word for nothing"
_LONG_TEXTS: Final = "REVIEWS_INCOMING__LONG_TEXTS=cut keeps the beginning"

Incoming = tuple[Review | None, bool]
"""A review, and whether its date could not be read and is in its metadata as it was.

No review: the message says that one was deleted, or nothing at all; there is nothing to classify.
A plain tuple, since every message pays for it.
"""
_NOTHING: Final[Incoming] = (None, False)


class RegisteredSchemas(Protocol):
    """What a schema registry knows, as far as it was asked."""

    def reader_of(self, schema_id: int) -> Callable[[bytes], object] | None:
        """Return what reads bodies of a schema into objects as JSON has them; None: they are JSON.

        Raises:
            OtherFormat: the registry has no such schema, or it cannot be used; so does the reader for a
                body that is not what the schema says.
        """


class IncomingReader:
    """Reads messages of ``reviews.incoming``.

    Args:
        envelope: what is taken off.
        text_field: where the text is, if not in ``text``; a path with dots; several, parted by
            commas, are joined.
        id_field: where the id is, if not in ``review_id`` or ``id``. What has none there is not named
            by its key: a customer's would make one review of all that the customer wrote.
        created_field: where the date is, if not in ``created_at``.
        metadata_fields: what is kept beside ``metadata``, under the same name; paths, parted by commas.
        long_texts: what becomes of a text of more than :data:`~schemas.events.MAX_TEXT_CHARS` characters:
            it is refused, or cut to so many, and ``text_characters`` in the metadata says how many it had.
        metadata_headers: headers that are kept there as well, parted by commas.
        registered: tells how Avro and Protobuf behind a schema's id are read; unless given, they are not.
        unregistered: reads messages that are no JSON and name no schema; raises OtherFormat.
    """

    def __init__(
        self,
        envelope: Envelope = "auto",
        text_field: str = "",
        id_field: str = "",
        created_field: str = "",
        metadata_fields: str = "",
        metadata_headers: str = "",
        long_texts: LongTexts = "refuse",
        registered: RegisteredSchemas | None = None,
        unregistered: Callable[[bytes], object] | None = None,
    ) -> None:
        self._envelope = envelope
        self._unregistered = unregistered
        self._registered = registered
        self._texts = _paths(text_field)
        self._id = id_field.strip()
        self._created = created_field.strip()
        self._kept = _paths(metadata_fields)
        self._cuts = long_texts == "cut"
        self._kept_headers = frozenset(_paths(metadata_headers))
        self._exact = not (self._texts or self._id or self._created or self._kept)

    def read(
        self,
        value: bytes | None,
        key: bytes | None = None,
        headers: Iterable[tuple[str, bytes | None]] = (),
    ) -> Incoming:
        """Return the review in a message, or that it deletes one.

        Args:
            value: of the message; None is a tombstone.
            key: names the review if nothing in it does, and no field is named that should.
            headers: of the message; of several of one name the last counts.

        Raises:
            ContractError: it has no words, no name, or cannot be read; the message says which.
        """
        try:
            review, unread_date = self._read(value, key)
        except NotJson:
            if any(name == _SCHEMA_IN_HEADER for name, _ in headers):
                raise OtherFormat(_NAMED_IN_HEADER) from None
            raise
        if review is not None and self._kept_headers:
            kept = {
                name: mended(held.decode("utf-8", "replace"))
                for name, held in headers
                if name in self._kept_headers and held is not None
            }
            review = review.model_copy(update={"metadata": kept | review.metadata})
        return review, unread_date

    def _read(self, value: bytes | None, key: bytes | None) -> Incoming:
        if value is None:
            return _NOTHING
        if self._exact and len(value) <= MAX_EVENT_BYTES and value.find(_DEBEZIUM_MARK) < 0:
            try:
                review = _validated(value)
            except ValidationError:
                return self._looked_at(value, key)
            created = review.created_at
            # A date that is far away may be another form that looks like a number of seconds.
            if (
                review.schema_version == SCHEMA_VERSION
                and (
                    created is None or (created.tzinfo and FIRST_YEAR <= created.year <= LAST_YEAR)
                )
                and review.review_id not in NO_NAMES
            ):
                return review, False
        try:
            return self._looked_at(value, key)
        except WrongShape:
            # What our own producer sends is read wherever the fields of other messages are.
            if not self._exact and _is_exact(value):
                return _CONTRACT.read(value)
            raise

    def named(self, value: bytes, key: bytes | None = None) -> str | None:
        """Return the id in a message that is a review, or would be with words; None: it has none.

        Args:
            value: of the message, of any size.
            key: as of :meth:`read`.
        """
        try:
            body = self._parsed(value)
            fields = unwrapped(body, self._envelope, self._has_text)
            if fields is None:
                fields = deleted_row(body, self._envelope)
        except (ContractError, RecursionError):
            fields = {}
        named = self._name(fields, by_plain_name(fields), key)
        return _CONTRACT.named(value) if named is None and self._id and _is_exact(value) else named

    def _looked_at(self, value: bytes, key: bytes | None) -> Incoming:
        if len(value) > MAX_EVENT_BYTES:
            raise too_large(value)
        try:
            body = self._parsed(value)
            fields = unwrapped(body, self._envelope, self._has_text)
            return _NOTHING if fields is None else self._review(fields, key)
        except RecursionError:
            raise NotJson("the value is not JSON that can be read: nested too deep") from None

    def _parsed(self, value: bytes) -> object:
        if self._registered is not None and (named := schema_named_by(value)) is not None:
            schema_id, head = named
            read = self._registered.reader_of(schema_id)
            return json_in(value[head:]) if read is None else read(value[head:])
        if looks_like_json(value):
            return json_in(value)
        if self._unregistered is not None:
            return self._unregistered(value)
        head = registry_head(value) if self._envelope in {"auto", "registry"} else 0
        if not head and (known := binary_format(value)) is not None:
            raise OtherFormat(f"the value is {known}")
        return json_in(value[head:])

    def _has_text(self, fields: Fields) -> bool:
        if self._texts:
            return any(value_at(fields, path) is not None for path in self._texts)
        return any(name in _TEXTS for name in map(plain_name, fields))

    def _review(self, fields: Fields, key: bytes | None) -> Incoming:
        _check_version(fields.get("schema_version"))
        plain = by_plain_name(fields)
        text = self._text(fields, plain)
        if (review_id := self._name(fields, plain, key)) is None:
            keyless = "" if self._id else ", and the key names nothing"
            stands = value_at(fields, self._id) if self._id else first_of(plain, IDS)
            absent = (
                _absent(fields, "ID", self._id)
                if stands is None
                else f"what stands in {self._id or 'it'} {_NAMES_NONE}"
            )
            raise WrongShape(f"Review: review_id: {absent}{keyless}")
        metadata = _metadata(plain.get("metadata"))
        for path in self._kept:
            if (kept := value_at(fields, path)) is not None:
                metadata.setdefault(mended(path), any_text(kept))
        date = value_at(fields, self._created) if self._created else plain.get("createdat")
        created, unread = _created(date)
        if unread is not None:
            metadata.setdefault("created_at", unread)
        if self._cuts and len(text) > MAX_TEXT_CHARS:
            metadata.setdefault("text_characters", str(len(text)))
            text = text[:MAX_TEXT_CHARS]
        try:
            review = Review(review_id=review_id, text=text, created_at=created, metadata=metadata)
        except ValidationError as error:
            refused = wrong_shape(Review, error)
            if len(text) > MAX_TEXT_CHARS:
                refused = WrongShape(f"{refused}, not {len(text):,}; {_LONG_TEXTS}")
            raise refused from None
        return review, unread is not None

    def _name(self, fields: Fields, plain: Fields, key: bytes | None) -> str | None:
        """Return what names a review: what stands in the named field, or its id, or else its key."""
        if self._id:
            return named_by(value_at(fields, self._id))
        return named_by(first_of(plain, IDS)) or self._name_in_key(key)

    def _name_in_key(self, key: bytes | None) -> str | None:
        """Return the name in a message's key; one with a schema is read as that says, if it can be."""
        if self._registered is not None and key and (named := schema_named_by(key)) is not None:
            schema_id, head = named
            try:
                read = self._registered.reader_of(schema_id)
                if read is not None:
                    return name_in_json(read(key[head:]))
            except OtherFormat:
                pass  # eight bytes may be a number that a LongSerializer wrote
        return name_in_key(key)

    def _text(self, fields: Fields, plain: Fields) -> str:
        if self._texts:
            found: Sequence[Any] = [value_at(fields, path) for path in self._texts]
        else:
            found = [first_of(plain, _TEXTS)]
            if words_in(found[0]) is None:
                found += [plain.get(part) for part in _PARTS]
        parts = [words for value in found if (words := words_in(value)) is not None]
        if not parts and (self._has_text(fields) or set(self._texts) & set(paths_in(fields))):
            raise WrongShape(f"Review: text: {_wordless(found)}")
        if not parts:
            raise WrongShape(f"Review: text: {_absent(fields, 'TEXT', ', '.join(self._texts))}")
        return "\n".join(parts)


def _paths(named: str) -> list[str]:
    return [path.strip() for path in named.split(",") if path.strip()]


def _is_exact(value: bytes) -> bool:
    """Tell whether a message has the contract's fields; its date may be of another form."""
    try:
        _validated(value)
    except ValidationError:
        return False
    return True


_CONTRACT: Final = IncomingReader("none")


def _check_version(version: object) -> None:
    """Refuse a contract of the future. What is no number at all is somebody else's version."""
    text = scalar_text(version)
    if text is None or not text.removeprefix("-").isdecimal():
        return
    if text.lstrip("0") not in {str(known) for known in range(1, SCHEMA_VERSION + 1)}:
        raise UnknownSchemaVersion(
            f"schema_version {text[:LONGEST_NAME]} is not known; "
            f"this reader knows 1 to {SCHEMA_VERSION}"
        )


def _absent(fields: Fields, setting: str, named: str) -> str:
    """Tell that a field is absent: which was looked for, if one is named, and which there are."""
    paths = islice(paths_in(fields), _MOST_NAMES)
    names = ", ".join(mended(path)[:LONGEST_NAME] for path in paths)
    if named:
        return (
            f"there is none at {named}, as REVIEWS_INCOMING__{setting}_FIELD says; the message's "
            f"fields are {names or 'none'}"
        )
    return (
        f"there is none in the message's fields ({names or 'none'}); if another one is it, "
        f"REVIEWS_INCOMING__{setting}_FIELD names it"
    )


def _wordless(found: Sequence[Any]) -> str:
    if any(value == UNAVAILABLE for value in found):
        return "Debezium did not send it, since it did not change; REPLICA IDENTITY FULL makes it"
    if any(isinstance(value, dict) for value in found):
        return "it is an object; REVIEWS_INCOMING__TEXT_FIELD names the field in it, as text.body"
    return "it holds no words"


def _created(value: object) -> tuple[datetime | None, str | None]:
    """Return a date, and what it was instead if it cannot be read."""
    if value is None or (isinstance(value, str) and not value.strip()):
        return None, None
    moment = read_date(value)
    if moment is None:
        return None, any_text(value)
    # What is published names a zone; a date that names none is taken for UTC.
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC), None


def _metadata(value: object) -> dict[str, str]:
    """Return the producer's own fields as texts; what is null is absent."""
    if value is None:
        return {}
    if not isinstance(value, dict):
        return {"metadata": any_text(value)}
    return {mended(name): any_text(inner) for name, inner in value.items() if inner is not None}
