"""Nodes whose attempt is a child run: its start, its result, what goes down and what comes up (S200
to S213).
"""

import pytest
from waypost.api.rerun import Rerun
from waypost.api.state.child import ChildStatus
from waypost.api.template.called import Called
from waypost.engine.nodes.children.patches import request_round
from waypost.kube.facts.children import ChildFact
from waypost.kube.names import child_name
from waypost.kube.objects import section
from waypost.ports.cluster import Kind, Unavailable

from tests.support.builders import gate, python, spec
from tests.support.children import (
    CHILD,
    DOUBLE,
    PARENT,
    calls,
    child,
    child_runs,
    children,
    patch_child,
    ran,
)
from tests.support.harness import RUN, World, fails, gives, hangs
from tests.support.refusals import FORBIDDEN, Refusal, says_unread
from tests.support.templates import REVIEW, create_template
from tests.support.virtual import virtual

LARGE = "x" * 3000  # fits no status


@virtual
async def test_a_node_gives_the_outputs_of_its_child_run() -> None:
    """S200, S203."""
    async with World(script={"twice": [gives(8)]}) as world:
        world.start()
        await create_template(world, DOUBLE)
        run = await world.submit(PARENT)
        status = await world.finished()
        assert (status["phase"], status["outputs"]) == ("Succeeded", {"got": 8})
        made = child(world)
        assert made["metadata"]["ownerReferences"] == [
            {
                "apiVersion": "waypost.dev/v1alpha1",
                "kind": "AgentWorkflow",
                "name": RUN,
                "uid": run["metadata"]["uid"],
                "controller": True,
                "blockOwnerDeletion": True,
            }
        ]
        assert made["spec"]["inputs"] == {"n": 4}
        accepted = world.condition("Accepted", made["metadata"]["name"])
        assert accepted["message"] == "the spec is valid", "S28: its labels are the operator's"
        assert world.node("check")["child"] == {
            "name": made["metadata"]["name"],
            "uid": made["metadata"]["uid"],
            "generation": 1,
            "round": 1,
        }
        await world.quiet(5)
        assert CHILD not in child(world)["metadata"].get("finalizers", [])


@virtual
async def test_a_failure_of_a_child_names_the_run_and_its_reason() -> None:
    """S203."""
    async with World(script={"twice": [fails(message="no such thing")]}) as world:
        world.start()
        await create_template(world, DOUBLE)
        await world.submit(PARENT)
        status = await world.finished()
        assert status["phase"] == "Failed"
        node = world.node("check")
        assert node["reason"] == "ChildFailed"
        assert child(world)["metadata"]["name"] in node["message"]
        assert "twice failed: NodeError: no such thing" in node["message"]


@virtual
async def test_a_node_of_a_child_that_may_fail_does_not_fail_the_parent() -> None:
    """S203: the policy of the child run holds."""
    body = {**DOUBLE, "outputs": {"double": "${nodes.twice.?output.orValue(0)}"}}
    body["nodes"] = [{**DOUBLE["nodes"][0], "onFailure": "Continue", "retry": {"limit": 0}}]
    async with World(script={"twice": [fails()]}) as world:
        world.start()
        await create_template(world, body)
        await world.submit(PARENT)
        status = await world.finished()
        assert (status["phase"], status["outputs"]) == ("Succeeded", {"got": 0})
        assert world.node("check")["phase"] == "Succeeded"


@virtual
async def test_inputs_that_the_template_refuses_fail_the_node() -> None:
    """S203: inputs that are known only when the node starts."""
    call = calls("check", inputs={"n": "${nodes.first.output}"})
    async with World(script={"first": [gives("four")]}) as world:
        world.start()
        await create_template(world, DOUBLE)
        await world.submit(spec(python("first"), call))
        await world.finished()
        node = world.node("check")
        assert node["reason"] == "ChildFailed"
        assert "rejected: InvalidSpec: inputs.n" in node["message"]
        assert ran(world) == ["first"]
        await world.until(
            lambda: section(child(world), "spec", "parent").get("cancel") is True,
            "a correction by hand cannot start it",
        )


