"""A schema registry, asked over HTTP.

The interface is Confluent's (docs.confluent.io, "Schema Registry API Reference"), which Apicurio, Karapace
and Redpanda have as well.
"""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from typing import Any, Final, Literal, cast
from urllib.parse import quote

import aiohttp

from stream.schema_registry.errors import (
    AbsentPart,
    RegistryRefusal,
    RegistryUnavailable,
    UnusableSchema,
)
from stream.settings import SchemaRegistrySettings
from stream.tls import client_context

SchemaType = Literal["AVRO", "PROTOBUF", "JSON"]
_TYPES: Final = ("AVRO", "PROTOBUF", "JSON")
_ACCEPT: Final = "application/vnd.schemaregistry.v1+json, application/json"
_MOST_BYTES: Final = 4 * 1024 * 1024
"""Of one answer: no schema comes near."""
_MOST_REFERENCES: Final = 200
_MOST_CHARACTERS: Final = 4 * 1024 * 1024
"""Of a schema and all that it refers to."""
_OK, _NOT_FOUND, _TOO_MANY_REQUESTS, _OUT_OF_ORDER = 200, 404, 429, 500
_REFUSED: Final = (401, 403)
_ABSENT: Final = (40401, 40402, 40403)
"""What a registry says where it has no such subject, version or schema."""
_SHOWN: Final = 200


@dataclass(frozen=True, slots=True)
class Registered:
    """A schema as it is registered.

    Attributes:
        kind: what language it is written in.
        text: the schema.
        parts: schemas that it refers to, by the name it uses; what a part refers to stands before it.
    """

    kind: SchemaType
    text: str
    parts: dict[str, str]


class SchemaRegistry:
    """Asks for schemas. To be closed.

    Args:
        settings: of the connection; they name at least one address.

    Raises:
        ConfigError: the files for TLS cannot be used.
    """

    def __init__(self, settings: SchemaRegistrySettings) -> None:
        self._settings = settings
        self._tls = client_context(
            "the schema registry",
            "schema_registry",
            authority=settings.ssl_ca_file,
            certificate=settings.ssl_cert_file,
            key=settings.ssl_key_file,
            key_password=settings.ssl_key_password,
        )
        self._session: aiohttp.ClientSession | None = None

    async def schema(self, schema_id: int) -> Registered | None:
        """Return the schema of an id, with all that it refers to; None: the registry has none.

        Raises:
            RegistryUnavailable: no address gives an answer.
            AbsentPart: the registry does not have what it refers to.
            UnusableSchema: what it refers to has no end, or it is of no kind that is read.
        """
        found = await self._asked(f"/schemas/ids/{schema_id}")
        if found is None:
            return None
        kind = str(found.get("schemaType") or "AVRO")
        if kind not in _TYPES:
            raise UnusableSchema(f"schema {schema_id} is {kind[:_SHOWN]}, which is not read")
        parts: dict[str, str] = {}
        if kind != "JSON":  # whose bodies are read without it
            await self._collect(found, parts, asked=set())
        return Registered(cast("SchemaType", kind), _schema_of(found), parts)

    async def close(self) -> None:
        """Let go of the connections."""
        if self._session is not None:
            await self._session.close()

    async def _collect(
        self, schema: dict[str, Any], parts: dict[str, str], asked: set[tuple[str, int]]
    ) -> None:
        """Add what a schema refers to, the deepest first."""
        for name, subject, version in _references(schema):
            if (subject, version) in asked:
                continue
            asked.add((subject, version))
            if len(asked) > _MOST_REFERENCES:
                raise UnusableSchema(f"a schema refers to more than {_MOST_REFERENCES} others")
            # A schema that is deleted softly is still what older ones refer to.
            path = f"/subjects/{quote(subject, safe='')}/versions/{version}?deleted=true"
            found = await self._asked(path)
            if found is None:
                raise AbsentPart(
                    f"a schema refers to {subject}, version {version}: it is not there"
                )
            await self._collect(found, parts, asked)
            parts[name] = _schema_of(found)
            if sum(map(len, parts.values())) > _MOST_CHARACTERS:
                raise UnusableSchema(f"a schema refers to more than {_MOST_CHARACTERS} characters")

    async def _asked(self, path: str) -> dict[str, Any] | None:
        """Return an answer of the first address that gives one; None: it is not there."""
        failure: RegistryUnavailable | None = None
        for url in self._settings.url:
            try:
                return await self._asked_at(url, path)
            except RegistryUnavailable as error:
                failure = failure or error
        assert failure is not None  # noqa: S101 - there is an address
        raise failure

    async def _asked_at(self, url: str, path: str) -> dict[str, Any] | None:
        try:
            # A redirect could take the password elsewhere.
            async with self._opened().get(url + path, allow_redirects=False) as answer:
                body = await answer.content.read(_MOST_BYTES + 1)
                while len(body) <= _MOST_BYTES and (more := await answer.content.read(_MOST_BYTES)):
                    body += more
                return _answer(url, answer.status, body)
        # ValueError: a host or a password that no request can hold.
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            said = " ".join(str(error).split())[:_SHOWN] or type(error).__name__
            raise RegistryUnavailable(
                f"the schema registry at {url} does not answer: {said}",
                "see whether it runs and can be reached from here, and REVIEWS_SCHEMA_REGISTRY__URL",
            ) from None

    def _opened(self) -> aiohttp.ClientSession:
        if self._session is None:
            timeout = aiohttp.ClientTimeout(total=self._settings.timeout)
            connector = aiohttp.TCPConnector(ssl=self._tls)
            headers = {"Accept": _ACCEPT, **_credentials(self._settings)}
            self._session = aiohttp.ClientSession(
                timeout=timeout,
                connector=connector,
                headers=headers,
                cookie_jar=aiohttp.DummyCookieJar(),
            )
        return self._session


