"""What is private of Faust and mode and relied upon: a release that changes it fails here first."""

import inspect

import pytest
from faust.tables.recovery import Recovery
from faust.topics import Topic
from faust.transport.drivers.aiokafka import AIOKafkaConsumerThread, Consumer, Producer
from faust.transport.producer import ProducerBuffer
from mode import Service
from mode.threads import MethodQueue, QueueServiceThread, ServiceThread, WorkerThread
from mode.utils.queues import FlowControlQueue

from stream.monitor.broker import FlowControl
from stream.monitor.consumer_thread import BoundedConsumerThread


def source_of(function):
    return inspect.getsource(function)


@pytest.mark.parametrize(
    "overridden",
    [
        *("stop", "call_thread", "close", "on_thread_stop"),
        *("on_partitions_revoked", "on_partitions_assigned"),
    ],
)
def test_what_we_do_in_another_way_is_still_done_by_faust(overridden):
    ours = inspect.signature(getattr(BoundedConsumerThread, overridden)).parameters
    theirs = inspect.signature(getattr(AIOKafkaConsumerThread, overridden)).parameters
    assert len(ours) == len(theirs)


def test_a_thread_is_made_by_its_service_and_runs_it():
    assert "self._thread = self.Worker(self)" in source_of(ServiceThread.start)
    assert "self.service._start_thread()" in source_of(WorkerThread.run)
    assert "self.thread_loop.close()" in source_of(ServiceThread._start_thread)


def test_a_thread_ends_when_it_was_told_that_it_is_stopped():
    source = source_of(ServiceThread._serve)
    assert "await self.wait_until_stopped()" in source
    assert "await self._shutdown_thread()" in source
    assert "await self.on_thread_stop()" in source_of(ServiceThread._shutdown_thread)


def test_calls_of_a_thread_go_through_a_queue_that_it_stops_itself():
    assert "self._method_queue.stop()" in source_of(QueueServiceThread.on_thread_stop)
    assert "promise" in inspect.signature(MethodQueue.call).parameters


def test_mode_still_loses_cancellations():
    # If it does not any more, stream/monitor/bounded.py can become asyncio.timeout.
    assert "except asyncio.CancelledError:\n                    pass" in source_of(
        Service._default_stop_children
    )


def test_the_consumer_keeps_its_thread_and_the_producer_makes_its_own_client():
    assert "self._thread" in source_of(Consumer.verify_event_path)
    assert "self._producer_type(" in source_of(Producer._new_producer)


def test_a_change_leaves_the_buffer_before_it_is_sent():
    assert "msg = await get_pending()" in source_of(ProducerBuffer)
    assert "await producer.send(" in source_of(Topic.publish_message)


async def test_events_that_wait_stay_when_what_flows_is_resumed():
    flow = FlowControl()
    queue = FlowControlQueue(flow_control=flow, clear_on_resume=True)
    flow.resume()
    queue.put_nowait("event")
    flow.resume()
    assert queue.get_nowait() == "event"


async def test_events_of_before_a_rebalance_are_gone_when_flow_is_resumed():
    flow = FlowControl()
    queue = FlowControlQueue(flow_control=flow, clear_on_resume=True)
    flow.resume()
    queue.put_nowait("event")
    flow.suspend()
    flow.resume()
    assert queue.empty()


def test_faust_resumes_once_more_when_tables_are_read_back():
    # If it does not any more, our flow control is not needed.
    source = source_of(Recovery.on_recovery_completed)
    assert source.index("consumer.resume_partitions(") < source.index("flow_control.resume()")
