"""A rate limit on writes to the API server, so that the operator leaves room for other clients.

A token bucket in front of a Cluster; reads are not limited. Creates and other writes wait in two
lanes that take turns: a thousand creates of Jobs delay neither checkpoints nor releases of pods,
and those do not delay creates whose fence expires soon. In each lane namespaces take turns, and
each of them is first in, first out.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final

from waypost.ports.cluster import Busy, Cluster, Kind, Listing, Obj, PatchType
from waypost.runtime.fair import FairLane

CREATES: Final = 0  # lanes of a TokenBucket
UPDATES: Final = 1
LONGEST_PAUSE: Final = 30.0  # seconds; the API server may ask for a longer pause

Lane = FairLane[asyncio.Future[None]]


class TokenBucket:
    """`burst` permits at once, `qps` per second over time.

    Use it on one event loop only; `monotonic` returns that loop's time in seconds.
    """

    def __init__(self, *, qps: float, burst: int, monotonic: Callable[[], float]) -> None:
        self._qps = qps
        self._burst = float(max(burst, 1))
        self._monotonic = monotonic
        self._permits = self._burst
        self._counted_at = monotonic()
        self._lanes: tuple[Lane, Lane] = (FairLane(), FairLane())
        self._turn = 0
        self._alarm: asyncio.TimerHandle | None = None

    @property
    def waiting(self) -> int:
        """Writers that wait for a permit."""
        return sum(len(lane) for lane in self._lanes)

    async def permit(self, *, lane: int, group: str = "") -> None:
        """Wait for a permit in CREATES or UPDATES. A wait that is cancelled uses none.

        Args:
            lane: CREATES or UPDATES.
            group: The namespace of the object.
        """
        if not self.waiting and self._take():
            return
        place: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._lanes[lane].add(place, group)
        self._set_alarm()
        try:
            await place
        except asyncio.CancelledError:
            if not place.cancelled():  # granted at the same moment: return it
                self._permits = min(self._permits + 1, self._burst)
                self._grant()
            else:
                self._lanes[lane].remove(place, 0.0)
            raise

    def pause(self, seconds: float) -> None:
        """Grant no permits for some seconds, at most LONGEST_PAUSE, and no burst after that."""
        now = self._monotonic()
        self._count(now)
        self._permits = min(self._permits, 0.0)
        self._counted_at = max(self._counted_at, now + min(seconds, LONGEST_PAUSE))
        self._set_alarm()

    def _count(self, now: float) -> None:
        """Add the permits of the time that has passed; `_counted_at` is ahead during a pause."""
        if now > self._counted_at:
            grown = self._permits + (now - self._counted_at) * self._qps
            self._permits = min(grown, self._burst)
            self._counted_at = now

    def _take(self) -> bool:
        self._count(self._monotonic())
        # The slack is far below one permit. Without it, a timer that fires early by a rounding
        # error would have to fire twice.
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
        return self._lanes[lane].take()

    def _set_alarm(self) -> None:
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None
        if self.waiting:
            pause = max(self._counted_at - self._monotonic(), 0.0)
            pause += max(1 - self._permits, 0.0) / self._qps
            self._alarm = asyncio.get_running_loop().call_later(pause, self._ring)


class RateLimitedCluster:
    """A Cluster whose writes wait for permits.

    A Busy answer pauses all writes for as long as the API server asks, and is raised to the
    caller: nothing is retried here.
    """

    def __init__(self, *, cluster: Cluster, bucket: TokenBucket) -> None:
        self._cluster = cluster
        self._bucket = bucket

    @asynccontextmanager
    async def _permit(self, lane: int, namespace: str) -> AsyncIterator[None]:
        """Wait for a permit of the lane; a Busy answer of the body pauses all lanes."""
        await self._bucket.permit(lane=lane, group=namespace)
        try:
            yield
        except Busy as busy:
            self._bucket.pause(busy.retry_after)
            raise

    async def get(self, kind: Kind, *, namespace: str | None, name: str) -> Obj:
        return await self._cluster.get(kind, namespace=namespace, name=name)

    async def list(
        self,
        kind: Kind,
        *,
        namespace: str | None = None,
        labels: str = "",
        fields: str = "",
        metadata_only: bool = False,
        keep: Callable[[Obj], Obj] | None = None,
    ) -> Listing:
        return await self._cluster.list(
            kind,
            namespace=namespace,
            labels=labels,
            fields=fields,
            metadata_only=metadata_only,
            keep=keep,
        )

    async def create(self, kind: Kind, *, namespace: str, body: Obj) -> Obj:
        async with self._permit(CREATES, namespace):
            return await self._cluster.create(kind, namespace=namespace, body=body)

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
        async with self._permit(UPDATES, namespace):
            return await self._cluster.patch(
                kind,
                namespace=namespace,
                name=name,
                body=body,
                patch_type=patch_type,
                subresource=subresource,
            )

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
        async with self._permit(UPDATES, namespace):
            await self._cluster.delete(
                kind,
                namespace=namespace,
                name=name,
                uid=uid,
                resource_version=resource_version,
                propagation=propagation,
            )

    async def read_log(
        self, *, namespace: str, pod: str, container: str, tail_lines: int, limit_bytes: int
    ) -> bytes:
        return await self._cluster.read_log(
            namespace=namespace,
            pod=pod,
            container=container,
            tail_lines=tail_lines,
            limit_bytes=limit_bytes,
        )
