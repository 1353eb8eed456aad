from schemas import TopicNames
from stream.kafka.topics import TopicDescription, less_replicated

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
