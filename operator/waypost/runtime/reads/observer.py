"""Builds what the engine decides on: cached facts of a run, and the live reads it needs.

That an object does not exist is never concluded from the cache, only from live reads.
"""

import logging
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Any, Final

from waypost.api import meta
from waypost.api.isolation.policy import NamespacePolicy
from waypost.engine.nodes.event import awaited
from waypost.engine.state.observed import Observed, Reads
from waypost.engine.state.transition import TAIL
from waypost.engine.state.visible import lost, readable, replaced
from waypost.expressions.values import Unavailable
from waypost.kube import objects
from waypost.kube.facts import children, runs
from waypost.kube.facts.pods import PodFact
from waypost.kube.facts.read_problems import MEMORY, REFERENCES, SLOTS, ReadProblem, of_record
from waypost.kube.facts.start_events import start_events
from waypost.kube.logs.document import tail
from waypost.kube.node_records import record_fact
from waypost.kube.payloads import RecordFact
from waypost.kube.timestamps import parse_timestamp
from waypost.kube.trace_ids import caller_of
from waypost.ports.clock import Clock
from waypost.ports.cluster import Cluster, ClusterError, Kind, NotFound, Obj, failure_text
from waypost.ports.log_end import read_log_end
from waypost.ports.offload import Offload, inline
from waypost.runtime.cache.endpoints import PROBED, EndpointCache
from waypost.runtime.cache.events import EventCache
from waypost.runtime.cache.pruned import PrunedFields
from waypost.runtime.cache.runs import Key, RunCache
from waypost.runtime.cache.statuses import Statuses
from waypost.runtime.memory.entries import read_entries
from waypost.runtime.reads.definitions import Definitions
from waypost.runtime.reads.events import events_of
from waypost.runtime.reads.guards import Guards, old_look
from waypost.runtime.reads.live import LiveReads, pods_of
from waypost.runtime.reads.machines import Machines
from waypost.runtime.reads.namespaces import is_terminating
from waypost.runtime.reads.parents import Parents
from waypost.runtime.reads.policies import Policies
from waypost.runtime.reads.read_problems import ReadProblems, Tries
from waypost.runtime.reads.workflow_events import read_events
from waypost.runtime.settings import OPEN, ApprovalSettings
from waypost.runtime.slots.leases import Slots

_NAMESPACE_MEMORY: Final = 5.0  # seconds for which the phase of a namespace is cached
# Limits of the payload cache. As Python values, payloads take several times their bytes.
_PAYLOADS: Final = 256
_PAYLOAD_BYTES: Final = 16 * 1024 * 1024
# The API counts the limit from the beginning of the tail. The kubelet splits lines at 16 KiB, so
# that the last of these always fits.
_LOG_LINES: Final = 100
_LOG_BYTES: Final = 512 * 1024

log = logging.getLogger(__name__)


