"""Leader election: the operator process that holds the Lease works, the others are on standby.

Safety does not depend on it: two leaders would only duplicate requests, for the conditional write
of a run's status is the fence. So the lease may be short, and a standby, whose cache is complete,
takes over within seconds of a crash.

Clocks of two processes are never compared: a standby counts from when it saw the last renewal,
the leader from when it sent the last renewal that succeeded.
"""

import asyncio
import contextlib
import logging
from dataclasses import dataclass
from datetime import datetime
from math import inf
from typing import Any, Final, Protocol

from waypost.kube.objects import section, text
from waypost.kube.timestamps import parse_timestamp
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
    failure_text,
)

LONGEST_SECONDS: Final = 60  # a Lease of another process may state a longer duration

log = logging.getLogger(__name__)


class Leadership(Protocol):
    """Whether this process is the leader."""

    @property
    def leading(self) -> bool:
        """Whether a pass may be started now. False from the return of `hold` to that of `acquire`.

        Cheap enough to ask before every pass.
        """
        ...

    @property
    def grace(self) -> float:
        """Seconds that a running pass may still take once the lead is lost."""
        ...

    @property
    def silent_since(self) -> datetime | None:
        """When the leader before this one renewed its Lease for the last time; None if there was
        none, or it released the Lease. Known from the return of `acquire`."""
        ...

    async def acquire(self) -> None:
        """Wait on standby; return once this process leads."""
        ...

    async def hold(self) -> None:
        """Keep the lead; return as soon as it is lost."""
        ...

    async def release(self) -> None:
        """Let another process lead at once. Call it only when no pass is running."""
        ...


class NoElection:
    """Leads always; for an installation with one operator process."""

    leading = True
    grace = 0.0
    silent_since = None

    async def acquire(self) -> None:
        return

    async def hold(self) -> None:
        await asyncio.Event().wait()

    async def release(self) -> None:
        return


@dataclass(frozen=True)
class LeaseSettings:
    """Where the Lease is, who this process is, and how long the Lease lasts without a renewal."""

    namespace: str
    name: str
    identity: str  # of this process: a restarted one needs another
    seconds: int = 3

    @property
    def deadline(self) -> float:
        """Seconds after it sent a renewal for which a process leads."""
        return self.seconds * 0.75

    @property
    def renew_every(self) -> float:
        return self.seconds * 0.25

    @property
    def look_every(self) -> float:
        return self.seconds * 0.125

    @property
    def patience(self) -> float:
        """Seconds for one request, short enough to repeat a failed renewal in time."""
        return self.seconds * 0.375


class Lease:
    """`Leadership` by a coordination.k8s.io/v1 Lease, with the protocol of client-go."""

    def __init__(self, *, cluster: Cluster, clock: Clock, settings: LeaseSettings) -> None:
        self._cluster = cluster
        self._clock = clock
        self._settings = settings
        self._until = -inf  # monotonic
        self._version: str | None = (
            None  # resourceVersion to write with; None: read the Lease first
        )
        self._spec: Obj = {}  # as last read
        self._seen_at = -inf
        self._trouble = ""
        self.silent_since: datetime | None = None

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
                break  # a renewal after its deadline does not count: passes were refused
        self._until = -inf
        self._version = None
        log.warning("this process no longer leads", extra={"lease": self._settings.name})

    def _pause(self) -> float:
        """Seconds until the next renewal.

        Counted from when the last one was sent, so that they are in time with a slow API server.
        """
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
                    self._version = None  # a renewal was still in flight
        except (ClusterError, TimeoutError) as error:
            log.warning("the Lease was not released and will expire: %s", failure_text(error))

    async def _released(self) -> bool:
        """Try to release once; False when the Lease has changed meanwhile."""
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
        """Read the Lease if necessary, and acquire or renew it if it is free or ours."""
        try:
            async with asyncio.timeout(self._settings.patience):
                if self._version is None and await self._taken():
                    return
                await self._claim()
        except (Conflict, AlreadyExists):
            self._version = None  # another process was faster: read again
        except (ClusterError, TimeoutError) as error:
            self._version = None  # the write may have happened
            self._complain(failure_text(error))
        else:
            self._trouble = ""

    def _complain(self, trouble: str) -> None:
        if trouble != self._trouble:  # log it once, not with every try
            log.warning("the Lease cannot be acquired or renewed: %s", trouble)
        self._trouble = trouble

    async def _taken(self) -> bool:
        """Read the Lease; True when another process holds it."""
        try:
            lease = await self._cluster.get(
                Kind.LEASE, namespace=self._settings.namespace, name=self._settings.name
            )
        except NotFound:
            self._spec = {}
            return False
        spec = section(lease, "spec")
        if spec != self._spec:
            self._spec, self._seen_at = spec, self._clock.monotonic()
        holder = self._holder()
        if holder in ("", self._settings.identity) or self._expired():
            self._version = text(section(lease, "metadata"), "resourceVersion")
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
        if not renewal:
            last = text(self._spec, "renewTime") if self._holder() else ""
            self.silent_since = parse_timestamp(last)
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
