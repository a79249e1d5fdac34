"""Kept logs (S586-S588): what is kept of the log of a pod, and what is said where it cannot be."""

import asyncio
from typing import Any

import pytest
from waypost.api import meta
from waypost.kube.logs import document
from waypost.kube.logs.policy import LogSettings
from waypost.ports.cluster import Busy, ClusterError, Kind, NotFound, Obj, Rejected, Unavailable
from waypost.runtime.logs import keeper

from tests.fakes.nodes.programs import Outcome
from tests.support.builders import container, python, spec
from tests.support.harness import World, fails, gives, hangs
from tests.support.virtual import virtual

ALL = LogSettings("All", 256 * 1024)
LOG = "line one\nline two\n"


def kept(world: World) -> list[tuple[str, int, document.KeptLog]]:
    """Path, attempt and log of each record of type Log, in their order."""
    found = [body for body in world.all(Kind.NODE_RECORD) if body["spec"]["type"] == "Log"]
    read = [(one["spec"]["path"], one["spec"]["attempt"], document.read(one)) for one in found]
    return sorted((path, attempt, log) for path, attempt, log in read if log is not None)


async def settled(world: World) -> list[tuple[str, int, document.KeptLog]]:
    """The kept logs, some time after the end of the run."""
    await asyncio.sleep(120)
    return kept(world)


@virtual
async def test_a_log_is_kept_of_each_attempt() -> None:
    """S586"""
    script = {"a": [fails(log="first\n"), gives(1, log=LOG)], "b": [gives(2, log="b\n")]}
    async with World(script=script) as world:
        operator = world.start(logs=ALL)
        await world.submit(spec(python("a", retry={"limit": 1}), python("b")))
        assert (await world.finished())["phase"] == "Succeeded"
        found = await settled(world)
        assert [(path, attempt, log.text) for path, attempt, log in found] == [
            ("a", 1, "first\n"),
            ("a", 2, LOG),
            ("b", 1, "b\n"),
        ]
        assert operator.telemetry.kept_logs == ["Kept"] * 3
        [body] = [one for one in world.all(Kind.NODE_RECORD) if one["spec"]["path"] == "b"]
        labels = body["metadata"]["labels"]
        assert labels == {meta.LABEL_RUN: world.run()["metadata"]["uid"], meta.LABEL_NODE: "b"}
        [owner] = body["metadata"]["ownerReferences"]
        assert owner["uid"] == world.run()["metadata"]["uid"], "removed with its run"


@pytest.mark.parametrize(
    ("settings", "logs", "expected"),
    [
        pytest.param(ALL, None, ["a/1", "a/2"], id="all"),
        pytest.param(LogSettings("Failed", 4096), None, ["a/1"], id="failed"),
        pytest.param(LogSettings("None", 4096), None, [], id="none"),
        pytest.param(ALL, {"keep": "Failed"}, ["a/1"], id="the-run-says-less"),
        pytest.param(LogSettings("None", 4096), {"keep": "All"}, ["a/1", "a/2"], id="or-more"),
        pytest.param(LogSettings("All", 0), {"keep": "All"}, [], id="off-for-all-runs"),
    ],
)
@virtual
async def test_the_policy(settings: LogSettings, logs: Obj | None, expected: list[str]) -> None:
    """S586"""
    script = {"a": [fails(log="x\n"), gives(1, log=LOG)]}
    async with World(script=script) as world:
        world.start(logs=settings)
        defaults = {"defaults": {"logs": logs}} if logs else {}
        await world.submit(spec(python("a", retry={"limit": 1}), **defaults))
        await world.finished()
        assert [f"{path}/{attempt}" for path, attempt, _ in await settled(world)] == expected


@virtual
async def test_the_end_of_a_long_log() -> None:
    """S586: whole lines, at most so many bytes, and the record says that lines are missing."""
    lines = "".join(f"line {number}\n" for number in range(5000))
    async with World(script={"a": [gives(1, log=lines)]}) as world:
        world.start(logs=ALL)
        await world.submit(spec(python("a"), defaults={"logs": {"maxBytes": 1024}}))
        await world.finished()
        [(_, _, log)] = await settled(world)
        assert log.text.endswith("line 4999\n")
        assert log.text.startswith("line ")
        assert 900 < len(log.text) <= 1024
        assert log.cut


@pytest.mark.parametrize(
    ("outcome", "text", "outcomes"),
    [
        pytest.param(gives(1), None, ["Empty"], id="succeeded-and-printed-nothing"),
        pytest.param(fails(), "", ["Empty"], id="failed-and-printed-nothing"),
    ],
)
@virtual
async def test_an_empty_log(outcome: Any, text: str | None, outcomes: list[str]) -> None:
    """S586: that a failed program has printed nothing is worth a record."""
    async with World(script={"a": [outcome]}) as world:
        operator = world.start(logs=ALL)
        await world.submit(spec(python("a")))
        await world.finished()
        found = [log.text for _, _, log in await settled(world)]
        assert found == ([] if text is None else [text])
        assert operator.telemetry.kept_logs == outcomes


