"""Schemas are asked for once; a registry that gives no answer never makes a dead letter."""

import asyncio
import base64
import json
import ssl
from types import SimpleNamespace

import pytest

from schemas import IncomingReader, OtherFormat
from stream.schema_registry import RegistryRefusal, RegistryUnavailable, known_schemas
from stream.schema_registry import registry as asked_over_http
from stream.settings import SchemaRegistrySettings
from tests.support.certificates import Authority
from tests.support.schema_registry import running_registry
from tests.support.wire_format import wired

REVIEW = {
    "type": "record",
    "name": "Review",
    "fields": [{"name": "review_id", "type": "string"}, {"name": "text", "type": "string"}],
}
BODY = b"\x04r1\x04ok"


def message(value, key=None):
    return SimpleNamespace(value=value, key=key)


@pytest.fixture(autouse=True)
def short_waits(monkeypatch):
    monkeypatch.setattr(known_schemas, "_FOLLOWER_SECONDS", 0.01)
    monkeypatch.setattr(known_schemas, "_FIRST_WAIT", 0.01)


@pytest.fixture
async def registry():
    async with running_registry() as running:
        yield running


@pytest.fixture
async def schemas(registry):
    async with known_schemas.asking(SchemaRegistrySettings(url=registry.url)) as made:
        yield made


async def test_a_schema_is_asked_for_once(registry, schemas):
    number = registry.register("reviews-value", REVIEW)
    for _ in range(3):
        await schemas.learn([message(wired(number, BODY))] * 5)
    assert registry.asked == [f"/schemas/ids/{number}"]
    assert schemas.reader_of(number)(BODY) == {"review_id": "r1", "text": "ok"}


async def test_messages_without_a_schema_ask_for_none(registry, schemas):
    await schemas.learn(
        [message(b'{"text": "ok"}', b"\0\0\0\0\x07\x04r1"), message(None), message(b"")]
    )
    assert registry.asked == []


async def test_what_a_schema_refers_to_is_asked_for_the_deepest_first(registry, schemas):
    registry.register("a", {"type": "enum", "name": "x.A", "symbols": ["Q"]})
    registry.register(
        "b",
        {"type": "record", "name": "x.B", "fields": [{"name": "a", "type": "x.A"}]},
        references=[("x.A", "a", 1)],
    )
    number = registry.register(
        "c",
        {"type": "record", "name": "C", "fields": [{"name": "b", "type": "x.B"}]},
        references=[("x.B", "b", 1), ("x.A", "a", 1)],
    )
    await schemas.learn([message(wired(number, b"\0"))])
    assert schemas.reader_of(number)(b"\0") == {"b": {"a": "Q"}}


async def test_schemas_of_json_leave_the_body_to_json(registry, schemas):
    number = registry.register("j", {"type": "object"}, kind="JSON")
    value = wired(number, b'{"review_id": "r1", "text": "ok"}')
    await schemas.learn([message(value)])
    review, _ = IncomingReader(registered=schemas).read(value)
    assert review.review_id == "r1"


@pytest.mark.parametrize("envelope", ["none", "connect", "debezium", "cloudevents"])
async def test_what_a_registry_knows_is_read_whatever_envelope_is_named(
    registry, schemas, envelope
):
    number = registry.register("reviews-value", REVIEW)
    await schemas.learn([message(wired(number, BODY))])
    review, _ = IncomingReader(envelope, registered=schemas).read(wired(number, BODY))
    assert (review.review_id, review.text) == ("r1", "ok")


async def test_a_body_that_begins_like_json_is_what_its_schema_says(registry, schemas):
    number = registry.register("reviews-value", REVIEW)
    named = "seventeen letters"
    value = wired(number, b'"' + named.encode() + b"\x04ok")
    await schemas.learn([message(value)])
    review, _ = IncomingReader(registered=schemas).read(value)
    assert review.review_id == named


