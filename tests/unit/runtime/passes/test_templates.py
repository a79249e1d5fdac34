"""Runs of templates: what they are pinned to, what they wait for, and what no edit can reach (S102
to S109).
"""

from typing import Any

import pytest
from waypost.kube.objects import items, section
from waypost.ports.cluster import Kind, Obj, QuotaExceeded

from tests.support.builders import container, python, spec
from tests.support.harness import NAMESPACE, World, fails, gives, hangs
from tests.support.templates import REVIEW, RUN_OF, create_template
from tests.support.virtual import virtual


async def edit_template(world: World, changes: Obj, name: str = REVIEW) -> None:
    """Change fields of its spec."""
    await world.patch(Kind.AGENT_WORKFLOW_TEMPLATE, name, changes)


def template(world: World, name: str = REVIEW) -> Obj:
    """A template as stored."""
    return world.cluster.server.storage.read(Kind.AGENT_WORKFLOW_TEMPLATE, NAMESPACE, name) or {}


def definitions(world: World) -> list[Obj]:
    """The records that hold a definition."""
    return [r for r in world.all(Kind.NODE_RECORD) if r["spec"]["type"] == "Definition"]


def condition(body: Obj, type_: str = "Accepted") -> Obj:
    """One condition of a run or a template."""
    found = (c for c in items(body, "status", "conditions") if c["type"] == type_)
    return next(found, {})


@virtual
async def test_a_run_of_a_template_is_pinned_to_its_definition() -> None:
    """S102."""
    async with World(script={"a": [gives(1)]}) as world:
        world.start()
        made = await create_template(world, spec(python("a"), outputs={"o": "${nodes.a.output}"}))
        run = await world.submit(RUN_OF)
        status = await world.finished()
        assert (status["phase"], status["outputs"]) == ("Succeeded", {"o": 1})
        (record,) = definitions(world)
        assert record["metadata"]["ownerReferences"][0]["uid"] == run["metadata"]["uid"]
        assert status["template"] == {
            "name": REVIEW,
            "uid": made["metadata"]["uid"],
            "generation": 1,
            "digest": record["spec"]["digest"],
            "record": record["metadata"]["name"],
        }
        assert record["spec"]["data"] == made["spec"]


@virtual
async def test_the_record_exists_before_a_status_names_it() -> None:
    async with World() as world:
        operator = world.start()
        await create_template(world, spec(python("a")))
        await world.submit(RUN_OF)
        await world.finished()
        writes = [(c.verb, c.kind) for c in operator.line.writes()]
        record = writes.index(("create", Kind.NODE_RECORD))
        assert record < writes.index(("patch_status", Kind.AGENT_WORKFLOW))


@virtual
async def test_a_later_edit_does_not_reach_a_run() -> None:
    async with World() as world:
        first = world.start()
        await create_template(world, spec(python("a"), python("b", dependsOn=["a"])))
        await world.submit({**RUN_OF, "suspend": True})
        await world.until(lambda: bool(world.status().get("template")), "it is accepted")
        await edit_template(world, {"nodes": [python("c")]})
        first.die()
        world.start()  # with nothing in its cache
        await world.patch_run({"suspend": False})
        status = await world.finished()
        assert [n["path"] for n in status["nodes"]] == ["a", "b"]
        assert [e.path for e in world.ledger.executions] == ["a", "b"]


@virtual
async def test_a_run_waits_for_its_template() -> None:
    """S103."""
    async with World() as world:
        world.start()
        await world.submit(RUN_OF)
        await world.until(lambda: bool(world.status()), "it is looked at")
        accepted = condition(world.run())
        assert (accepted["status"], accepted["reason"]) == ("Unknown", "MissingReference")
        assert accepted["message"] == (
            "there is no AgentWorkflowTemplate review in namespace default; create it, or correct "
            "templateRef.name"
        )
        assert (world.status()["phase"], world.status()["waiting"]) == (
            "Pending",
            "template/review",
        )
        assert condition(world.run(), "Stalled")["status"] == "False"
        await world.quiet(605)
        assert condition(world.run(), "Stalled")["status"] == "True", "a person should look"
        await create_template(world, spec(python("a")))
        status = await world.finished(within=10)
        assert status["phase"] == "Succeeded"


