"""What the in-memory cluster has that a real one has not: prepared failures, a log, and a watch
whose troubles come from a seed. (What both have is in tests/contract.)"""

import asyncio
from typing import Any

import pytest
from waypost.ports.cluster import Busy, Conflict, Kind, NotFound, Obj, PatchType, Unavailable

from tests.contract.bodies import config_map
from tests.crds.manifests import workflow
from tests.fakes.api.watch import ROUGH, STALE, Delivery
from tests.fakes.clock import ManualClock, VirtualClock
from tests.fakes.cluster import InMemoryCluster
from tests.fakes.faults import Written

RUN = Kind.AGENT_WORKFLOW


def make(**options: Any) -> InMemoryCluster:
    return InMemoryCluster(clock=ManualClock(), **options)


class Seen:
    """A sink that notes (change, resourceVersion) by object."""

    def __init__(self) -> None:
        self.events: list[tuple[str, str | None, int]] = []

    def __call__(self, kind: Kind, change: str | None, raw: Obj) -> None:
        metadata = raw["metadata"]
        self.events.append((metadata["name"], change, int(metadata["resourceVersion"])))

    def changes(self, name: str = "sample") -> list[str | None]:
        return [change for seen, change, _ in self.events if seen == name]

    def versions(self, name: str = "sample") -> list[int]:
        return [version for seen, _, version in self.events if seen == name]


async def suspend(cluster: InMemoryCluster, value: bool, name: str = "sample") -> Obj:
    return await cluster.patch(
        RUN,
        namespace="default",
        name=name,
        body={"spec": {"suspend": value}},
        patch_type=PatchType.MERGE,
    )


async def test_bodies_are_copied_in_and_out() -> None:
    cluster = make()
    given = config_map()
    got = await cluster.create(Kind.CONFIG_MAP, namespace="default", body=given)
    given["data"]["a"] = got["data"]["a"] = "spoilt"
    listing = await cluster.list(Kind.CONFIG_MAP, namespace="default")
    listing.items[0]["data"]["a"] = "spoilt"
    read = await cluster.get(Kind.CONFIG_MAP, namespace="default", name="notes")
    read["data"]["a"] = "spoilt"
    found = await cluster.get(Kind.CONFIG_MAP, namespace="default", name="notes")
    assert found["data"] == {"a": "1"}


async def test_a_sink_cannot_spoil_what_is_stored_or_what_others_see() -> None:
    cluster = make()

    def spoil(kind: Kind, change: str | None, raw: Obj) -> None:
        raw["spec"].clear()

    cluster.subscribe(spoil)
    await cluster.create(RUN, namespace="default", body=workflow())
    assert (await cluster.get(RUN, namespace="default", name="sample"))["spec"]["nodes"]


async def test_one_seed_one_history() -> None:
    def uids(seed: int) -> list[str]:
        cluster = make(seed=seed)
        body = config_map()
        made = cluster.server.create(Kind.CONFIG_MAP, namespace="default", body=body, by="t")
        return [made["metadata"]["uid"]]

    assert uids(1) == uids(1) != uids(2)


async def test_a_failure_before_the_commit_leaves_nothing() -> None:
    cluster = make()
    cluster.fail_next("create", RUN, Unavailable("down"))
    with pytest.raises(Unavailable):
        await cluster.create(RUN, namespace="default", body=workflow())
    with pytest.raises(NotFound):
        await cluster.get(RUN, namespace="default", name="sample")
    assert (cluster.faults_left, cluster.log) == (0, [])


async def test_a_reply_lost_after_the_commit_leaves_the_write() -> None:
    cluster = make()
    cluster.fail_next("create", RUN, Unavailable("lost"), after_commit=True)
    with pytest.raises(Unavailable):
        await cluster.create(RUN, namespace="default", body=workflow())
    assert await cluster.get(RUN, namespace="default", name="sample")
    assert [w.result for w in cluster.log] == ["done"]


MATCHES = [
    pytest.param(("patch", RUN), 1, id="verb-and-kind"),
    pytest.param((None, None), 1, id="anything"),
    pytest.param(("write", RUN), 1, id="any-write"),
    pytest.param(("patch_status", RUN), 0, id="another-verb"),
    pytest.param(("patch", Kind.POD), 0, id="another-kind"),
]


