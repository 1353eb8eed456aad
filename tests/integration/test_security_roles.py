"""Least privilege on a really secured Kafka and Redis: each role does its job, and nothing else."""

import asyncio
import itertools
from dataclasses import replace

import pytest
import pytest_asyncio
import structlog
from aiokafka import AIOKafkaProducer
from redis.asyncio import Redis
from redis.exceptions import AuthenticationError, NoPermissionError
from redis.exceptions import ConnectionError as NoConnection

from deploy.local import LocalRedis
from schemas import Category, Label, ModelAnnouncement, Review, TopicNames, encode
from stream.acl import ROLES, redis_rules, role_rules
from stream.acl.apply import grant
from stream.acl.rules import Operation
from stream.cli.checks import examine
from stream.clients import CategoryConsumer, ReviewProducer
from stream.errors import BrokerError, TopicMissing
from stream.kafka.lag import LagProbe, worker_lag
from stream.kafka.topic_creation import create_topics
from stream.monitor.service import Monitor
from stream.queue.label_topic import read_labels
from stream.settings import load_settings
from stream.worker.app import Worker
from tests.integration.test_monitor import running_monitor, until
from tests.support.certificates import Authority
from tests.support.labels import label
from tests.support.pipeline import WAIT_SECONDS, read_outputs, read_topic, running_worker, send
from tests.support.queue import add_people, reviewer, running_queue, task
from tests.support.rights import rights_of
from tests.support.secured import ADMIN, password_of, secured_broker
from tests.support.secured_servers import redis_acl
from tests.support.tiny_model import tiny_classifier
from tests.support.tls_proxy import tls_in_front_of
from training.registry.announce import announce
from training.retrain.audits import read_audit_questions

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(300)]

MATRIX = "matrix"
NAMES = TopicNames(MATRIX)
CATEGORIES = frozenset(NAMES.categories)
EVERYTHING = frozenset(policy.name for policy in NAMES.policies())
# Written down by hand from the flow in the design, so that stream/acl cannot agree with itself.
READS = {
    "producer": frozenset(),
    "consumer": CATEGORIES,
    "worker": {NAMES.incoming, NAMES.models, NAMES.guard},
    "queue": {NAMES.relabel, NAMES.labels, NAMES.judgements},
    "relabeller": {NAMES.relabel, NAMES.labels},
    "monitor": {NAMES.batches, NAMES.labels, NAMES.models, NAMES.relabel, NAMES.guard},
    "trainer": {NAMES.labels, NAMES.judgements, NAMES.relabel, NAMES.models},
    "operator": EVERYTHING,
}
WRITES = {
    "producer": {NAMES.incoming},
    "consumer": frozenset(),
    "worker": CATEGORIES | {NAMES.relabel, NAMES.dead_letter, NAMES.batches},
    "queue": CATEGORIES | {NAMES.labels, NAMES.judgements},
    "relabeller": CATEGORIES | {NAMES.labels, NAMES.dead_letter},
    "monitor": {NAMES.stats, NAMES.guard},
    "trainer": {NAMES.models},
    "operator": EVERYTHING,
}
GROUPS = {
    "consumer": {"matrix.consumer.shop"},
    "worker": {"matrix-workers"},
    "relabeller": {"matrix-relabeller"},
    "monitor": {"matrix.monitor"},
    "operator": {"matrix.consumer.shop", "matrix.monitor", "matrix.replay"},
}
TRANSACTIONS = {
    "worker": {"matrix-workers.matrix.incoming.0"},
    "queue": {"matrix.queue.host.8400"},
    "relabeller": {"matrix-relabeller.matrix.relabel.0"},
    "operator": {"matrix.queue.host.8400", "matrix.replay.matrix.dead-letter.0"},
}
ALL_GROUPS = frozenset(itertools.chain(*GROUPS.values())) | {"stranger"}
ALL_TRANSACTIONS = frozenset(itertools.chain(*TRANSACTIONS.values())) | {"stranger"}


