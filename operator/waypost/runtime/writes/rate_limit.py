"""A limit on writes to the API server, so that one operator cannot crowd out everybody else.

A token bucket in front of a Cluster; reads pass. Creates and all other writes wait in two lanes
that take turns: a thousand Jobs to create hold up neither checkpoints nor releases of pods, and
those do not hold up the creates whose fence is running out. Within a lane: first come, first
served.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from waypost.ports.cluster import Busy, Cluster, Kind, Listing, Obj, PatchType

CREATES: Final = 0  # lanes of a Bucket
UPDATES: Final = 1
LONGEST_PAUSE: Final = 30.0  # seconds; however long the API server asks us to stay away

Lane = deque[asyncio.Future[None]]


class TokenBucket:
    """`burst` permits at once, `qps` a second over time.

    Lives on one event loop, whose time `monotonic` must follow.
    """

    def __init__(self, *, qps: float, burst: int, monotonic: Callable[[], float]) -> None:
        self._qps = qps
        self._burst = float(max(burst, 1))
        self._monotonic = monotonic
        self._permits = self._burst
        self._counted_at = monotonic()
        self._lanes: tuple[Lane, Lane] = (deque(), deque())
        self._turn = 0
        self._alarm: asyncio.TimerHandle | None = None

    @property
    def waiting(self) -> int:
        """Writers that wait for a permit."""
        return sum(len(lane) for lane in self._lanes)

    async def permit(self, *, lane: int) -> None:
        """Wait for a permit. One that is cancelled while it waits uses none up."""
        if not self.waiting and self._take():
            return
        place: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._lanes[lane].append(place)
        self._set_alarm()
        try:
            await place
        except asyncio.CancelledError:
            if not place.cancelled():  # granted in the same moment: give it back
                self._permits = min(self._permits + 1, self._burst)
                self._grant()
            elif place in self._lanes[lane]:
                self._lanes[lane].remove(place)
            raise

    def pause(self, seconds: float) -> None:
        """No permits for so long, and no burst right afterwards."""
        now = self._monotonic()
        self._count(now)
        self._permits = min(self._permits, 0.0)
        self._counted_at = max(self._counted_at, now + min(seconds, LONGEST_PAUSE))
        self._set_alarm()

    def _count(self, now: float) -> None:
        """Add what has grown since; during a pause `_counted_at` lies ahead and nothing grows."""
        if now > self._counted_at:
            grown = self._permits + (now - self._counted_at) * self._qps
            self._permits = min(grown, self._burst)
            self._counted_at = now

    def _take(self) -> bool:
        self._count(self._monotonic())
        # The slack is far below one permit: without it a timer that rings a rounding error
        # early would ring once more for nothing.
        if self._permits < 1 - 1e-6:
            return False
        self._permits -= 1
        return True

    def _ring(self) -> None:
        self._alarm = None
        self._grant()

    def _grant(self) -> None:
        while self.waiting and self._take():
            place = self._next()
            if place.done():  # cancelled, and not yet out of the lane
                self._permits += 1
            else:
                place.set_result(None)
        self._set_alarm()

    def _next(self) -> asyncio.Future[None]:
        lane = self._turn if self._lanes[self._turn] else 1 - self._turn
        self._turn = 1 - lane
        return self._lanes[lane].popleft()

    def _set_alarm(self) -> None:
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None
        if self.waiting:
            pause = max(self._counted_at - self._monotonic(), 0.0)
            pause += max(1 - self._permits, 0.0) / self._qps
            self._alarm = asyncio.get_running_loop().call_later(pause, self._ring)


class RateLimitedCluster:
    """A Cluster whose writes wait for permits. A Busy answer pauses all writes for as long as
    the API server asks, and is raised to the caller: nothing is retried in here."""

    def __init__(self, *, cluster: Cluster, bucket: TokenBucket) -> None:
        self._cluster = cluster
        self._bucket = bucket

    async def get(self, kind: Kind, *, namespace: str | None, name: str) -> Obj:
        return await self._cluster.get(kind, namespace=namespace, name=name)

    async def list(
        self, kind: Kind, *, namespace: str | None = None, labels: str = "", fields: str = ""
    ) -> Listing:
        return await self._cluster.list(kind, namespace=namespace, labels=labels, fields=fields)

    async def create(self, kind: Kind, *, namespace: str, body: Obj) -> Obj:
        await self._bucket.permit(lane=CREATES)
        try:
            return await self._cluster.create(kind, namespace=namespace, body=body)
        except Busy as busy:
            self._bucket.pause(busy.retry_after)
            raise

    async def patch(
        self,
        kind: Kind,
        *,
        namespace: str,
        name: str,
        body: Mapping[str, Any] | Sequence[Mapping[str, Any]],
        patch_type: PatchType,
        subresource: str = "",
    ) -> Obj:
        await self._bucket.permit(lane=UPDATES)
        try:
            return await self._cluster.patch(
                kind,
                namespace=namespace,
                name=name,
                body=body,
                patch_type=patch_type,
                subresource=subresource,
            )
        except Busy as busy:
            self._bucket.pause(busy.retry_after)
            raise

    async def delete(
        self,
        kind: Kind,
        *,
        namespace: str,
        name: str,
        uid: str | None = None,
        resource_version: str | None = None,
        propagation: str = "Background",
    ) -> None:
        await self._bucket.permit(lane=UPDATES)
        try:
            await self._cluster.delete(
                kind,
                namespace=namespace,
                name=name,
                uid=uid,
                resource_version=resource_version,
                propagation=propagation,
            )
        except Busy as busy:
            self._bucket.pause(busy.retry_after)
            raise

    async def read_log(
        self, *, namespace: str, pod: str, container: str, tail_lines: int, limit_bytes: int
    ) -> str:
        return await self._cluster.read_log(
            namespace=namespace,
            pod=pod,
            container=container,
            tail_lines=tail_lines,
            limit_bytes=limit_bytes,
        )
