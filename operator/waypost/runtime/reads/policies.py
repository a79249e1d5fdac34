"""The policy of the platform for a namespace, by its labels."""

from collections.abc import Sequence
from typing import Final

from waypost.api.isolation.policy import DEFAULT_POLICY, NamespacePolicy, policy_of
from waypost.kube import objects
from waypost.ports.clock import Clock
from waypost.ports.cluster import Cluster, Kind, NotFound

_MEMORY: Final = 30.0  # seconds for which the labels of a namespace are cached


class Policies:
    """The policies of one installation."""

    def __init__(
        self, *, cluster: Cluster, clock: Clock, policies: Sequence[NamespacePolicy] | None
    ) -> None:
        self._cluster = cluster
        self._clock = clock
        self._policies = policies
        self._known: dict[str, tuple[float, NamespacePolicy]] = {}

    async def of(self, namespace: str) -> NamespacePolicy | None:
        """The policy of a namespace; None if there are no policies at all.

        Its labels are read only if a policy is about labels.

        Raises:
            ClusterError: They cannot be read.
        """
        if self._policies is None:
            return None
        if not any(policy.match_labels for policy in self._policies):
            return policy_of(self._policies, {})
        read_at, policy = self._known.get(namespace, (float("-inf"), DEFAULT_POLICY))
        now = self._clock.monotonic()
        if now - read_at < _MEMORY:
            return policy
        try:
            body = await self._cluster.get(Kind.NAMESPACE, namespace=None, name=namespace)
        except NotFound:  # nothing can be created in it
            return DEFAULT_POLICY
        labels = objects.section(objects.section(body, "metadata"), "labels")
        policy = policy_of(self._policies, {key: str(value) for key, value in labels.items()})
        self._known[namespace] = (now, policy)
        return policy
