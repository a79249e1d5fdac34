"""The account of the pods of nodes, in each namespace that runs one: it may do nothing."""

import logging
from collections.abc import Callable
from typing import Final

from waypost.kube.manifests.account import account_manifest
from waypost.ports.cluster import AlreadyExists, Cluster, Kind, Rejected

# Seconds until it is created again: a person may have deleted it.
_MEMORY: Final = 300.0

log = logging.getLogger(__name__)


class NodeAccounts:
    """Creates the account where it is missing; never changes one that exists."""

    def __init__(self, *, cluster: Cluster, monotonic: Callable[[], float], account: str) -> None:
        self._cluster = cluster
        self._monotonic = monotonic
        self._account = account
        self._made: dict[str, float] = {}

    async def ensure(self, namespace: str) -> None:
        """Create the account in a namespace, unless it was there within five minutes.

        A refusal is logged only: an administrator may have made the account. If it is missing, the
        Job controller says so, and the attempt ends with PodRejected.

        Raises:
            ClusterError: The API server is not available.
        """
        made = self._made.get(namespace, float("-inf"))
        if not self._account or self._monotonic() - made < _MEMORY:
            return
        manifest = account_manifest(self._account, namespace)
        try:
            await self._cluster.create(Kind.SERVICE_ACCOUNT, namespace=namespace, body=manifest)
        except AlreadyExists:
            pass
        except Rejected as error:
            text = "ServiceAccount %s was not created in namespace %s: %s"
            log.warning(text, self._account, namespace, error.message)
        self._made[namespace] = self._monotonic()
