"""Two members of a group with one name throw each other out: it is said, once in a while."""

import pytest
import structlog

from stream.exactly_once.assignment import PartitionProcessors
from stream.exactly_once.options import MemberOptions
from stream.exactly_once.transactions import Transactions
from stream.worker.group_member import member_options
from stream.worker.metrics import WorkerMetrics
from tests.support.pipeline import pipeline_settings


class NoPartitions:
    """A consumer that is assigned nothing."""

    def pause(self, *partitions):
        assert partitions == ()


async def said_after(assignments, instance):
    settings = pipeline_settings("localhost:9092", "p", worker={"instance": instance})
    options: MemberOptions = member_options(settings)
    transactions = Transactions(options.transactions)
    processors = PartitionProcessors(options, transactions, WorkerMetrics(), lambda _: None)
    processors.attach(NoPartitions())
    with structlog.testing.capture_logs() as logs:
        for _ in range(assignments):
            await processors.on_partitions_assigned([])
    return [log["instance"] for log in logs if log["event"] == "instance_name_shared"]


@pytest.mark.parametrize(
    ("assignments", "instance", "said"),
    [(9, "one", []), (10, "one", ["one"]), (25, "one", ["one", "one"]), (25, None, [])],
)
async def test_a_name_that_seems_to_be_shared_is_named(assignments, instance, said):
    assert await said_after(assignments, instance) == said
