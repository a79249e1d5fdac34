"""When NodeRecords of artifacts that nothing names are removed: seen twice, half an hour apart.

An attempt that has ended does not begin again, so what it stored and no checkpoint names cannot be
read any more. A run names a record if the name is anywhere in the run: a checkpoint, the last
iteration of a loop, or what its parent passed to it. Once is not enough: a parent may be about to
record what it has read of a child run, which has begun another round since.

The content in the object store is removed after its record, by the gateway.
"""

import json
import logging
from typing import Final

from pydantic import ValidationError

from waypost.api import meta
from waypost.api.checkpoints import by_path, checkpoint_of, is_left_over
from waypost.api.status import AgentWorkflowStatus
from waypost.kube import names, node_records
from waypost.kube.facts.children import root_uid
from waypost.kube.facts.runs import written_by_newer_engine
from waypost.kube.objects import controller_uid, section, text
from waypost.kube.payloads import AttemptRef, RecordFact
from waypost.ports.cluster import Cluster, Kind, NotFound, Obj
from waypost.ports.telemetry import Telemetry
from waypost.runtime.cache.runs import Key, RunCache
from waypost.runtime.sweeps.rounds import RepeatedSweep, Unused
from waypost.runtime.writes.removal import remove_as_read

EVERY: Final = 1800.0  # seconds

log = logging.getLogger(__name__)


class ArtifactSweep(RepeatedSweep):
    """Looks at the artifacts of all namespaces that the operator serves."""

    def __init__(
        self,
        *,
        cluster: Cluster,
        store: RunCache,
        telemetry: Telemetry,
        namespaces: tuple[str | None, ...],
    ) -> None:
        super().__init__(
            what="artifacts",
            every=EVERY,
            unused=self.unused,
            remove=self.remove,
            telemetry=telemetry,
            namespaces=namespaces,
        )
        self._cluster = cluster
        self._store = store

    async def unused(self, namespace: str | None) -> Unused:
        """The artifacts of attempts that have ended which no run of their tree names.

        Artifacts of runs that do not exist, or that this process does not know, are left out.

        Raises:
            ClusterError: A request failed.
        """
        listed = await self._cluster.list(
            Kind.NODE_RECORD, namespace=namespace, labels=meta.LABEL_ARTIFACT, metadata_only=True
        )
        of_run: dict[str, list[Obj]] = {}
        for body in listed.items:
            of_run.setdefault(controller_uid(body), []).append(body)
        found: Unused = {}
        for uid, bodies in of_run.items():
            key = self._store.key_of(uid)
            if key is not None:
                found |= await self._unused_of(key, bodies)
        return found

    async def _unused_of(self, key: Key, bodies: list[Obj]) -> Unused:
        """Those of one run. The cache is enough to show that a record is named."""
        named = self._named_in_cache(key.uid)
        left = [body for body in bodies if _name(body) not in named]
        if not left:
            return {}
        run = await self._get(Kind.AGENT_WORKFLOW, key.namespace, key.name)
        if run is None or text(section(run, "metadata"), "uid") != key.uid or _untouchable(run):
            return {}
        bodies_of_tree = await self._tree(run)
        if not bodies_of_tree:
            return {}
        texts = map(json.dumps, bodies_of_tree)
        named = self._named_in_cache(key.uid).union(*map(names.artifact_names_in, texts))
        left = [body for body in left if _name(body) not in named]
        in_items = await self._named_in_items(run) if left else set()
        if in_items is None:
            return {}
        return {
            (key.namespace, _name(body)): body
            for body in left
            if _name(body) not in in_items and await self._has_ended(run, body)
        }

    async def _named_in_items(self, run: Obj) -> set[str] | None:
        """The names in the NodeRecords of its maps, which hold the results of items; None if one of
        them cannot be read."""
        found, seen = set[str](), set[str]()
        left = names.items_names_in(json.dumps(run))
        while left:
            name = left.pop()
            seen.add(name)
            namespace = text(section(run, "metadata"), "namespace")
            record = await self._get(Kind.NODE_RECORD, namespace, name)
            if record is None:
                continue  # nobody can take what it named
            payload = node_records.record_fact(record).payload
            if not payload.read:
                return None
            stored = json.dumps(payload.value)
            found |= names.artifact_names_in(stored)
            left |= names.items_names_in(stored) - seen
        return found

    def _named_in_cache(self, uid: str) -> set[str]:
        texts = map(self._store.text, self._store.tree(uid))
        return set().union(*map(names.artifact_names_in, texts))

    async def _tree(self, run: Obj) -> list[Obj]:
        """The runs of a tree as they are now; empty if this process does not know its root."""
        namespace = text(section(run, "metadata"), "namespace")
        root = root_uid(run)
        top = self._store.key_of(root)
        above = await self._get(Kind.AGENT_WORKFLOW, namespace, top.name) if top else None
        if above is None:
            return []
        below = await self._cluster.list(
            Kind.AGENT_WORKFLOW, namespace=namespace, labels=f"{meta.LABEL_ROOT}={root}"
        )
        return [run, above, *below.items]

    async def _has_ended(self, run: Obj, body: Obj) -> bool:
        """Whether the attempt that stored an artifact has ended, by the record's own words."""
        record = await self._get(Kind.NODE_RECORD, _namespace(body), _name(body))
        if record is None or controller_uid(record) != controller_uid(body):
            return False
        fact = node_records.record_fact(record, limit=0)
        ref = _attempt(fact, text(section(run, "metadata"), "name"))
        if ref is None or not fact.is_of("Artifact", ref):
            return False
        if ref.artifact_name(fact.artifact) != fact.name:
            return False  # its name says nothing about who may read it
        return _is_closed(run, ref)

    async def remove(self, body: Obj) -> bool:
        """Delete a record that is still as it was read; whether it was deleted."""
        return await remove_as_read(self._cluster, Kind.NODE_RECORD, body)

    async def _get(self, kind: Kind, namespace: str, name: str) -> Obj | None:
        try:
            return await self._cluster.get(kind, namespace=namespace, name=name)
        except NotFound:
            return None


def _untouchable(run: Obj) -> bool:
    """A run that is being deleted takes its records with it; of a newer release nobody here knows
    what its status names."""
    return bool(section(run, "metadata").get("deletionTimestamp")) or written_by_newer_engine(run)


def _attempt(fact: RecordFact, run: str) -> AttemptRef | None:
    if not isinstance(fact.round, int) or not isinstance(fact.attempt, int):
        return None
    return AttemptRef(run, fact.run_uid, fact.path, fact.round, fact.attempt)


def _is_closed(run: Obj, ref: AttemptRef) -> bool:
    """Whether the status of the run says that an attempt has ended."""
    try:
        status = AgentWorkflowStatus.model_validate(section(run, "status"))
    except ValidationError:
        return False
    nodes = by_path(status.nodes)
    checkpoint = checkpoint_of(nodes, ref.path)
    if checkpoint is None:
        return is_left_over(nodes, status.round, ref.path, ref.round)
    return checkpoint.has_closed(ref.attempt)


def _name(body: Obj) -> str:
    return text(section(body, "metadata"), "name")


def _namespace(body: Obj) -> str:
    return text(section(body, "metadata"), "namespace")
