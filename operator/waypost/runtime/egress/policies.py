"""A policy exists, with the content that its name says, before the Job whose pod it selects.

Its name is a digest of its content, so it is never changed. One with the name and another content
was changed by somebody else, and is refused.
"""

import logging
from collections.abc import Callable
from typing import Final

from waypost.api import meta
from waypost.kube.objects import section, text
from waypost.ports.cluster import (
    AlreadyExists,
    Cluster,
    Kind,
    NotFound,
    Obj,
    RefusedForNow,
    Rejected,
    Unavailable,
)
from waypost.runtime.cache.runs import Key
from waypost.runtime.writes.creates import Foreign
from waypost.runtime.writes.removal import remove_as_read

# How long a policy that an attempt has asked for is kept although no Job shows it: far longer than
# a launch may take.
IN_USE_SECONDS: Final = 600.0

log = logging.getLogger(__name__)


class EgressPolicies:
    """The NetworkPolicies that this operator makes and removes."""

    def __init__(self, *, cluster: Cluster, monotonic: Callable[[], float]) -> None:
        self._cluster = cluster
        self._monotonic = monotonic
        self._wanted: dict[tuple[str, str], float] = {}  # namespace and name: when last asked for

    async def ensure(self, key: Key, policy: Obj | None) -> None:
        """Return once the policy exists. A live read: a person may have deleted it.

        Args:
            key: The run that needs it.
            policy: Its manifest; None if the pod needs none.

        Raises:
            Foreign: It exists with another content.
            ClusterError: It could not be read or created.
        """
        if policy is None:
            return
        name = policy["metadata"]["name"]
        self._wanted[key.namespace, name] = self._monotonic()
        found = await self._get(key, name)
        if found is None:
            found = await self._create(key, policy)
        if section(found, "metadata").get("deletionTimestamp"):
            raise Unavailable(f"NetworkPolicy {name} is being deleted")
        if found["spec"] != policy["spec"]:
            message = f"NetworkPolicy {name} exists and was changed; delete it"
            raise Foreign(message, code=409, reason="AlreadyExists")

    async def _get(self, key: Key, name: str) -> Obj | None:
        try:
            return await self._cluster.get(Kind.NETWORK_POLICY, namespace=key.namespace, name=name)
        except NotFound:
            return None
        except Rejected as error:  # says nothing about the policy
            message = f"NetworkPolicy {name} cannot be read: {error.message}"
            raise RefusedForNow(message, code=error.code, reason=error.reason) from error

    async def _create(self, key: Key, policy: Obj) -> Obj:
        try:
            return await self._cluster.create(
                Kind.NETWORK_POLICY, namespace=key.namespace, body=policy
            )
        except AlreadyExists:
            found = await self._get(key, policy["metadata"]["name"])
            if found is None:
                raise Unavailable("NetworkPolicy was deleted meanwhile") from None
            return found

    async def unused(self, namespace: str | None) -> dict[tuple[str, str], Obj]:
        """The policies that no Job and no pod carries and no attempt has asked for lately.

        Args:
            namespace: Where; None: everywhere.

        Raises:
            ClusterError: A list failed.
        """
        found = await self._listed(Kind.NETWORK_POLICY, namespace)
        used = {
            (text(section(body, "metadata"), "namespace"), _label(body))
            for kind in (Kind.JOB, Kind.POD)
            for body in (await self._listed(kind, namespace) if found else ())
        }
        now = self._monotonic()
        self._wanted = {k: at for k, at in self._wanted.items() if now - at < IN_USE_SECONDS}
        unused = {}
        for body in found:
            metadata = section(body, "metadata")
            place, name = text(metadata, "namespace"), text(metadata, "name")
            if (place, _label(body)) not in used and (place, name) not in self._wanted:
                unused[place, name] = body
        return unused

    async def remove(self, body: Obj) -> bool:
        """Delete a policy that is still as it was read; whether it was deleted."""
        metadata = section(body, "metadata")
        namespace, name = text(metadata, "namespace"), text(metadata, "name")
        if (namespace, name) in self._wanted:
            return False
        return await remove_as_read(self._cluster, Kind.NETWORK_POLICY, body)

    async def _listed(self, kind: Kind, namespace: str | None) -> tuple[Obj, ...]:
        return (await self._cluster.list(kind, namespace=namespace, labels=meta.LABEL_EGRESS)).items


def _label(body: Obj) -> str:
    return text(section(body, "metadata", "labels"), meta.LABEL_EGRESS)