@pytest.mark.parametrize(("what", "hit"), MATCHES)
async def test_which_requests_fail(what: tuple[str | None, Kind | None], hit: int) -> None:
    cluster = make()
    await cluster.create(RUN, namespace="default", body=workflow())
    cluster.fail_next(*what, Busy("slow"), user="ann")
    await suspend(cluster, True)
    assert cluster.faults_left == 1, "it was another user's request"
    patch = {"spec": {"suspend": False}}
    user = cluster.as_user("ann")
    try:
        await user.patch(
            RUN, namespace="default", name="sample", body=patch, patch_type=PatchType.MERGE
        )
    except Busy:
        assert hit
    assert cluster.faults_left == 1 - hit


async def test_failures_come_as_often_as_prepared() -> None:
    cluster = make()
    cluster.fail_next("list", None, Unavailable("down"), times=2)
    for _ in range(2):
        with pytest.raises(Unavailable):
            await cluster.list(RUN)
    assert (await cluster.list(RUN)).items == ()


async def test_writes_are_logged_with_their_user_and_how_they_ended() -> None:
    cluster = make()
    body = await cluster.as_user("ann").create(RUN, namespace="default", body=workflow())
    await suspend(cluster, True)
    await suspend(cluster, True)
    stale = {"op": "replace", "path": "/metadata/resourceVersion"}
    stale["value"] = body["metadata"]["resourceVersion"]
    with pytest.raises(Conflict):
        await cluster.patch(
            RUN, namespace="default", name="sample", body=[stale], patch_type=PatchType.JSON
        )
    reported = [(w.request.user, w.request.verb, w.result) for w in cluster.log]
    assert reported == [
        ("ann", "create", "done"),
        ("waypost-operator", "patch", "done"),
        ("waypost-operator", "patch", "unchanged"),
        ("waypost-operator", "patch", "Conflict"),
    ]
    assert len(cluster.writes()) == 1
    assert len(cluster.writes(user=None)) == 2


async def test_a_hook_can_crash_the_caller_between_commit_and_answer() -> None:
    cluster = make()

    class Crash(BaseException):
        pass

    def crash(written: Written) -> None:
        raise Crash

    cluster.on_write(crash)
    with pytest.raises(Crash):
        await cluster.create(RUN, namespace="default", body=workflow())
    cluster.on_write(None)
    assert await cluster.get(RUN, namespace="default", name="sample")


@pytest.mark.looptime
async def test_a_held_request_arrives_late_or_never() -> None:
    cluster = InMemoryCluster(clock=VirtualClock())
    gate = cluster.hold("create", RUN)
    late = asyncio.create_task(cluster.create(RUN, namespace="default", body=workflow()))
    await asyncio.sleep(3)
    assert gate.waiting == 1
    assert not list(cluster.server.storage.scan(RUN))
    gate.open()
    assert (await late)["metadata"]["name"] == "sample"

    cluster.hold("create", Kind.CONFIG_MAP)
    with pytest.raises(Unavailable):
        await cluster.create(Kind.CONFIG_MAP, namespace="default", body=config_map())
    assert not list(cluster.server.storage.scan(Kind.CONFIG_MAP)), "given up after ten seconds"


async def test_a_subscriber_is_told_what_is_there_and_then_what_happens() -> None:
    cluster = make()
    await cluster.create(RUN, namespace="default", body=workflow())
    seen = Seen()
    cluster.subscribe(seen)
    await suspend(cluster, True)
    await cluster.delete(RUN, namespace="default", name="sample")
    assert seen.changes() == [None, "MODIFIED", "DELETED"]
    assert seen.versions() == sorted(set(seen.versions()))


async def test_what_changes_nothing_is_not_told() -> None:
    cluster = make()
    await cluster.create(RUN, namespace="default", body=workflow(suspend=True))
    seen = Seen()
    cluster.subscribe(seen)
    await suspend(cluster, True)
    assert seen.changes() == [None]


async def history(delivery: Delivery, seed: int) -> tuple[Seen, list[int]]:
    """Two runs that live and die under a delivery; what was seen, and the last states."""
    cluster = make()
    seen = Seen()
    cluster.subscribe(seen, delivery=delivery, seed=seed)
    for name in ("a", "b"):
        await cluster.create(RUN, namespace="default", body=workflow(name=name))
    last = []
    for number in range(8):
        for name in ("a", "b"):
            body = await suspend(cluster, number % 2 == 0, name)
            last.append(int(body["metadata"]["resourceVersion"]))
            cluster.advance(0.2)
    await cluster.delete(RUN, namespace="default", name="b")
    cluster.advance(60)
    return seen, last[-2:]


