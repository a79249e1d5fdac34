"""Carry out a decision: each action is idempotent, so a pass that broke off is simply repeated.

Creates are guarded by a fence: they go out only within ten seconds (monotonic) of the status
write, or the live read, that entitles to them. A process that was frozen in between finds its
fence expired and creates nothing (A3).
"""

import asyncio
import logging
from collections.abc import Iterable
from typing import Final

from waypost.api import meta
from waypost.engine.state.decision import (
    After,
    Before,
    DeleteRun,
    Launch,
    OpenApproval,
    PutRecord,
    ReleasePod,
    SettleApproval,
    StopAttempt,
)
from waypost.engine.state.observed import Observed
from waypost.kube import approvals, jobs, objects, pods
from waypost.kube.jobs import LaunchProblem
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
    QuotaExceeded,
    Rejected,
)
from waypost.runtime.cache.runs import Key, RunCache, version_of
from waypost.runtime.writes.status_patch import status_patch

FENCE_SECONDS: Final = 10.0
_OTHER_UID: Final = 422  # what a pod patch with the uid of another pod of that name gives

log = logging.getLogger(__name__)


class FenceExpired(Exception):
    """Too long since the write that entitled to a create: observe again."""


class Foreign(ClusterError):
    """A child's name is taken by an object that is not this run's."""


