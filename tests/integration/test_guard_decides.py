"""From audits on Kafka to a category that is held: the monitor decides once, also over a restart."""

import pytest

from schemas import Category, GuardDecision, TopicNames, decode, encode
from stream.guard.topic import read_holds
from tests.integration.test_monitor import running_monitor, until
from tests.integration.test_topic_recreated import often, recreate
from tests.support.labels import label
from tests.support.pipeline import create_topics, pipeline_settings, read_topic, send
from tests.support.queue import task
from tests.support.summaries import EPOCH, summary

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(300)]
CLOTHING, SHOES = Category("clothing"), Category("footwear")
KEY = "a key of sixteen or more"


async def test_broken_promise_is_held_once_and_a_restart_neither_loses_nor_repeats_it(
    kafka, topic_prefix
):
    names = TopicNames(topic_prefix)
    await create_topics(kafka, names)
    settings = pipeline_settings(
        kafka,
        topic_prefix,
        monitor={"port": 0},
        guard={"mode": "hold", "promised": 0.95, "key": KEY},
    )
    await send(kafka, names.batches, [(b"w1", encode(summary(EPOCH)))])
    asked = [task(i, best=CLOTHING, best_share=0.97, reason="audit") for i in range(40)]
    await send(kafka, names.relabel, [(b"k", encode(one)) for one in asked])
    async with running_monitor(settings) as monitor:
        await until(lambda: len(list(monitor.engine.audits.all())) == 40)
        assert not monitor.engine.holds.all_held()
    said = [CLOTHING if i % 2 else SHOES for i in range(40)]
    words = [label(s, review_id=f"r{i}", minutes=i, shown_blind=True) for i, s in enumerate(said)]
    await send(kafka, names.labels, [(w.review_id.encode(), encode(w)) for w in words])
    async with running_monitor(settings) as monitor:  # what was asked before is known
        await until(monitor.engine.holds.all_held)
    async with running_monitor(settings) as monitor:
        assert [one.category for one in monitor.engine.holds.all_held()] == [CLOTHING]
        assert monitor.engine.promises.due() == []
    (record,) = await read_topic(kafka, names.guard, 1)
    decision = decode(GuardDecision, record.value)
    assert (decision.action, decision.number, decision.decided_by) == ("held", 1, "monitor")
    assert decision.seal
    assert decision.right < decision.audited <= 40
    # The topic is lost, twice: while nobody looks, and while the monitor runs.
    await recreate(settings, names.guard)
    async with running_monitor(often(settings)) as monitor:
        assert await the_decision(kafka, names) == decision
        await recreate(settings, names.guard)
        assert await the_decision(kafka, names) == decision
        assert [one.category for one in monitor.engine.holds.all_held()] == [CLOTHING]
    assert [one.category for one in (await read_holds(settings)).all_held()] == [CLOTHING]


async def the_decision(kafka, names):
    (record,) = await read_topic(kafka, names.guard, 1)
    return decode(GuardDecision, record.value)