@virtual
async def test_outputs_that_the_node_does_not_accept_fail_it() -> None:
    declared = {"type": "object", "properties": {"double": {"type": "string"}}}
    async with World(script={"twice": [gives(8)]}) as world:
        world.start()
        await create_template(world, DOUBLE)
        node = calls("check", inputs={"n": 4}, outputSchema=declared)
        await world.submit(spec(node))
        await world.finished()
        assert world.node("check")["reason"] == "OutputInvalid"


@virtual
async def test_cancel_stops_the_child_before_the_parent_ends() -> None:
    """S206."""
    async with World(script={"twice": [hangs()]}) as world:
        world.start()
        await create_template(world, DOUBLE)
        await world.submit(PARENT)
        await child_runs(world)
        await world.patch_run({"cancel": True})
        status = await world.finished()
        assert (status["phase"], world.node("check")["phase"]) == ("Cancelled", "Cancelled")
        stopped = child(world)
        assert stopped["status"]["phase"] == "Cancelled"
        assert "cancel" not in stopped["spec"], "that field is the person's"
        assert stopped["status"]["finishedAt"] <= status["finishedAt"]


@virtual
async def test_a_deadline_of_the_node_stops_the_child() -> None:
    async with World(script={"twice": [hangs()]}) as world:
        world.start()
        await create_template(world, DOUBLE)
        await world.submit(spec(calls("check", inputs={"n": 4}, deadline="30s")))
        await world.finished(within=120)
        node = world.node("check")
        assert (node["phase"], node["reason"]) == ("Failed", "DeadlineExceeded")
        assert child(world)["status"]["phase"] == "Cancelled"


@virtual
async def test_suspend_goes_down_and_is_lifted_again() -> None:
    two = spec(python("one"), python("two", dependsOn=["one"]))
    async with World() as world:
        world.start()
        await create_template(world, two)
        await world.submit(spec(calls("check"), suspend=False))
        await world.until(lambda: bool(child(world)), "the child exists")
        await world.patch_run({"suspend": True})
        await world.until(
            lambda: section(child(world), "spec", "parent").get("suspend") is True, "it goes down"
        )
        await world.quiet(60)
        assert not world.is_finished()
        await world.patch_run({"suspend": False})
        status = await world.finished()
        assert status["phase"] == "Succeeded"
        assert not section(child(world), "spec", "parent").get("suspend")


@virtual
async def test_a_child_that_a_person_cancels_fails_the_node() -> None:
    async with World(script={"twice": [hangs()]}) as world:
        world.start()
        await create_template(world, DOUBLE)
        await world.submit(PARENT)
        await child_runs(world)
        await patch_child(world, {"cancel": True})
        await world.finished()
        assert world.node("check")["reason"] == "ChildCancelled"


@virtual
async def test_a_child_that_is_deleted_fails_the_node_and_is_not_started_again() -> None:
    """S205."""
    async with World(script={"twice": [hangs()]}) as world:
        world.start()
        await create_template(world, DOUBLE)
        await world.submit(PARENT)
        await child_runs(world)
        await world.delete(Kind.AGENT_WORKFLOW, child(world)["metadata"]["name"])
        await world.finished()
        assert world.node("check")["reason"] == "ChildDeleted"
        await world.until(lambda: not children(world), "it is gone")
        await world.quiet(60)
        assert not children(world)


@virtual
async def test_the_end_of_a_child_survives_its_deletion() -> None:
    """S204."""
    async with World(script={"twice": [gives(8, seconds=5)]}) as world:
        world.start()
        await create_template(world, DOUBLE)
        await world.submit(PARENT)
        await child_runs(world)
        held = world.cluster.hold("patch_status", Kind.AGENT_WORKFLOW, name=RUN)
        await world.until(
            lambda: bool(section(child(world), "status").get("finishedAt")), "the child has ended"
        )
        await world.delete(Kind.AGENT_WORKFLOW, child(world)["metadata"]["name"])
        assert world.node("check")["phase"] == "Running"
        assert child(world), "the parent has not read it yet"
        held.open()
        status = await world.finished()
        assert status["outputs"] == {"got": 8}
        await world.until(lambda: not children(world), "it is let go")


