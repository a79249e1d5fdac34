"""The admission policy on Approvals in plays of strict mode: who removes it, what is judged."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from typing import Final

from waypost.kube.objects import items, section
from waypost.ports.cluster import ClusterError, Kind, Obj

from tests.simulation.focused.troubles import Trouble
from tests.support import guarding
from tests.support.harness import World

_SETTLED: Final = 15.0  # seconds after which operators count on a new policy
_PATIENCE: Final = 5.0  # seconds between looks at questions whose answers do not count


class GuardWatch:
    """Knows when the policy was changed, and whether it was in force (VQ4)."""

    def __init__(self) -> None:
        self._objects: dict[Kind, Obj] = {}
        self._epoch = 0
        self._asked: dict[str, int] = {}  # epoch by uid; those that were asked without it have none
        self._said: dict[str, int] = {}  # when the newest spec was written

    def changed(self, kind: Kind, change: str, body: Obj) -> None:
        """A change of the policy or its binding."""
        self._epoch += 1
        if change == "DELETED":
            self._objects.pop(kind, None)
        else:
            self._objects[kind] = body

    def approval(self, before: Obj | None, body: Obj) -> None:
        """A new state of an Approval."""
        uid = body["metadata"]["uid"]
        if before is None and self._holds():
            self._asked[uid] = self._epoch
        marked = section(body, "status").get("guard")
        if before is not None and marked != section(before, "status").get("guard"):
            self._asked.pop(uid, None)
            if self._holds() and not _has_answer(body):
                self._asked[uid] = self._epoch
        if before is None or before["spec"] != body["spec"]:
            self._said[uid] = self._epoch

    def recorded(self, body: Obj) -> Iterator[str]:
        """What is wrong with an answer that was recorded just now."""
        metadata, spec = body["metadata"], body["spec"]
        if section(body, "status").get("expired"):
            return
        uid, name = metadata["uid"], metadata["name"]
        if uid not in self._asked:
            yield f"{name} was asked without the policy, and its answer counts"
        elif self._asked[uid] != self._said[uid]:
            yield f"{name} was answered after the policy had changed, and the answer counts"
        if spec.get("decidedDigest") != spec["requestDigest"] or not spec.get("decidedBy"):
            yield f"{name} was answered without a name or a digest, and the answer counts"

    def _holds(self) -> bool:
        bound = self._objects.get(Kind.ADMISSION_BINDING)
        denies = bound is not None and bound["spec"]["validationActions"] == ["Deny"]
        return denies and Kind.ADMISSION_POLICY in self._objects


async def prepare(world: World) -> None:
    """Install the policy, long enough before the operators."""
    await guarding.install(world)
    await asyncio.sleep(_SETTLED)


async def unguard(world: World, trouble: Trouble) -> None:
    """The policy is removed, or only audits, and is back later."""
    if trouble.number % 2:
        await guarding.bind(world, "Audit")
        await asyncio.sleep(trouble.seconds)
        await guarding.bind(world, "Deny")
        return
    kind = guarding.KINDS[trouble.number // 2 % 2]
    stored = next(iter(world.all(kind)), None)
    await guarding.remove(world, kind)
    await asyncio.sleep(trouble.seconds)
    if stored is not None:
        body = guarding.policy() if kind is Kind.ADMISSION_POLICY else guarding.binding()
        await world.user.create(
            kind, namespace="", body={"apiVersion": kind.api_version, "kind": kind.kind, **body}
        )


async def have_asked_again(world: World, delete: Callable[[str], Awaitable[None]]) -> None:
    """A person deletes the questions whose answers do not count, so that they are asked again."""
    while True:
        await asyncio.sleep(_PATIENCE)
        for approval in world.all(Kind.APPROVAL):
            if section(approval, "status").get("state") in (None, "Open") and _doubted(approval):
                try:
                    await delete(approval["metadata"]["name"])
                except ClusterError:
                    continue


def _has_answer(approval: Obj) -> bool:
    return bool(approval["spec"].get("decision") or approval["spec"].get("votes"))


def _doubted(approval: Obj) -> bool:
    found = items(approval, "status", "conditions")
    return any((one["type"], one["status"]) == ("IdentityVerified", "False") for one in found)