@virtual
async def test_a_run_that_waits_for_its_template_can_be_cancelled() -> None:
    async with World() as world:
        world.start()
        await world.submit(RUN_OF)
        await world.until(lambda: bool(world.status()), "it is looked at")
        await world.patch_run({"cancel": True})
        status = await world.finished(within=10)
        assert status["phase"] == "Cancelled"
        await create_template(world, spec(python("a")))
        await world.quiet(700)
        assert world.status()["phase"] == "Cancelled"
        assert world.ledger.executions == []


@virtual
async def test_a_bad_template_refuses_its_runs_and_harms_nothing_else() -> None:
    """S104."""
    async with World() as world:
        world.start()
        await create_template(world, spec(python("a", inputs={"x": "${nodes.zzz.output}"})))
        await create_template(world, spec(python("a")), name="good")
        await world.submit(RUN_OF)
        await world.submit({"templateRef": {"name": "good"}}, name="other")
        status = await world.finished("other")
        assert status["phase"] == "Succeeded"
        says = "nodes.a.inputs.x: there is no node 'zzz'; nodes: a"
        assert world.status()["phase"] == "Rejected"
        assert condition(world.run())["message"] == f"templateRef: template review: {says}"
        judged = condition(template(world))
        assert (judged["status"], judged["reason"]) == ("False", "InvalidSpec")
        assert judged["message"] == says
        await edit_template(world, {"nodes": [python("a")]})
        await world.until(
            lambda: condition(template(world))["status"] == "True", "judged again", within=10
        )
        assert section(template(world), "status")["observedGeneration"] == 2
        await world.quiet(700)
        assert world.status()["phase"] == "Rejected", "a rejected run starts for no other's edit"
        await world.patch_run({"rerun": {"round": 2}})
        await world.until(lambda: world.status()["phase"] == "Succeeded", "judged again")


HOLDS = [
    pytest.param({"suspend": True}, {}, "TemplateSuspended", "template/review", id="S105-template"),
    pytest.param({}, {"suspend_new_runs": True}, "NewRunsSuspended", "suspendNewRuns", id="all"),
]


@pytest.mark.parametrize(("fields", "settings", "reason", "waiting"), HOLDS)
@virtual
async def test_new_runs_are_held_and_running_ones_continue(
    fields: Obj, settings: dict[str, Any], reason: str, waiting: str
) -> None:
    async with World(script={"a": [lambda pod: pod.succeeds(1, seconds=60)]}) as world:
        first = world.start()
        await create_template(world, spec(python("a"), python("b", dependsOn=["a"])))
        await world.submit(RUN_OF, name="old")
        await world.until(lambda: bool(world.ledger.executions), "the old run has started")
        await edit_template(world, fields)
        if settings:
            first.die()
            first = world.start(**settings)
        await world.submit(RUN_OF)
        assert (await world.finished("old"))["phase"] == "Succeeded"
        accepted = condition(world.run())
        assert (accepted["status"], accepted["reason"]) == ("Unknown", reason)
        assert (world.status()["phase"], world.status()["waiting"]) == ("Suspended", waiting)
        assert definitions(world)[1:] == [], "nothing is pinned yet"
        await edit_template(world, {"suspend": False})
        if settings:
            first.die()
            world.start()
        assert (await world.finished(within=100))["phase"] == "Succeeded"


@pytest.mark.parametrize(("fields", "settings", "reason", "waiting"), HOLDS)
@virtual
async def test_a_held_run_can_be_cancelled(
    fields: Obj, settings: dict[str, Any], reason: str, waiting: str
) -> None:
    """S105."""
    async with World() as world:
        world.start(**settings)
        await create_template(world, {**spec(python("a")), **fields})
        await world.submit({**RUN_OF, "cancel": True})
        status = await world.finished()
        assert (status["phase"], status.get("nodes", [])) == ("Cancelled", [])
        assert definitions(world) == []
        await edit_template(world, {"suspend": False})
        await world.quiet(700)
        assert world.status()["phase"] == "Cancelled"