async def test_a_key_with_a_schema_names_the_review(registry, schemas):
    keyed = registry.register("reviews-key", {"type": "long"})
    number = registry.register(
        "reviews-value",
        {"type": "record", "name": "R", "fields": [{"name": "text", "type": "string"}]},
    )
    record = message(wired(number, b"\x04ok"), wired(keyed, b"\x80\x89\x7a"))
    await schemas.learn([record])
    review, _ = IncomingReader(registered=schemas).read(record.value, record.key)
    assert review.review_id == "1000000"


async def test_a_key_with_a_schema_names_a_review_in_json(registry, schemas):
    keyed = registry.register("reviews-key", {"type": "string"})
    record = message(b'{"text": "ok"}', wired(keyed, b"\x08k-42"))
    await schemas.learn([record])
    review, _ = IncomingReader(registered=schemas).read(record.value, record.key)
    assert review.review_id == "k-42"


async def test_eight_bytes_of_a_number_are_no_schema(registry, schemas):
    number = registry.register(
        "reviews-value",
        {"type": "record", "name": "R", "fields": [{"name": "text", "type": "string"}]},
    )
    record = message(wired(number, b"\x04ok"), (5 << 24 | 77).to_bytes(8, "big"))
    await schemas.learn([record])
    review, _ = IncomingReader(registered=schemas).read(record.value, record.key)
    assert review.review_id == str(5 << 24 | 77)


async def test_an_id_that_the_registry_has_not_is_refused_and_not_asked_for_all_the_time(
    registry, schemas
):
    for _ in range(5):
        await schemas.learn([message(wired(99, b"x"))])
    assert registry.asked == ["/schemas/ids/99"] * 2, "a second time, for a follower that is late"
    with pytest.raises(OtherFormat, match="schema 99: the registry does not have it"):
        schemas.reader_of(99)


async def test_ids_that_are_absent_are_waited_for_only_now_and_then(registry, schemas):
    for number in range(100, 140):
        await schemas.learn([message(wired(number, b"x"))])
    assert len(registry.asked) == 41


async def test_a_schema_that_comes_late_is_found(registry, schemas, monkeypatch):
    monkeypatch.setattr(known_schemas, "_FOLLOWER_SECONDS", 0.2)
    learning = asyncio.create_task(schemas.learn([message(wired(1, BODY))]))
    await registry.was_asked(1)
    registry.register("reviews-value", REVIEW)
    await learning
    assert schemas.reader_of(1)(BODY)["text"] == "ok"


async def test_a_schema_that_cannot_be_used_is_refused_with_the_reason(registry, schemas):
    number = registry.register("v", {"type": "array", "items": "null"})
    await schemas.learn([message(wired(number, b"x"))])
    with pytest.raises(OtherFormat, match="billions"):
        schemas.reader_of(number)


@pytest.mark.parametrize("status", [302, 404, 429, 500, 503])
async def test_an_answer_that_is_none_is_no_word_on_the_schema(registry, schemas, status):
    number = registry.register("reviews-value", REVIEW)
    registry.failing = status
    with pytest.raises(RegistryUnavailable, match=str(status)):
        await schemas.learn([message(wired(number, BODY))])
    assert schemas.failure is not None
    registry.failing = None
    await schemas.learn([message(wired(number, BODY))])
    assert schemas.failure is None


@pytest.mark.parametrize(
    "references",
    [
        "5",
        '"author"',
        '{"name": "author"}',
        '[{"name": "x", "subject": "author", "version": 1e999}]',
        '[{"name": "x", "subject": "\\ud800", "version": 1}]',
        '[{"name": "\\ud800", "subject": "author", "version": 1}]',
    ],
)
async def test_references_that_are_none_are_no_word_on_the_schema(registry, schemas, references):
    number = registry.register("reviews-value", REVIEW)
    registry.schemas[number - 1]["references"] = json.loads(references)
    with pytest.raises(RegistryUnavailable, match="broken reference"):
        await schemas.learn([message(wired(number, BODY))])


PARENT = {"type": "record", "name": "P", "fields": [{"name": "a", "type": "x.A"}]}
PART = {"type": "enum", "name": "x.A", "symbols": ["Q"]}