@pytest.mark.parametrize(
    ("error", "times", "words"),
    [
        pytest.param(NotFound("no such container"), 1, "has no log of it", id="removed"),
        pytest.param(Unavailable("no route", code=502), 3, "", id="kubelet-returns"),
        pytest.param(Unavailable("no route", code=502), 99, "cannot be read", id="kubelet-gone"),
        pytest.param(Busy("slow down", retry_after=1), 3, "", id="busy"),
        pytest.param(Rejected("forbidden", code=403), 1, "cannot be read", id="no-right"),
    ],
)
@virtual
async def test_a_log_that_cannot_be_read(error: ClusterError, times: int, words: str) -> None:
    """S587: the record says why; the run has ended long before."""
    async with World(script={"a": [gives(1, log=LOG)]}) as world:
        world.cluster.fail_next("read_log", Kind.POD, error, times=times)
        world.start(logs=ALL)
        await world.submit(spec(python("a")))
        assert (await world.finished(within=60))["phase"] == "Succeeded"
        [(_, _, log)] = await settled(world)
        assert (log.text, bool(log.problem)) == ((LOG, False) if not words else ("", True))
        assert words in log.problem


@virtual
async def test_a_run_does_not_wait_for_a_log() -> None:
    """S588: the kubelet does not answer, the next node starts and the run ends."""
    async with World(script={"a": [gives(1, log=LOG)], "b": [gives(2, log=LOG)]}) as world:
        gate = world.cluster.hold("read_log")
        world.start(logs=ALL)
        await world.submit(spec(python("a"), python("b", dependsOn=["a"])))
        assert (await world.finished(within=60))["phase"] == "Succeeded"
        assert kept(world) == []
        gate.open()
        assert [path for path, _, _ in await settled(world)] == ["a", "b"]


@virtual
async def test_a_record_that_is_refused_fails_nothing() -> None:
    """S588"""
    async with World(script={"a": [gives(1, log=LOG)]}) as world:
        world.cluster.fail_next(
            "create", Kind.NODE_RECORD, Rejected("exceeded quota", code=403), times=99
        )
        operator = world.start(logs=ALL)
        await world.submit(spec(python("a")))
        assert (await world.finished(within=60))["phase"] == "Succeeded"
        await settled(world)
        assert operator.telemetry.kept_logs == ["Refused"]


@virtual
async def test_a_pod_that_is_stopped_and_removed() -> None:
    """S587: what it had printed until then is kept, and the record says that its end is missing."""
    async with World(script={"a": [hangs(log=LOG, stop_seconds=5)]}) as world:
        world.start(logs=ALL)
        await world.submit(spec(python("a")))
        await world.until(lambda: bool(world.ledger.executions), "it runs")
        await asyncio.sleep(5)
        await world.patch_run({"cancel": True})
        await world.until(lambda: world.all(Kind.POD)[0]["metadata"].get("deletionTimestamp"), "")
        await asyncio.sleep(0.5)  # the kubelet removes containers of deleted pods when they end
        world.cluster.fail_next("read_log", Kind.POD, NotFound("container not found"), times=99)
        await world.finished()
        [(_, _, log)] = await settled(world)
        assert log.text == LOG
        assert "when the pod was asked to stop" in log.partial


@virtual
async def test_a_pod_that_vanishes() -> None:
    """S587: deleted by force: nothing can be read, and that is said."""
    async with World(script={"a": [hangs(log=LOG)]}) as world:
        world.start(logs=ALL)
        await world.submit(spec(python("a", retry={"limit": 0})))
        await world.until(lambda: bool(world.ledger.executions), "it runs")
        unreachable = Unavailable("no route to its machine", code=502)
        world.cluster.fail_next("read_log", Kind.POD, unreachable, times=4)
        world.work.delete_pod(world.work.pods()[0], grace=0)
        await asyncio.sleep(30)
        [(_, _, log), *_] = kept(world)
        assert "removed before its log was read" in log.problem


@virtual
async def test_the_next_leader_keeps_what_the_last_one_did_not() -> None:
    """S588: it dies between the checkpoint and the log."""
    async with World(script={"a": [gives(1, log=LOG)]}) as world:
        gate = world.cluster.hold("read_log")
        first = world.start(logs=ALL)
        await world.submit(spec(python("a")))
        await world.finished(within=60)
        first.die()
        gate.open()
        assert kept(world) == []
        world.start(logs=ALL)
        assert [log.text for _, _, log in await settled(world)] == [LOG]


@virtual
async def test_two_operators_keep_one_log() -> None:
    """S588"""
    async with World(script={"a": [gives(1, log=LOG)]}) as world:
        world.start(logs=ALL)
        world.start(logs=ALL, seed=1)
        await world.submit(spec(python("a")))
        await world.finished()
        assert [log.text for _, _, log in await settled(world)] == [LOG]


@virtual
async def test_the_limit_of_a_run(monkeypatch: pytest.MonkeyPatch) -> None:
    """S586: beyond it, only failures leave a note."""
    monkeypatch.setattr(keeper, "RUN_BYTES", 150)
    script: dict[str, Any] = {"a": [gives(1, log=LOG)], "b": [gives(1, log=LOG)]}
    script["c"] = [fails(log=LOG)]
    async with World(script=script) as world:
        operator = world.start(logs=ALL)
        c = python("c", dependsOn=["b"], onFailure="Continue")
        await world.submit(spec(python("a"), python("b", dependsOn=["a"]), c))
        await world.finished()
        found = {path: log for path, _, log in await settled(world)}
        assert found["a"].text == LOG
        assert "150 bytes, the limit" in found["c"].problem
        assert operator.telemetry.kept_logs.count("OverLimit") >= 1


@virtual
async def test_a_container_node_that_is_killed() -> None:
    """S586: foreign images too, and whatever ended them."""

    def killed(pod: Any) -> Outcome:
        return Outcome(exit_code=137, reason="OOMKilled", log="half of the work\n")

    async with World(script={"a": [killed]}) as world:
        world.start(logs=ALL)
        await world.submit(spec(container("a", retry={"limit": 0})))
        await world.finished()
        assert [log.text for _, _, log in await settled(world)] == ["half of the work\n"]
