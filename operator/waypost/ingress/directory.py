"""The EventSources of the cluster, by a list that is at most some seconds old.

A list answers for every name, also for one that does not exist: whatever strangers ask for, the API
server gets one list a second at most.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from waypost.api.source.model import EventSourceSpec
from waypost.kube import objects
from waypost.ports.cluster import Cluster, Kind, Obj
from waypost.sources.status import read

FRESH_SECONDS: Final = 10.0  # a change of a source counts after this time
MISSED_SECONDS: Final = 1.0  # a new source is found after this time


@dataclass(frozen=True)
class Source:
    """An EventSource. `spec` is None if it cannot be read; `usable` is False if its static check
    has found an error."""

    namespace: str
    name: str
    uid: str
    spec: EventSourceSpec | None
    usable: bool


class Directory:
    """Finds sources by namespace and name.

    Args:
        cluster: Where.
        namespaces: Those that are served; none for all.
        monotonic: The clock.
        listed: Called with the uids of all sources after each list.
    """

    def __init__(
        self,
        *,
        cluster: Cluster,
        namespaces: Sequence[str],
        monotonic: Callable[[], float],
        listed: Callable[[set[str]], None],
    ) -> None:
        self._cluster = cluster
        self._namespaces: tuple[str | None, ...] = tuple(namespaces) or (None,)
        self._monotonic = monotonic
        self._listed = listed
        self._lock = asyncio.Lock()
        self._at = float("-inf")
        self._bodies: dict[tuple[str, str], Obj] = {}
        self._read: dict[tuple[str, str], tuple[str, Source]] = {}  # with the resourceVersion

    async def find(self, namespace: str, name: str) -> Source | None:
        """A source; None if there is none. Raises ClusterError."""
        place = (namespace, name)
        await self._refresh(MISSED_SECONDS if place not in self._bodies else FRESH_SECONDS)
        body = self._bodies.get(place)
        if body is None:
            return None
        version = objects.text(objects.section(body, "metadata"), "resourceVersion")
        known = self._read.get(place)
        if known is None or known[0] != version:
            known = self._read[place] = (version, _source(body))
        return known[1]

    async def _refresh(self, seconds: float) -> None:
        async with self._lock:
            if self._monotonic() < self._at + seconds:
                return
            at = self._monotonic()
            bodies = {}
            for namespace in self._namespaces:
                listing = await self._cluster.list(Kind.EVENT_SOURCE, namespace=namespace)
                bodies.update({_place(body): body for body in listing.items})
            self._bodies, self._at = bodies, at
            self._read = {place: one for place, one in self._read.items() if place in bodies}
            self._listed(
                {objects.text(objects.section(b, "metadata"), "uid") for b in bodies.values()}
            )


def _place(body: Obj) -> tuple[str, str]:
    metadata = objects.section(body, "metadata")
    return objects.text(metadata, "namespace"), objects.text(metadata, "name")


def _source(body: Obj) -> Source:
    namespace, name = _place(body)
    spec, problems = read(objects.section(body, "spec"))
    return Source(
        namespace=namespace,
        name=name,
        uid=objects.text(objects.section(body, "metadata"), "uid"),
        spec=spec,
        usable=not any(problem.severity == "error" for problem in problems),
    )
