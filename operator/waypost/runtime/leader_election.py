"""Who works: the one operator process that holds the Lease, while the others stand by.

Nothing but economy rests on it. Two processes at once do no harm, for the conditional write of a
run's status is the fence; they would only waste requests. So the lease may be short, and a
standby, whose cache is warm, goes on within seconds of a crash.

Time is each process's own: a standby counts from when it saw the last renewal, the leader from
when it sent the last one that was taken. No two clocks are ever compared.
"""

import asyncio
import contextlib
import logging
from dataclasses import dataclass
from datetime import datetime
from math import inf
from typing import Any, Final, Protocol

from waypost.kube.objects import section, text
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
)

LONGEST_SECONDS: Final = 60  # however long somebody else's Lease says that it lasts

log = logging.getLogger(__name__)


class Leadership(Protocol):
    """Whether this process is the one that works."""

    @property
    def leading(self) -> bool:
        """A pass may be started now. Never true again after `hold` has returned, until
        `acquire` has. Cheap."""
        ...

    @property
    def grace(self) -> float:
        """Seconds that a pass under way has left once the lead is lost."""
        ...

    async def acquire(self) -> None:
        """Stand by; return once this process leads."""
        ...

    async def hold(self) -> None:
        """Keep the lead; return as soon as it is lost."""
        ...

    async def release(self) -> None:
        """Let another process lead at once. Nothing may be under way any more."""
        ...


class NoElection:
    """A process that leads because there is no other."""

    leading = True
    grace = 0.0

    async def acquire(self) -> None:
        return

    async def hold(self) -> None:
        await asyncio.Event().wait()

    async def release(self) -> None:
        return


@dataclass(frozen=True)
class LeaseSettings:
    """Where the Lease is, who we are, and how long it lasts without being renewed."""

    namespace: str
    name: str
    identity: str  # of this process: one that is started again must not take itself for the old
    seconds: int = 3

    @property
    def deadline(self) -> float:
        """How long after a renewal was sent its sender leads."""
        return self.seconds * 0.75

    @property
    def renew_every(self) -> float:
        return self.seconds * 0.25

    @property
    def look_every(self) -> float:
        return self.seconds * 0.125

    @property
    def patience(self) -> float:
        """With one request; so that a renewal that is lost can be tried again in time."""
        return self.seconds * 0.375