def settings_of(broker, user, prefix, **sections):
    return load_settings(
        kafka=broker.settings_of(user),
        topics={"prefix": prefix},
        worker={"group": f"{prefix}-workers", "heartbeat_interval_ms": 500},
        label={"group": f"{prefix}-relabeller"},
        **{"cache": {"url": ""}, "http": {"port": 0}, **sections},
    )


async def give_everybody_their_role(broker, prefix, but=None):
    """Grant what `reviews acl` lists, but one operation on one topic."""
    for role in ROLES:
        settings = settings_of(broker, ADMIN, prefix)
        rules = [
            replace(rule, operations=tuple(o for o in rule.operations if (rule.name, o) != but))
            for rule in role_rules(role, settings)
        ]
        await grant(settings.kafka, f"User:{role}", rules)


@pytest_asyncio.fixture(scope="module")
async def broker(tmp_path_factory):
    secured = secured_broker(tmp_path_factory.mktemp("roles"))
    with secured.kafka:
        await give_everybody_their_role(secured, MATRIX)
        await create_topics(settings_of(secured, "operator", MATRIX))
        yield secured


async def allowed(asks, ask):
    """Return those that the broker does not refuse."""
    return {name for name in sorted(asks) if await ask(name)}


@pytest.mark.parametrize("role", ROLES)
async def test_a_role_reads_its_topics_and_no_other(broker, role):
    async with rights_of(broker.as_user(role)) as rights:
        assert await allowed(EVERYTHING, rights.may_read) == READS[role]


@pytest.mark.parametrize("role", ROLES)
async def test_a_role_writes_its_topics_and_no_other(broker, role):
    async with rights_of(broker.as_user(role)) as rights:
        assert await allowed(EVERYTHING, rights.may_write) == WRITES[role]


@pytest.mark.parametrize("role", ROLES)
async def test_a_role_has_its_groups_and_transactions_and_no_other(broker, role):
    async with rights_of(broker.as_user(role)) as rights:
        assert await allowed(ALL_GROUPS, rights.may_join) == GROUPS.get(role, set())
        transactions = await allowed(ALL_TRANSACTIONS, rights.may_use_transaction)
        assert transactions == TRANSACTIONS.get(role, set())


@pytest.mark.parametrize("role", sorted(set(ROLES) - {"operator"}))
async def test_nobody_but_the_operator_creates_or_deletes_topics(broker, role):
    own_state = {"matrix.monitor-batches-changelog"} if role == "monitor" else set()
    wanted = {*EVERYTHING, "matrix.new", "elsewhere", "matrix.monitor-batches-changelog"}
    async with rights_of(broker.as_user(role)) as rights:
        assert await allowed(wanted, rights.may_create) == own_state
        assert await allowed(EVERYTHING, rights.may_delete) == set()


async def test_the_operator_rules_below_the_prefix_only(broker):
    async with rights_of(broker.as_user("operator")) as rights:
        await rights.create("matrix.short-lived")
        assert await rights.may_delete("matrix.short-lived")
        assert not await rights.may_create("elsewhere")


async def test_the_doctor_fails_at_nothing_on_kafka_with_a_workers_rights(broker):
    found = await examine(settings_of(broker, "worker", MATRIX))
    states = [
        (one.name, one.state) for one in found if one.name in {"kafka", "topics", "announced"}
    ]
    assert ("kafka", "ok") in states
    hidden, seen = (one for one in found if one.name == "topics")
    assert hidden.state == "warning"
    assert NAMES.labels in hidden.detail
    assert NAMES.incoming not in hidden.detail
    assert seen.state != "failed"


@pytest.mark.parametrize("role", ROLES)
async def test_no_role_can_grant_rights(broker, role):
    async with rights_of(broker.as_user(role)) as rights:
        assert not await rights.may_grant()


@pytest_asyncio.fixture(scope="module")
async def redis_server(broker, tmp_path_factory):
    """A Redis with a user for the worker and the queue, behind TLS; yields settings of a user."""
    settings = settings_of(broker, ADMIN, "shop")
    users = {role: redis_rules(role, settings) for role in ("worker", "queue")}
    passwords = {role: password_of(role) for role in users}
    server = LocalRedis(
        tmp_path_factory.mktemp("redis"),
        extra_args=("--save", ""),
        users=redis_acl(users, passwords),
    )
    certificate = broker.authority.folder / "broker.pem"
    with server:
        async with tls_in_front_of(server.socket, certificate) as port:

            def of(user, password=None, authority=broker.authority):
                secret = password or password_of(user)
                return {
                    "url": f"rediss://{user}:{secret}@127.0.0.1:{port}/0",
                    "ssl_ca_file": authority.file,
                    "timeout": 10.0,
                }

            yield of


