"""Where an attempt's output and trace are kept: in its commit record, else at the gateway."""

import sys
import time
from typing import Final

from waypost.protocol import ijson
from waypost.protocol.ijson import Json
from waypost.protocol.reasons import Reason
from waypost.protocol.record import LIMIT, CommitRecord, Stored, uncut_size
from waypost.protocol.work import Trace

_SPARE: Final = 1.0  # seconds of an attempt's time left for the record itself
_TRACE_PATIENCE: Final = 10.0  # seconds that a trace may hold up a result


class Unkept(Exception):
    """An output that could be kept nowhere, for `reason`."""

    def __init__(self, reason: Reason, message: str) -> None:
        super().__init__(message)
        self.reason = reason


def keep_output(record: CommitRecord, *, gateway: str | None, deadline: float) -> CommitRecord:
    """The record of a result, with its output or with `stored`. Raises Unkept.

    `deadline`: the time.monotonic() at which the attempt's time is over.
    """
    size = uncut_size(record)
    if size < LIMIT:
        return record
    if gateway is None:
        raise Unkept(
            Reason.OUTPUT_TOO_LARGE,
            f"the result takes {size} bytes with its envelope, the limit is {LIMIT - 1} without a "
            "gateway; turn it on (gateway.enabled in the chart's values)",
        )
    # Not before it is needed: an HTTP client would double the runner's cold start.
    from waypost_node.gateway import Gateway, GatewayError, TooLarge

    body = ijson.canonical(record.output)
    digest = ijson.digest(record.output)
    try:
        Gateway(gateway, deadline=deadline - _SPARE).put("result", body, digest=digest)
    except TooLarge as error:
        raise Unkept(Reason.OUTPUT_TOO_LARGE, str(error)) from None
    except GatewayError as error:
        text = f"the output of {len(body)} bytes is lost: {error}"
        raise Unkept(Reason.RESULT_LOST, text) from None
    return record._replace(output=None, stored=Stored(digest, len(body)))


def keep_trace(
    record: CommitRecord, trace: Trace | None, *, gateway: str | None, deadline: float
) -> CommitRecord:
    """The record with its trace, or with the word that it is stored or lost: a trace never costs
    an attempt its outcome."""
    if trace is None or not (trace.entries or trace.dropped):
        return record
    try:
        document = ijson.check(trace.to_json())
        told = record._replace(trace=trace)
        if uncut_size(told) < LIMIT:
            return told
        if gateway is None:
            raise ValueError("it does not fit the commit record, and there is no gateway")
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
