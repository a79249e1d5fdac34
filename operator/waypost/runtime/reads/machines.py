"""The machines of the cluster, read one by one when a pod looks as if its own were dead.

Not watched: every machine reports every few seconds, and hardly any is ever of interest.
"""

import logging
from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import replace
from typing import Final

from waypost.kube import machines
from waypost.kube.machines import MachineFact
from waypost.ports.clock import Clock
from waypost.ports.cluster import Cluster, Kind, NotFound, Rejected

_REMEMBERED: Final = 1000

log = logging.getLogger(__name__)


class Machines:
    """Reads of Node objects, the last one of each remembered."""

    def __init__(self, *, cluster: Cluster, clock: Clock) -> None:
        self._cluster = cluster
        self._clock = clock
        self._known: OrderedDict[str, MachineFact] = OrderedDict()

    def known(self, names: Iterable[str]) -> dict[str, MachineFact]:
        """What the last reads of these have told."""
        return {name: self._known[name] for name in set(names) if name in self._known}

    async def read(self, names: Iterable[str]) -> dict[str, MachineFact]:
        """Read these now. Raises ClusterError, but not where machines may not be read at all:
        then none is ever given up."""
        found = {}
        for name in sorted(names):
            fact = await self._read(name)
            self._known[name] = fact
            self._known.move_to_end(name)
            found[name] = replace(fact, live=True)
        while len(self._known) > _REMEMBERED:
            self._known.popitem(last=False)
        return found

    async def _read(self, name: str) -> MachineFact:
        moment = self._clock.now()
        try:
            body = await self._cluster.get(Kind.NODE, namespace=None, name=name)
        except NotFound:
            return MachineFact(name, moment, ready=False, found=False)
        except Rejected as error:
            log.warning("machines cannot be read, so none is given up: %s", error.message)
            return MachineFact(name, moment, ready=True)
        return machines.machine_fact(body, name=name, looked_at=moment)