@virtual
async def test_nothing_is_left_when_the_parent_is_deleted() -> None:
    """S212."""
    async with World(script={"twice": [hangs()]}) as world:
        world.start()
        await create_template(world, DOUBLE)
        await world.submit(PARENT)
        await child_runs(world)
        await world.delete(Kind.AGENT_WORKFLOW, RUN)
        await world.until(
            lambda: (
                not world.all(Kind.AGENT_WORKFLOW)
                and not world.all(Kind.POD)
                and not world.all(Kind.JOB)
            ),
            "nothing is left",
        )


@virtual
async def test_three_levels_run_and_their_usage_comes_up() -> None:
    async with World(script={"twice": [gives(8)]}) as world:
        world.start()
        await create_template(world, DOUBLE, "inner")
        middle = spec(
            calls("deep", "inner", inputs={"n": "${inputs.n}"}),
            inputSchema=DOUBLE["inputSchema"],
            outputs={"double": "${nodes.deep.output.double}"},
        )
        await create_template(world, middle)
        await world.submit(PARENT)
        status = await world.finished()
        assert status["outputs"] == {"got": 8}
        (middle_run,) = children(world)
        (inner,) = children(world, middle_run["metadata"]["name"])
        assert inner["spec"]["parent"]["templates"] == ["", REVIEW]
        assert inner["spec"]["parent"]["root"] == world.run()["metadata"]["uid"]


@virtual
async def test_a_template_that_calls_itself_is_refused_with_the_path() -> None:
    """S209."""
    async with World() as world:
        world.start()
        await create_template(world, spec(calls("again", "pong")), "ping")
        await world.submit({"templateRef": {"name": "ping"}})
        await world.quiet(5)  # a template that comes later is not known when the run is accepted
        await create_template(world, spec(calls("again", "ping")), "third")
        await create_template(world, spec(calls("again", "third")), "pong")
        await world.finished()
        message = world.node("again")["message"]
        assert "TooDeep" in message
        assert "template ping calls itself: ping -> pong -> third -> ping" in message


@virtual
async def test_a_tree_has_at_most_five_levels() -> None:
    async with World() as world:
        world.start()
        await world.submit(spec(calls("down", "t1")))
        await world.quiet(5)  # templates that come later are not known when the run is accepted
        await create_template(world, spec(python("end")), "t6")
        for level in range(5, 0, -1):
            await create_template(world, spec(calls("down", f"t{level + 1}")), f"t{level}")
        await world.finished()
        assert "at most 5 levels" in world.node("down")["message"]
        assert len(world.all(Kind.AGENT_WORKFLOW)) == 5


@virtual
async def test_a_gate_in_a_child_is_seen_at_the_parent() -> None:
    """S208."""
    async with World() as world:
        world.start()
        await create_template(world, spec(gate("ok"), outputs={"o": "${nodes.ok.output.decision}"}))
        await world.submit(spec(calls("check"), outputs={"o": "${nodes.check.output.o}"}))
        await world.until(lambda: bool(world.status().get("waiting")), "the parent shows it")
        await world.until(lambda: bool(world.all(Kind.APPROVAL)), "the question is asked")
        (approval,) = world.all(Kind.APPROVAL)
        name = approval["metadata"]["name"]
        assert world.status()["waiting"] == f"approval/{name}"
        shown = world.condition("AwaitingApproval")
        assert shown["status"] == "True"
        assert f"check: ok: kubectl patch approval {name}" in shown["message"]
        assert name in world.node("check")["message"]
        await world.answer(decision="Approved")
        status = await world.finished()
        assert status["outputs"] == {"o": "Approved"}


@virtual
async def test_s361_who_started_the_parent_cannot_answer_in_a_child() -> None:
    async with World() as world:
        world.start()
        await create_template(world, spec(gate("ok"), outputs={"o": "${nodes.ok.output.decision}"}))
        parent = spec(calls("check"), outputs={"o": "${nodes.check.output.o}"}, requestedBy="rita")
        await world.submit(parent)
        await world.until(lambda: bool(world.status().get("waiting")), "the child asks")
        (first,) = world.all(Kind.APPROVAL)
        assert first["spec"]["requesters"] == ["rita"]
        await world.answer(decision="Denied")
        await world.finished()
        await world.patch_run({"rerun": {"round": 2, "requestedBy": "rob"}})
        await world.until(lambda: len(world.all(Kind.APPROVAL)) == 2, "the child asks again")
        (second,) = [a for a in world.all(Kind.APPROVAL) if a != first and not a.get("status")]
        assert second["spec"]["requesters"] == ["rita", "rob"], "and who raised the round"


