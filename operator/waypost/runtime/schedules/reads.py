"""The live reads of a step of a schedule."""

from waypost.api import meta
from waypost.api.meta import ConditionReason
from waypost.api.schedule.model import AgentWorkflowScheduleSpec
from waypost.ports.clock import Clock
from waypost.ports.cluster import Cluster, Kind, NotFound, Obj
from waypost.ports.offload import Offload
from waypost.runtime.cache.runs import Key
from waypost.schedules.look import Look, Named, Needs
from waypost.schedules.manifest import template_problem
from waypost.schedules.subject import schedule_of, scheduled_run

_SUSPENDED = (
    ConditionReason.NEW_RUNS_SUSPENDED,
    "the operator accepts no new runs (suspendNewRuns in the chart)",
)


class ScheduleReads:
    """Reads runs and templates from the API server: absence is never taken from a cache."""

    def __init__(
        self,
        *,
        cluster: Cluster,
        clock: Clock,
        offload: Offload,
        suspend_new_runs: bool,
        archives: bool,
    ) -> None:
        self._cluster = cluster
        self._clock = clock
        self._offload = offload
        self._suspend_new_runs = suspend_new_runs
        self._archives = archives

    async def look(
        self, key: Key, spec: AgentWorkflowScheduleSpec, needs: Needs, *, create_refused: str
    ) -> Look:
        """Read what a step needs.

        Args:
            key: The schedule.
            spec: Its spec.
            needs: What to read.
            create_refused: Why the API server refused the last create; "" if it did not.

        Raises:
            ClusterError: A read failed.
        """
        named = await self._named(key, needs.named) if needs.named else None
        runs = None
        if needs.runs:
            labels = f"{meta.LABEL_SCHEDULE}={key.name}"
            listing = await self._cluster.list(
                Kind.AGENT_WORKFLOW, namespace=key.namespace, labels=labels
            )
            runs = tuple(scheduled_run(body, archives=self._archives) for body in listing.items)
        return Look(
            named=named,
            runs=runs,
            refusal=await self._refusal(key, spec, needs.template) if needs.template else None,
            template_read=bool(needs.template),
            create_refused=create_refused,
        )

    async def _named(self, key: Key, name: str) -> Named:
        body = await self._get(Kind.AGENT_WORKFLOW, key, name)
        return Named(exists=body is not None, ours=schedule_of(body) == key.name)

    async def _refusal(
        self, key: Key, spec: AgentWorkflowScheduleSpec, template: str
    ) -> tuple[str, str] | None:
        if self._suspend_new_runs:
            return _SUSPENDED
        body = await self._get(Kind.AGENT_WORKFLOW_TEMPLATE, key, template)
        return await self._offload(template_problem, spec, body, self._clock.now())

    async def _get(self, kind: Kind, key: Key, name: str) -> Obj | None:
        try:
            return await self._cluster.get(kind, namespace=key.namespace, name=name)
        except NotFound:
            return None