class ActionExecutor:
    """The hands of one operator."""

    def __init__(self, *, cluster: Cluster, store: RunCache, clock: Clock) -> None:
        self._cluster = cluster
        self._store = store
        self._clock = clock

    async def prepare(self, key: Key, actions: Iterable[Before]) -> bool:
        """Do what must stand before the run's status is written. True when an Approval was
        settled, so that the run should be looked at again. Raises ClusterError."""
        settled = False
        for action in actions:
            match action:
                case PutRecord():
                    await self._put_record(key, action.manifest)
                case SettleApproval():
                    await self._settle_approval(key, action)
                    settled = True
        return settled

    async def carry_out(
        self, key: Key, observed: Observed, actions: Iterable[After], *, fence: float
    ) -> None:
        """Do what follows from the status. Every action is tried; the first failure that is worth
        a retry is raised at the end, so that one bad child does not hold up its siblings."""
        failure: Exception | None = None
        for action in actions:
            try:
                await self._one(key, observed, action, fence)
            except (ClusterError, FenceExpired, TimeoutError) as error:
                failure = failure or error
        if failure is not None:
            raise failure

    async def release(self, key: Key, *, name: str, uid: str) -> None:
        """Take the result finalizer off a pod; a pod that is gone is fine."""
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
                await self._fenced(fence, self._launch(key, action))
            case OpenApproval():
                await self._fenced(fence, self._open_approval(key, action))
            case StopAttempt():
                await self._stop(key, action)
            case ReleasePod():
                await self.release(key, name=action.name, uid=action.uid)
            case DeleteRun():
                await self._delete_run(key, observed)

    async def _fenced(self, fence: float, creating) -> None:  # type: ignore[no-untyped-def]
        left = fence + FENCE_SECONDS - self._clock.monotonic()
        if left <= 0:
            creating.close()
            raise FenceExpired
        # Also bounds the wait for a write permit: a create never leaves after its fence.
        async with asyncio.timeout(left):
            await creating

    async def _launch(self, key: Key, action: Launch) -> None:
        entry = self._store.entry(key.uid)
        name = action.job["metadata"]["name"]
        try:
            if action.config_map is not None:
                await self._create_child(Kind.CONFIG_MAP, key, action.config_map)
            if action.input_record is not None:
                await self._put_record(key, action.input_record)
            job = await self._create_child(Kind.JOB, key, action.job)
        except (Rejected, Foreign) as error:
            log.warning("the Job was refused: %s", error.message, extra=_about(key, action))
            self._note_refusal(key, name, error)
            return
        entry.launches.pop(name, None)
        fact = jobs.job_fact(job)
        if fact is not None:
            entry.jobs[name] = fact

    async def _create_child(self, kind: Kind, key: Key, body: Obj) -> Obj:
        """Create; a name that is taken is success if the object is ours, of the same request."""
        try:
            return await self._cluster.create(kind, namespace=key.namespace, body=body)
        except AlreadyExists:
            name = body["metadata"]["name"]
            found = await self._cluster.get(kind, namespace=key.namespace, name=name)
        mine = _identity(body)
        if objects.controller_uid(found) == key.uid and _identity(found) == mine:
            return found
        text = f"{kind.kind} {name} exists and is not this attempt's; delete or rename it"
        raise Foreign(text, code=409, reason="AlreadyExists")

    async def _open_approval(self, key: Key, action: OpenApproval) -> None:
        try:
            body = await self._cluster.create(
                Kind.APPROVAL, namespace=key.namespace, body=action.manifest
            )
        except AlreadyExists:
            name = action.manifest["metadata"]["name"]
            body = await self._cluster.get(Kind.APPROVAL, namespace=key.namespace, name=name)
        except Rejected as error:
            self._note_refusal(key, action.manifest["metadata"]["name"], error)
            return
        self._keep_approval(key, body)

    def _note_refusal(self, key: Key, name: str, error: Rejected | Foreign) -> None:
        """Keep why a child was refused, for the next pass to decide on. Raises the error again
        if it may pass by itself."""
        permanent = not isinstance(error, QuotaExceeded)
        problem = LaunchProblem(message=error.message, permanent=permanent)
        self._store.entry(key.uid).launches[name] = problem
        if not permanent:
            raise error

    def _keep_approval(self, key: Key, body: Obj) -> None:
        fact = approvals.approval_fact(body)
        if fact is not None:
            self._store.put_approval(fact, key.uid, version_of(body))

    async def _settle_approval(self, key: Key, action: SettleApproval) -> None:
        body = await self._cluster.patch(
            Kind.APPROVAL,
            namespace=key.namespace,
            name=action.name,
            body=status_patch(
                body={}, resource_version=action.resource_version, status=action.status
            ),
            patch_type=PatchType.JSON,
            subresource="status",
        )
        self._keep_approval(key, body)

    async def _put_record(self, key: Key, manifest: Obj) -> None:
        try:
            await self._cluster.create(Kind.NODE_RECORD, namespace=key.namespace, body=manifest)
        except AlreadyExists:
            name = manifest["metadata"]["name"]
            found = await self._cluster.get(Kind.NODE_RECORD, namespace=key.namespace, name=name)
            wanted = manifest["spec"]["digest"]
            if objects.section(found, "spec").get("digest") != wanted:
                text = f"NodeRecord {name} exists with another digest; delete it"
                raise Foreign(text, code=409) from None

    async def _stop(self, key: Key, action: StopAttempt) -> None:
        try:
            await self._cluster.patch(
                Kind.JOB,
                namespace=key.namespace,
                name=action.job,
                body={"spec": {"suspend": True}},
                patch_type=PatchType.MERGE,
            )
        except NotFound:
            for pod in action.pods:
                await self._delete_pod(key, pod.name, pod.uid)

    async def _delete_pod(self, key: Key, name: str, uid: str) -> None:
        try:
            await self._cluster.delete(Kind.POD, namespace=key.namespace, name=name, uid=uid)
        except (NotFound, Conflict):
            log.debug("pod %s is gone already", name)

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


def _identity(body: Obj) -> str:
    notes = objects.section(body, "metadata", "annotations")
    return objects.text(notes, meta.ANNOTATION_REQUEST_DIGEST)


def _about(key: Key, action: Launch) -> dict[str, object]:
    return {
        "run": key.name,
        "namespace": key.namespace,
        "node": action.path,
        "attempt": action.attempt,
    }
