"""What a topic refuses for its size is made otherwise the next time, and never sent again."""

import asyncio
import hashlib
from types import SimpleNamespace

import pytest
from aiokafka import ConsumerRecord, TopicPartition
from aiokafka.record.default_records import DefaultRecordBatchBuilder
from hypothesis import given
from hypothesis import strategies as st

from schemas import DeadLetterReason, SourcePosition, TopicNames
from schemas.topics import DEAD_LETTER_MAX_BYTES
from stream.errors import BrokerError
from stream.exactly_once.message import Message
from stream.exactly_once.negotiation import TransactionVersion
from stream.exactly_once.partition_processor import PartitionBatch, PartitionProcessor
from stream.exactly_once.partition_writer import PartitionWriter
from stream.kafka.reading import Unreadable
from stream.kafka.size_limits import LEAST_BYTES, RecordsTooLarge, SizeLimits, message_bytes
from stream.privacy import ALWAYS
from stream.worker.dead_letters import DeadLetterMaker
from tests.support.transactions import Transactions

TP = TopicPartition("reviews.incoming", 2)
DEAD = TopicNames().dead_letter
SOURCE = SourcePosition(topic=TP.topic, partition=2, offset=7)
HEADERS = st.lists(st.tuples(st.text(max_size=8), st.none() | st.binary(max_size=30)), max_size=5)


def record(value=b"{}", key=b"k", headers=()):
    return ConsumerRecord(*TP, 7, 1_700_000_000_000, 0, key, value, None, 1, 1, headers)


def letter(original, *, redacted=(), limits=None):
    maker = DeadLetterMaker(DEAD, "g", "w", redacted, limits or SizeLimits())
    key, value, headers = maker.fields(original, SOURCE, "not-json", "no JSON")
    assert message_bytes(key, value, headers) <= DEAD_LETTER_MAX_BYTES
    return key, value, headers, DeadLetterReason.from_headers(headers)


@given(st.none() | st.binary(max_size=400), st.none() | st.binary(max_size=400), HEADERS)
def test_no_batch_of_one_message_is_larger_than_it_was_taken_for(key, value, headers):
    builder = DefaultRecordBatchBuilder(2, 0, 1, 1, 0, 0, 10)
    builder.append(0, 1_700_000_000_000, key, value, headers)
    assert len(builder.build()) <= message_bytes(key, value, headers)


def test_a_single_message_that_was_refused_is_not_allowed_again_and_smaller_ones_are():
    limits = SizeLimits()
    assert limits.allows("t", 10**9)
    limits.refused(RecordsTooLarge("t", 100_000, 1))
    assert [limits.allows("t", size) for size in (99_999, 100_000)] == [True, False]
    assert limits.allows("other", 10**9)


def test_of_several_that_were_refused_together_half_is_tried_until_one_stands_alone():
    limits, sizes = SizeLimits(), [512 * 1024]
    while sizes[-1] > 5000:
        limits.refused(RecordsTooLarge("t", sizes[-1], 10))
        sizes.append(limits.batch_bytes("t", 512 * 1024))
    assert len(sizes) == 8
    assert limits.allows("t", 512 * 1024), "no message alone was refused yet"


def test_a_topic_that_takes_next_to_nothing_is_an_error_that_names_the_remedy():
    with pytest.raises(BrokerError) as failed:
        SizeLimits().refused(RecordsTooLarge("t", LEAST_BYTES, 1))
    assert "max.message.bytes" in failed.value.remedy


def test_an_original_that_fits_is_kept_byte_for_byte():
    original = record(b"x" * 1_000_000, b"k" * 5000, (("h", b"v"), ("n", None)))
    key, value, headers, reason = letter(original)
    assert (key, value, reason.cut) == (original.key, original.value, None)
    assert headers[:2] == [("h", b"v"), ("n", None)]


@pytest.mark.parametrize(
    "original",
    [
        record(b"x" * 3_000_000),
        record(b"x", b"k" * 3_000_000),
        record(b"x", headers=tuple(("h", b"v" * 1000) for _ in range(3000))),
    ],
    ids=["value", "key", "headers"],
)
def test_one_that_does_not_is_cut_and_measured(original):
    key, value, headers, reason = letter(original)
    assert message_bytes(key, value, headers) < 16_384
    assert (key, value) == (original.key[:1024], original.value[:1024])
    assert reason.cut.value_bytes == len(original.value)
    assert reason.cut.key_bytes == len(original.key)
    assert reason.cut.sha256 == hashlib.sha256(original.value).hexdigest()
    assert reason.cut.header_bytes == sum(len(n) + len(v) for n, v in original.headers)
    assert reason.source == SOURCE


def test_what_redaction_makes_longer_is_measured_after_it():
    value = ('{"text": "' + "я" * 900_000 + ' +7 912 345-67-89"}').encode()
    assert letter(record(value))[3].cut is None
    _key, cut, _, reason = letter(record(value), redacted=ALWAYS)
    assert (len(cut), reason.cut.value_bytes) == (1024, len(value))


def test_only_the_kinds_that_are_wanted_are_redacted():
    value = b"a@b.ru 112-233-445 95"
    assert letter(record(value), redacted=["snils"])[1] == b"a@b.ru [snils]"
    assert letter(record(value), redacted=ALWAYS)[1] == b"[email] 112-233-445 95"


def test_the_beginning_of_one_that_is_cut_is_redacted_too():
    value = b"+7 912 345-67-89 " + b"x" * 3_000_000
    assert letter(record(value), redacted=ALWAYS)[1].startswith(b"[phone] ")


