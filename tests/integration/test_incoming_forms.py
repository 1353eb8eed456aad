"""Reviews as shops and connectors send them come out of a real worker, and every count adds up."""

import json
from pathlib import Path

import pytest

from schemas import BatchSummary, CategorizedReview, Category, DeadLetterReason, decode
from stream.kafka.topic_creation import create_topics
from tests.support.pipeline import (
    by_topic,
    pipeline_settings,
    read_outputs,
    read_topic,
    running_worker,
    send,
)
from tests.support.tiny_model import tiny_classifier

pytestmark = pytest.mark.kafka

FIELD = Path(__file__).resolve().parents[3] / "shared" / "field" / "inputs"
BOOTS = "сапоги на каждый день"


def row(number, **more):
    return {"id": number, "text": BOOTS} | more


def written(body):
    return json.dumps(body, ensure_ascii=False).encode()


REVIEWS = [
    (b"k1", written(row(1))),
    (b"k2", written(row(2, created_at="27.11.2026 10:15", metadata={"stars": 5, "photo": None}))),
    (b"k3", b"\xef\xbb\xbf" + written(row(3))),
    (b"k4", written({"schema": {"type": "struct"}, "payload": row(4)})),
    (b"k5", written({"payload": {"before": None, "after": row(5), "op": "c"}})),
    (b"k6", b"\0\0\0\0\x07" + written(row(6))),
    (b"k7", written({"specversion": "1.0", "id": "e", "data": row(7)})),
    (b"k8", b'{"id": 8, "text": "' + BOOTS.encode() + b' \\ud83d"}'),
    (b"9", written({"text": BOOTS})),
    (b"k10", written(row(10, created_at="0000-00-00"))),
]
DELETES = [
    (b"1", None),
    (b"2", b"null"),
    (b"3", written({"payload": {"before": row(3), "after": None, "op": "d"}})),
    (b"4", written(row(4, __deleted="true"))),
]
DEAD = [
    (b"d1", written(row(11, text=None))),
    (None, written({"text": BOOTS})),
    (b"d3", b"\0\0\0\0\x08\x04r1\x0ahello"),
]


@pytest.fixture
async def settings(kafka, topic_prefix):
    made = pipeline_settings(kafka, topic_prefix)
    await create_topics(made)
    return made


async def outcomes(kafka, settings, tmp_path, messages, deletes):
    """Send messages through a worker; return its outputs by topic, summaries and counters."""
    topics = settings.topic_names
    count = await send(kafka, topics.incoming, messages)
    async with running_worker(settings, tiny_classifier(tmp_path / "model")) as worker:
        records = await read_outputs(kafka, topics, count - deletes)
        told = []
        while sum(summary.reviews for summary in told) < count:
            batches = await read_topic(kafka, topics.batches, len(told) + 1)
            told = [decode(BatchSummary, record.value) for record in batches]
    assert len(records) == count - deletes
    return by_topic(records), told, worker.metrics.registry


async def test_whatever_has_words_and_a_name_is_classified_and_counts_add_up(
    kafka, settings, tmp_path
):
    topics = settings.topic_names
    messages = [*REVIEWS, *DELETES, *DEAD]
    found, told, metrics = await outcomes(kafka, settings, tmp_path, messages, len(DELETES))
    events = [
        decode(CategorizedReview, record.value)
        for record in found[topics.category(Category("footwear"))]
    ]
    by_id = {event.review.review_id: event.review for event in events}
    assert sorted(by_id, key=int) == [str(number) for number in range(1, 11)]
    assert by_id["2"].metadata == {"stars": "5"}
    assert by_id["2"].created_at.isoformat() == "2026-11-27T10:15:00+00:00"
    assert by_id["8"].text == f"{BOOTS} \ufffd"
    assert by_id["10"].metadata == {"created_at": "0000-00-00"}
    reasons = [DeadLetterReason.from_headers(r.headers) for r in found[topics.dead_letter]]
    assert {reason.code for reason in reasons} == {"wrong-shape", "other-format"}
    assert len(reasons) == len(DEAD)
    assert any("schema id 8" in reason.message for reason in reasons)

    assert sum(s.reviews for s in told) == len(messages)
    assert sum(s.published for s in told) == len(REVIEWS)
    assert sum(s.dead for s in told) == len(DEAD)
    assert sum(s.deleted for s in told) == len(DELETES)
    assert sum(s.unread_dates for s in told) == 1
    assert all(s.reviews == s.published + s.relabelled + s.dead + s.deleted for s in told)

    def counted(name, **labels):
        return metrics.get_sample_value(name, labels)

    deleted = counted("reviews_processed_total", route="deleted", category="")
    assert deleted == len(DELETES)
    assert counted("reviews_unread_dates_total") == 1


async def test_deletes_alone_are_committed(kafka, settings, tmp_path):
    found, told, _ = await outcomes(kafka, settings, tmp_path, DELETES, len(DELETES))
    assert not found
    assert sum(s.deleted for s in told) == len(DELETES)


async def test_fields_of_ones_own_are_named_by_settings(kafka, topic_prefix, tmp_path):
    settings = pipeline_settings(
        kafka,
        topic_prefix,
        incoming={"text_field": "feedback.plus,feedback.minus", "id_field": "feedback.sku"},
    )
    await create_topics(settings)
    feedback = {"sku": 7, "plus": "сапоги тёплые", "minus": "скользят"}
    found, _, _ = await outcomes(
        kafka, settings, tmp_path, [(None, written({"feedback": feedback}))], 0
    )
    (record,) = found[settings.topic_names.category(Category("footwear"))]
    review = decode(CategorizedReview, record.value).review
    assert (review.review_id, review.text) == ("7", "сапоги тёплые\nскользят")


@pytest.mark.skipif(not FIELD.is_dir(), reason="the inputs of ../shared/field are not here")
@pytest.mark.parametrize(
    ("file", "reviews", "deletes", "dead"),
    [
        ("incoming_numeric.jsonl", 8, 0, 1),
        ("incoming_connect_envelope.jsonl", 9, 0, 0),
        ("incoming_debezium.jsonl", 2, 2, 0),
        ("incoming_confluent_wire.hex", 1, 0, 2),
        ("incoming_with_bom.jsonl", 2, 0, 0),
        ("incoming_half_emoji.jsonl", 4, 0, 0),
    ],
)
async def test_messages_of_the_field_come_out(
    kafka, settings, tmp_path, file, reviews, deletes, dead
):
    lines = (FIELD / file).read_bytes().splitlines()
    if file.endswith(".hex"):
        lines = [bytes.fromhex(line.decode()) for line in lines]
    messages = [(b"k%d" % number, line) for number, line in enumerate(lines)]
    found, told, _ = await outcomes(kafka, settings, tmp_path, messages, deletes)
    assert len(found.get(settings.topic_names.dead_letter, ())) == dead
    assert sum(s.deleted for s in told) == deletes
    assert sum(s.published + s.relabelled for s in told) == reviews
