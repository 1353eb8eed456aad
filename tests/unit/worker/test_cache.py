"""What is read back from Redis is believed only if it answers the question that was asked."""

import asyncio

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from redis.exceptions import ResponseError

from stream.seal import SEAL_BYTES, Seal
from stream.settings import CacheSettings
from stream.worker.cache import Breaker, CachedPrediction, PredictionCache, cache_seal, pack, unpack
from stream.worker.metrics import WorkerMetrics

VERSION = "0123456789abcdef"
PRINT = "a" * 32
SETTINGS = CacheSettings(key="a key of the tests alone")
SEAL = cache_seal(SETTINGS)
PREDICTION = CachedPrediction(np.full(9, 1 / 9, dtype=np.float32), tokens=12, unknown=3)


def test_a_prediction_survives_the_round_trip():
    read = unpack(SEAL, VERSION, PRINT, pack(SEAL, VERSION, PRINT, PREDICTION))
    assert read is not None
    assert read.probabilities.tolist() == PREDICTION.probabilities.tolist()
    assert (read.tokens, read.unknown) == (12, 3)


@pytest.mark.parametrize(
    ("version", "print_"), [("f" * 16, PRINT), (VERSION, "b" * 32)], ids=["model", "text"]
)
def test_an_answer_to_another_question_is_a_miss(version, print_):
    assert unpack(SEAL, version, print_, pack(SEAL, VERSION, PRINT, PREDICTION)) is None


@given(st.one_of(st.none(), st.text(), st.binary(max_size=200)))
def test_garbage_is_a_miss(value):
    assert unpack(SEAL, VERSION, PRINT, value) is None


def test_probabilities_that_do_not_sum_to_one_are_a_miss():
    wrong = CachedPrediction(np.full(9, 0.5, dtype=np.float32), 1, 0)
    assert unpack(SEAL, VERSION, PRINT, pack(SEAL, VERSION, PRINT, wrong)) is None


@given(st.integers(0, len(pack(SEAL, VERSION, PRINT, PREDICTION)) * 8 - 1))
def test_a_value_of_which_one_bit_was_changed_is_a_miss(bit):
    value = bytearray(pack(SEAL, VERSION, PRINT, PREDICTION))
    value[bit // 8] ^= 1 << bit % 8
    assert unpack(SEAL, VERSION, PRINT, bytes(value)) is None


def test_a_value_that_somebody_without_the_key_made_is_a_miss():
    sure = CachedPrediction(np.eye(9, dtype=np.float32)[1], tokens=1, unknown=0)
    for seal in (Seal("", b"prediction cache"), Seal("another secret", b"prediction cache")):
        assert unpack(SEAL, VERSION, PRINT, pack(seal, VERSION, PRINT, sure)) is None
    unsealed = pack(SEAL, VERSION, PRINT, sure)[:-SEAL_BYTES]
    assert unpack(SEAL, VERSION, PRINT, unsealed) is None


def test_workers_of_one_machine_share_a_key_that_is_kept(tmp_path):
    here = CacheSettings(key_file=tmp_path / "state" / "cache-key")
    assert cache_seal(here).key_id == cache_seal(here).key_id
    assert here.key_file.stat().st_mode & 0o077 == 0


def test_a_key_that_cannot_be_kept_leaves_the_cache_to_this_process(tmp_path):
    (tmp_path / "state").write_text("a file where the folder should be")
    nowhere = CacheSettings(key_file=tmp_path / "state" / "cache-key")
    assert cache_seal(nowhere).key_id != cache_seal(nowhere).key_id


def test_a_short_key_is_refused_and_an_empty_one_is_none():
    with pytest.raises(ValueError, match="16 characters"):
        CacheSettings(key="short")
    assert CacheSettings(key="").key is None


class Clock:
    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now


def test_the_breaker_opens_after_failures_in_a_row():
    breaker = Breaker(failures=3, reset=5, clock=Clock())
    for _ in range(3):
        assert not breaker.open
        breaker.failed()
    assert breaker.open


def test_an_answer_in_between_keeps_the_breaker_closed():
    breaker = Breaker(failures=2, reset=5, clock=Clock())
    breaker.failed()
    breaker.succeeded()
    breaker.failed()
    assert not breaker.open


def test_an_open_breaker_lets_one_try_through_after_the_reset_time():
    clock = Clock()
    breaker = Breaker(failures=1, reset=5, clock=clock)
    breaker.failed()
    clock.now = 5
    assert not breaker.open
    breaker.failed()
    assert breaker.open


class ConfusedRedis:
    """Hands every caller the same reply, as a client out of step does (redis-py #2624)."""

    def __init__(self, reply):
        self.reply = reply
        self.connection_pool = self
        self.disconnected = 0

    async def mget(self, keys):
        return self.reply

    async def disconnect(self):
        self.disconnected += 1


def cache_behind(redis):
    cache = PredictionCache(SETTINGS, WorkerMetrics())
    cache._redis = redis
    return cache


SOMEBODY_ELSES = [pack(SEAL, VERSION, "b" * 32, PREDICTION)]


@pytest.mark.parametrize(
    "reply",
    [b"OK", 1, None, True, {}, [], [None, None], [b"x"], SOMEBODY_ELSES],
    ids=["word", "number", "nil", "flag", "map", "nothing", "too long", "garbage", "another's"],
)
async def test_another_calls_reply_is_a_miss_and_the_connections_are_dropped(reply):
    redis = ConfusedRedis(reply)
    assert await cache_behind(redis).get(VERSION, [PRINT]) == {}
    assert redis.disconnected == 1


@pytest.mark.parametrize(
    "reply", [[None], [pack(SEAL, VERSION, PRINT, PREDICTION)]], ids=["miss", "hit"]
)
async def test_an_honest_reply_keeps_the_connections(reply):
    redis = ConfusedRedis(reply)
    await cache_behind(redis).get(VERSION, [PRINT])
    assert redis.disconnected == 0


class RefusingRedis:
    """Answers the first command and refuses the others; its one connection counts what becomes of it."""

    def __init__(self):
        self.connection_pool = self
        self.replies = [b"OK", ResponseError("OOM command not allowed"), b"OK"]
        self.disconnected = self.released = 0

    async def get_connection(self):
        return self

    def pack_commands(self, commands):
        return commands

    async def send_packed_command(self, commands):
        assert len(commands) == len(self.replies)

    async def read_response(self, **_):
        reply = self.replies.pop(0)
        if isinstance(reply, Exception):
            raise reply
        return reply

    async def disconnect(self):
        self.disconnected += 1

    async def release(self, connection):
        self.released += 1


async def test_a_connection_with_unread_replies_is_closed_before_anyone_else_gets_it():
    redis = RefusingRedis()
    await cache_behind(redis).put(VERSION, {letter * 32: PREDICTION for letter in "abc"})
    assert (redis.disconnected, redis.released) == (1, 1)


class SilentRedis(RefusingRedis):
    async def read_response(self, **_):
        await asyncio.Event().wait()


async def test_replies_that_do_not_come_in_time_are_not_waited_for():
    redis = SilentRedis()
    async with asyncio.timeout(10):
        await cache_behind(redis).put(VERSION, {letter * 32: PREDICTION for letter in "abc"})
    assert (redis.disconnected, redis.released) == (1, 1)
