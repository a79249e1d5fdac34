"""Performs the actions of a decision. Each one is idempotent: an interrupted pass is retried.

A fence guards creates: they are sent only within ten seconds (monotonic) of the status write, or
the live read, that permits them. After a process was frozen in between, the fence has expired and
it creates nothing.
"""

import asyncio
import logging
from collections.abc import Callable, Coroutine, Iterable
from dataclasses import dataclass, field, replace
from typing import Any, Final

from waypost.api import meta
from waypost.engine.state.decision import (
    After,
    Before,
    DeleteRun,
    FreeSlot,
    Launch,
    OpenApproval,
    PatchChild,
    PutEntry,
    PutRecord,
    ReleasePod,
    SettleApproval,
    SettleEvent,
    StartChild,
    StopAttempt,
    TakeSlot,
)
from waypost.engine.state.observed import Observed
from waypost.kube.facts import approvals, jobs, pods
from waypost.kube.facts.jobs import WriteProblem
from waypost.kube.node_records import record_fact
from waypost.kube.payloads import RecordFact
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
    failure_text,
)
from waypost.ports.offload import Offload, inline
from waypost.runtime.cache.newest import version_of
from waypost.runtime.cache.runs import Key, RunCache
from waypost.runtime.egress.policies import EgressPolicies
from waypost.runtime.memory.entries import remember
from waypost.runtime.slots.leases import Slots
from waypost.runtime.writes import child_problems
from waypost.runtime.writes.accounts import NodeAccounts
from waypost.runtime.writes.child_runs import ChildRuns
from waypost.runtime.writes.creates import Foreign, advice, create_all, create_once, standing
from waypost.runtime.writes.events import settle_event
from waypost.runtime.writes.naming import about, created_name
from waypost.runtime.writes.slot_writes import SlotWrites
from waypost.runtime.writes.status_patch import status_patch
from waypost.runtime.writes.stops import Stops

FENCE_SECONDS: Final = 10.0
_OTHER_UID: Final = 422  # code of a patch with the uid of another pod of that name
_NO_ANSWER: Final = Unavailable("the API server does not answer in time")
log = logging.getLogger(__name__)


class FenceExpired(Exception):
    """Too long since the write that entitled to a create: observe again."""


class ActionRefused(ClusterError):
    """Something that follows from a status was refused for good; all else of it was done."""


@dataclass
class Prepared:
    """What was written before a status, and what could not be."""

    written: set[str] = field(default_factory=set)
    settled: bool = False  # an Approval or event was: the run should be looked at again
    problems: dict[str, WriteProblem] = field(default_factory=dict)
    existing: dict[str, RecordFact] = field(default_factory=dict)

    def has_tried(self, name: str) -> bool:
        """Whether that object was tried in this pass."""
        return name in self.written or name in self.problems or name in self.existing

    def stands(self, age: float) -> bool:
        """Whether a decision may be written that is `age` seconds old.

        The clocks in a status begin when it is decided: a gate that is asked minutes later could
        expire before anyone can answer. What follows from an answer that was written stands.
        """
        return self.settled or age <= FENCE_SECONDS

    def added_to(self, observed: Observed) -> Observed:
        """The run with what could not be written, and what stood there already."""
        return replace(
            observed, write_problems=dict(self.problems), existing_records=dict(self.existing)
        )

    @property
    def unexpected(self) -> int:
        """How many of them did not become what the engine had decided."""
        return len(self.problems) + len(self.existing)


