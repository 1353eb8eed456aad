import pytest

from schemas import TopicNames
from stream.kafka.topic_creation import made_like
from stream.kafka.topic_descriptions import TopicDescription, less_replicated
from stream.settings import TopicSettings

NAMES = TopicNames("x", existing="tickets")


def described(**replicas):
    return [
        TopicDescription(name.replace("_", "."), "", exists=True, partitions=3, replication=count)
        for name, count in replicas.items()
    ]


def test_topics_that_a_broker_less_can_lose_than_what_comes_in_are_named():
    assert less_replicated(described(tickets=3, x_labels=1, x_relabel=3), NAMES) == ["x.labels"]
    assert less_replicated(described(tickets=1, x_labels=3), NAMES) == []


def test_without_the_incoming_topic_there_is_nothing_to_compare():
    assert less_replicated(described(x_labels=1), NAMES) == []


@pytest.mark.parametrize(
    ("given", "replicas", "made"),
    [
        pytest.param({}, [3, 3, 3], (3, 3, 2), id="as the topic that is read"),
        pytest.param({}, [1, 1], (2, 1, 1), id="a cluster of one"),
        pytest.param({}, [2], (1, 2, 1), id="with one of two down, one takes what is written"),
        pytest.param({}, [3, 2], (2, 2, 1), id="as its partition with the fewest"),
        pytest.param({"partitions": 6}, [3, 3], (6, 3, 2), id="partitions set"),
        pytest.param({"replication": 1}, [3, 3], (2, 1, 1), id="replicas set"),
        pytest.param({"min_insync_replicas": 3}, [4], (1, 4, 3), id="what has to be in sync set"),
    ],
)
def test_topics_are_made_like_the_one_that_is_read_unless_set(given, replicas, made):
    found = made_like(TopicSettings(**given), replicas)
    assert (found.partitions, found.replication, found.min_insync_replicas) == made
