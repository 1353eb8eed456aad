"""What `reviews consume` shows of an event to a person."""

import json

import pytest
from typer.testing import CliRunner

from schemas import DeadLetterReason, SourcePosition
from stream.cli.app import app
from stream.clients import DeadLetter

CONNECT = {"schema": {"type": "struct", "fields": [{"field": "a"}] * 50}}


class Letters:
    """A reader of one dead letter."""

    unreadable = 0

    def __init__(self, value):
        source = SourcePosition(topic="in", partition=0, offset=17)
        reason = DeadLetterReason("no-text", "no text in it", source, 0, "group", "worker")
        self._left = [DeadLetter(source, reason, None, value, [])]

    async def __aenter__(self):
        return self

    async def __aexit__(self, *_):
        pass

    def __aiter__(self):
        return self

    async def __anext__(self):
        if not self._left:
            raise StopAsyncIteration
        return self._left.pop()


@pytest.fixture
def shown(monkeypatch):
    def show(value, *options):
        monkeypatch.setattr("stream.clients.DeadLetterConsumer", lambda **_: Letters(value))
        return CliRunner().invoke(app, ["consume", "--dead-letter", *options]).stdout

    return show


def test_of_a_dead_letter_of_kafka_connect_the_payload_is_shown(shown):
    value = json.dumps({**CONNECT, "payload": {"body": "чайник течёт"}}).encode()
    assert shown(value).split() == [
        *("no-text", "in[0]@17:", "no", "text", "in", "it"),
        *('{"body":', '"чайник', 'течёт"}'),
    ]
    assert json.loads(shown(value, "--json"))["text"] == value.decode()


@pytest.mark.parametrize(
    "value",
    [b"no json", b'{"schema": 1}', b'{"schema": 1, "payload": 2, "text": 3}', b"[" * 100_000],
)
def test_any_other_dead_letter_is_shown_as_it_is(shown, value):
    assert value.decode()[:300] in shown(value)


def test_of_a_dead_letter_without_a_value_that_is_said(shown):
    assert "(no value)" in shown(None)
