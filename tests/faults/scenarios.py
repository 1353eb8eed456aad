"""Every scenario of the suite. Adding a fault means adding a line here."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from tests.faults import injuries, outages
from tests.faults.experiment import Scenario
from tests.faults.injuries import kill_at, zombie
from tests.faults.kafka_proxy import Action
from tests.faults.outages import protocol, redis_becomes
from tests.faults.redis_proxy import Mode
from tests.faults.schema_registry import RegistryMode
from tests.faults.wire import NAMING, Api
from tests.faults.workload import Mix

_OPEN: Final = (
    "sent:ADD_PARTITIONS_TO_TXN",
    "sent:PRODUCE",
    "sent:ADD_OFFSETS_TO_TXN",
    "sent:TXN_OFFSET_COMMIT",
    "before:END_TXN",
)
"""Phases in which a transaction is open and its commit has not been asked for."""

WORKERS: Final = (
    Scenario("kill after fetch", kill_at("fetched"), 4),
    Scenario("kill during inference", kill_at("inferring"), 4),
    Scenario("kill between send and commit", kill_at(*_OPEN), 6, quick=1),
    Scenario("kill during commit", kill_at("sent:END_TXN", "answered:END_TXN"), 6, quick=1),
    Scenario("kill while taking over", injuries.kill_while_opening, 3),
    Scenario("kill at random", injuries.kill_anywhere, 6),
    Scenario("zombie", zombie("inferring", *_OPEN, "sent:END_TXN"), 7, quick=1),
    Scenario("scale 1-4-1", injuries.scale_to(4, 1), 4, workers=1),
    Scenario("rolling restart", injuries.rolling_restart, 4),
    Scenario("clock jump", injuries.clock_jump, 4),
    Scenario("inference raises once", injuries.failing_inference, 4),
    Scenario("poison pills", injuries.poison, 4, quick=1, mix=Mix(poison=0.005)),
    Scenario("broken model announced", injuries.broken_model, 3),
    Scenario("vanished model announced", injuries.vanished_model, 2),
    Scenario("good model announced", injuries.swapped_model, 3),
)

REDIS: Final = (
    Scenario("Redis killed, back empty", outages.kill_redis, 3),
    Scenario("Redis slow (2 s)", redis_becomes(Mode.SLOW), 3),
    Scenario("Redis frozen", redis_becomes(Mode.FROZEN), 3),
    Scenario("Redis resets connections", redis_becomes(Mode.RESET), 3),
    Scenario("Redis swaps values", redis_becomes(Mode.SWAPPED), 3, quick=1),
    Scenario("Redis answers another call", redis_becomes(Mode.SHIFTED), 3),
    Scenario("Redis full", outages.full_redis, 3),
    Scenario("Redis evicts", outages.evicting_redis, 3),
    Scenario("Redis read-only", outages.read_only_redis, 3),
)

_AVRO: Final = Mix(registered=0.7)

REGISTRY: Final = (
    Scenario(
        "schema registry away",
        outages.registry_becomes(RegistryMode.FAILING, RegistryMode.SILENT),
        4,
        quick=1,
        mix=_AVRO,
    ),
    Scenario(
        "schema registry is wrong",
        outages.registry_becomes(RegistryMode.REFUSING, RegistryMode.STRAYING, RegistryMode.BROKEN),
        4,
        mix=_AVRO,
    ),
    Scenario("kill, no schema registry", outages.kill_while_registry_is_away, 4, mix=_AVRO),
    Scenario("scale 1-4-1, reviews in Avro", injuries.scale_to(4, 1), 2, workers=1, mix=_AVRO),
)

_LOOKS_OFTEN: Final = {"REVIEWS_KAFKA__METADATA_MAX_AGE_MS": "1000"}

# Kafka's default: rules of other scenarios would not be met where the brokers have moved to.
_ARENA_OF_ITS_OWN: Final = {"num.network.threads": "3"}

OTHERS: Final = (
    Scenario("partition added", outages.added_partition, 4, environment=_LOOKS_OFTEN),
    Scenario("topic recreated", outages.recreated_topic, 4, environment=_LOOKS_OFTEN),
    Scenario("foreign transaction hangs", outages.foreign_transaction, 4),
    Scenario(
        "brokers move",
        outages.moved_brokers,
        4,
        proxied=True,
        environment=_LOOKS_OFTEN,
        properties=_ARENA_OF_ITS_OWN,
    ),
    Scenario("broker throttles", outages.throttling_broker, 4),
    Scenario("transactional ids expire", outages.quiet, 4, properties=outages.EXPIRES_SOON),
)
"""What other people's clusters do."""

