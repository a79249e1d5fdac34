"""Maps of questions on a real cluster, answered as people answer: with `waypost approve` and with
`kubectl patch`. An operator that dies meanwhile loses no answer and asks nobody twice."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from e2e.suite.build import Obj, Workflow, workflow
from e2e.suite.ledger import Ledger
from e2e.suite.operators import Operator
from e2e.suite.people import Person, account
from e2e.suite.space import Run, Space, condition, container_state, node_of
from e2e.suite.waiting import until

PAY = "def run(decisions):\n    return decisions\n"
DECISIONS = "${nodes.ask.output.map(one, one.decision)}"


def payments(
    space: Space, ledger: Ledger, name: str, *, each: Obj | None = None, gate: Obj | None = None
) -> Workflow:
    """One question for each payment, a program before and one after."""
    amounts = ledger.counted("def run():\n    return [10, 20, 30]\n")
    whole = {"type": "array", "items": {"type": "integer"}}
    approvers = {"users": ["ann", account(space, "bert")]}
    question = {"message": "Pay ${item}?", "approvers": approvers, **(gate or {})}
    made = workflow(name).python("list", amounts, outputSchema=whole)
    made.node("ask", forEach={"items": "${nodes.list.output}", **(each or {})}, approval=question)
    made.python("pay", ledger.counted(PAY), inputs={"decisions": DECISIONS})
    return made.having(outputs={"paid": "${nodes.pay.output}"})


def applied(space: Space, made: Workflow, folder: Path) -> Run:
    """The run, created with kubectl."""
    path = folder / f"{made.name}.yaml"
    path.write_text(yaml.safe_dump(made.manifest()))
    space.kubectl("apply", "-f", str(path))
    found = space.get("agentworkflows", made.name)
    assert found is not None
    return Run(space, made.name, found["metadata"]["uid"])


def asked(run: Run, *indexes: int) -> dict[str, str]:
    """Name of the open Approval by path, once those of these items are open and no others."""
    expected = {f"ask/{index}" for index in indexes}

    def look() -> dict[str, str] | None:
        found = {
            one["spec"]["path"]: one["metadata"]["name"]
            for one in run.approvals()
            if one.get("status", {}).get("state", "Open") == "Open"
        }
        return found if found.keys() == expected else None

    return until(look, within=60, what=f"{sorted(expected)} are open", seen=run.shown)


def patched(space: Space, name: str, decision: str) -> None:
    """Answer as ann, with the command that the run shows."""
    answer = json.dumps({"spec": {"decision": decision, "decidedBy": "ann"}})
    space.kubectl("patch", "approval", name, "--as=ann", "--type", "merge", "-p", answer)


def in_round(run: Run, number: int) -> Obj:
    """The run once a round has ended."""

    def ended(found: Obj) -> bool:
        finished = condition(found, "Finished").get("status") == "True"
        return found["status"].get("round") == number and finished

    return run.until(ended, what=f"round {number} has finished")


def test_s475_s480_each_item_is_asked_without_a_pod_and_answered_by_two_ways(
    space: Space, ledger: Ledger, people: dict[str, Person], tmp_path: Path
) -> None:
    run = applied(space, payments(space, ledger, "pay", gate={"onDenied": "Continue"}), tmp_path)
    names = asked(run, 0, 1, 2)
    assert not any(container_state(pod, "running") for pod in run.pods()), "no pod waits"
    seen = run.until(lambda found: found["status"]["phase"] == "Waiting", what="the run waits")
    reported = condition(seen, "AwaitingApproval")["message"]
    assert all(f"{path}: " in reported for path in names), reported
    bert = people["bert"]
    assert names["ask/1"] in bert.reads("approvals", "-o", "name")
    assert all(name in people["gail"].reads("get", "pay") for name in names.values())
    bert.reads("approve", names["ask/1"], "--yes")
    patched(space, names["ask/2"], "Approved")
    patched(space, names["ask/0"], "Denied")
    seen = run.succeeded()
    assert seen["status"]["outputs"]["paid"] == ["Denied", "Approved", "Approved"]
    assert ledger.starts(run.uid) == {"list": 1, "pay": 1}
    assert "3/3 items" in people["gail"].reads("trace", "pay")


def test_s477_s478_too_many_denials_withdraw_the_open_questions(
    space: Space, ledger: Ledger, tmp_path: Path
) -> None:
    run = applied(space, payments(space, ledger, "denied"), tmp_path)
    names = asked(run, 0, 1, 2)
    patched(space, names["ask/1"], "Denied")
    seen = run.finished()
    ask = node_of(seen, "ask")
    assert (ask["phase"], ask["reason"]) == ("Failed", "ItemsFailed")
    states = {one["spec"]["path"]: one["status"]["state"] for one in run.approvals()}
    assert states == {"ask/0": "Withdrawn", "ask/1": "Denied", "ask/2": "Withdrawn"}
    assert ledger.starts(run.uid) == {"list": 1}


def test_s479_one_item_is_asked_again_and_the_other_answers_stay(
    space: Space, ledger: Ledger, people: dict[str, Person], tmp_path: Path
) -> None:
    path = tmp_path / "again.yaml"
    made = payments(space, ledger, "again", each={"maxParallel": 2}, gate={"onDenied": "Continue"})
    path.write_text(yaml.safe_dump(made.manifest()))
    dana = people["dana"]
    dana.reads("run", str(path))
    body = space.get("agentworkflows", "again")
    assert body is not None
    run = Run(space, "again", body["metadata"]["uid"])
    first = asked(run, 0, 1)  # maxParallel
    for name in first.values():
        patched(space, name, "Approved")
    patched(space, asked(run, 2)["ask/2"], "Denied")
    seen = run.succeeded()
    assert seen["status"]["outputs"]["paid"] == ["Approved", "Approved", "Denied"]
    dana.reads("rerun", "again", "--from", "ask/2")
    again = asked(run, 2)
    patched(space, again["ask/2"], "Approved")
    seen = in_round(run, 2)
    assert seen["status"]["outputs"]["paid"] == ["Approved"] * 3
    assert ledger.starts(run.uid) == {"list": 1, "pay": 2}
    assert len(run.approvals()) == 4


@pytest.mark.alone
def test_s475_an_operator_that_dies_while_questions_are_open(
    space: Space, ledger: Ledger, operator: Operator, tmp_path: Path
) -> None:
    run = applied(space, payments(space, ledger, "killed", gate={"onDenied": "Continue"}), tmp_path)
    names = asked(run, 0, 1, 2)
    operator.crash(operator.ready())
    patched(space, names["ask/0"], "Approved")
    operator.ready()
    run.until(
        lambda found: node_of(found, "ask").get("items", {}).get("states", "").startswith("S"),
        what="the first answer is recorded",
    )
    operator.scale(0)
    patched(space, names["ask/2"], "Approved")
    patched(space, names["ask/1"], "Denied")
    operator.scale()
    seen = run.succeeded()
    assert seen["status"]["outputs"]["paid"] == ["Approved", "Denied", "Approved"]
    assert ledger.starts(run.uid) == {"list": 1, "pay": 1}
    assert {one["metadata"]["name"] for one in run.approvals()} == set(names.values())


def test_s478_a_cancel_withdraws_every_question(
    space: Space, ledger: Ledger, people: dict[str, Person], tmp_path: Path
) -> None:
    run = applied(space, payments(space, ledger, "stopped"), tmp_path)
    names = asked(run, 0, 1, 2)
    people["dana"].reads("cancel", "stopped")
    assert run.finished()["status"]["phase"] == "Cancelled"
    states: list[Any] = [one["status"]["state"] for one in run.approvals()]
    assert states == ["Withdrawn"] * len(names)