@virtual
async def test_a_rerun_of_the_parent_keeps_the_checkpoints_of_the_child() -> None:
    """S207."""
    body = spec(
        python("first"),
        python("second", dependsOn=["first"]),
        outputs={"o": "${nodes.second.output}"},
    )
    async with World(script={"second": [fails(), gives(2)]}) as world:
        world.start()
        await create_template(world, body)
        await world.submit(spec(calls("check"), outputs={"o": "${nodes.check.output.o}"}))
        await world.finished()
        await world.quiet(5)
        await world.patch_run({"rerun": {"round": 2}})
        await world.until(lambda: world.status().get("round") == 2, "the round begins")
        status = await world.finished()
        assert (status["phase"], status["outputs"]) == ("Succeeded", {"o": 2})
        assert ran(world) == ["first", "second", "second"]
        assert child(world)["status"]["round"] == 2
        assert world.node("check")["child"]["generation"] == 1


@virtual
async def test_a_rerun_from_the_node_starts_another_child() -> None:
    async with World(script={"twice": [gives(8)]}) as world:
        world.start()
        await create_template(world, DOUBLE)
        await world.submit(PARENT)
        await world.finished()
        await world.patch_run({"rerun": {"round": 2, "from": ["check"]}})
        await world.until(lambda: world.status().get("round") == 2, "the round begins")
        await world.finished()
        assert ran(world) == ["twice", "twice"]
        assert len(children(world)) == 2
        assert world.node("check")["child"]["generation"] == 2


@virtual
async def test_a_round_that_changes_the_node_stops_its_child_first() -> None:
    async with World(script={"twice": [hangs()]}) as world:
        world.start()
        await create_template(world, DOUBLE)
        await world.submit(PARENT)
        await child_runs(world)
        changed = spec(calls("check", inputs={"n": 5}), rerun={"round": 2})
        await world.patch_run({**changed, "outputs": None})
        await world.until(lambda: len(children(world)) == 2, "the next child exists")
        old, new = sorted(children(world), key=lambda run: str(run["spec"]["inputs"]))
        assert old["status"]["phase"] == "Cancelled"
        assert new["spec"]["inputs"] == {"n": 5}


@virtual
async def test_a_round_that_removes_the_node_stops_its_child() -> None:
    """S213."""
    async with World(script={"twice": [hangs()]}) as world:
        world.start()
        await create_template(world, DOUBLE)
        await world.submit(PARENT)
        await child_runs(world)
        await world.patch_run({**spec(python("a"), rerun={"round": 2}), "outputs": None})
        status = await world.finished()
        assert status["phase"] == "Succeeded"
        assert child(world)["status"]["phase"] == "Cancelled"


@virtual
async def test_a_missing_template_is_waited_for_and_then_fails_the_node() -> None:
    """S210."""
    async with World() as world:
        world.start()
        await world.submit(spec(calls("check", queueTimeout="1m")))
        await world.until(
            lambda: world.node("check").get("reason") == "MissingReference", "it is named"
        )
        await world.finished(within=180)
        node = world.node("check")
        assert (node["phase"], node["reason"]) == ("Failed", "MissingReference")
        assert "no AgentWorkflowTemplate review" in node["message"]


@virtual
async def test_a_name_taken_by_a_stranger_is_not_adopted() -> None:
    async with World() as world:
        await create_template(world, DOUBLE)
        first = world.start()
        await world.submit({**PARENT, "suspend": True})
        await world.quiet(5)
        first.die()
        uid = world.run()["metadata"]["uid"]
        name = child_name(run=RUN, run_uid=uid, path="check", generation=1)
        await world.submit(spec(python("other")), name=name)
        await world.patch_run({"suspend": False})
        world.start()
        await world.finished()
        node = world.node("check")
        assert node["reason"] == "LaunchRejected"
        assert "is not the child run of this node" in node["message"]