_STEPS: Final = (
    Api.END_TXN,
    Api.TXN_OFFSET_COMMIT,
    Api.ADD_OFFSETS_TO_TXN,
    Api.PRODUCE,
    Api.ADD_PARTITIONS_TO_TXN,
    Api.INIT_PRODUCER_ID,
)

NETWORK: Final = (
    *(
        Scenario(
            f"step {api.name}",
            protocol(api),
            repeats=2 * len(Action),
            quick=2 if api is Api.END_TXN else 0,
            proxied=True,
            versions=(1,) if api in NAMING else (1, 2),
        )
        for api in _STEPS
    ),
    *(
        Scenario(f"step {api.name}", protocol(api), repeats=len(Action), proxied=True)
        for api in (Api.FETCH, Api.HEARTBEAT, Api.JOIN_GROUP, Api.SYNC_GROUP, Api.OFFSET_FETCH)
    ),
    Scenario("late requests", outages.late_request, 6, proxied=True),
    Scenario("network cut", outages.cut_network, 4, proxied=True),
    Scenario("packets swallowed", outages.black_hole, 4, proxied=True),
)

BROKER: Final = (
    Scenario("broker killed", outages.kill_broker, 4),
    Scenario("broker frozen", outages.freeze_broker, 3),
    Scenario("broker stutters (slow disk)", outages.stuttering_broker, 2),
)

CLUSTER: Final = (
    Scenario("one of three lost", outages.lose_broker, 3, brokers=3),
    Scenario("one of three killed", outages.kill_broker, 3, brokers=3),
    Scenario("leaders move", outages.restart_broker, 3, brokers=3),
    Scenario("one of three frozen", outages.freeze_broker, 2, brokers=3),
    Scenario("kill at random, cluster", injuries.kill_anywhere, 2, brokers=3),
)

DISK: Final = Scenario("disk full", outages.full_disk, 1, rate=200)

_TOGETHER: Final = frozenset(
    {
        *("kill between send and commit", "kill during commit", "kill while taking over", "zombie"),
        *("scale 1-4-1", "rolling restart", "partition added", "broker killed"),
        *("step END_TXN", "step TXN_OFFSET_COMMIT", "late requests", "one of three killed"),
    }
)
_TOGETHER_QUICK: Final = frozenset({"kill during commit", "zombie"})

TOGETHER: Final = tuple(
    replace(
        scenario,
        name=f"{scenario.name}, one transaction a worker",
        quick=int(scenario.name in _TOGETHER_QUICK),
        environment={**scenario.environment, "REVIEWS_WORKER__TRANSACTIONS": "worker"},
    )
    for scenario in (*WORKERS, *NETWORK, *BROKER, *OTHERS, *CLUSTER)
    if scenario.name in _TOGETHER
)
"""Where transactions matter, again with ``REVIEWS_WORKER__TRANSACTIONS=worker``."""

SCENARIOS: Final = (*WORKERS, *REDIS, *REGISTRY, *NETWORK, *BROKER, *OTHERS, *CLUSTER, *TOGETHER)

# The loops have no place for unsure and malformed events.
_PLAIN: Final = Mix(unsure=0.0, malformed=0.0)
COMPARED: Final = tuple(
    replace(scenario, mix=_PLAIN, repeats=3, quick=0)
    for scenario in SCENARIOS
    if scenario.name
    in {
        "kill between send and commit",
        "kill during commit",
        "zombie",
        "scale 1-4-1",
        "inference raises once",
        "step END_TXN",
        "broker killed",
    }
)
"""What the reference loops go through."""