async def test_what_a_schema_refers_to_may_come_later_than_itself(registry, schemas, monkeypatch):
    monkeypatch.setattr(known_schemas, "_ABSENT_SECONDS", 0.0)
    number = registry.register("parent", PARENT, references=[("x.A", "part", 1)])
    await schemas.learn([message(wired(number, b"\0"))])
    with pytest.raises(OtherFormat, match="refers to part, version 1: it is not there"):
        schemas.reader_of(number)
    registry.register("part", PART)
    await schemas.learn([message(wired(number, b"\0"))])
    assert schemas.reader_of(number)(b"\0") == {"a": "Q"}


async def test_what_a_schema_refers_to_is_found_though_it_was_deleted_softly(registry, schemas):
    registry.register("part", PART)
    registry.deleted.add("part")
    number = registry.register("parent", PARENT, references=[("x.A", "part", 1)])
    await schemas.learn([message(wired(number, b"\0"))])
    assert schemas.reader_of(number)(b"\0") == {"a": "Q"}


async def test_json_is_read_without_what_its_schema_refers_to(registry, schemas):
    number = registry.register("j", {}, kind="JSON", references=[("x", "absent", 1)])
    await schemas.learn([message(wired(number, b"{}"))])
    assert schemas.reader_of(number) is None


async def test_a_schema_of_parts_without_measure_is_not_used(registry, schemas, monkeypatch):
    monkeypatch.setattr(asked_over_http, "_MOST_CHARACTERS", 40)
    registry.register("part", PART)
    number = registry.register("parent", PARENT, references=[("x.A", "part", 1)])
    await schemas.learn([message(wired(number, b"\0"))])
    with pytest.raises(OtherFormat, match="more than 40 characters"):
        schemas.reader_of(number)


@pytest.mark.parametrize("schema_id", [0, 2**31, 2**32 - 1])
async def test_numbers_that_no_registry_gives_are_not_asked_for(registry, schemas, schema_id):
    """Confluent's answers that such a page is not there, as a server does that is no registry."""
    await schemas.learn([message(wired(schema_id, b"x"))])
    assert registry.asked == []
    with pytest.raises(OtherFormat):
        IncomingReader(registered=schemas).read(wired(schema_id, b"x"))


async def test_a_token_may_end_with_the_line_break_of_its_file(registry):
    number = registry.register("reviews-value", REVIEW)
    registry.login = "Bearer hush"
    settings = SchemaRegistrySettings(url=registry.url, token="hush\n")
    async with known_schemas.asking(settings) as schemas:
        await schemas.learn([message(wired(number, BODY))])


@pytest.mark.parametrize("settings", [{"url": "http://a..b"}, {"token": "hush\nhush"}])
async def test_what_no_request_can_hold_is_told_without_a_secret(registry, settings):
    async with known_schemas.asking(
        SchemaRegistrySettings(**{"url": registry.url, **settings})
    ) as schemas:
        with pytest.raises(RegistryUnavailable, match="does not answer") as raised:
            await schemas.learn([message(wired(1, BODY))])
    assert "hush" not in str(raised.value)


async def test_a_registry_may_want_certificates_of_an_authority_of_its_own(tmp_path):
    authority = Authority(tmp_path / "own")
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=authority.file)
    tls.load_cert_chain(authority.issue("registry"))
    tls.verify_mode = ssl.CERT_REQUIRED
    ours = authority.issue("worker")
    stranger = Authority(tmp_path / "other").file
    async with running_registry(tls=tls) as registry:
        number = registry.register("reviews-value", REVIEW)
        for trusted, cert, works in (
            (authority.file, ours, True),
            (authority.file, None, False),
            (stranger, ours, False),
            (None, ours, False),
        ):
            settings = SchemaRegistrySettings(
                url=registry.url, ssl_ca_file=trusted, ssl_cert_file=cert
            )
            async with known_schemas.asking(settings) as schemas:
                learning = schemas.learn([message(wired(number, BODY))])
                if works:
                    await learning
                else:
                    with pytest.raises(RegistryUnavailable, match="does not answer"):
                        await learning