@virtual
async def test_new_runs_with_their_own_nodes_are_held_too() -> None:
    """S105."""
    async with World() as world:
        operator = world.start(suspend_new_runs=True)
        await world.submit(spec(python("a")))
        await world.quiet(700)
        assert condition(world.run())["reason"] == "NewRunsSuspended"
        assert condition(world.run(), "Stalled")["status"] == "False", "a person wants it so"
        operator.die()
        world.start()
        assert (await world.finished())["phase"] == "Succeeded"


async def until_lost(world: World, changes: Obj | None) -> None:
    """A suspended run whose record is deleted; the template changed or deleted (None)."""
    operator = world.start()
    await create_template(world, spec(python("a")))
    await world.submit({**RUN_OF, "suspend": True})
    await world.until(lambda: bool(world.status().get("template")), "it is accepted")
    operator.die()
    if changes is None:
        await world.delete(Kind.AGENT_WORKFLOW_TEMPLATE, REVIEW)
    elif changes:
        await edit_template(world, changes)
    await world.delete(Kind.NODE_RECORD, world.status()["template"]["record"])
    world.start()


@virtual
async def test_a_lost_record_is_made_again_from_the_same_template() -> None:
    """S107."""
    async with World() as world:
        await until_lost(world, {})
        await world.patch_run({"suspend": False})
        assert (await world.finished())["phase"] == "Succeeded"
        (record,) = definitions(world)
        assert record["metadata"]["name"] == world.status()["template"]["record"]


@pytest.mark.parametrize(
    "changes", [{"nodes": [python("c")]}, None], ids=["S107-edited", "S107-deleted"]
)
@virtual
async def test_nothing_runs_from_another_template_when_the_record_is_lost(
    changes: Obj | None,
) -> None:
    async with World() as world:
        await until_lost(world, changes)
        await world.patch_run({"suspend": False})
        await world.until(
            lambda: condition(world.run(), "Stalled").get("reason") == "DefinitionLost",
            "it says so",
        )
        said = condition(world.run())
        assert (said["status"], said["reason"]) == ("False", "DefinitionLost")
        found = "has changed since" if changes else "no longer exists. Nothing starts"
        assert found in said["message"]
        await world.quiet(700)
        assert world.ledger.executions == []
        await world.patch_run({"cancel": True})
        status = await world.finished(within=100)
        assert status["phase"] == "Cancelled"


NUMBER: Obj = {"type": "number"}
LARGE = "x" * 9000  # does not fit the annotation of a pod


@pytest.mark.parametrize(
    ("node", "program", "phase", "reason"),
    [
        pytest.param(python("a"), gives(1, seconds=60), "Succeeded", None, id="record"),
        pytest.param(container("a"), gives(1, seconds=60), "Succeeded", None, id="plain"),
        pytest.param(
            container("a", outputSchema=NUMBER),
            gives(1, seconds=60),
            "Succeeded",
            None,
            id="plain-that-meets-its-schema",
        ),
        pytest.param(
            container("a", outputSchema=NUMBER),
            gives("no", seconds=60),
            "Failed",
            "OutputInvalid",
            id="plain-that-violates-its-schema",
        ),
        pytest.param(
            container("a", inputs={"text": LARGE}),
            gives(1, seconds=60),
            "Failed",
            "ResultLost",
            id="plain-whose-request-is-in-a-ConfigMap",
        ),
        pytest.param(container("a"), hangs(), "Cancelled", "Cancelled", id="no-result"),
    ],
)
@virtual
async def test_s107_a_result_counts_after_its_definition_is_lost(
    node: Obj, program: Any, phase: str, reason: str | None
) -> None:
    """I4: the operator is down when the program ends, the record is deleted and a cancel comes."""
    async with World(script={"a": [program]}) as world:
        operator = world.start()
        await create_template(world, spec(node))
        await world.submit(RUN_OF)
        await world.until(lambda: bool(world.ledger.executions), "it runs")
        operator.die()
        await world.delete(Kind.AGENT_WORKFLOW_TEMPLATE, REVIEW)
        await world.delete(Kind.NODE_RECORD, world.status()["template"]["record"])
        await world.patch_run({"cancel": True})
        await world.quiet(90)
        world.start()
        assert (await world.finished(within=200))["phase"] == "Cancelled"
        ended = world.node("a")
        assert (ended["phase"], ended.get("reason")) == (phase, reason)