async def test_every_role_does_its_job_with_its_own_rights_alone(broker, redis_server, tmp_path):
    """One pipeline, every part signed in as its own role: review in, decision out, model announced."""
    await give_everybody_their_role(broker, "shop")
    operator = settings_of(broker, "operator", "shop")
    names, plain = operator.topic_names, broker.kafka.bootstrap_servers
    await create_topics(operator)

    producer = settings_of(broker, "producer", "shop")
    async with ReviewProducer(producer) as sender:
        await sender.send_many([Review(review_id="a", text="платье"), "непонятно что"])

    worker = settings_of(broker, "worker", "shop", cache=redis_server("worker"))
    async with running_worker(worker, tiny_classifier(tmp_path / "model")) as running:
        await read_outputs(plain, names, 2)
        lookups = running.metrics.registry.get_sample_value
        assert lookups("reviews_cache_lookups_total", {"result": "error"}) == 0

    consumer = settings_of(broker, "consumer", "shop")
    group = "shop.consumer.site"
    async with CategoryConsumer(settings=consumer, group=group, follow=False) as reviews:
        assert [event.review.review_id async for event in reviews] == ["a"]

    queue = settings_of(
        broker,
        "queue",
        "shop",
        cache=redis_server("queue"),
        queue={
            "port": 0,
            "accounts": tmp_path / "accounts.json",
            "second_share": 0,
            "random_share": 0,
        },
    )
    add_people(queue, "ann")
    async with running_queue(queue) as server, reviewer(server, "ann") as ann:
        response = await ann.decide(await ann.until_card(), Category("no-product"))
        assert response.status_code == 200

    trainer = settings_of(broker, "trainer", "shop")
    assert len((await read_labels(trainer)).labels) == 1
    assert await read_audit_questions(trainer, "v") == []  # it may look
    with pytest.raises(TopicMissing) as hidden:
        await read_audit_questions(consumer, "v")
    assert "reviews acl trainer" in hidden.value.remedy
    await announce(
        trainer, ModelAnnouncement(version="v", location="/nowhere", manifest_digest="0" * 64)
    )
    assert len(await read_topic(plain, names.models, 1)) == 1


async def test_the_monitor_keeps_its_state_and_publishes_with_its_own_rights(broker):
    await give_everybody_their_role(broker, "watched")
    await create_topics(settings_of(broker, "operator", "watched"))
    settings = settings_of(broker, "monitor", "watched", monitor={"port": 0})
    monitor, stop = Monitor(settings), asyncio.Event()
    running = asyncio.create_task(monitor.run(stop))
    label = Label(
        review_id="a",
        text="платье",
        category=Category("clothing"),
        decided_by="person",
        labeller="ann",
        codebook_version="1",
        model_version="m1",
    )
    try:
        await send(
            broker.kafka.bootstrap_servers, settings.topic_names.labels, [(b"a", encode(label))]
        )
        async with asyncio.timeout(WAIT_SECONDS):
            # Spread over many objects: there is no one event to await.
            while monitor.engine.broker.lag is None or not monitor.engine.decisions.settled:
                assert not running.done(), running.exception()
                await asyncio.sleep(0.05)
    finally:
        stop.set()
        await asyncio.wait_for(running, WAIT_SECONDS)


