"""Slots of keys in the cluster: list them, take one, give it back, and delete those whose holders
have ended.

Anyone may delete a slot whose holder a live read of its run shows closed, or whose run is gone: an
attempt that has ended does not begin again.
"""

import logging
from collections.abc import Callable
from dataclasses import replace

from pydantic import ValidationError

from waypost.api import meta
from waypost.api.status import AgentWorkflowStatus
from waypost.engine.state.decision import FreeSlot
from waypost.kube import objects
from waypost.kube.facts.runs import written_by_newer_engine
from waypost.kube.facts.slots import (
    KeySlots,
    SlotFact,
    holds_itself,
    is_open,
    replaceable_at,
    slot_fact,
)
from waypost.ports.cluster import (
    AlreadyExists,
    Cluster,
    Conflict,
    Kind,
    NotFound,
    Obj,
    RefusedForNow,
    Rejected,
)
from waypost.runtime.cache.runs import Key, RunCache
from waypost.runtime.cache.slots import SlotBoard

log = logging.getLogger(__name__)


class SlotTaken(Exception):
    """Another attempt holds the slot."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class Slots:
    """For one operator process. `wake` queues a run."""

    def __init__(
        self, *, cluster: Cluster, store: RunCache, board: SlotBoard, wake: Callable[[Key], None]
    ) -> None:
        self._cluster = cluster
        self._store = store
        self._wake = wake
        self.board = board

    async def look(self, run: Key, digest: str) -> KeySlots:
        """Read the slots of a key for a pass over `run`; those whose holders have ended are
        deleted. Raises ClusterError."""
        labels = f"{meta.LABEL_SLOTS}={digest}"
        listed = await self._cluster.list(Kind.LEASE, namespace=run.namespace, labels=labels)
        found = [fact for body in listed.items if (fact := slot_fact(body))]
        holders = [fact for fact in found if not await self._reclaimed(run.namespace, fact)]
        seen = tuple(self._with_agreement(run.namespace, fact) for fact in holders)
        return self.board.of_others(run, digest, seen)

    def _with_agreement(self, namespace: str, fact: SlotFact) -> SlotFact:
        """A slot with what the status of its run says about being replaced."""
        body = self._store.run_body(Key(namespace, fact.run_name, fact.holder.run_uid))
        return replace(fact, replaceable=replaceable_at(body, fact.holder))

    async def take(self, run: Key, manifest: Obj) -> None:
        """Create a slot; one that names the same attempt is success.

        Raises:
            SlotTaken: It names another one.
            ClusterError: It could not be created.
        """
        try:
            await self._cluster.create(Kind.LEASE, namespace=run.namespace, body=manifest)
        except AlreadyExists:
            await self._is_ours(run, manifest)
        digest = objects.text(objects.section(manifest, "metadata", "labels"), meta.LABEL_SLOTS)
        self._wake_first(run.namespace, digest)  # there may be another slot

    async def _is_ours(self, run: Key, manifest: Obj) -> None:
        name = manifest["metadata"]["name"]
        try:
            body = await self._cluster.get(Kind.LEASE, namespace=run.namespace, name=name)
        except NotFound as error:  # freed since: the next pass takes it
            raise RefusedForNow(error.message, code=409) from error
        fact, wanted = slot_fact(body), slot_fact(manifest)
        if fact is None:
            raise SlotTaken(
                f"Lease {name} exists and is not a slot of Waypost; delete or rename it"
            )
        if wanted is None or fact.holder != wanted.holder:
            raise SlotTaken(f"{fact} took slot {fact.number} first")

    async def free(self, run: Key, action: FreeSlot) -> None:
        """Delete a slot if it names that attempt, and wake the run that waits for it first."""
        try:
            body = await self._cluster.get(Kind.LEASE, namespace=run.namespace, name=action.name)
        except NotFound:
            return
        fact = slot_fact(body)
        if fact is not None and fact.holder == action.holder:
            await self._delete(run.namespace, fact)

    async def sweep(self, namespace: str | None) -> int:
        """Delete the slots of a namespace, or of all, whose holders have ended.

        Returns:
            How many.

        Raises:
            ClusterError: A request failed.
        """
        listed = await self._cluster.list(Kind.LEASE, namespace=namespace, labels=meta.LABEL_SLOTS)
        count = 0
        for body in listed.items:
            fact = slot_fact(body)
            place = objects.text(objects.section(body, "metadata"), "namespace")
            if fact is not None:
                self.board.namespaces.add(place)
                count += await self._reclaimed(place, fact)
        return count

    async def _reclaimed(self, namespace: str, fact: SlotFact) -> bool:
        """Delete a slot whose holder has certainly ended; whether it is gone."""
        run = Key(namespace, fact.run_name, fact.holder.run_uid)
        if _holds(self._store.run_body(run), fact):
            return False  # a cached state is old enough to be believed: it has not ended since
        try:
            body = await self._cluster.get(
                Kind.AGENT_WORKFLOW, namespace=namespace, name=fact.run_name
            )
        except NotFound:
            body = None
        if _holds(body, fact):
            return False
        log.info("slot %s is free: its holder has ended", fact.name, extra={"run": fact.run_name})
        return await self._delete(namespace, fact)

    async def _delete(self, namespace: str, fact: SlotFact) -> bool:
        """Delete a slot; whether it is gone."""
        try:
            await self._cluster.delete(
                Kind.LEASE, namespace=namespace, name=fact.name, uid=fact.uid
            )
        except (NotFound, Conflict):
            pass
        except Rejected as error:
            log.warning("Lease %s cannot be deleted: %s", fact.name, error.message)
            return False
        self._wake_first(namespace, fact.digest)
        return True

    def _wake_first(self, namespace: str, digest: str) -> None:
        if (run := self.board.first(namespace, digest)) is not None:
            self._wake(run)


def _holds(body: Obj | None, fact: SlotFact) -> bool:
    """Whether this state of a run says that the holder of a slot has not ended."""
    if body is None:
        return False
    if objects.text(objects.section(body, "metadata"), "uid") != fact.holder.run_uid:
        return False
    if written_by_newer_engine(body) or holds_itself(body, fact.holder):
        return True
    try:
        status = AgentWorkflowStatus.model_validate(objects.section(body, "status"))
    except ValidationError:
        return True  # an unreadable status may name it
    return is_open(status, fact.holder)