@pytest.mark.parametrize(
    ("of_run", "of_node", "phase"),
    [
        pytest.param({"deadline": "20s"}, {}, "Cancelled", id="S56-of-the-run"),
        pytest.param({}, {"deadline": "20s"}, "Failed", id="S55-of-the-node"),
    ],
)
@virtual
async def test_s107_a_deadline_counts_after_its_definition_is_lost(
    of_run: Obj, of_node: Obj, phase: str
) -> None:
    """The operator dies after it has stopped the attempt at the deadline."""
    async with World(script={"a": [hangs(stop_seconds=5)]}) as world:
        operator = world.start()
        await create_template(world, spec(python("a", **of_node), **of_run))
        await world.submit(RUN_OF)
        await world.until(
            lambda: (
                items(world.node("a"), "attempts")[0].get("stopping") == "DeadlineExceeded"
                if world.node("a").get("attempts")
                else False
            ),
            "it is stopped",
        )
        operator.die()
        await world.delete(Kind.AGENT_WORKFLOW_TEMPLATE, REVIEW)
        await world.delete(Kind.NODE_RECORD, world.status()["template"]["record"])
        await world.patch_run({"cancel": True})
        world.start()
        await world.finished(within=200)
        ended = world.node("a")
        assert (ended["phase"], ended["reason"]) == (phase, "DeadlineExceeded")
        assert "None" not in ended["message"]


@virtual
async def test_a_new_round_takes_the_latest_version_of_a_lost_definition() -> None:
    async with World() as world:
        await until_lost(world, {"nodes": [python("c")]})
        await world.patch_run({"suspend": False, "rerun": {"round": 2, "template": "Latest"}})
        status = await world.finished()
        assert (status["phase"], status["template"]["generation"]) == ("Succeeded", 2)
        assert [e.path for e in world.ledger.executions] == ["c"]


ROUNDS = [
    pytest.param({"round": 2}, "1", id="S106-pinned"),
    pytest.param({"round": 2, "template": "Latest"}, "2", id="S106-latest"),
]


@pytest.mark.parametrize(("rerun", "ran"), ROUNDS)
@virtual
async def test_a_round_keeps_the_version_unless_it_asks_for_the_latest(
    rerun: Obj, ran: str
) -> None:
    script = {"a": [lambda pod: pod.fails()]}
    async with World(script=script) as world:
        world.start()
        await create_template(world, spec(python("a", source="def run():\n    return 1\n")))
        await world.submit(RUN_OF)
        assert (await world.finished())["phase"] == "Failed"
        await edit_template(world, {"nodes": [python("a", source="def run():\n    return 2\n")]})
        world.script["a"] = [gives(1)]
        await world.patch_run({"rerun": rerun})
        await world.until(lambda: world.status()["phase"] == "Succeeded", "round 2 ends")
        record = world.status()["template"]["record"]
        (used,) = (d for d in definitions(world) if d["metadata"]["name"] == record)
        assert f"return {ran}" in used["spec"]["data"]["nodes"][0]["python"]["source"]


@virtual
async def test_a_round_with_another_template_and_one_with_own_nodes() -> None:
    """S106."""
    async with World() as world:
        world.start()
        await create_template(world, spec(python("a")))
        await create_template(world, spec(python("a"), python("b")), name="second")
        await world.submit(RUN_OF)
        await world.finished()
        await world.patch_run({"templateRef": {"name": "second"}, "rerun": {"round": 2}})
        await world.until(lambda: world.status()["round"] == 2, "round 2")
        assert (await world.finished())["template"]["name"] == "second"
        await world.patch_run(
            {"templateRef": None, "nodes": [python("a"), python("z")], "rerun": {"round": 3}}
        )
        await world.until(lambda: world.status()["round"] == 3, "round 3")
        status = await world.finished()
        assert "template" not in status
        assert [n["path"] for n in status["nodes"]] == ["a", "z"]


