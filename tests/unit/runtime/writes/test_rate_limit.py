"""The write limit: a rate over time, fair between lanes, quiet when the API server asks."""

import asyncio
from typing import Any

import pytest
from waypost.ports.cluster import Busy, Cluster, Kind, Listing, NotFound, Obj, PatchType
from waypost.runtime.writes.rate_limit import (
    CREATES,
    LONGEST_PAUSE,
    RateLimitedCluster,
    TokenBucket,
)

from tests.fakes.clock import ManualClock, VirtualClock

pytestmark = pytest.mark.looptime


class Noted:
    """A Cluster that answers at once and notes what arrives, and when."""

    def __init__(self, clock: VirtualClock) -> None:
        self.clock = clock
        self.arrived: list[tuple[str, float]] = []
        self.errors: list[Exception] = []

    def note(self, what: str) -> None:
        self.arrived.append((what, round(self.clock.monotonic(), 3)))
        if self.errors:
            raise self.errors.pop(0)

    @property
    def names(self) -> list[str]:
        return [what for what, _ in self.arrived]

    async def get(self, kind: Kind, *, namespace: str | None, name: str) -> Obj:
        self.note(f"get {name}")
        return {}

    async def list(self, kind: Kind, **selection: Any) -> Listing:
        self.note("list")
        return Listing((), "1")

    async def create(self, kind: Kind, *, namespace: str, body: Obj) -> Obj:
        self.note(f"create {body['name']}")
        return body

    async def patch(self, kind: Kind, *, name: str, **rest: Any) -> Obj:
        self.note(f"patch {name}")
        return {"rest": rest}

    async def delete(self, kind: Kind, *, name: str, **rest: Any) -> None:
        self.note(f"delete {name}")

    async def read_log(self, *, pod: str, **rest: Any) -> bytes:
        self.note(f"log {pod}")
        return b"text"


def make(*, qps: float = 10, burst: int = 2) -> tuple[RateLimitedCluster, Noted]:
    clock = VirtualClock()
    noted = Noted(clock)
    bucket = TokenBucket(qps=qps, burst=burst, monotonic=clock.monotonic)
    return RateLimitedCluster(cluster=noted, bucket=bucket), noted


async def create(cluster: Cluster, name: str) -> None:
    await cluster.create(Kind.JOB, namespace="default", body={"name": name})


async def patch(cluster: Cluster, name: str) -> Obj:
    return await cluster.patch(
        Kind.POD, namespace="default", name=name, body={}, patch_type=PatchType.MERGE
    )


async def delete(cluster: Cluster, name: str) -> None:
    await cluster.delete(Kind.POD, namespace="default", name=name)


async def test_a_burst_at_once_and_then_the_rate() -> None:
    cluster, noted = make()
    await asyncio.gather(*(create(cluster, str(n)) for n in range(5)))
    assert [at for _, at in noted.arrived] == pytest.approx([0, 0, 0.1, 0.2, 0.3])
    assert noted.names == [f"create {n}" for n in range(5)], "first come, first served"


async def test_permits_grow_back_up_to_the_burst() -> None:
    cluster, noted = make()
    await asyncio.gather(*(create(cluster, str(n)) for n in range(2)))
    await asyncio.sleep(100)
    noted.arrived.clear()
    await asyncio.gather(*(create(cluster, str(n)) for n in range(4)))
    assert [at for _, at in noted.arrived] == pytest.approx([100, 100, 100.1, 100.2])


async def test_reads_do_not_wait() -> None:
    cluster, noted = make(qps=0.01, burst=1)
    await create(cluster, "a")
    await cluster.get(Kind.JOB, namespace="default", name="a")
    await cluster.list(Kind.JOB, namespace="default")
    await cluster.read_log(
        namespace="default", pod="p", container="node", tail_lines=1, limit_bytes=9
    )
    assert {at for _, at in noted.arrived} == {0}


async def test_every_write_needs_a_permit() -> None:
    cluster, noted = make(qps=1, burst=1)
    await create(cluster, "a")
    await patch(cluster, "b")
    await delete(cluster, "c")
    assert noted.arrived == [("create a", 0), ("patch b", 1), ("delete c", 2)]


async def test_checkpoints_and_releases_do_not_queue_behind_creates() -> None:
    cluster, noted = make(qps=1, burst=1)
    creates = [asyncio.create_task(create(cluster, str(n))) for n in range(6)]
    await asyncio.sleep(0.5)
    await asyncio.gather(patch(cluster, "checkpoint"), delete(cluster, "pod"))
    await asyncio.gather(*creates)
    assert [name for name in noted.names if not name.startswith("create")] == [
        "patch checkpoint",
        "delete pod",
    ]
    assert noted.names.index("patch checkpoint") <= 2
    assert noted.names.index("delete pod") <= 4


async def test_creates_do_not_starve_either() -> None:
    cluster, noted = make(qps=1, burst=1)
    patches = [asyncio.create_task(patch(cluster, str(n))) for n in range(6)]
    await asyncio.sleep(0.5)
    await asyncio.gather(create(cluster, "a"), create(cluster, "b"))
    await asyncio.gather(*patches)
    reason = "the fence of a create runs out after ten seconds"
    assert noted.names.index("create a") <= 2, reason
    assert noted.names.index("create b") <= 4, reason


async def test_waiting_writers_are_counted() -> None:
    clock = VirtualClock()
    bucket = TokenBucket(qps=1, burst=1, monotonic=clock.monotonic)
    cluster = RateLimitedCluster(cluster=Noted(clock), bucket=bucket)
    tasks = [asyncio.create_task(create(cluster, str(n))) for n in range(4)]
    await asyncio.sleep(0.5)
    assert bucket.waiting == 3
    await asyncio.gather(*tasks)
    assert bucket.waiting == 0