def _answer(url: str, status: int, body: bytes) -> dict[str, Any] | None:
    if status in _REFUSED:
        raise RegistryRefusal(
            f"the schema registry at {url} refuses us ({status})",
            "set REVIEWS_SCHEMA_REGISTRY__USERNAME and __PASSWORD, or __TOKEN, to ones that may read",
        )
    try:
        said = json.loads(body) if len(body) <= _MOST_BYTES else None
    except (ValueError, RecursionError):
        said = None
    # A page that is not there is no word on a schema: the address may be another server's.
    if status == _NOT_FOUND and isinstance(said, dict) and said.get("error_code") in _ABSENT:
        return None
    if status >= _OUT_OF_ORDER or status == _TOO_MANY_REQUESTS:
        raise RegistryUnavailable(
            f"the schema registry at {url} is out of order ({status})", "its own log says why"
        )
    if status != _OK or not isinstance(said, dict):
        raise RegistryUnavailable(
            f"the schema registry at {url} answers {status}, and not as one does",
            "REVIEWS_SCHEMA_REGISTRY__URL must name its address with the whole path, as "
            "https://host/apis/ccompat/v7 for Apicurio",
        )
    return said


def _schema_of(said: dict[str, Any]) -> str:
    if not isinstance(text := said.get("schema"), str):
        raise RegistryUnavailable("the schema registry's answer holds no schema")
    return text


def _references(said: dict[str, Any]) -> list[tuple[str, str, int]]:
    try:
        return [
            (_text(reference["name"]), _text(reference["subject"]), int(reference["version"]))
            for reference in said.get("references") or ()
        ]
    except (KeyError, TypeError, ValueError, OverflowError):
        raise RegistryUnavailable("the schema registry's answer has a broken reference") from None


def _text(value: object) -> str:
    """Return a text that can be written.

    Raises:
        ValueError: half a character stands in it.
    """
    text = str(value)
    text.encode()
    return text


def _credentials(settings: SchemaRegistrySettings) -> dict[str, str]:
    if settings.token is not None:
        # Files that tokens are kept in end with a line break.
        return {"Authorization": f"Bearer {settings.token.get_secret_value().strip()}"}
    if settings.username is None or settings.password is None:
        return {}
    login = f"{settings.username}:{settings.password.get_secret_value()}"
    return {"Authorization": f"Basic {base64.b64encode(login.encode()).decode()}"}
