"""Writes to the child runs of a run: create one, change what is requested of it, let it go."""

from collections.abc import Callable

from waypost.engine.state.decision import PatchChild, StartChild
from waypost.kube import objects
from waypost.ports.clock import Clock
from waypost.ports.cluster import (
    Cluster,
    Conflict,
    Kind,
    NotFound,
    Obj,
    PatchType,
    Rejected,
)
from waypost.runtime.cache.runs import Key, RunCache
from waypost.runtime.writes import child_problems
from waypost.runtime.writes.creates import create_once


class ChildRuns:
    """Writes to child runs, for one operator process."""

    def __init__(
        self,
        *,
        cluster: Cluster,
        store: RunCache,
        clock: Clock,
        wake: Callable[[Key], None],
    ) -> None:
        self._cluster = cluster
        self._store = store
        self._clock = clock
        self._wake = wake

    async def start(self, key: Key, action: StartChild) -> None:
        """Create a child run, or find the one that an earlier pass has created. Raises
        ClusterError; a refusal that will not pass by itself is kept for the next pass instead."""
        entry, name = self._store.entry(key.uid), action.manifest["metadata"]["name"]
        expected = "the child run of this node"
        with child_problems.kept(entry, name, self._clock, what=f"child run {name}"):
            body = await create_once(
                self._cluster, Kind.AGENT_WORKFLOW, key, action.manifest, expected=expected
            )
            self._keep(body)

    async def patch(self, key: Key, action: PatchChild) -> None:
        """Merge a change into a child run. One that is gone is dropped from the cache. Raises
        ClusterError: Conflict if the child has changed."""
        entry = self._store.entry(key.uid)
        try:
            body = await self._cluster.patch(
                Kind.AGENT_WORKFLOW,
                namespace=key.namespace,
                name=action.name,
                body=action.body,
                patch_type=PatchType.MERGE,
            )
        except NotFound:
            self._store.drop_run(action.uid)
            return
        except Conflict:
            await self._look(key, action)
            raise
        except Rejected as error:
            now = self._clock.now()
            child_problems.note_refused_stop(entry, action.name, error, now)
            raise
        child_problems.forget(entry, action.name)
        self._keep(body)

    async def _look(self, key: Key, action: PatchChild) -> None:
        """Read a child run that has changed: the next pass must not repeat the same patch."""
        try:
            body = await self._cluster.get(
                Kind.AGENT_WORKFLOW, namespace=key.namespace, name=action.name
            )
        except NotFound:
            self._store.drop_run(action.uid)
            return
        if objects.text(objects.section(body, "metadata"), "uid") != action.uid:
            self._store.drop_run(action.uid)
        self._keep(body)

    def _keep(self, body: Obj) -> None:
        """Cache a state of a child run; the watch may repeat it, which is no news then."""
        metadata = objects.section(body, "metadata")
        if self._store.put_run(body):
            known = self._store.key_of(objects.text(metadata, "uid"))
            if known is not None:
                self._wake(known)