def test_a_letter_that_its_topic_refused_is_cut_however_small_the_topics_limit():
    limits = SizeLimits()
    limits.refused(RecordsTooLarge(DEAD, 50_000, 1))
    assert letter(record(b"x" * 20_000), limits=limits)[3].cut is None
    assert letter(record(b"x" * 60_000), limits=limits)[3].cut.value_bytes == 60_000


def test_for_a_topic_that_takes_hardly_anything_hardly_more_than_the_reason_is_left():
    limits = SizeLimits()
    original = record(b"x" * 60_000, b"k" * 60_000, tuple(("h", b"") for _ in range(1000)))
    refusals = 0
    key, value, headers, reason = letter(original, limits=limits)
    while (size := message_bytes(key, value, headers)) > 1_500:
        limits.refused(RecordsTooLarge(DEAD, size, 1))
        refusals += 1
        key, value, headers, reason = letter(original, limits=limits)
    assert size < LEAST_BYTES
    assert refusals <= 3
    assert (reason.source, reason.cut.value_bytes) == (SOURCE, 60_000)
    assert (key, value) == (original.key[: len(key)], original.value[: len(value)])


def test_letters_that_are_each_a_little_smaller_are_refused_a_few_times_only():
    limits, refusals, takes = SizeLimits(), 0, 10_000
    for size in range(60_000, 9_000, -500):
        while True:
            key, value, headers, _ = letter(record(b"x" * size), limits=limits)
            if (sent := message_bytes(key, value, headers)) <= takes:
                break
            limits.refused(RecordsTooLarge(DEAD, sent, 1))
            refusals += 1
    assert refusals <= 4


def test_headers_that_an_original_brings_do_not_speak_for_us():
    forged = (("dlq.original.header-bytes", b"1"), ("dlq.original.value-bytes", b"x"), ("h", None))
    _, _, headers, reason = letter(record(b"x", headers=forged))
    assert (reason.cut, reason.code) == (None, "not-json")
    assert headers[0] == ("h", None)


def test_a_run_of_offsets_that_cannot_be_read_is_one_letter_that_names_them_all():
    stub = Unreadable("unreadable-batch", "no", 7, 11, 500, "ab" * 32, b"head")
    original = record(b"", None, (("unreadable", stub),))
    key, value, headers, reason = letter(original)
    assert (key, value) == (None, b"head")
    assert (reason.source.offset, reason.cut.last_offset) == (7, 11)
    assert "unreadable" not in dict(headers)


class Consumer:
    def seek(self, *_):
        pass

    pause = resume = seek

    def assignment(self):
        return {TP}


class RefusingProducer:
    """Its topic takes what the limits say that it was told."""

    def __init__(self, sent, refuse):
        self._sent, self._refuse = sent, refuse

    async def start(self, topics=()):
        pass

    async def commit(self, messages, next_offset):
        self._sent.append(messages)
        if self._refuse and self._refuse.pop():
            raise RecordsTooLarge("t", 100_000, 1)

    async def discard(self):
        pass


async def test_a_partition_processor_tells_what_was_refused_and_opens_again_at_once():
    sent, told, reopened = [], [], asyncio.Event()

    def open_producer(_tp):
        if told:
            reopened.set()
        return RefusingProducer(sent, [True] if not told else [])

    transactions = Transactions(open_producer, limits=SimpleNamespace(refused=told.append))
    processor = PartitionProcessor(TP, Consumer(), transactions, 1.0)
    running = asyncio.create_task(processor.run())
    event = SimpleNamespace(stale=False, held=0, record=record())
    async with asyncio.timeout(30):
        await processor.publish(PartitionBatch([event], ["too large"], lambda _: None))
        await reopened.wait()
    assert [(error.topic, error.size) for error in told] == [("t", 100_000)]
    assert processor.epoch == 1, (
        "what was on its way is void: it comes again, and is made otherwise"
    )
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def test_a_partition_processor_ends_where_no_message_of_ours_would_fit():
    def refused(_error):
        raise BrokerError("t takes no message", "raise it")

    transactions = Transactions(
        lambda _: RefusingProducer([], [True]), limits=SimpleNamespace(refused=refused)
    )
    processor = PartitionProcessor(TP, Consumer(), transactions, 1.0)
    running = asyncio.create_task(processor.run())
    event = SimpleNamespace(stale=False, held=0, record=record())
    async with asyncio.timeout(30):
        await processor.publish(PartitionBatch([event], ["too large"], lambda _: None))
        with pytest.raises(BrokerError, match="takes no message"):
            await running


@pytest.mark.parametrize("code", [10, 18])
async def test_a_writer_says_which_batch_a_broker_refused_for_its_size(code):
    class Client:
        cluster = SimpleNamespace(leader_for_partition=lambda _tp: 1)

        async def send(self, _node, _request):
            return SimpleNamespace(topics=[("t", [(0, code)])])

    transaction = SimpleNamespace(
        transactional_id="t", producer_id=1, epoch=0, version=TransactionVersion.NAMED
    )
    writer = PartitionWriter(Client(), transaction, "gzip", 1000, SizeLimits())
    messages = [Message("t", b"k", bytes(1000), []) for _ in range(3)]
    with pytest.raises(RecordsTooLarge) as refused:
        await writer.write({TopicPartition("t", 0): messages})
    assert (refused.value.topic, refused.value.count) == ("t", 3)
    assert refused.value.size > 3000, "before compression"