class Observer:
    """Reads for one operator process. Caches NodeRecords, which never change."""

    def __init__(
        self,
        *,
        cluster: Cluster,
        store: RunCache,
        catalog: EndpointCache,
        events: EventCache,
        clock: Clock,
        node_lost_seconds: float,
        suspend_new_runs: bool = False,
        archives: bool = False,
        policies: Sequence[NamespacePolicy] | None = None,
        approvals: ApprovalSettings = OPEN,
        slots: Slots,
        offload: Offload = inline,
    ) -> None:
        self._offload = offload
        self._slots = slots
        self._cluster = cluster
        self._suspend_new_runs = suspend_new_runs
        self._archives = archives
        self._node_lost_seconds = node_lost_seconds
        self._machines = Machines(cluster=cluster, clock=clock)
        self._store = store
        self._catalog = catalog
        self._events = events
        self._clock = clock
        self._parents = Parents(cluster=cluster, store=store)
        self._payloads: OrderedDict[tuple[str, str], tuple[Any, int]] = OrderedDict()
        self._payload_bytes = 0
        self._problems = ReadProblems(clock)
        self._definitions = Definitions(
            cluster=cluster, clock=clock, problems=self._problems, offload=offload
        )
        self._live = LiveReads(
            cluster=cluster,
            store=store,
            clock=clock,
            problems=self._problems,
            parents=self._parents,
        )
        self._namespaces: dict[str, tuple[float, bool]] = {}
        self._statuses = Statuses()
        self._pruned = PrunedFields()
        self._policies = Policies(cluster=cluster, clock=clock, policies=policies)
        self._guards = Guards(cluster=cluster, clock=clock, name=approvals.policy)
        self._strict = approvals.strict

    async def observe(self, key: Key, body: Obj) -> Observed:
        """The cached facts of a run.

        Args:
            key: The run.
            body: Its body, from the cache.

        Raises:
            ClusterError: The template, the definition or the namespace of the run cannot be read,
                for a moment.
            ValidationError: The status cannot be read.
        """
        metadata = objects.section(body, "metadata")
        generation = metadata.get("generation")
        generation = generation if isinstance(generation, int) else 1
        # Before anything is looked at: it may take a while.
        status = self._statuses.of(key.uid, body)
        requested = {**body, "spec": children.effective_spec(body)}
        definition, origin = await self._definitions.of(
            key, generation=generation, body=requested, status=status
        )
        parent = await self._parents.of(key, body, status)
        entry = self._store.entry(key.uid)
        pods = pods_of(entry)
        deleting = bool(metadata.get("deletionTimestamp"))
        if not deleting and any(pod.deleting for pod in pods):
            deleting = await self._terminating(key.namespace)
        policy = await self._policies.of(key.namespace)
        return Observed(
            name=key.name,
            namespace=key.namespace,
            uid=key.uid,
            generation=generation,
            resource_version=objects.text(metadata, "resourceVersion"),
            created_at=parse_timestamp(objects.text(metadata, "creationTimestamp"))
            or self._clock.now(),
            definition=definition,
            status=status,
            origin=origin,
            new_runs_suspended=self._suspend_new_runs,
            archives=self._archives,
            policy=policy,
            ahead=self._store.ahead(key, policy),
            guard=await self._guards.known(key.namespace),
            strict_approvals=self._strict,
            deleting=deleting,
            tracked=runs.tracked_by_git(body),
            workflow=runs.workflow_of(metadata),
            caller=caller_of(body),
            keep_until=runs.keep_until(body),
            pruned=self._pruned.of(key.uid, body),
            reserved=() if parent else tuple(text for _, text in runs.reserved_names(metadata)),
            pods=pods,
            jobs=dict(entry.jobs),
            approvals=dict(entry.approvals),
            children=dict(entry.children),
            parent=parent,
            finalizers=tuple(metadata.get("finalizers") or ()),
            child_problems=dict(entry.child_problems),
            providers=self._catalog.providers(key.namespace),
            servers=self._catalog.servers(key.namespace),
            machines=self._machines.known(pod.machine for pod in pods),
            arrived=self._events.arrived(key.namespace, awaited(key.name, status)),
            node_lost_seconds=self._node_lost_seconds,
            live_at=self._live.looked_at(key.uid),
            long_queues=self._slots.board.long_queues(key.namespace),
        )

    async def satisfy(self, key: Key, observed: Observed, wants: Reads) -> Observed:
        """Perform the reads that the engine needs.

        Args:
            key: The run.
            observed: What is known so far.
            wants: The reads, from `engine.reads.required_reads`.

        Returns:
            `observed` with the results.

        Raises:
            StaleRun: A live read found a newer version of the run.
            NotFound: The run no longer exists.
            ClusterError: The run itself could not be read.
        """
        if wants.payloads or wants.records:
            observed = await self._read_records(key, observed, wants)
        if wants.logs:
            read = {pod.uid: await self._log(key, pod) for pod in wants.logs}
            observed = replace(observed, logs={**observed.logs, **read})
        if wants.silent:
            observed = await self._read_start_events(key, observed, wants.silent)
        if wants.references:
            observed = await self._look_at_references(key, observed)
        if wants.machines:
            read_now = await self._machines.read(wants.machines)
            observed = replace(observed, machines={**observed.machines, **read_now})
        if wants.workflow_events:
            tries = Tries(self._problems, uid=key.uid, clock=self._clock)
            observed = await read_events(
                self._cluster,
                tries,
                key.namespace,
                observed,
                wants.workflow_events,
                now=self._clock.now(),
            )
        for scope, name in sorted(wants.memory):
            observed = await self._read_memory(key, observed, scope, name)
        if wants.live:
            observed = replace(await self._live.look(key, observed), guard=old_look(observed.guard))
        if wants.guard:  # after the Approvals
            observed = replace(observed, guard=await self._guards.look(key.namespace))
        return observed

    async def _read_memory(self, key: Key, observed: Observed, scope: str, name: str) -> Observed:
        """`observed` with the MemoryEntries of a key; or why they cannot be read, in `unread`."""
        begun = observed.memory_at or self._clock.now()
        tries = Tries(self._problems, uid=key.uid, clock=self._clock)
        reading = partial(read_entries, self._cluster, key.namespace, scope, name)
        found = await tries.read(MEMORY, reading)
        if isinstance(found, ReadProblem):
            return replace(observed, unread={**observed.unread, **tries.found})
        seen = {**observed.memory, (scope, name): found}
        return replace(observed, memory=seen, memory_at=begun)

    async def read_slots(self, key: Key, observed: Observed, digests: frozenset[str]) -> Observed:
        """`observed` with the slots of these keys; or why they cannot be read, in `unread`."""
        tries = Tries(self._problems, uid=key.uid, clock=self._clock)
        slots = dict(observed.slots)
        for digest in sorted(digests):
            found = await tries.read(SLOTS, partial(self._slots.look, key, digest))
            if not isinstance(found, ReadProblem):
                slots[digest] = found
        return replace(observed, slots=slots, unread={**observed.unread, **tries.found})

    async def _read_records(self, key: Key, observed: Observed, wants: Reads) -> Observed:
        tries = Tries(self._problems, uid=key.uid, clock=self._clock)
        payloads, records = dict(observed.payloads), dict(observed.records)
        recorded = {node.output_record: node.output_digest for node in observed.status.nodes}
        if (memory := observed.status.memory) is not None:
            recorded[memory.record] = memory.digest
        for name in sorted(wants.payloads):
            reading = partial(self._payload, key, name, recorded.get(name))
            value = await tries.read(of_record(name), reading)
            unread = isinstance(value, ReadProblem)
            payloads[name] = Unavailable(value.text) if unread else value
        for name in sorted(wants.records):
            fact = await tries.read(of_record(name), partial(self._look_up, key, name))
            if not isinstance(fact, ReadProblem):
                records[name] = fact
        return replace(
            observed,
            payloads=payloads,
            records=records,
            unread={**observed.unread, **tries.found},
        )

    async def refresh(self, key: Key) -> bool:
        """Read the run and its Approvals into the cache, after a conflict.

        Returns:
            False when the run no longer exists, even if another run has its name.
        """
        try:
            body = await self._cluster.get(
                Kind.AGENT_WORKFLOW, namespace=key.namespace, name=key.name
            )
        except NotFound:
            return False
        if objects.text(objects.section(body, "metadata"), "uid") != key.uid:
            return False
        self._store.put_run(body)
        if self._store.entry(key.uid).approvals:
            await self._live.approvals(key)
        return True

    async def is_stale(self, key: Key, version: str) -> bool:
        """Whether a live read shows that the run is gone, or that its version is another one."""
        if not await self.refresh(key):
            return True
        metadata = objects.section(self._store.run_body(key), "metadata")
        return objects.text(metadata, "resourceVersion") != version

    async def gone(self, key: Key) -> bool:
        """Whether a live read shows that the run no longer exists."""
        try:
            body = await self._cluster.get(
                Kind.AGENT_WORKFLOW, namespace=key.namespace, name=key.name
            )
        except NotFound:
            return True
        return objects.text(objects.section(body, "metadata"), "uid") != key.uid

    def forget(self, uid: str) -> None:
        """Drop what is cached here of a run that no longer exists."""
        self._live.forget(uid)
        self._problems.forget(uid)
        self._statuses.forget(uid)
        self._pruned.forget(uid)

    async def _read_start_events(
        self, key: Key, observed: Observed, pods: tuple[PodFact, ...]
    ) -> Observed:
        """Read the Events of pods that have a machine and do not start."""
        entry = self._store.entry(key.uid)
        for pod in pods:
            events = await events_of(self._cluster, namespace=key.namespace, uid=pod.uid)
            entry.events[pod.uid] = start_events(events, pod, now=self._clock.now())
        return replace(observed, pods=pods_of(entry))

    async def _look_at_references(self, key: Key, observed: Observed) -> Observed:
        async def listed() -> bool:
            for kind in PROBED:
                listing = await self._cluster.list(kind, namespace=key.namespace)
                self._catalog.replace(kind, key.namespace, listing)
            return True

        tries = Tries(self._problems, uid=key.uid, clock=self._clock)
        if isinstance(await tries.read(REFERENCES, listed), ReadProblem):
            return replace(observed, unread={**observed.unread, **tries.found})
        return replace(
            observed,
            providers=self._catalog.providers(key.namespace),
            servers=self._catalog.servers(key.namespace),
            references_live=True,
        )

    async def _look_up(self, key: Key, name: str) -> RecordFact | None:
        """A live read; None when there certainly is no such record."""
        try:
            body = await self._cluster.get(Kind.NODE_RECORD, namespace=key.namespace, name=name)
        except NotFound:
            return None
        # It may be a mebibyte of any shape, of which each value is looked at.
        return await self._offload(record_fact, body)

    async def _payload(self, key: Key, name: str, digest: str | None) -> Any:
        """The value of a NodeRecord. `digest` is what the status says of it: anyone who may create
        NodeRecords can put another one in the place of one that was deleted (S378)."""
        known = self._payloads.get((key.uid, name))
        if known is not None:
            return known[0]
        try:
            body = await self._cluster.get(Kind.NODE_RECORD, namespace=key.namespace, name=name)
        except NotFound:
            return lost(name)
        fact = await self._offload(record_fact, body)
        if digest is not None and fact.payload.digest != digest:
            return replaced(name, digest)
        value = readable(fact)
        size = fact.payload.size if fact.payload.read else 0
        self._payloads[key.uid, name] = (value, size)
        self._payload_bytes += size
        while len(self._payloads) > 1 and (
            self._payload_bytes > _PAYLOAD_BYTES or len(self._payloads) > _PAYLOADS
        ):
            self._payload_bytes -= self._payloads.popitem(last=False)[1][1]
        return value

    async def _log(self, key: Key, pod: PodFact) -> str:
        try:
            found = await read_log_end(
                self._cluster,
                namespace=key.namespace,
                pod=pod.name,
                container=meta.NODE_CONTAINER,
                lines=_LOG_LINES,
                limit_bytes=_LOG_BYTES,
            )
        except (ClusterError, TimeoutError):
            return ""  # a comfort: its machine, or the right to read it, may be missing
        return await self._offload(tail, found.text, limit=TAIL)

    async def _terminating(self, namespace: str) -> bool:
        read_at, terminating = self._namespaces.get(namespace, (float("-inf"), False))
        now = self._clock.monotonic()
        if now - read_at < _NAMESPACE_MEMORY:
            return terminating
        try:
            terminating = await is_terminating(self._cluster, namespace)
        except (ClusterError, TimeoutError) as error:
            # The run must not wait for it: in a namespace that ends, nothing can be created.
            log.warning("namespace %s cannot be read: %s", namespace, failure_text(error))
        self._namespaces[namespace] = (now, terminating)
        return terminating