@virtual
async def test_a_round_waits_for_a_template_that_is_missing() -> None:
    async with World() as world:
        world.start()
        await create_template(world, spec(python("a")))
        await world.submit(RUN_OF)
        await world.finished()
        await world.patch_run({"templateRef": {"name": "second"}, "rerun": {"round": 2}})
        await world.until(
            lambda: condition(world.run())["reason"] == "MissingReference", "it says so"
        )
        await create_template(world, spec(python("b")), name="second")
        await world.until(lambda: world.status()["round"] == 2, "round 2", within=10)
        assert (await world.finished())["phase"] == "Succeeded"


@virtual
async def test_deleting_a_run_deletes_its_definition() -> None:
    async with World() as world:
        world.start()
        await create_template(world, spec(python("a")))
        await world.submit(RUN_OF)
        await world.finished()
        await world.delete(Kind.AGENT_WORKFLOW, "brief")
        await world.until(lambda: not definitions(world), "it is collected")
        assert template(world)


@virtual
async def test_a_finished_run_needs_no_definition() -> None:
    """S109."""
    async with World() as world:
        operator = world.start()
        await create_template(world, spec(python("a")))
        await world.submit({**RUN_OF, "ttlSecondsAfterFinished": 3600})
        await world.finished()
        await world.quiet(10)  # its pod is released
        operator.die()
        await world.delete(Kind.NODE_RECORD, world.status()["template"]["record"])
        await world.delete(Kind.AGENT_WORKFLOW_TEMPLATE, REVIEW)
        operator = world.start()
        assert list(await world.quiet(700)) == []
        reads = [c for c in operator.line.calls if c.verb == "get" and c.kind is not Kind.LEASE]
        assert reads == []
        await world.until(lambda: not world.run(), "its time is over", within=4000)


@virtual
async def test_a_run_waits_while_its_definition_cannot_be_stored() -> None:
    """S108."""
    async with World() as world:
        world.start()
        await create_template(world, spec(python("a")))
        refused = QuotaExceeded("exceeded quota: records", code=403)
        for _ in range(3):
            world.cluster.fail_next("create", Kind.NODE_RECORD, refused)
        await world.submit(RUN_OF)
        await world.until(lambda: bool(world.status()), "it is looked at")
        accepted = condition(world.run())
        assert (accepted["status"], accepted["reason"]) == ("Unknown", "RecordRejected")
        assert "exceeded quota: records" in accepted["message"]
        assert "template" not in world.status()
        assert (await world.finished(within=120))["phase"] == "Succeeded"
        assert len(definitions(world)) == 1


@virtual
async def test_a_round_waits_while_its_definition_cannot_be_stored() -> None:
    """S108."""
    async with World() as world:
        world.start()
        await create_template(world, spec(python("a")))
        await world.submit(RUN_OF)
        first = await world.finished()
        await edit_template(world, {"nodes": [python("b")]})
        refused = QuotaExceeded("exceeded quota: records", code=403)
        for _ in range(3):
            world.cluster.fail_next("create", Kind.NODE_RECORD, refused)
        await world.patch_run({"rerun": {"round": 2, "template": "Latest"}})
        await world.until(
            lambda: condition(world.run())["reason"] == "RecordRejected", "it says so"
        )
        assert world.status()["template"] == first["template"]
        assert condition(world.run(), "Stalled")["message"].startswith("round 2 has not begun yet")
        await world.until(lambda: world.status()["round"] == 2, "round 2", within=120)
        assert [n["path"] for n in (await world.finished())["nodes"]] == ["b"]


@virtual
async def test_a_run_of_a_template_cleans_up_as_its_version_says() -> None:
    """S120, S128: a later version is not used before the round that takes it has begun."""
    script: Any = {"a": [fails(), gives(1)], "clean": [gives(seconds=60)]}
    async with World(script=script) as world:
        world.start()
        last = [python("clean"), python("waits", dependsOn=["clean"])]
        await create_template(world, spec(python("a"), **{"finally": last}))
        await world.submit(RUN_OF)
        await world.until(lambda: bool(world.ledger.of("clean")), "clean runs")
        await edit_template(world, {"finally": [python("new")]})
        await world.patch_run({"rerun": {"round": 2, "template": "Latest"}})
        await world.until(lambda: world.status()["round"] == 2, "round 2 begins")
        status = await world.finished()
        paths = [run.path for run in world.ledger.executions]
    assert paths == ["a", "clean", "waits", "a", "new"]
    assert status["phase"] == "Succeeded"
