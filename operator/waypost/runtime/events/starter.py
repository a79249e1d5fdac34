"""Starts the runs of events: the live reads of a step, and the create within its fence."""

from typing import Final

from waypost.api.event.model import WorkflowEventStatus
from waypost.engine.events import starting
from waypost.engine.events.lifecycle import Step
from waypost.engine.events.starting import Named
from waypost.kube.workflow_events import EventFact, event_fact
from waypost.ports.clock import Clock
from waypost.ports.cluster import Cluster, Conflict, Kind, NotFound, Obj
from waypost.ports.offload import Offload
from waypost.runtime.cache.runs import Key
from waypost.runtime.writes.started_runs import StartedRuns

_HELD: Final = "the operator accepts no new runs (suspendNewRuns in the chart)"


class Starter:
    """Reads events, templates and runs live: absence is never taken from a cache."""

    def __init__(
        self,
        *,
        cluster: Cluster,
        clock: Clock,
        offload: Offload,
        suspend_new_runs: bool,
        strict: bool,
    ) -> None:
        self._cluster = cluster
        self._clock = clock
        self._offload = offload
        self._strict = strict
        self._held = _HELD if suspend_new_runs else ""
        self._runs = StartedRuns(cluster=cluster, clock=clock, kind=Kind.WORKFLOW_EVENT)
        self._waiting: dict[Key, str] = {}  # the template that an event waits for

    def waiting(self, namespace: str, template: str) -> list[Key]:
        """The events that wait for a template."""
        place = (namespace, template)
        return [key for key, name in self._waiting.items() if (key.namespace, name) == place]

    def forget(self, key: Key) -> None:
        """Drop what is known of an event that is over."""
        self._runs.forget(key)
        self._waiting.pop(key, None)

    async def step(self, key: Key, cached: EventFact) -> Step:
        """What becomes of an event that starts a run.

        Raises:
            NotFound: The event no longer exists.
            Conflict: The event has changed since it was cached.
            ClusterError: A read failed.
        """
        body = await self._cluster.get(Kind.WORKFLOW_EVENT, namespace=key.namespace, name=key.name)
        event = event_fact(body)
        if event is None or event.resource_version != cached.resource_version:
            raise Conflict("the event has changed since it was cached")
        start = event.start
        assert start is not None, "a spec does not change"
        if event.status.start is not None:
            named = await self._named(key, event)
            refused = self._runs.refusal(key)
            return starting.resolve(event, start, named, self._clock.now(), refused=refused)
        template = await self._get(
            Kind.AGENT_WORKFLOW_TEMPLATE, key.namespace, start.template_ref.name
        )
        decision = await self._offload(
            starting.begin,
            event,
            start,
            template,
            self._clock.now(),
            held=self._held,
            strict=self._strict,
        )
        if decision.status is not None and decision.status.phase == "Pending":
            self._waiting[key] = start.template_ref.name
        else:
            self._waiting.pop(key, None)
        return decision

    async def create(self, key: Key, run: Obj, *, sent: float) -> None:
        """Create the run that the status names, as `StartedRuns.create`."""
        await self._runs.create(key, run, sent=sent)

    async def _named(self, key: Key, event: EventFact) -> Named:
        status: WorkflowEventStatus = event.status
        assert status.start is not None, "called once it is recorded"
        run = await self._get(Kind.AGENT_WORKFLOW, key.namespace, status.start.run)
        return Named(exists=run is not None, ours=starting.is_ours(run, event))

    async def _get(self, kind: Kind, namespace: str, name: str) -> Obj | None:
        try:
            return await self._cluster.get(kind, namespace=namespace, name=name)
        except NotFound:
            return None
