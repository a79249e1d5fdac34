"""The live list of the WorkflowEvents that a node may take."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import Final

from waypost.engine.state.observed import Observed
from waypost.kube.facts.read_problems import WORKFLOW_EVENTS, ReadProblem
from waypost.kube.workflow_events import EventFact, Selector, event_fact
from waypost.ports.cluster import Cluster, Kind, Rejected
from waypost.runtime.reads.read_problems import Tries

_BAD_REQUEST: Final = 400


async def read_events(
    cluster: Cluster,
    tries: Tries,
    namespace: str,
    observed: Observed,
    wanted: Iterable[Selector],
    *,
    now: datetime,
) -> Observed:
    """`observed` with the WorkflowEvents for these; or why they cannot be read, in `unread`.

    Args:
        cluster: Where.
        tries: The reads of this kind in this pass.
        namespace: Where the run is.
        observed: What is known so far.
        wanted: Whom the events are for.
        now: The time before they are listed.
    """
    found = dict(observed.workflow_events)
    for selector in sorted(wanted):
        listed = await tries.read(WORKFLOW_EVENTS, partial(_list, cluster, namespace, selector))
        if not isinstance(listed, ReadProblem):
            found[selector] = listed
    return replace(
        observed,
        workflow_events=found,
        workflow_events_at=observed.workflow_events_at or now,
        unread={**observed.unread, **tries.found},
    )


async def _list(cluster: Cluster, namespace: str, selector: Selector) -> tuple[EventFact, ...]:
    """All WorkflowEvents with this key, or for this run. Raises ClusterError."""
    try:
        listing = await cluster.list(Kind.WORKFLOW_EVENT, namespace=namespace, fields=selector.text)
    except Rejected as error:
        if error.code != _BAD_REQUEST:
            raise
        # Kubernetes 1.30 cannot filter custom resources by fields.
        listing = await cluster.list(Kind.WORKFLOW_EVENT, namespace=namespace)
    found = (event_fact(body) for body in listing.items)
    return tuple(fact for fact in found if fact is not None and fact.selector == selector)