async def test_a_registry_that_is_out_of_order_is_not_called_a_wrong_address(registry, schemas):
    registry.failing = 503
    with pytest.raises(RegistryUnavailable, match=r"out of order \(503\)") as raised:
        await schemas.learn([message(wired(1, BODY))])
    assert "URL" not in raised.value.remedy


async def test_whoever_is_patient_waits_until_the_registry_answers(registry, schemas):
    number = registry.register("reviews-value", REVIEW)
    registry.failing = 503
    waiting = asyncio.create_task(schemas.learn_patiently([message(wired(number, BODY))]))
    await registry.was_asked(3)
    registry.failing = None
    await waiting
    assert schemas.reader_of(number)(BODY)["text"] == "ok"


async def test_a_registry_that_is_not_there_is_named_without_a_password():
    settings = SchemaRegistrySettings(url="http://127.0.0.1:1", username="u", password="hush-hush")
    async with known_schemas.asking(settings) as schemas:
        with pytest.raises(RegistryUnavailable, match=r"127\.0\.0\.1:1") as raised:
            await schemas.learn([message(wired(1, BODY))])
    assert "hush" not in str(raised.value)


async def test_the_next_address_is_asked_when_one_gives_no_answer(registry):
    number = registry.register("reviews-value", REVIEW)
    settings = SchemaRegistrySettings(url=f"http://127.0.0.1:1, {registry.url}/")
    async with known_schemas.asking(settings) as schemas:
        await schemas.learn([message(wired(number, BODY))])
        assert schemas.reader_of(number)(BODY)["text"] == "ok"


@pytest.mark.parametrize(
    ("login", "settings"),
    [
        ("Bearer hush", {"token": "hush"}),
        (
            "Basic " + base64.b64encode("ключ:hush".encode()).decode(),
            {"username": "ключ", "password": "hush"},
        ),
    ],
)
async def test_credentials_are_shown_and_missed(registry, login, settings):
    number = registry.register("reviews-value", REVIEW)
    registry.login = login
    async with known_schemas.asking(
        SchemaRegistrySettings(url=registry.url, **settings)
    ) as schemas:
        await schemas.learn([message(wired(number, BODY))])
    async with known_schemas.asking(SchemaRegistrySettings(url=registry.url)) as schemas:
        with pytest.raises(RegistryRefusal, match="401"):
            await schemas.learn([message(wired(number, BODY))])


async def test_memory_of_ids_is_bounded(registry, schemas, monkeypatch):
    monkeypatch.setattr(known_schemas, "_MOST_KNOWN", 8)
    for number in range(100, 140):
        await schemas.learn([message(wired(number, b"x"))])
    assert len(schemas._known) <= 8


async def test_none_is_forgotten_that_is_about_to_be_used(registry, schemas, monkeypatch):
    monkeypatch.setattr(known_schemas, "_MOST_KNOWN", 8)
    number = registry.register("reviews-value", REVIEW)
    await schemas.learn([message(wired(number, BODY))])
    for first in range(100, 140, 4):
        flood = [message(wired(absent, b"x")) for absent in range(first, first + 4)]
        await schemas.learn([*flood, message(wired(number, BODY))])
        assert schemas.reader_of(number)(BODY)["text"] == "ok"
    assert len(schemas._known) <= 8


async def test_without_an_address_nothing_is_asked():
    assert SchemaRegistrySettings().url == ()
    async with known_schemas.asking(SchemaRegistrySettings()) as schemas:
        assert schemas is None


@pytest.mark.parametrize(
    "settings",
    [
        {"url": "ftp://host"},
        {"url": "https://u:p@host"},
        {"url": "host:8081"},
        {"url": "https://host?x=1"},
        {"url": "https://host", "username": "u"},
    ],
)
def test_settings_that_cannot_be_meant_are_refused(settings):
    with pytest.raises(ValueError, match=r"address|username"):
        SchemaRegistrySettings(**settings)