class Lease:
    """`Leadership` by a coordination.k8s.io Lease, as client-go does it."""

    def __init__(self, *, cluster: Cluster, clock: Clock, settings: LeaseSettings) -> None:
        self._cluster = cluster
        self._clock = clock
        self._settings = settings
        self._until = -inf  # monotonic
        self._version: str | None = None  # of the Lease that may be written; None: look first
        self._spec: Obj = {}  # as it was seen last
        self._seen_at = -inf
        self._trouble = ""

    @property
    def leading(self) -> bool:
        return self._clock.monotonic() < self._until

    @property
    def grace(self) -> float:
        return self._settings.seconds - self._settings.deadline

    async def acquire(self) -> None:
        while not self.leading:
            await self._round()
            if not self.leading:
                await asyncio.sleep(self._settings.look_every)
        log.info("this process leads", extra={"lease": self._settings.name})

    async def hold(self) -> None:
        while (left := self._until - self._clock.monotonic()) > 0:
            until = self._until
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(left):
                    await asyncio.sleep(self._pause())
                    await self._round()
            if self._clock.monotonic() >= until:
                break  # a renewal that comes so late does not count: passes were refused
        self._until = -inf
        self._version = None
        log.warning("this process leads no more", extra={"lease": self._settings.name})

    def _pause(self) -> float:
        """Until the next renewal. Counted from when the last was sent: with a slow API server
        renewals follow each other closely, and are still in time."""
        sent = self._until - self._settings.deadline
        left = sent + self._settings.renew_every - self._clock.monotonic()
        return max(left, 0.0 if self._version else self._settings.look_every)

    async def release(self) -> None:
        self._until = -inf
        if self._holder() != self._settings.identity:
            return
        try:
            async with asyncio.timeout(self._settings.patience):
                while not await self._released():
                    self._version = None  # a renewal was still on its way
        except (ClusterError, TimeoutError) as error:
            log.warning("the Lease was not released and will expire: %s", _words(error))

    async def _released(self) -> bool:
        """One try; False when the Lease has changed meanwhile."""
        if self._version is None and await self._taken():
            return True
        if self._version is None or self._holder() != self._settings.identity:
            return True
        free = {**self._spec, "leaseDurationSeconds": 1, "renewTime": _micro(self._clock.now())}
        del free["holderIdentity"]
        try:
            await self._patch(self._version, free)
        except Conflict:
            return False
        return True

    async def _round(self) -> None:
        """Look if need be, and take or renew the Lease if it may be had."""
        try:
            async with asyncio.timeout(self._settings.patience):
                if self._version is None and await self._taken():
                    return
                await self._claim()
        except (Conflict, AlreadyExists):
            self._version = None  # somebody was faster: look again
        except (ClusterError, TimeoutError) as error:
            self._version = None  # the write may have been made
            self._complain(_words(error))
        else:
            self._trouble = ""

    def _complain(self, trouble: str) -> None:
        if trouble != self._trouble:  # once, and not twice a second
            log.warning("the Lease cannot be had or renewed: %s", trouble)
        self._trouble = trouble

    async def _taken(self) -> bool:
        """Read the Lease; whether another process holds it."""
        try:
            found = await self._cluster.get(
                Kind.LEASE, namespace=self._settings.namespace, name=self._settings.name
            )
        except NotFound:
            self._spec = {}
            return False
        spec = section(found, "spec")
        if spec != self._spec:
            self._spec, self._seen_at = spec, self._clock.monotonic()
        holder = self._holder()
        if holder in ("", self._settings.identity) or self._expired():
            self._version = text(section(found, "metadata"), "resourceVersion")
            return False
        self._until = -inf
        return True

    def _expired(self) -> bool:
        stated = self._spec.get("leaseDurationSeconds")
        seconds = stated if isinstance(stated, int) else self._settings.seconds
        return self._clock.monotonic() >= self._seen_at + min(seconds, LONGEST_SECONDS)

    async def _claim(self) -> None:
        sent, now = self._clock.monotonic(), _micro(self._clock.now())
        renewal = self._holder() == self._settings.identity
        changes = self._spec.get("leaseTransitions") or 0
        spec = {
            "holderIdentity": self._settings.identity,
            "leaseDurationSeconds": self._settings.seconds,
            "acquireTime": self._spec.get("acquireTime", now) if renewal else now,
            "renewTime": now,
            "leaseTransitions": changes + (1 if self._spec and not renewal else 0),
        }
        if self._version is None:
            landed = await self._create(spec)
        else:
            landed = await self._patch(self._version, spec)
        self._version = text(section(landed, "metadata"), "resourceVersion")
        self._spec, self._seen_at = spec, sent
        self._until = sent + self._settings.deadline

    async def _create(self, spec: Obj) -> Obj:
        body = {
            "apiVersion": Kind.LEASE.api_version,
            "kind": Kind.LEASE.kind,
            "metadata": {"name": self._settings.name},
            "spec": spec,
        }
        return await self._cluster.create(Kind.LEASE, namespace=self._settings.namespace, body=body)

    async def _patch(self, version: str, spec: Obj) -> Obj:
        operations: list[dict[str, Any]] = [
            {"op": "replace", "path": "/metadata/resourceVersion", "value": version},
            {"op": "add", "path": "/spec", "value": spec},
        ]
        return await self._cluster.patch(
            Kind.LEASE,
            namespace=self._settings.namespace,
            name=self._settings.name,
            body=operations,
            patch_type=PatchType.JSON,
        )

    def _holder(self) -> str:
        return text(self._spec, "holderIdentity")


def _micro(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _words(error: Exception) -> str:
    return getattr(error, "message", "") or type(error).__name__