async def test_a_monitor_that_may_not_hold_says_so_and_watches_on(broker):
    await give_everybody_their_role(
        broker, "unheld", but=(TopicNames("unheld").guard, Operation.WRITE)
    )
    operator = settings_of(broker, "operator", "unheld")
    await create_topics(operator)
    names, plain = operator.topic_names, broker.kafka.bootstrap_servers
    guard = {"mode": "hold", "promised": 0.95, "key": "a key of sixteen or more"}
    settings = settings_of(broker, "monitor", "unheld", monitor={"port": 0}, guard=guard)
    said, shown = Category("footwear"), Category("clothing")
    asked = [task(i, best=shown, best_share=0.97, reason="audit") for i in range(40)]
    words = [label(said, review_id=f"r{i}", minutes=i, shown_blind=True) for i in range(40)]
    await send(plain, names.relabel, [(b"k", encode(one)) for one in asked])
    await send(plain, names.labels, [(w.review_id.encode(), encode(w)) for w in words])
    with structlog.testing.capture_logs() as logs:
        async with running_monitor(settings) as monitor:
            await until(lambda: any(log["event"] == "guard_decision_not_written" for log in logs))
            await send(plain, names.labels, [(b"a", encode(label(said, review_id="a")))])
            await until(lambda: monitor.engine.decisions.settled == 41)
    (told,) = [log for log in logs if log["event"] == "guard_decision_not_written"]
    assert told["categories"] == ["clothing"]
    assert "reviews acl monitor" in told["advice"]
    assert not monitor.engine.holds.all_held()


async def test_whose_transaction_is_open_is_told_to_whoever_may_ask(broker):
    await give_everybody_their_role(broker, "held")
    await create_topics(settings_of(broker, "operator", "held"))
    topic = TopicNames("held").incoming
    async with AIOKafkaProducer(
        bootstrap_servers=broker.kafka.bootstrap_servers, transactional_id="held.importer"
    ) as producer:
        await producer.begin_transaction()
        await producer.send_and_wait(topic, b"x", partition=0)
        told = {}
        for role in ("monitor", "operator"):
            async with LagProbe(settings_of(broker, role, "held")) as probe:
                await probe.ask()
                (first, *_) = await probe.ask()
                assert (first.lag, first.held) == (1, 1)
                told[role] = first.transaction
        await producer.abort_transaction()
    # A record that nobody will see, and the end of its transaction: who may look in finds no event.
    lags = [await worker_lag(settings_of(broker, who, "held")) for who in ("monitor", "operator")]
    assert [sum(partition.lag for partition in lag) for lag in lags] == [2, 0]
    assert told["operator"].transactional_id == "held.importer"
    assert told["operator"].untold == ""
    assert told["monitor"].transactional_id is None
    assert told["monitor"].untold == (
        "its producer, which may not be asked without Read on held.incoming"
    )


async def test_a_worker_that_may_not_see_its_topics_says_which(broker, tmp_path):
    worker = Worker(settings_of(broker, "producer", MATRIX), tiny_classifier(tmp_path / "model"))
    with pytest.raises(BrokerError, match=r"matrix\.batches"):
        await worker.run(asyncio.Event())


async def test_a_redis_user_reaches_its_own_keys_only(redis_server):
    options = redis_server("worker")
    redis = Redis.from_url(options["url"], ssl_ca_certs=str(options["ssl_ca_file"]))
    try:
        await redis.set("reviews:prediction:v:f", b"x", ex=60)
        assert await redis.mget(["reviews:prediction:v:f"]) == [b"x"]
        for refused in (
            redis.set("{reviews.queue.shop}:ready", "1"),
            redis.get("{reviews.queue.shop}:ready"),
            redis.flushall(),
            redis.config_get("*"),
            redis.acl_list(),
            redis.eval("return 1", 0),
        ):
            with pytest.raises(NoPermissionError):
                await refused
    finally:
        await redis.aclose()


async def test_a_redis_certificate_of_another_authority_is_refused(redis_server, tmp_path):
    options = redis_server("worker", authority=Authority(tmp_path, "stranger"))
    redis = Redis.from_url(options["url"], ssl_ca_certs=str(options["ssl_ca_file"]))
    with pytest.raises(NoConnection, match="certificate"):
        await redis.ping()
    await redis.aclose()


async def test_a_wrong_redis_password_is_refused(redis_server):
    options = redis_server("worker", password="wrong")
    redis = Redis.from_url(options["url"], ssl_ca_certs=str(options["ssl_ca_file"]))
    with pytest.raises(AuthenticationError):
        await redis.ping()
    await redis.aclose()
