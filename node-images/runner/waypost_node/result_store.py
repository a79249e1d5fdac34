"""Stores the output and the trace of an attempt: in its commit record, else at the gateway."""

import sys
import time
from typing import Final

from waypost.protocol import ijson
from waypost.protocol.ijson import Json
from waypost.protocol.reasons import Reason
from waypost.protocol.record import LIMIT, CommitRecord, Stored, uncut_size
from waypost.protocol.work import Trace

_SPARE: Final = 1.0  # seconds reserved for writing the record
_TRACE_PATIENCE: Final = 10.0  # maximum seconds that a trace may delay a result


class Unkept(Exception):
    """An output that could not be stored; `reason` says why."""

    def __init__(self, reason: Reason, message: str) -> None:
        super().__init__(message)
        self.reason = reason


def keep_output(record: CommitRecord, *, gateway: str | None, deadline: float) -> CommitRecord:
    """Store the output of a Succeeded record.

    Args:
        record: the record with its output.
        gateway: URL of the gateway, None if there is none.
        deadline: the time.monotonic() at which the attempt ends.

    Returns:
        The record with its output if it fits, else with `stored`.

    Raises:
        Unkept: the output fits nowhere, or the gateway failed.
    """
    size = uncut_size(record)
    if size < LIMIT:
        return record
    if gateway is None:
        raise Unkept(
            Reason.OUTPUT_TOO_LARGE,
            f"the record of the result has {size} bytes, the limit is {LIMIT - 1} without a "
            "gateway; set gateway.enabled in the chart's values",
        )
    # Imported when needed: an HTTP client doubles the start time of a node.
    from waypost_node.gateway import Gateway, GatewayError, TooLarge

    body = ijson.canonical(record.output)
    digest = ijson.digest(record.output)
    try:
        Gateway(gateway, deadline=deadline - _SPARE).put("result", body, digest=digest)
    except TooLarge as error:
        raise Unkept(Reason.OUTPUT_TOO_LARGE, str(error)) from None
    except GatewayError as error:
        text = f"the output of {len(body)} bytes could not be stored: {error}"
        raise Unkept(Reason.RESULT_LOST, text) from None
    return record._replace(output=None, stored=Stored(digest, len(body)))


def keep_calls(
    record: CommitRecord, calls: Json, *, gateway: str | None, deadline: float
) -> CommitRecord:
    """Store the tool calls that people have to decide on.

    Args:
        record: the Parked record.
        calls: as `protocol.gated_calls` writes them.
        gateway: URL of the gateway, None if there is none.
        deadline: the time.monotonic() at which the attempt ends.

    Returns:
        The record with `stored`.

    Raises:
        Unkept: they could not be stored. The journal has the conversation, so another attempt can
            ask again.
    """
    from waypost_node.gateway import Gateway, GatewayError

    try:
        if gateway is None:
            raise GatewayError("there is no gateway")
        body, digest = ijson.canonical(calls), ijson.digest(calls)
        Gateway(gateway, deadline=deadline - _SPARE).put("calls", body, digest=digest)
    except GatewayError as error:
        text = f"the tool calls that need an approval could not be stored: {error}"
        raise Unkept(Reason.DISRUPTED, text) from None
    return record._replace(stored=Stored(digest, len(body)))


def keep_trace(
    record: CommitRecord, trace: Trace | None, *, gateway: str | None, deadline: float
) -> CommitRecord:
    """Store the trace of an attempt. Never fails: a lost trace must not change the outcome.

    Args:
        record: the record, with its output stored.
        trace: the trace, if any.
        gateway: URL of the gateway, None if there is none.
        deadline: the time.monotonic() at which the attempt ends.

    Returns:
        The record with the trace if it fits, else with True (at the gateway) or False (lost).
    """
    if trace is None or not (trace.entries or trace.dropped):
        return record
    try:
        document = ijson.check(trace.to_json())
        with_trace = record._replace(trace=trace)
        if uncut_size(with_trace) < LIMIT:
            return with_trace
        if gateway is None:
            raise ValueError("it does not fit into the commit record, and there is no gateway")
        _put_trace(document, gateway, deadline)
    except ValueError as error:
        print(f"waypost: the trace is lost: {error}", file=sys.stderr)
        return record._replace(trace=False)
    return record._replace(trace=True)


def _put_trace(document: Json, gateway: str, deadline: float) -> None:
    from waypost_node.gateway import Gateway, GatewayError

    until = min(deadline - _SPARE, time.monotonic() + _TRACE_PATIENCE)
    try:
        body, digest = ijson.canonical(document), ijson.digest(document)
        Gateway(gateway, deadline=until).put("trace", body, digest=digest)
    except GatewayError as error:
        raise ValueError(str(error)) from None
