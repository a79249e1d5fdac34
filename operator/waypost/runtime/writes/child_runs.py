"""Writes to the child runs of a run: create one, change what is requested of it, let it go."""

import logging
from collections.abc import Callable

from waypost.api import meta
from waypost.engine.state.decision import PatchChild, StartChild
from waypost.kube import objects
from waypost.ports.clock import Clock
from waypost.ports.cluster import (
    AlreadyExists,
    Cluster,
    ClusterError,
    Conflict,
    Kind,
    NotFound,
    Obj,
    PatchType,
    RefusedForNow,
    Rejected,
    Unavailable,
)
from waypost.runtime.cache.runs import Key, RunCache
from waypost.runtime.writes import child_problems

log = logging.getLogger(__name__)


class Foreign(ClusterError):
    """The name of a child is taken by an object of another owner."""


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
        try:
            body = await self._create(key, action.manifest)
        except (Rejected, Foreign) as error:
            log.warning("child run %s was refused: %s", name, error.message)
            child_problems.note_refusal(entry, name, error, self._clock.now())
            return
        except Unavailable as error:
            child_problems.note_no_answer(entry, name, error, self._clock.now())
            raise
        child_problems.forget(entry, name)
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

    async def _create(self, key: Key, manifest: Obj) -> Obj:
        try:
            return await self._cluster.create(
                Kind.AGENT_WORKFLOW, namespace=key.namespace, body=manifest
            )
        except AlreadyExists:
            name = manifest["metadata"]["name"]
            found = await self._standing(key, name)
        owner = objects.controller_uid(found)
        if owner == key.uid and request_digest(found) == request_digest(manifest):
            return found
        text = f"AgentWorkflow {name} exists and is not the child run of this node; {advice(owner)}"
        raise Foreign(text, code=409, reason="AlreadyExists")

    async def _standing(self, key: Key, name: str) -> Obj:
        """The run whose name is taken. A refusal to read it says nothing about the run, so it never
        counts as permanent."""
        try:
            return await self._cluster.get(Kind.AGENT_WORKFLOW, namespace=key.namespace, name=name)
        except Rejected as error:
            text = f"AgentWorkflow {name} may exist already and cannot be read: {error.message}"
            raise RefusedForNow(text, code=error.code, reason=error.reason) from error

    def _keep(self, body: Obj) -> None:
        """Cache a state of a child run; the watch may repeat it, which is no news then."""
        metadata = objects.section(body, "metadata")
        if self._store.put_run(body):
            known = self._store.key_of(objects.text(metadata, "uid"))
            if known is not None:
                self._wake(known)


def advice(owner_uid: str) -> str:
    """What to do about an object that stands in our place."""
    if owner_uid:
        return f"it belongs to the object with uid {owner_uid}: leave it alone"
    return "delete or rename it"


def request_digest(body: Obj) -> str:
    """The digest of the request that an object was created from, or ""."""
    notes = objects.section(body, "metadata", "annotations")
    return objects.text(notes, meta.ANNOTATION_REQUEST_DIGEST)