class ActionExecutor:
    """The hands of one operator."""

    def __init__(
        self,
        *,
        cluster: Cluster,
        store: RunCache,
        clock: Clock,
        wake: Callable[[Key], None],
        slots: Slots,
        accounts: NodeAccounts,
        offload: Offload = inline,
    ) -> None:
        self._cluster = cluster
        self.policies = EgressPolicies(cluster=cluster, monotonic=clock.monotonic)
        self._slots = slots
        self._accounts = accounts
        self._wake = wake
        self._slot_writes = SlotWrites(slots=slots, store=store, clock=clock, wake=wake)
        self.children = ChildRuns(cluster=cluster, store=store, clock=clock, wake=wake)
        self._store = store
        self._clock = clock
        self._offload = offload
        self._stops = Stops(cluster=cluster, store=store, clock=clock)

    async def prepare(self, key: Key, actions: Iterable[Before], done: Prepared) -> Prepared:
        """Do what must stand before the run's status is written, but for what is `done`. What
        cannot be written is a fact to decide on and stops nothing else. Raises Conflict, and
        NotFound, when an Approval or a WorkflowEvent has changed or is gone."""
        for action in actions:
            if done.has_tried(action.tried_as):
                continue
            match action:
                case PutRecord():
                    writing = self._record(key, action, done)
                case PutEntry():
                    writing = self._remember(key, action, done)
                case SettleApproval():
                    writing = self._settle_approval(key, action, done)
                case SettleEvent():
                    writing = self._settle_event(key, action, done)
            await self._write(key, action.tried_as, writing, done)
        return done

    async def _write(
        self, key: Key, name: str, writing: Coroutine[Any, Any, None], done: Prepared
    ) -> None:
        known = self._store.entry(key.uid).write_problems
        try:
            await writing
        except (Conflict, NotFound):
            raise
        except (ClusterError, TimeoutError) as error:
            permanent = isinstance(error, Rejected | Foreign) and not isinstance(
                error, RefusedForNow
            )
            now = self._clock.now()
            since = known[name].since if name in known else now
            message = failure_text(error)
            problem = WriteProblem(message=message, permanent=permanent, since=since, at=now)
            log.warning("%s was not written: %s", name, message, extra={"run": key.name})
            known[name] = done.problems[name] = problem
        else:
            known.pop(name, None)

    async def _record(self, key: Key, action: PutRecord, done: Prepared) -> None:
        """Create a record. One that is there with another digest is what counts, if it is ours."""
        found = await self._put_record(key, action.manifest)
        name, wanted = action.manifest["metadata"]["name"], record_fact(action.manifest)
        if found is None or found.payload.digest == wanted.payload.digest:
            done.written.add(name)
        elif _same_place(found, wanted) and found.owner_uid == key.uid:
            done.existing[name] = found
        else:
            text = f"a NodeRecord {name} exists that this run did not create; "
            text += advice(found.owner_uid)
            raise Foreign(text, code=409)

    async def _remember(self, key: Key, action: PutEntry, done: Prepared) -> None:
        await remember(self._cluster, self._clock, key.namespace, action.manifest)
        done.written.add(action.tried_as)

    async def carry_out(
        self, key: Key, observed: Observed, actions: Iterable[After], *, fence: float
    ) -> None:
        """Do what follows from the status. Every action is tried; the first failure that is worth
        a retry is raised at the end, so that one bad child does not hold up its siblings."""
        failure: Exception | None = None
        entry = self._store.entry(key.uid)
        silent = entry.unanswered
        actions = [*entry.slots_to_free.values(), *actions]
        # What got no answer before comes last: it may use up the time of the fence.
        for action in sorted(actions, key=lambda action: created_name(action) in silent):
            try:
                await self._one(key, observed, action, fence)
            except (ClusterError, FenceExpired, TimeoutError) as error:
                failure = failure or _as_refusal(action, error)
        if failure is not None:
            raise failure

    async def release_held(self, key: Key) -> None:
        """Let all pods of a run go; the first failure is raised at the end."""
        held = [pod for pod in self._store.entry(key.uid).pods.values() if pod.held]
        failure: Exception | None = None
        for pod in held:
            try:
                await self.release(key, name=pod.name, uid=pod.uid)
            except (ClusterError, TimeoutError) as error:
                failure = failure or error
        if failure is not None:
            raise failure

    async def release(self, key: Key, *, name: str, uid: str) -> None:
        """Take the result finalizer off a pod. It is no error if the pod no longer exists."""
        body = {
            "metadata": {"uid": uid, "$deleteFromPrimitiveList/finalizers": [meta.FINALIZER_RESULT]}
        }
        try:
            pod = await self._cluster.patch(
                Kind.POD,
                namespace=key.namespace,
                name=name,
                body=body,
                patch_type=PatchType.STRATEGIC,
            )
        except (NotFound, Conflict):
            self._store.drop_pod(key.uid, uid)
            return
        except Rejected as error:
            if error.code != _OTHER_UID:
                raise
            self._store.drop_pod(key.uid, uid)
            return
        fact = pods.pod_fact(pod)
        if fact is not None:
            self._store.put_pod(fact, version_of(pod))

    async def _one(self, key: Key, observed: Observed, action: After, fence: float) -> None:
        match action:
            case Launch():
                await self._fenced(key, action, fence, self._launch(key, action))
            case OpenApproval():
                await self._fenced(key, action, fence, self._open_approval(key, action))
            case StartChild():
                await self._fenced(key, action, fence, self.children.start(key, action))
            case PatchChild(starts=True):
                await self._fenced(key, action, fence, self.children.patch(key, action))
            case PatchChild():
                await self.children.patch(key, action)
            case StopAttempt():
                await self._stops.stop(key, action)
            case TakeSlot():
                await self._fenced(key, action, fence, self._slot_writes.take(key, action))
            case FreeSlot():
                await self._slot_writes.free(key, action)
            case ReleasePod():
                await self.release(key, name=action.name, uid=action.uid)
            case DeleteRun():
                await self._delete_run(key, observed)

    async def _fenced(
        self, key: Key, action: After, fence: float, creating: Coroutine[Any, Any, None]
    ) -> None:
        entry, name = self._store.entry(key.uid), created_name(action)
        left = fence + FENCE_SECONDS - self._clock.monotonic()
        if left <= 0:
            creating.close()
            if name in entry.unanswered:
                child_problems.note_no_answer(entry, name, _NO_ANSWER, self._clock.now())
            raise FenceExpired
        try:
            # Also bounds the wait for a write permit: a create never leaves after its fence.
            async with asyncio.timeout(left):
                await creating
        except TimeoutError:
            if name:
                child_problems.note_no_answer(entry, name, _NO_ANSWER, self._clock.now())
            raise

    async def _launch(self, key: Key, action: Launch) -> None:
        entry, name = self._store.entry(key.uid), action.job["metadata"]["name"]
        described = about(key, action)
        with child_problems.kept(entry, name, self._clock, what="the Job", about=described):
            if action.slot is not None:
                await self._slots.take(key, action.slot)
            await self.policies.ensure(key, action.policy)
            await create_all(self._cluster, Kind.CLAIM, key, action.claims, expected="this run's")
            if action.config_map is not None:
                await self._create_child(Kind.CONFIG_MAP, key, action.config_map)
            if action.input_record is not None:
                await self._put_inputs(key, action.input_record)
            await self._accounts.ensure(key.namespace)
            job = await self._create_child(Kind.JOB, key, action.job)
            if (fact := jobs.job_fact(job)) is not None:
                entry.jobs[name] = fact
        if (problem := entry.child_problems.get(name)) and problem.slot_taken:
            self._wake(key)  # the next pass gives the attempt up

    async def _create_child(self, kind: Kind, key: Key, body: Obj) -> Obj:
        return await create_once(self._cluster, kind, key, body, expected="this attempt's")

    async def _open_approval(self, key: Key, action: OpenApproval) -> None:
        entry, name = self._store.entry(key.uid), action.manifest["metadata"]["name"]
        with child_problems.kept(entry, name, self._clock, what=f"Approval {name}"):
            try:
                body = await self._cluster.create(
                    Kind.APPROVAL, namespace=key.namespace, body=action.manifest
                )
            except AlreadyExists:
                body = await standing(self._cluster, Kind.APPROVAL, key, name)
            self._keep_approval(key, body)

    def _keep_approval(self, key: Key, body: Obj) -> None:
        fact = approvals.approval_fact(body)
        if fact is not None:
            self._store.put_approval(fact, key.uid, version_of(body), now=self._clock.now())

    async def _settle_approval(self, key: Key, action: SettleApproval, done: Prepared) -> None:
        patch = status_patch(
            body={}, resource_version=action.resource_version, status=action.status
        )
        try:
            body = await self._cluster.patch(
                Kind.APPROVAL,
                namespace=key.namespace,
                name=action.name,
                body=patch,
                patch_type=PatchType.JSON,
                subresource="status",
            )
        except NotFound:
            self._store.drop_approval(key.uid, action.name)  # the watch may report it late
            raise
        self._keep_approval(key, body)
        done.written.add(action.name)
        done.settled = True

    async def _settle_event(self, key: Key, action: SettleEvent, done: Prepared) -> None:
        await settle_event(self._cluster, key.namespace, action)
        done.written.add(action.tried_as)
        done.settled = True

    async def _put_record(self, key: Key, manifest: Obj) -> RecordFact | None:
        """Create a NodeRecord; the one that was there already, if its name was taken."""
        name = manifest["metadata"]["name"]
        try:
            await self._cluster.create(Kind.NODE_RECORD, namespace=key.namespace, body=manifest)
        except (AlreadyExists, Rejected) as error:
            # Quotas and policies are asked before names: it may stand already.
            try:
                found = await standing(self._cluster, Kind.NODE_RECORD, key, name)
            except NotFound:
                raise error from None
            return await self._offload(record_fact, found)
        return None

    async def _put_inputs(self, key: Key, manifest: Obj) -> None:
        found = await self._put_record(key, manifest)
        if found is not None and found.payload.digest != manifest["spec"]["digest"]:
            text = f"NodeRecord {found.name} exists with another digest; delete it"
            raise Foreign(text, code=409)

    async def _delete_run(self, key: Key, observed: Observed) -> None:
        try:
            await self._cluster.delete(
                Kind.AGENT_WORKFLOW,
                namespace=key.namespace,
                name=key.name,
                uid=key.uid,
                resource_version=observed.resource_version,
            )
        except NotFound:
            self._store.drop_run(key.uid)


def _as_refusal(action: After, error: Exception) -> Exception:
    if isinstance(error, Rejected) and not isinstance(error, RefusedForNow):
        return ActionRefused(f"{type(action).__name__}: {error.message}", code=error.code)
    return error


def _same_place(found: RecordFact, wanted: RecordFact) -> bool:
    places = [(f.type, f.run_uid, f.path, f.round, f.attempt) for f in (found, wanted)]
    return places[0] == places[1]
