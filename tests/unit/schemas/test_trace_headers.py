"""W3C trace context in message headers: what is read of it, and what is carried on."""

import pytest

from schemas import TraceContext, trace_context, trace_headers

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"


@pytest.mark.parametrize(("flags", "sampled"), [("01", True), ("00", False), ("03", True)])
def test_a_traceparent_names_trace_span_and_whether_it_is_sampled(flags, sampled):
    headers = [("other", b"x"), ("traceparent", f"00-{TRACE}-{SPAN}-{flags}".encode())]
    assert trace_context(headers) == TraceContext(TRACE, SPAN, sampled)


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b"nonsense",
        f"00-{'0' * 32}-{SPAN}-01".encode(),
        f"00-{TRACE}-{'0' * 16}-01".encode(),
        f"ff-{TRACE}-{SPAN}-01".encode(),
        f"00-{TRACE.upper()}-{SPAN}-01".encode(),
        b"\xff\xfe",
    ],
)
def test_a_malformed_one_names_nothing(value):
    assert trace_context([("traceparent", value)]) is None


def test_a_message_without_one_names_nothing():
    assert trace_context([("ce_id", b"1")]) is None


def test_only_the_trace_is_carried_on():
    trace = [("traceparent", b"1"), ("ce_traceparent", b"2"), ("tracestate", b"3")]
    assert trace_headers([("ce_id", b"1"), *trace, ("mine", b"x")]) == trace
