"""Schedules on a simulated cluster, in virtual time, which begins on 2026-03-01 at 09:00 UTC."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from waypost.api import meta
from waypost.ports.cluster import Kind, Obj, PatchType, Rejected, Unavailable
from waypost.schedules.subject import run_name

from tests.fakes.api.watch import Delivery
from tests.support.builders import python, spec
from tests.support.harness import NAMESPACE, Call, World, fails, gives, hangs
from tests.support.schedules import (
    NIGHTLY,
    SCHEDULE,
    at,
    create_schedule,
    nightly,
    schedule_condition,
    schedule_status,
    scheduled_runs,
    times,
)
from tests.support.templates import REVIEW, create_template
from tests.support.virtual import virtual

MINUTE = 60.0


@virtual
async def test_one_run_for_each_time() -> None:
    """S561 S563: names follow from schedule and minute; expressions see the time."""
    async with World(script={"a": [gives(1)]}) as world:
        world.start()
        await create_template(world, spec(python("a"), outputs={"day": "${run.scheduledAt}"}))
        await create_schedule(world, "*/10 * * * *", "*/20 * * * *")  # both have 09:20
        await asyncio.sleep(31 * MINUTE)
        assert times(world) == ["09:10", "09:20", "09:30"]
        names = [run["metadata"]["name"] for run in scheduled_runs(world)]
        assert names[0] == run_name(NIGHTLY, at("2026-03-01T09:10"))
        first = scheduled_runs(world)[0]
        assert "ownerReferences" not in first["metadata"]
        assert first["status"]["outputs"] == {"day": "2026-03-01T09:10:00.000Z"}
        status = schedule_status(world)
        assert status["nextAt"] == "2026-03-01T09:40:00.000Z"
        assert [fire["name"] for fire in status["recent"]] == names


@virtual
async def test_an_operator_that_was_down_starts_one_run() -> None:
    """S564: of several times that have passed the latest starts a run, the others are missed."""
    async with World() as world:
        first = world.start()
        await nightly(world)
        await asyncio.sleep(11 * MINUTE)
        first.die()
        await asyncio.sleep(52 * MINUTE)  # 09:20 to 10:00 pass: five times
        world.start()
        await asyncio.sleep(MINUTE)
        assert times(world) == ["09:10", "10:00"]
        assert schedule_status(world)["missed"] == 4
        said = [e["message"] for e in world.all(Kind.EVENT) if e["reason"] == "ScheduleMissed"]
        assert len(said) == 1
        assert said[0].startswith("4 times were missed: a later time came")
        assert "waypost backfill nightly --from 2026-03-01T09:20:00.000Z" in said[0]


FIRST = run_name(NIGHTLY, at("2026-03-01T09:10"))


@virtual
async def test_down_for_longer_than_the_deadline() -> None:
    """S564: what is later than startingDeadlineSeconds starts nothing, and counts."""
    async with World() as world:
        first = world.start()
        await nightly(world, "0 * * * *", startingDeadlineSeconds=300)
        await asyncio.sleep(MINUTE)
        first.die()
        await asyncio.sleep(2 * 60 * MINUTE + 10 * MINUTE)  # 11:11
        world.start()
        await asyncio.sleep(MINUTE)
        assert times(world) == []
        assert schedule_status(world)["missed"] == 2
        assert schedule_status(world)["nextAt"] == "2026-03-01T12:00:00.000Z"


@virtual
async def test_forbid_names_the_run_and_the_command() -> None:
    """S565: a time with a run in progress is missed; Blocked says which, until it has ended."""
    async with World(script={"a": [hangs()]}) as world:
        world.start()
        await create_template(world, spec(python("a", timeout="25m"), defaults={"retry": None}))
        await create_schedule(world, "*/10 * * * *")
        await asyncio.sleep(21 * MINUTE)
        assert times(world) == ["09:10"]
        blocked = schedule_condition(world, "Blocked")
        assert (blocked["status"], blocked["reason"]) == ("True", "RunInProgress")
        assert f"waypost cancel {FIRST}" in blocked["message"]
        assert schedule_status(world)["blockedBy"] == FIRST
        assert schedule_status(world)["missed"] == 1
        await world.patch_run({"cancel": True}, name=FIRST)
        await world.finished(FIRST)
        await asyncio.sleep(5)
        assert schedule_condition(world, "Blocked")["status"] == "False"
        await asyncio.sleep(9 * MINUTE)
        assert times(world) == ["09:10", "09:30"]


@virtual
async def test_allow_starts_beside() -> None:
    """S565: Allow starts runs beside each other."""
    async with World(script={"a": [hangs()]}) as world:
        world.start()
        await nightly(world, concurrencyPolicy="Allow")
        await asyncio.sleep(31 * MINUTE)
        assert times(world) == ["09:10", "09:20", "09:30"]
        assert "missed" not in schedule_status(world) or schedule_status(world)["missed"] == 0


@virtual
async def test_queue_keeps_the_oldest() -> None:
    """S566: one time waits, the oldest; it starts when the run has ended, however late."""
    async with World(script={"a": [hangs(), gives(1)]}) as world:
        world.start()
        await nightly(world, concurrencyPolicy="Queue", startingDeadlineSeconds=60)
        await asyncio.sleep(31 * MINUTE)
        status = schedule_status(world)
        assert status["queued"]["scheduledAt"] == "2026-03-01T09:20:00.000Z"
        assert status["missed"] == 1
        await world.patch_run({"cancel": True}, name=FIRST)
        await world.finished(FIRST)
        await asyncio.sleep(5)
        assert times(world) == ["09:10", "09:20"]
        assert "queued" not in schedule_status(world)


@virtual
async def test_replace_cancels_waits_and_starts() -> None:
    """S567: the run is cancelled, its end is awaited, then the new one starts."""
    async with World(script={"a": [hangs()]}) as world:
        world.start()
        await nightly(world, concurrencyPolicy="Replace", startingDeadlineSeconds=10)
        await asyncio.sleep(21 * MINUTE)
        assert times(world) == ["09:10", "09:20"]
        first, second = scheduled_runs(world)
        assert first["status"]["phase"] == "Cancelled"
        assert second["status"]["phase"] == "Running"
        assert first["status"]["finishedAt"] <= second["metadata"]["creationTimestamp"]
        assert schedule_status(world)["missed"] == 0


@virtual
async def test_replace_waits_for_finally_however_long_it_takes() -> None:
    """S567: longer than startingDeadlineSeconds too; no other time takes its place."""
    async with World(script={"a": [hangs()], "tidy": [gives(1, seconds=300.0)]}) as world:
        world.start()
        body = {**spec(python("a", timeout="5h")), "finally": [python("tidy")]}
        await create_template(world, body)
        await create_schedule(
            world, "*/10 * * * *", concurrencyPolicy="Replace", startingDeadlineSeconds=10
        )
        await asyncio.sleep(23 * MINUTE)
        assert times(world) == ["09:10"], "its finally is not over"
        await asyncio.sleep(4 * MINUTE)
        assert times(world) == ["09:10", "09:20"]
        first, second = scheduled_runs(world)
        assert first["status"]["phase"] == "Cancelled"
        assert world.node("tidy", FIRST)["phase"] == "Succeeded"
        assert first["status"]["finishedAt"] <= second["metadata"]["creationTimestamp"]
        assert schedule_status(world)["missed"] == 0


@virtual
@pytest.mark.parametrize("policy", ["Forbid", "Queue"])
async def test_a_run_that_the_watch_has_not_delivered_counts(policy: str) -> None:
    """S565 S566: whether one is in progress is read live, not from the cache."""
    async with World(script={"a": [hangs()]}) as world:
        world.start(delivery=Delivery(delay=(300.0, 300.0)), resync_seconds=10_000.0)
        await nightly(world, concurrencyPolicy=policy)
        await asyncio.sleep(9 * MINUTE)
        run = spec(python("a", timeout="5h"))
        await world.submit(run, name="by-hand", labels={meta.LABEL_SCHEDULE: NIGHTLY})
        await asyncio.sleep(2 * MINUTE)
        assert [one["metadata"]["name"] for one in world.all(Kind.AGENT_WORKFLOW)] == ["by-hand"]


@virtual
@pytest.mark.parametrize("policy", ["Forbid", "Queue", "Allow", "Replace"])
async def test_runs_that_end_in_time_never_meet(policy: str) -> None:
    async with World() as world:
        world.start()
        await nightly(world, concurrencyPolicy=policy)
        await asyncio.sleep(61 * MINUTE)
        assert times(world) == ["09:10", "09:20", "09:30", "09:40", "09:50", "10:00"]
        assert schedule_status(world)["missed"] == 0


@virtual
async def test_suspended_times_are_not_made_up() -> None:
    """S568: suspend starts nothing; what passed meanwhile is not made up, and is not missed."""
    async with World() as world:
        world.start()
        await nightly(world, startingDeadlineSeconds=3600)
        await asyncio.sleep(11 * MINUTE)
        await world.patch(SCHEDULE, NIGHTLY, {"suspend": True})
        await asyncio.sleep(20 * MINUTE)
        assert "nextAt" not in schedule_status(world)
        await world.patch(SCHEDULE, NIGHTLY, {"suspend": False})
        await asyncio.sleep(10 * MINUTE)
        assert times(world) == ["09:10", "09:40"]
        assert schedule_status(world)["missed"] == 0


@virtual
async def test_an_edit_starts_from_now() -> None:
    """S568: also one that no operator saw when it was made."""
    async with World() as world:
        first = world.start()
        await nightly(world, "0 * * * *", startingDeadlineSeconds=7200)
        await asyncio.sleep(MINUTE)
        first.die()
        await asyncio.sleep(30 * MINUTE)
        await world.patch(SCHEDULE, NIGHTLY, {"schedules": ["*/10 * * * *"]})
        await asyncio.sleep(15 * MINUTE)  # 09:46
        world.start()
        await asyncio.sleep(5 * MINUTE)
        assert times(world) == ["09:50"]


@virtual
async def test_an_edit_leaves_the_run_in_progress() -> None:
    """S568: its times start from now, and the run continues as it is."""
    async with World(script={"a": [hangs()]}) as world:
        world.start()
        await nightly(world)
        await asyncio.sleep(11 * MINUTE)
        before = scheduled_runs(world)[0]["spec"]
        await world.patch(SCHEDULE, NIGHTLY, {"schedules": ["15 * * * *"]})
        await asyncio.sleep(MINUTE)
        [run] = scheduled_runs(world)
        assert (run["spec"], run["status"]["phase"]) == (before, "Running")
        assert schedule_status(world)["nextAt"] == "2026-03-01T09:15:00.000Z"


@virtual
async def test_an_edit_of_something_else_moves_no_clock() -> None:
    """S568: inputs and policy are not times."""
    async with World() as world:
        first = world.start()
        await nightly(world, startingDeadlineSeconds=7200)
        await asyncio.sleep(MINUTE)
        first.die()
        await asyncio.sleep(10 * MINUTE)
        await world.patch(SCHEDULE, NIGHTLY, {"concurrencyPolicy": "Allow"})
        world.start()
        await asyncio.sleep(MINUTE)
        assert times(world) == ["09:10"]


@virtual
async def test_the_clock_is_set_back_an_hour() -> None:
    """S569: no time fires twice."""
    async with World() as world:
        world.start()
        await nightly(world)
        await asyncio.sleep(31 * MINUTE)
        world.clock.jump(-3600)
        await asyncio.sleep(62 * MINUTE)
        assert times(world) == ["09:10", "09:20", "09:30"]
        await asyncio.sleep(10 * MINUTE)
        assert times(world) == ["09:10", "09:20", "09:30", "09:40"]


@virtual
async def test_the_clock_was_far_ahead() -> None:
    """S569: the schedule continues from now, and says so."""
    async with World() as world:
        world.start()
        await nightly(world)
        await asyncio.sleep(5 * MINUTE)
        world.clock.jump(10 * 3600)
        await asyncio.sleep(10 * MINUTE)
        world.clock.jump(-10 * 3600)  # 09:15
        await asyncio.sleep(MINUTE)
        await world.patch(SCHEDULE, NIGHTLY, {"concurrencyPolicy": "Allow"})
        await asyncio.sleep(30)
        assert schedule_condition(world, "ClockSkew")["status"] == "True"
        await asyncio.sleep(10 * MINUTE)
        assert times(world)[:1] == ["09:20"]
        assert schedule_condition(world, "ClockSkew")["status"] == "False"


@virtual
async def test_a_template_that_is_not_there() -> None:
    """S570: no run is created; Blocked says why; the run starts once the template is there."""
    async with World() as world:
        world.start()
        await create_schedule(world, "*/10 * * * *")
        await asyncio.sleep(MINUTE)
        blocked = schedule_condition(world, "Blocked")
        assert (blocked["status"], blocked["reason"]) == ("True", "MissingReference")
        await asyncio.sleep(11 * MINUTE)
        assert times(world) == []
        await create_template(world, spec(python("a")))
        await asyncio.sleep(MINUTE)
        assert times(world) == ["09:10"]
        assert schedule_condition(world, "Blocked")["status"] == "False"


@virtual
@pytest.mark.parametrize(
    ("template", "inputs", "reason"),
    [
        pytest.param({"suspend": True}, {}, "TemplateSuspended", id="suspended"),
        pytest.param(
            {"inputSchema": {"type": "object", "properties": {"n": {"type": "integer"}}}},
            {"n": "one"},
            "TemplateNotAccepted",
            id="inputs that do not fit",
        ),
    ],
)
async def test_a_run_that_would_not_be_accepted(template: Obj, inputs: Obj, reason: str) -> None:
    """S570"""
    async with World() as world:
        world.start()
        await create_template(world, spec(python("a"), **template))
        await create_schedule(world, "*/10 * * * *", run={"inputs": inputs})
        await asyncio.sleep(35 * MINUTE)
        assert times(world) == []
        assert schedule_condition(world, "Blocked")["reason"] == reason
        assert schedule_status(world)["missed"] >= 1
        assert any(e["reason"] == "ScheduleMissed" for e in world.all(Kind.EVENT))


@virtual
async def test_an_invalid_line() -> None:
    """S562: nothing starts; Accepted says what to write; a correction starts from now."""
    async with World() as world:
        world.start()
        await nightly(world, "@daily")
        await asyncio.sleep(MINUTE)
        accepted = schedule_condition(world, "Accepted")
        assert (accepted["status"], accepted["reason"]) == ("False", "InvalidSpec")
        assert "'0 0 * * *'" in accepted["message"]
        await world.patch(SCHEDULE, NIGHTLY, {"schedules": ["*/10 * * * *"]})
        await asyncio.sleep(10 * MINUTE)
        assert schedule_condition(world, "Accepted")["status"] == "True"
        assert times(world) == ["09:10"]


@virtual
async def test_history() -> None:
    """S571: beyond the limits ended runs are deleted, none that Git tracks or that is paused."""
    async with World(script={"a": [fails()]}) as world:
        world.start()
        await create_template(world, spec(python("a", onFailure="Pause")))
        await create_schedule(
            world, "*/10 * * * *", concurrencyPolicy="Allow", failedRunsHistoryLimit=1
        )
        await asyncio.sleep(11 * MINUTE)
        world.script["a"] = [fails()]
        await world.patch(Kind.AGENT_WORKFLOW_TEMPLATE, REVIEW, {"nodes": [python("a")]})
        await asyncio.sleep(10 * MINUTE)
        await world.user.patch(
            Kind.AGENT_WORKFLOW,
            namespace=NAMESPACE,
            name=scheduled_runs(world)[1]["metadata"]["name"],
            body={"metadata": {"annotations": {"argocd.argoproj.io/tracking-id": "app:x"}}},
            patch_type=PatchType.MERGE,
        )
        await asyncio.sleep(40 * MINUTE)
        assert times(world) == ["09:10", "09:20", "10:00"]


@virtual
async def test_a_schedule_that_is_deleted_leaves_its_runs() -> None:
    """S574: they continue; a new schedule of the name does not start them again."""
    async with World(script={"a": [hangs()]}) as world:
        world.start()
        await nightly(world)
        await asyncio.sleep(11 * MINUTE)
        await world.delete(SCHEDULE, NIGHTLY)
        await asyncio.sleep(MINUTE)
        assert [run["status"]["phase"] for run in scheduled_runs(world)] == ["Running"]
        await create_schedule(world, "*/10 * * * *")
        await asyncio.sleep(10 * MINUTE)
        assert times(world) == ["09:10"]
        assert schedule_status(world)["blockedBy"] == FIRST


@virtual
async def test_a_name_that_another_run_has() -> None:
    """S573: it is not touched; the time counts as missed."""
    async with World() as world:
        world.start()
        await nightly(world)
        await world.submit(spec(python("a")), name=FIRST)
        await asyncio.sleep(11 * MINUTE)
        assert times(world) == []
        assert schedule_condition(world, "Blocked")["reason"] == "NameTaken"
        assert schedule_status(world)["missed"] == 1
        await asyncio.sleep(10 * MINUTE)
        assert times(world) == ["09:20"]
        assert schedule_condition(world, "Blocked")["status"] == "False"


@virtual
async def test_a_create_that_is_refused() -> None:
    """S573: it is tried again until startingDeadlineSeconds, and Blocked says why."""
    async with World() as world:
        operator = world.start()
        await nightly(world, startingDeadlineSeconds=120)
        await asyncio.sleep(9 * MINUTE)
        refusal = Rejected("a webhook denied the request: no budget", code=403)
        world.cluster.fail_next("create", Kind.AGENT_WORKFLOW, refusal, times=100)
        await asyncio.sleep(2 * MINUTE)
        blocked = schedule_condition(world, "Blocked")
        assert blocked["reason"] == "CreateRefused"
        assert "no budget" in blocked["message"]
        await asyncio.sleep(3 * MINUTE)
        assert "starting" not in schedule_status(world)
        assert schedule_status(world)["missed"] == 1
        assert operator.ready


@virtual
async def test_an_answer_that_is_lost_creates_one_run() -> None:
    """S572: the create has happened; the next look finds it."""
    async with World() as world:
        world.start()
        await nightly(world)
        await asyncio.sleep(9 * MINUTE)
        lost = Unavailable("the connection was reset")
        world.cluster.fail_next("create", Kind.AGENT_WORKFLOW, lost, after_commit=True)
        await asyncio.sleep(22 * MINUTE)
        assert times(world) == ["09:10", "09:20", "09:30"]


@pytest.mark.parametrize("verb", ["patch_status", "create"])
@pytest.mark.parametrize("lands", [True, False], ids=["lands", "is-lost"])
@virtual
async def test_an_operator_that_ends_at_a_start(verb: str, lands: bool) -> None:
    """S572: at the write of `starting` or at the create; the next one starts the run, once."""
    created: list[str] = []
    async with World() as world:
        first = world.start()
        await nightly(world, startingDeadlineSeconds=300)
        await asyncio.sleep(9 * MINUTE)

        def note(kind: Kind, change: str, body: Obj) -> None:
            if kind is Kind.AGENT_WORKFLOW and change == "ADDED":
                created.append(body["metadata"]["name"])

        async def end(call: Call, proceed: Callable[[], Awaitable[Any]]) -> Any:
            kind = SCHEDULE if verb == "patch_status" else Kind.AGENT_WORKFLOW
            if (call.verb, call.kind) != (verb, kind):
                return await proceed()
            first.die()
            if lands:
                return await proceed()
            lost = "the connection was reset"
            raise Unavailable(lost)

        world.cluster.server.storage.listeners.append(note)
        first.line.intercept = end
        await asyncio.sleep(2 * MINUTE)
        world.start()
        await asyncio.sleep(9 * MINUTE + 30)
        assert created == [FIRST, run_name(NIGHTLY, at("2026-03-01T09:20"))]
        assert schedule_status(world)["missed"] == 0


@virtual
async def test_ttl_waits_for_the_record() -> None:
    """S572: a run with a TTL of 0 is not gone before no operator may look for it."""
    async with World() as world:
        world.start()
        await nightly(world, run={"ttlSecondsAfterFinished": 0}, startingDeadlineSeconds=60)
        await asyncio.sleep(10 * MINUTE + 90)
        assert times(world) == ["09:10"]
        await asyncio.sleep(MINUTE)
        assert times(world) == []
        assert schedule_status(world)["recent"][0]["name"] == FIRST


@virtual
async def test_spread_moves_the_start_and_not_the_time() -> None:
    """S575: the same delay each time, less than spread."""
    async with World() as world:
        world.start()
        await nightly(world, spread="10m")
        await asyncio.sleep(MINUTE)
        status = schedule_status(world)
        assert status["nextScheduledAt"] == "2026-03-01T09:10:00.000Z"
        assert "2026-03-01T09:10:00.000Z" < status["nextAt"] < "2026-03-01T09:20:00.000Z"
        await asyncio.sleep(31 * MINUTE)
        made = [run["metadata"]["creationTimestamp"] for run in scheduled_runs(world)]
        assert len({text[15:] for text in made}) == 1, "the same minute and second of each ten"


@virtual
async def test_a_quiet_schedule_writes_nothing() -> None:
    async with World() as world:
        world.start()
        await nightly(world, "0 0 1 1 *")
        await asyncio.sleep(MINUTE)
        writes = await world.quiet(3600)
        assert [w for w in writes if getattr(w, "kind", None) is SCHEDULE] == []


@virtual
async def test_child_runs_have_the_time_of_their_parent() -> None:
    """S563"""
    async with World(script={"a": [gives(1)]}) as world:
        world.start()
        await create_template(
            world, spec(python("a"), outputs={"at": "${run.scheduledAt}"}), "leaf"
        )
        call = {"name": "call", "workflow": {"templateRef": {"name": "leaf"}}}
        await create_template(world, spec(call, outputs={"leaf": "${nodes.call.output.at}"}))
        await create_schedule(world, "*/10 * * * *")
        await asyncio.sleep(12 * MINUTE)
        outputs = scheduled_runs(world)[0]["status"]["outputs"]
        assert outputs == {"leaf": "2026-03-01T09:10:00.000Z"}
