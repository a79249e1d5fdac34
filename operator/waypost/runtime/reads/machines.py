"""The machines (Kubernetes nodes), read one by one when a pod looks as if its machine were dead.

They are not watched: each one changes every few seconds, and few are ever needed.
"""

import logging
from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import replace
from typing import Final

from waypost.kube.facts import machines
from waypost.kube.facts.machines import MachineFact
from waypost.ports.clock import Clock
from waypost.ports.cluster import Cluster, ClusterError, Kind, NotFound, failure_text

_REMEMBERED: Final = 1000

log = logging.getLogger(__name__)


class Machines:
    """Reads Node objects, and remembers the last read of each, of at most 1000 machines."""

    def __init__(self, *, cluster: Cluster, clock: Clock) -> None:
        self._cluster = cluster
        self._clock = clock
        self._known: OrderedDict[str, MachineFact] = OrderedDict()

    def known(self, names: Iterable[str]) -> dict[str, MachineFact]:
        """The last reads of these machines, by name; machines that were never read are left out."""
        return {name: self._known[name] for name in set(names) if name in self._known}

    async def read(self, names: Iterable[str]) -> dict[str, MachineFact]:
        """Read these machines now.

        A machine that cannot be read counts as ready, so that no attempt is given up because of it.

        Returns:
            One fact for each name, marked as live.
        """
        facts = {}
        for name in sorted(names):
            fact = await self._read(name)
            self._known[name] = fact
            self._known.move_to_end(name)
            facts[name] = replace(fact, live=True)
        while len(self._known) > _REMEMBERED:
            self._known.popitem(last=False)
        return facts

    async def _read(self, name: str) -> MachineFact:
        moment = self._clock.now()
        try:
            body = await self._cluster.get(Kind.NODE, namespace=None, name=name)
        except NotFound:
            return MachineFact(name, moment, ready=False, exists=False)
        except (ClusterError, TimeoutError) as error:
            text = failure_text(error)
            log.warning("machine %s cannot be read, so it counts as ready: %s", name, text)
            return MachineFact(name, moment, ready=True, unread=text)
        return machines.machine_fact(body, name=name, looked_at=moment)
