"""The loops beside that of the runs: endpoints, templates, schedules, WorkflowEvents, EventSources,
MemoryEntries, kept logs."""

import asyncio
from typing import Final

from waypost.engine import template
from waypost.ports.clock import Clock
from waypost.ports.cluster import Cluster, Kind, Obj
from waypost.ports.offload import Offload
from waypost.ports.telemetry import Telemetry
from waypost.runtime.cache.endpoints import PROBED
from waypost.runtime.cache.others import OtherCaches
from waypost.runtime.cache.runs import Key, RunCache
from waypost.runtime.entries.keeper import EntryKeeper
from waypost.runtime.events.controller import EventController
from waypost.runtime.judging import Judge, JudgingLoop
from waypost.runtime.logs.keeper import LogKeeper
from waypost.runtime.probe_controller import ProbeController
from waypost.runtime.reads.policies import Policies
from waypost.runtime.schedules.controller import ScheduleController
from waypost.runtime.settings import ControllerSettings
from waypost.runtime.writes.accounts import NodeAccounts
from waypost.sources import status as source_status

_TEMPLATES: Final = Judge(
    Kind.AGENT_WORKFLOW_TEMPLATE, "check of a template", template.judged, template.status_of
)
_SOURCES: Final = Judge(
    Kind.EVENT_SOURCE, "check of an EventSource", source_status.judged, source_status.status_of
)


class OtherLoops:
    """Each has its own queue, so that no run waits for them."""

    def __init__(
        self,
        *,
        cluster: Cluster,
        caches: OtherCaches,
        clock: Clock,
        offload: Offload,
        settings: ControllerSettings,
        accounts: NodeAccounts,
        store: RunCache,
        telemetry: Telemetry,
    ) -> None:
        self._prober = ProbeController(
            cluster=cluster,
            catalog=caches.endpoints,
            clock=clock,
            settings=settings.probes,
            accounts=accounts,
            policies=Policies(cluster=cluster, clock=clock, policies=settings.policies),
        )
        self._logs = LogKeeper(
            cluster=cluster,
            store=store,
            clock=clock,
            telemetry=telemetry,
            settings=settings.logs,
            offload=offload,
        )
        self._awaited_templates = caches.templates
        self._templates = JudgingLoop(
            _TEMPLATES, cluster=cluster, cache=caches.templates, clock=clock, offload=offload
        )
        self._sources = JudgingLoop(
            _SOURCES, cluster=cluster, cache=caches.sources, clock=clock, offload=offload
        )
        self._schedules = ScheduleController(
            cluster=cluster,
            cache=caches.schedules,
            clock=clock,
            offload=offload,
            suspend_new_runs=settings.suspend_new_runs,
            archives=settings.archives,
        )
        self._events = EventController(
            cluster=cluster,
            cache=caches.events,
            store=store,
            clock=clock,
            offload=offload,
            suspend_new_runs=settings.suspend_new_runs,
            strict=settings.approvals.strict,
        )
        self._entries = EntryKeeper(cluster=cluster, clock=clock, telemetry=telemetry)

    def notice(self, kind: Kind, raw: Obj, *, deleted: bool, on_duty: bool) -> list[Key] | None:
        """Put a watch event into the cache, and queue the object if this process works.

        Returns:
            The runs that wait for the object; None if it is for the loop of the runs.
        """
        if kind is Kind.POD and on_duty:
            self._logs.notice(raw, deleted=deleted)
        if kind in PROBED:
            return self._prober.notice(kind, raw, deleted=deleted, on_duty=on_duty)
        if kind is Kind.AGENT_WORKFLOW_SCHEDULE:
            self._schedules.notice(raw, deleted=deleted, on_duty=on_duty)
            return []
        if kind is Kind.EVENT_SOURCE:
            self._sources.notice(raw, deleted=deleted, on_duty=on_duty)
            return []
        if kind is Kind.MEMORY_ENTRY:
            self._entries.notice(raw, deleted=deleted, on_duty=on_duty)
            return []
        if kind is Kind.WORKFLOW_EVENT:
            return self._events.notice(raw, deleted=deleted, on_duty=on_duty)
        if kind is Kind.AGENT_WORKFLOW:
            self._events.notice_run(raw, on_duty=on_duty)
            self._schedules.notice_run(raw, deleted=deleted, on_duty=on_duty)
        if kind is Kind.AGENT_WORKFLOW_TEMPLATE:
            self._schedules.notice_template(raw, on_duty=on_duty)
            self._events.notice_template(raw, on_duty=on_duty)
            key = self._templates.notice(raw, deleted=deleted, on_duty=on_duty)
            return self._awaited_templates.waiting(key.namespace, key.name) if key else []
        return None

    def wake_all(self) -> None:
        """Queue all objects, as after a complete list."""
        self._prober.wake_all()
        self._templates.wake_all()
        self._sources.wake_all()
        self._schedules.wake_all()
        self._events.wake_all()
        self._entries.wake_all()
        self._logs.wake_all()

    async def run(self) -> None:
        """Work until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._prober.run(), name="prober")
            group.create_task(self._templates.run(), name="templates")
            group.create_task(self._sources.run(), name="sources")
            group.create_task(self._schedules.run(), name="schedules")
            group.create_task(self._events.run(), name="events")
            group.create_task(self._entries.run(), name="entries")
            group.create_task(self._logs.run(), name="logs")
