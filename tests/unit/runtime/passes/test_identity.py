"""S604 to S606: whether the API server has checked who answered, and what strict mode does."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from waypost.api.schedule.model import AgentWorkflowScheduleSpec
from waypost.kube.objects import items, section
from waypost.ports.cluster import Kind, Obj, PatchType, Rejected
from waypost.runtime.settings import ApprovalSettings
from waypost.schedules.manifest import run_manifest

from tests.support.builders import NOW, gate, spec
from tests.support.guarding import NAME, STANDARD, STRICT, bind, install, remove
from tests.support.harness import World
from tests.support.schedules import create_schedule, schedule_spec, scheduled_runs
from tests.support.templates import create_template
from tests.support.virtual import virtual

Act = Callable[[World], Awaitable[None]]


async def asked(world: World, **fields: Any) -> Obj:
    """The question of a new run."""
    await world.submit(spec(gate("ok", **fields)))
    await world.until(lambda: bool(world.all(Kind.APPROVAL)), "it is asked", within=30)
    return world.all(Kind.APPROVAL)[0]


def question(world: World) -> Obj:
    (found,) = world.all(Kind.APPROVAL)
    return found


def condition(world: World, type_: str) -> tuple[str, str, str]:
    """Status, reason and message of a condition of the only Approval."""
    found = [one for one in items(question(world), "status", "conditions") if one["type"] == type_]
    return (found[0]["status"], found[0]["reason"], found[0]["message"]) if found else ("", "", "")


async def answer(world: World, approval: Obj, **more: object) -> None:
    digest = approval["spec"]["requestDigest"]
    given = {"decision": "Approved", "decidedBy": "ann", "decidedDigest": digest, **more}
    await world.patch(Kind.APPROVAL, approval["metadata"]["name"], given)


@virtual
async def test_s604_a_policy_that_was_in_force_all_the_time_verifies_the_answer() -> None:
    async with World() as world:
        await install(world)
        await world.quiet(30)
        world.start(approvals=STANDARD)
        approval = await asked(world)
        assert approval["metadata"]["annotations"]["waypost.dev/guard"]
        await answer(world, approval)
        await world.finished(within=60)
        text = "the API server has checked the name of the approver: ann"
        assert condition(world, "IdentityVerified") == ("True", "Verified", text)


async def _replaced(world: World) -> None:
    await remove(world)
    await install(world)


async def _audited_and_back(world: World) -> None:
    await bind(world, "Audit")
    await bind(world, "Deny")


async def _policy_gone(world: World) -> None:
    await remove(world, Kind.ADMISSION_POLICY)


async def _binding_gone(world: World) -> None:
    await remove(world, Kind.ADMISSION_BINDING)


async def _audited(world: World) -> None:
    await bind(world, "Audit")


async def _unreadable(world: World) -> None:
    refused = Rejected("forbidden", code=403, reason="Forbidden")
    world.cluster.fail_next("get", Kind.ADMISSION_POLICY, refused, times=50)


async def _nothing(world: World) -> None:
    pass


MEANWHILE = [
    pytest.param(_policy_gone, "ValidatingAdmissionPolicy waypost-approvals does not", id="gone"),
    pytest.param(_binding_gone, "PolicyBinding waypost-approvals does not exist", id="unbound"),
    pytest.param(_audited, "PolicyBinding waypost-approvals does not deny", id="audit"),
    pytest.param(_replaced, "the policy was changed after the question was asked", id="replaced"),
    pytest.param(_audited_and_back, "the policy was changed after", id="audit-and-back"),
    pytest.param(_unreadable, "its policy cannot be read: forbidden", id="unreadable"),
]


@pytest.mark.parametrize(("meanwhile", "says"), MEANWHILE)
@virtual
async def test_s604_a_policy_that_was_away_between_verifies_nothing(
    meanwhile: Act, says: str
) -> None:
    async with World() as world:
        await install(world)
        await world.quiet(30)
        operator = world.start(approvals=STANDARD)
        approval = await asked(world)
        operator.die()
        await meanwhile(world)
        await answer(world, approval)
        await world.quiet(30)
        world.start(approvals=STANDARD)
        await world.finished(within=60)
        assert condition(world, "IdentityVerified")[:2] == ("False", "Declared")
        assert says in condition(world, "IdentityVerified")[2]


@virtual
async def test_s604_a_policy_that_came_after_the_question_verifies_nothing() -> None:
    async with World() as world:
        world.start(approvals=STANDARD)
        approval = await asked(world)
        await install(world)
        await world.quiet(60)
        await answer(world, approval)
        await world.finished(within=60)
        assert "no policy was in force when the question was asked" in str(
            condition(world, "IdentityVerified")
        )


async def _labelled(world: World) -> None:
    """As an upgrade of the chart that changes nothing else."""
    await world.user.patch(
        Kind.ADMISSION_POLICY,
        namespace="",
        name=NAME,
        body={"metadata": {"labels": {"helm.sh/chart": "waypost-2"}}},
        patch_type=PatchType.MERGE,
    )


@virtual
async def test_s604_an_answer_during_an_upgrade_is_verified() -> None:
    """The rules of the policy are the same, so that its mark is."""
    async with World() as world:
        await install(world)
        await world.quiet(30)
        world.start(approvals=STRICT)
        approval = await asked(world)
        await _labelled(world)
        await answer(world, approval)
        await world.finished(within=8)
        assert condition(world, "IdentityVerified")[0] == "True"


@virtual
async def test_s604_another_operator_verifies_as_well() -> None:
    async with World() as world:
        await install(world)
        await world.quiet(30)
        operator = world.start(approvals=STRICT)
        approval = await asked(world)
        operator.die()
        await answer(world, approval)
        await world.quiet(30)
        world.start(approvals=STRICT)
        await world.finished(within=60)
        assert condition(world, "IdentityVerified")[0] == "True"
        assert world.status()["phase"] == "Succeeded"


async def _upgraded(world: World) -> None:
    """As an upgrade of the chart that changes a rule of the policy."""
    validations = [{"expression": "true"}, {"expression": "1 == 1"}]
    await world.user.patch(
        Kind.ADMISSION_POLICY,
        namespace="",
        name=NAME,
        body={"spec": {"validations": validations}},
        patch_type=PatchType.MERGE,
    )


UPGRADES = [
    pytest.param(_upgraded, id="another-rule"),
    pytest.param(_replaced, id="replaced"),
    pytest.param(_audited_and_back, id="audit-and-back"),
]


@pytest.mark.parametrize("upgrade", UPGRADES)
@pytest.mark.parametrize("approvals", [STANDARD, STRICT], ids=["standard", "strict"])
@pytest.mark.parametrize("restarts", [False, True], ids=["same-operator", "new-operator"])
@virtual
async def test_s766_a_question_that_is_open_during_an_upgrade_can_be_answered(
    upgrade: Act, approvals: ApprovalSettings, restarts: bool
) -> None:
    async with World() as world:
        await install(world)
        await world.quiet(30)
        operator = world.start(approvals=approvals, resync_seconds=60)
        approval = await asked(world)
        if restarts:
            operator.die()
        await upgrade(world)
        if restarts:
            world.start(approvals=approvals, resync_seconds=60)
        await world.quiet(180)
        assert question(world)["metadata"]["uid"] == approval["metadata"]["uid"], "the same"
        await answer(world, question(world))
        await world.finished(within=30)
        assert condition(world, "IdentityVerified")[0] == "True"
        assert world.status()["phase"] == "Succeeded"


@virtual
async def test_s766_a_question_with_a_vote_is_not_marked_again() -> None:
    """Nothing says under which policy the vote was given."""
    people = {"users": ["ann", "bob"], "required": 2}
    async with World() as world:
        await install(world)
        await world.quiet(30)
        world.start(approvals=STRICT, resync_seconds=60)
        approval = await asked(world, approvers=people)
        vote = {"decision": "Approved", "decidedDigest": approval["spec"]["requestDigest"]}
        name = approval["metadata"]["name"]
        await world.patch(Kind.APPROVAL, name, {"votes": {"ann": vote}})
        await _upgraded(world)
        await world.quiet(180)
        assert "guard" not in question(world)["status"]
        await world.patch(Kind.APPROVAL, name, {"votes": {"bob": vote}})
        await world.quiet(30)
        assert world.node("ok")["phase"] == "Waiting"
        assert "the policy was changed after" in condition(world, "IdentityVerified")[2]


@virtual
async def test_s766_a_policy_that_does_not_hold_marks_nothing() -> None:
    async with World() as world:
        await install(world)
        await world.quiet(30)
        world.start(approvals=STRICT, resync_seconds=60)
        await asked(world)
        await bind(world, "Audit")
        await world.quiet(180)
        assert "guard" not in section(question(world), "status")


@pytest.mark.parametrize(("meanwhile", "says"), MEANWHILE)
@virtual
async def test_s605_strict_mode_ignores_an_answer_that_is_not_verified(
    meanwhile: Act, says: str
) -> None:
    """Asked again, once the policy is back, its answer counts."""
    async with World() as world:
        await install(world)
        await world.quiet(30)
        operator = world.start(approvals=STRICT)
        approval = await asked(world)
        operator.die()
        await meanwhile(world)
        await answer(world, approval)
        world.start(approvals=STRICT)
        await world.quiet(30)
        assert world.node("ok")["phase"] == "Waiting"
        for type_ in ("AnswerValid", "IdentityVerified"):
            assert condition(world, type_)[0] == "False"
            assert says in condition(world, type_)[2]
        if meanwhile not in (_replaced, _audited_and_back):
            return
        await world.delete(Kind.APPROVAL, approval["metadata"]["name"])
        await world.quiet(15)
        await answer(world, question(world))
        await world.finished(within=60)
        assert world.status()["phase"] == "Succeeded"


@pytest.mark.parametrize(
    ("given", "says"),
    [
        pytest.param({"decidedBy": None}, "it has no decidedBy", id="no-name"),
        pytest.param({"decidedDigest": None}, "it has no decidedDigest", id="no-digest"),
        pytest.param({"decision": "Denied", "decidedBy": None}, "no decidedBy", id="denial"),
    ],
)
@virtual
async def test_s605_strict_mode_ignores_an_answer_without_a_name_or_a_digest(
    given: Obj, says: str
) -> None:
    async with World() as world:
        await install(world)
        await world.quiet(30)
        world.start(approvals=STRICT)
        await answer(world, await asked(world), **given)
        await world.quiet(10)
        assert world.node("ok")["phase"] == "Waiting"
        assert says in condition(world, "AnswerValid")[2]


@virtual
async def test_s605_each_vote_needs_the_digest() -> None:
    async with World() as world:
        await install(world)
        await world.quiet(30)
        world.start(approvals=STRICT)
        approvers = {"users": ["ann", "bob"], "required": 2}
        approval = await asked(world, approvers=approvers)
        name, digest = approval["metadata"]["name"], approval["spec"]["requestDigest"]
        votes = {"ann": {"decision": "Approved", "decidedDigest": digest}}
        await world.patch(Kind.APPROVAL, name, {"votes": votes})
        await world.quiet(5)
        assert section(question(world), "status")["votes"] == "1/2"
        await world.patch(Kind.APPROVAL, name, {"votes": {"bob": {"decision": "Approved"}}})
        await world.quiet(5)
        assert "votes.bob has no decidedDigest" in condition(world, "AnswerValid")[2]
        assert world.node("ok")["phase"] == "Waiting"


@virtual
async def test_s605_an_answer_that_is_not_verified_is_silence_at_the_expiry() -> None:
    async with World() as world:
        await install(world)
        await world.quiet(30)
        world.start(approvals=STRICT)
        approval = await asked(world, timeout="60s", onDenied="Continue")
        await remove(world)
        await answer(world, approval)
        await world.finished(within=120)
        assert world.node("ok")["output"] == {"decision": "Denied", "expired": True} | {
            "decidedAt": world.node("ok")["output"]["decidedAt"]
        }


@virtual
async def test_s606_strict_mode_asks_nothing_while_the_policy_is_missing() -> None:
    async with World() as world:
        world.start(approvals=STRICT)
        await world.submit(spec(gate("ok")))
        await world.quiet(60)
        assert world.all(Kind.APPROVAL) == []
        assert world.node("ok")["reason"] == "IdentityUnverified"
        assert "waypost-approvals does not exist" in world.node("ok")["message"]
        await install(world)
        await world.until(lambda: bool(world.all(Kind.APPROVAL)), "it is asked", within=60)
        await answer(world, question(world))
        await world.finished(within=60)
        assert world.status()["phase"] == "Succeeded"
        assert "reason" not in world.node("ok")


@virtual
async def test_s606_a_question_that_cannot_be_asked_expires() -> None:
    async with World() as world:
        world.start(approvals=STRICT)
        await world.submit(spec(gate("ok", timeout="60s")))
        await world.finished(within=120)
        assert world.node("ok")["reason"] == "ApprovalExpired"
        assert "approvals.mode is Strict" in world.node("ok")["message"]


@virtual
async def test_without_a_policy_nothing_of_it_is_read() -> None:
    async with World() as world:
        operator = world.start()
        await asked(world)
        await world.answer(decision="Approved", decidedBy="ann")
        await world.finished(within=60)
        read = [call for call in operator.line.calls if call.kind in (Kind.ADMISSION_POLICY,)]
        assert read == []
        text = "declared by the approver: ann; not verified: no admission policy on Approvals is"
        assert text in condition(world, "IdentityVerified")[2]


@pytest.mark.parametrize(
    ("schedule", "origin", "asked_by"),
    [
        pytest.param({"requestedBy": "sue"}, {"requestedBy": "sue"}, ["sue"], id="named"),
        pytest.param({}, {}, None, id="nobody"),
    ],
)
@virtual
async def test_s603_a_run_of_a_schedule_asks_in_the_name_of_who_wrote_it(
    schedule: Obj, origin: Obj, asked_by: list[str] | None
) -> None:
    async with World() as world:
        world.start()
        await create_template(world, spec(gate("ok", approvers={"users": ["ann", "sue"]})))
        await create_schedule(world, "*/10 * * * *", **schedule)
        await world.until(lambda: bool(world.all(Kind.APPROVAL)), "it is asked", within=660)
        (run,) = scheduled_runs(world)
        assert run["spec"]["origin"] == {"schedule": "nightly", **origin}
        assert question(world)["spec"].get("requesters") == asked_by
        await world.answer(decision="Approved", decidedBy="sue")
        await world.quiet(5)
        own = section(question(world), "status").get("state") == "Approved"
        assert own == (asked_by is None), "sue cannot approve what she wrote"


def test_s603_a_run_of_a_backfill_is_that_of_the_person_who_runs_it() -> None:
    made = run_manifest(
        AgentWorkflowScheduleSpec.model_validate(schedule_spec("* * * * *", requestedBy="sue")),
        schedule="nightly",
        scheduled_at=NOW,
    )
    assert "origin" not in made["spec"]
