"""Reads the admission policy on Approvals, and its binding."""

from dataclasses import replace
from typing import Final

from waypost.kube.admission.guard import Guard, guard_of
from waypost.ports.clock import Clock
from waypost.ports.cluster import Cluster, ClusterError, Kind, NotFound, Obj, Rejected, failure_text

_MEMORY: Final = 30.0  # seconds for which a policy that holds is remembered, for new questions
_PROBLEM_MEMORY: Final = 5.0


def old_look(guard: Guard | None) -> Guard | None:
    """A look of before: what was read since may be newer."""
    return guard and replace(guard, fresh=False)


class Guards:
    """The policy of one installation.

    Args:
        cluster: Where.
        clock: The clock.
        name: Name of the policy and of its binding; "" if none is installed.
    """

    def __init__(self, *, cluster: Cluster, clock: Clock, name: str) -> None:
        self._cluster = cluster
        self._clock = clock
        self._name = name
        self._known: dict[str, tuple[float, Guard]] = {}  # by namespace: until when

    async def known(self, namespace: str) -> Guard | None:
        """What a look of the last seconds found; None if no policy is installed. Never raises: what
        cannot be read does not protect."""
        if not self._name:
            return None
        until, guard = self._known.get(namespace, (float("-inf"), Guard()))
        if self._clock.monotonic() < until:
            return replace(guard, fresh=False)
        try:
            found = await self.look(namespace)
        except (ClusterError, TimeoutError) as error:
            found = Guard(problem=f"its policy cannot be read: {failure_text(error)}")
            self._keep(namespace, found)
        return replace(found, fresh=False)

    async def look(self, namespace: str) -> Guard:
        """What is there now.

        Raises:
            ClusterError: It cannot be read for a moment.
        """
        now = self._clock.now()
        try:
            policy = await self._get(Kind.ADMISSION_POLICY)
            binding = await self._get(Kind.ADMISSION_BINDING)
        except Rejected as error:
            return Guard(problem=f"its policy cannot be read: {error.message}", fresh=True)
        found = guard_of(self._name, policy, binding, namespace=namespace, now=now)
        self._keep(namespace, found)
        return replace(found, fresh=True)

    def _keep(self, namespace: str, guard: Guard) -> None:
        memory = _PROBLEM_MEMORY if guard.problem or guard.recent else _MEMORY
        self._known[namespace] = (self._clock.monotonic() + memory, guard)

    async def _get(self, kind: Kind) -> Obj | None:
        try:
            return await self._cluster.get(kind, namespace=None, name=self._name)
        except NotFound:
            return None
