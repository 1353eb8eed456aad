"""An input that says nothing holds nobody up."""

import asyncio
import queue

import pytest

from stream.cli.read_ahead import ReadAhead

END = object()


def until_end(said):
    """What a pipe says: waits for the next word for as long as it takes."""
    return iter(said.get, END)


async def test_what_is_there_is_handed_on_while_the_next_is_waited_for():
    said = queue.SimpleQueue()
    lists = aiter(ReadAhead(until_end(said)))
    for word in ("чайник", "утюг"):
        said.put(word)
        assert await anext(lists) == [word]
    said.put(END)
    assert [rest async for rest in lists] == []


async def test_all_comes_in_order_and_no_more_than_so_many_are_held():
    lists = [each async for each in ReadAhead(range(1_000), most=7)]
    assert [item for each in lists for item in each] == list(range(1_000))
    assert max(map(len, lists)) <= 7


async def test_reading_pauses_until_what_is_held_is_wanted():
    read = []

    def items():
        for item in range(100):
            read.append(item)
            yield item

    lists = aiter(ReadAhead(items(), most=5))
    assert await anext(lists)
    # One more than is held waits for room, and what was handed on made room for as many.
    assert len(read) <= 5 + 5 + 1


async def test_an_error_comes_after_what_was_read_before_it():
    def items():
        yield "чайник"
        raise ValueError("line 2 is broken")

    lists = aiter(ReadAhead(items()))
    assert await anext(lists) == ["чайник"]
    with pytest.raises(ValueError, match="line 2"):
        await anext(lists)


async def test_what_is_closed_ends_although_the_input_says_nothing():
    said = queue.SimpleQueue()
    ahead = ReadAhead(until_end(said))
    asyncio.get_running_loop().call_soon(ahead.close)
    assert [each async for each in ahead] == []
    said.put(END)  # lets its thread end