async def test_busy_pauses_every_write_for_as_long_as_the_server_asks() -> None:
    cluster, noted = make(qps=10, burst=5)
    noted.errors.append(Busy("slow down", retry_after=7))
    with pytest.raises(Busy):
        await create(cluster, "a")
    await asyncio.gather(patch(cluster, "b"), create(cluster, "c"))
    assert [at for _, at in noted.arrived] == pytest.approx([0, 7.1, 7.2]), "and no burst after it"


@pytest.mark.parametrize("write", [create, patch, delete])
async def test_busy_counts_on_each_kind_of_write(write: Any) -> None:
    cluster, noted = make(qps=10, burst=5)
    noted.errors.append(Busy("slow down", retry_after=3))
    with pytest.raises(Busy):
        await write(cluster, "a")
    await create(cluster, "b")
    assert noted.arrived[-1][1] == pytest.approx(3.1)


async def test_a_second_busy_does_not_shorten_the_pause() -> None:
    clock = VirtualClock()
    bucket = TokenBucket(qps=10, burst=5, monotonic=clock.monotonic)
    bucket.pause(9)
    bucket.pause(1)
    await bucket.permit(lane=0)
    assert clock.monotonic() == pytest.approx(9.1)


async def test_a_pause_has_an_end_whatever_the_server_says() -> None:
    cluster, noted = make()
    noted.errors.append(Busy("slow down", retry_after=1e9))
    with pytest.raises(Busy):
        await create(cluster, "a")
    await create(cluster, "b")
    assert noted.arrived[-1][1] == pytest.approx(LONGEST_PAUSE + 0.1)


async def test_other_errors_pass_and_pause_nothing() -> None:
    cluster, noted = make(burst=5)
    noted.errors.append(NotFound("gone"))
    with pytest.raises(NotFound):
        await patch(cluster, "a")
    await patch(cluster, "b")
    assert noted.arrived == [("patch a", 0), ("patch b", 0)]


async def test_who_gives_up_waiting_uses_no_permit() -> None:
    cluster, noted = make(qps=1, burst=1)
    await create(cluster, "first")
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.5):
            await create(cluster, "impatient")
    await create(cluster, "second")
    assert noted.arrived == [("create first", 0), ("create second", 1)]


async def three(bucket: TokenBucket) -> list[asyncio.Task[None]]:
    """Three writers that wait, in order; the one permit there was is used up."""
    await bucket.permit(lane=0)
    tasks = [asyncio.create_task(bucket.permit(lane=0)) for _ in range(3)]
    await asyncio.sleep(0)
    return tasks


async def finished(tasks: list[asyncio.Task[None]]) -> list[bool]:
    """Which of them have a permit, once all that can run has run."""
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    done = [task.done() and not task.cancelled() for task in tasks]
    for task in tasks:
        task.cancel()
    return done


@pytest.mark.looptime(False)  # here the clock is moved by hand, between two steps of a task
async def test_a_permit_granted_in_the_moment_of_cancellation_goes_to_the_next() -> None:
    clock = ManualClock()
    bucket = TokenBucket(qps=1, burst=1, monotonic=clock.monotonic)
    tasks = await three(bucket)
    clock.advance(1)
    bucket._grant()
    tasks[0].cancel()  # it has its permit and does not know yet
    assert await finished(tasks) == [False, True, False]


@pytest.mark.looptime(False)
async def test_a_writer_cancelled_in_the_moment_of_a_permit_uses_none() -> None:
    clock = ManualClock()
    bucket = TokenBucket(qps=1, burst=1, monotonic=clock.monotonic)
    tasks = await three(bucket)
    clock.advance(1)
    tasks[0].cancel()  # it does not know yet and still stands in the lane
    bucket._grant()
    assert await finished(tasks) == [False, True, False]


@pytest.mark.looptime(False)
async def test_nobody_overtakes_those_who_wait() -> None:
    clock = ManualClock()
    bucket = TokenBucket(qps=1, burst=1, monotonic=clock.monotonic)
    tasks = await three(bucket)
    clock.advance(1)  # there is a permit, and the timer has not rung
    tasks.append(asyncio.create_task(bucket.permit(lane=1)))
    await asyncio.sleep(0)
    assert await finished(tasks) == [False] * 4


async def test_arguments_and_answers_pass_through() -> None:
    cluster, _ = make()
    answer = await cluster.patch(
        Kind.AGENT_WORKFLOW,
        namespace="ns",
        name="run",
        body=[{"op": "test"}],
        patch_type=PatchType.JSON,
        subresource="status",
    )
    assert answer["rest"] == {
        "namespace": "ns",
        "body": [{"op": "test"}],
        "patch_type": PatchType.JSON,
        "subresource": "status",
    }


async def test_s556_a_busy_namespace_does_not_delay_the_writes_of_others() -> None:
    clock = VirtualClock()
    bucket = TokenBucket(qps=1.0, burst=1, monotonic=clock.monotonic)
    await bucket.permit(lane=CREATES, group="busy")
    waiting = [asyncio.create_task(bucket.permit(lane=CREATES, group="busy")) for _ in range(50)]
    await asyncio.sleep(0)
    other = asyncio.create_task(bucket.permit(lane=CREATES, group="other"))
    await asyncio.sleep(2.5)
    assert other.done(), "the second permit is that of the other namespace"
    for task in waiting:
        task.cancel()
    await asyncio.gather(*waiting, return_exceptions=True)