@virtual
async def test_a_run_that_names_a_parent_by_hand_is_refused() -> None:
    """S211."""
    async with World() as world:
        world.start()
        block = {
            "run": "x", "uid": "u", "root": "u", "path": "a", "templates": [""], "children": 0,
        }  # fmt: skip
        await world.submit({**spec(python("a")), "parent": block})
        await world.finished()
        assert world.status()["phase"] == "Rejected"
        message = world.condition("Accepted")["message"]
        assert "only the operator writes this field" in message
        assert "delete this run and create it again without spec.parent" in message


@virtual
@pytest.mark.parametrize("after_commit", [False, True], ids=["undone", "done"])
async def test_a_create_whose_answer_is_lost_makes_one_child(after_commit: bool) -> None:
    """S202."""
    async with World(script={"twice": [gives(8)]}) as world:
        world.start()
        await create_template(world, DOUBLE)
        world.cluster.fail_next(
            "create", Kind.AGENT_WORKFLOW, Unavailable("lost"), after_commit=after_commit
        )
        await world.submit(PARENT)
        status = await world.finished()
        assert status["phase"] == "Succeeded"
        assert child(world)
        assert ran(world) == ["twice"]


@virtual
async def test_s85_a_child_that_is_still_to_be_created_waits_for_its_inputs() -> None:
    """The operator is replaced between the status and the create, and may not read the input."""
    parent = spec(
        python("large"),
        calls("check", inputs={"n": "${size(nodes.large.output)}"}),
        outputs={"got": "${nodes.check.output.double}"},
    )
    async with World(script={"large": [gives(LARGE)], "twice": [gives(8)]}) as world:
        first = world.start()
        await create_template(world, DOUBLE)
        Refusal(first, None, Kind.AGENT_WORKFLOW, verb="create")
        await world.submit(parent)
        await world.until(lambda: bool(world.node("check").get("child")), "the child is named")
        first.die()
        refused = Refusal(world.start(), FORBIDDEN, Kind.NODE_RECORD, verb="get")
        node = await says_unread(world, "check")
        assert node["phase"] == "Running"
        assert "stopping" not in node["child"]
        refused.on = False
        status = await world.finished(within=150)
        assert (status["phase"], status["outputs"]) == ("Succeeded", {"got": 8})


@virtual
@pytest.mark.parametrize("seconds", [0.1, 0.3, 0.6, 1.0, 1.5, 2.5, 4.0], ids=str)
async def test_an_operator_killed_at_any_moment_runs_each_program_once(seconds: float) -> None:
    async with World(script={"twice": [gives(8)]}) as world:
        first = world.start()
        await create_template(world, DOUBLE)
        await world.submit(PARENT)
        await world.quiet(seconds)
        first.die()
        world.start()
        status = await world.finished()
        assert (status["phase"], status["outputs"]) == ("Succeeded", {"got": 8})
        assert ran(world) == ["twice"]
        assert child(world)


@virtual
async def test_an_edit_of_the_inputs_of_a_child_fails_the_node() -> None:
    async with World(script={"twice": [hangs()]}) as world:
        world.start()
        await create_template(world, DOUBLE)
        await world.submit(PARENT)
        await child_runs(world)
        await patch_child(world, {"inputs": {"n": 9}, "rerun": {"round": 2}})
        await world.finished()
        assert world.node("check")["reason"] == "ChildChanged"
        assert child(world)["status"]["phase"] == "Cancelled"


def test_a_parent_leaves_nothing_of_an_earlier_round_of_its_child() -> None:
    """S207: all that the last round asked for is removed, also that it read the memory again."""
    called = Called("double")
    fact = ChildFact("c", "u", "p", "7", "check", called, "")
    status = ChildStatus(name="c", generation=1, round=3)
    patch = request_round(
        fact, status, latest=False, requesters=[], artifacts=None, concurrency=None
    )
    left = {**patch.body["spec"]["rerun"]}
    assert left.pop("round") == 3
    assert left == dict.fromkeys(_asked(), None)


def _asked() -> set[str]:
    """The fields of a rerun as the API server knows them, without its number."""
    return {field.alias or name for name, field in Rerun.model_fields.items()} - {"round"}
