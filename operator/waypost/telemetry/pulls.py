"""The pull of the image of an attempt, as a span below that of the attempt. Pure.

The status of a pod has no time of a pull. What it has is when the sandbox was ready and the init
containers were done, and when the container started: between them there are the pull and the
creation of the container (S753).
"""

from waypost.engine.state.observed import Observed
from waypost.kube.trace_ids import part_id, span_id, trace_id
from waypost.telemetry import conventions
from waypost.telemetry.endings import AttemptEnded, Ended
from waypost.telemetry.spans import SpanFact, run_attributes


def pull_span(observed: Observed, fact: Ended) -> SpanFact | None:
    """The span of the pull; None if its time is not known, or is less than a second, which is
    what Kubernetes counts in."""
    if not isinstance(fact, AttemptEnded) or fact.prepared is None or fact.started is None:
        return None
    start, end = max(fact.prepared, fact.launched), max(fact.started, fact.launched)
    if start >= end:
        return None
    uid, at = observed.uid, (fact.path, fact.round, fact.number)
    return SpanFact(
        name=f"{conventions.PULL} {fact.path}",
        trace_id=trace_id(uid),
        span_id=part_id(uid, *at, conventions.PULL),
        parent_id=span_id(uid, *at),
        start=start,
        end=end,
        attributes={
            **run_attributes(observed, round_=fact.round),
            conventions.NODE_PATH: fact.path,
            conventions.NODE_ATTEMPT: fact.number,
            **({conventions.POD_UID: fact.pod_uid} if fact.pod_uid else {}),
        },
    )