SEEDS = range(20)


@pytest.mark.parametrize("seed", SEEDS)
async def test_a_rough_watch_keeps_the_order_of_each_object_and_its_last_state(seed: int) -> None:
    seen, last = await history(ROUGH, seed)
    for name in ("a", "b"):
        versions = seen.versions(name)
        assert versions == sorted(versions), "late, doubled, merged, but never backwards"
    assert seen.versions("a")[-1] == last[0]
    assert last[1] in seen.versions("b")


async def test_a_rough_watch_is_rough() -> None:
    histories = [(await history(ROUGH, seed))[0] for seed in SEEDS]
    doubled = [s for s in histories if len(s.versions("a")) > len(set(s.versions("a")))]
    merged = [s for s in histories if len(set(s.versions("a"))) < 9]
    dropped = [s for s in histories if "DELETED" not in s.changes("b")]
    overtaken = [
        s for s in histories if [v for *_, v in s.events] != sorted(v for *_, v in s.events)
    ]
    assert min(map(len, (doubled, merged, dropped, overtaken))) > 0
    assert len(dropped) < len(SEEDS)


async def test_a_stale_watch_goes_backwards() -> None:
    seen = [(await history(STALE, seed))[0].versions("a") for seed in SEEDS]
    assert any(versions != sorted(versions) for versions in seen)


async def test_one_seed_one_delivery() -> None:
    first, second = (await history(ROUGH, 5))[0], (await history(ROUGH, 5))[0]
    assert first.events == second.events


async def test_a_paused_watch_tells_later_and_a_relist_only_what_is() -> None:
    cluster = make()
    seen = Seen()
    watch = cluster.subscribe(seen)
    await cluster.create(RUN, namespace="default", body=workflow(name="a"))
    watch.pause()
    await suspend(cluster, True, "a")
    await cluster.create(RUN, namespace="default", body=workflow(name="b"))
    assert seen.changes("a") == ["ADDED"]
    watch.resume()
    assert seen.changes("a") == ["ADDED", "MODIFIED"]
    assert seen.changes("b") == ["ADDED"]

    watch.pause()
    await cluster.delete(RUN, namespace="default", name="a")
    watch.relist()
    assert seen.changes("a") == ["ADDED", "MODIFIED"], "its end is never reported"
    assert seen.changes("b") == ["ADDED", None]


async def test_a_relist_overtakes_what_was_on_its_way() -> None:
    cluster = make()
    seen = Seen()
    watch = cluster.subscribe(seen, delivery=Delivery(delay=(5, 5)))
    await cluster.create(RUN, namespace="default", body=workflow())
    await suspend(cluster, True)
    watch.relist()
    cluster.advance(20)
    assert seen.changes() == [None]


async def test_a_closed_watch_is_silent_even_about_what_was_on_its_way() -> None:
    cluster = make()
    seen = Seen()
    watch = cluster.subscribe(seen, delivery=Delivery(delay=(1, 2)))
    await cluster.create(RUN, namespace="default", body=workflow())
    watch.close()
    cluster.advance(10)
    await suspend(cluster, True)
    assert seen.events == []


@pytest.mark.looptime
async def test_with_a_virtual_clock_the_event_loop_drives_the_cluster() -> None:
    cluster = InMemoryCluster(clock=VirtualClock())
    seen = Seen()
    cluster.subscribe(seen, delivery=Delivery(delay=(30, 30)))
    await cluster.create(RUN, namespace="default", body=workflow())
    await asyncio.sleep(29)
    assert seen.events == []
    await asyncio.sleep(2)
    assert seen.changes() == ["ADDED"]


@pytest.mark.looptime
async def test_latency_lets_requests_overlap() -> None:
    cluster = InMemoryCluster(clock=VirtualClock(), latency=(0.1, 0.5))
    bodies = [config_map(str(number)) for number in range(10)]
    made = await asyncio.gather(
        *(cluster.create(Kind.CONFIG_MAP, namespace="default", body=body) for body in bodies)
    )
    versions = [int(body["metadata"]["resourceVersion"]) for body in made]
    assert versions != sorted(versions)
    assert 0.2 <= cluster.clock.monotonic() <= 1.0


def test_a_manual_clock_stands_still_and_keeps_monotonic_time_apart() -> None:
    clock = ManualClock()
    clock.advance(5)
    clock.jump(-3600)
    assert clock.monotonic() == 5
    assert clock.now().tzinfo is not None
