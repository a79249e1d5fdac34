"""An agent asks people before it calls a tool: no pod waits, each call is answered once."""

from collections import Counter
from typing import Any

import pytest

from e2e.cluster import api
from e2e.suite import outside
from e2e.suite.build import Workflow, schema, workflow
from e2e.suite.kube import Obj, path_of
from e2e.suite.ledger import Ledger
from e2e.suite.operators import NAMESPACE, Operator
from e2e.suite.space import APPROVERS, Run, Space, container_state, node_of
from e2e.suite.test_gateway import SELECTOR
from e2e.suite.test_providers import provider
from e2e.suite.waiting import until

MODULE = '''
def look(where: str) -> str:
    """Look somewhere."""
    note("look")
    return where


def send(text: str) -> str:
    """Send a letter."""
    note(f"send {text}")
    return text
'''
LETTERS = ("one", "two", "three")
SCRIPT: Obj = {
    "byAnswers": True,
    "turns": [
        {
            "call": [
                *({"tool": "send", "arguments": {"text": text}} for text in LETTERS),
                {"tool": "look", "arguments": {"where": "here"}},
            ]
        },
        {"output": {"sent": "done"}},
    ],
}
SCRIPTS = dict.fromkeys(("asked", "killed", "cancelled"), SCRIPT)


@pytest.fixture(scope="module")
def models(space: Space, cluster: api.Cluster, operator: Operator) -> str:
    """Name of a ModelProvider that the scripted server stands behind."""
    url = outside.start_models(space, cluster.images["operator"], SCRIPTS)
    provider(space, "scripted", baseURL=url)
    return "scripted"


def asking(name: str, models: str, ledger: Ledger) -> Workflow:
    """A workflow with one agent that asks before it sends three letters."""
    tools = {"module": "post", "functions": ["look", "send"], "effects": {"send": "once"}}
    kind: dict[str, Any] = {
        "model": {"provider": models, "name": name},
        "prompt": f"Play {name}.",
        "tools": [{**tools, "requireApproval": ["send"]}],
        "toolApproval": {"approvers": {"users": list(APPROVERS)}},
    }
    return (
        workflow(name)
        .having(modules={"post": ledger.counted(MODULE)})
        .node("a", agent=kind, outputSchema=schema(sent="string"), timeout="120s")
    )


def questions(run: Run) -> dict[str, str]:
    """The names of the Approvals by text of their letter, once all are there."""

    def found() -> dict[str, str]:
        return {
            each["spec"]["context"]["arguments"]["text"]: each["metadata"]["name"]
            for each in run.approvals()
        }

    run.reaches("a", "Waiting")
    until(lambda: set(found()) == set(LETTERS), within=30, what="three questions", seen=found)
    return found()


def done(ledger: Ledger, run: Run) -> dict[str, int]:
    """What the tools did, how often."""
    return Counter(e["what"] for e in ledger.entries(run.uid) if e["what"] != "start")


def decide(run: Run, asked: dict[str, str]) -> None:
    """One call is approved, one is edited and one is denied."""
    space = run.space
    space.answer(asked["one"], decision="Approved")
    space.answer(asked["two"], decision="Approved", answer={"text": "other"})
    space.answer(asked["three"], decision="Denied", reason="one letter too many")


def judge(run: Run, ledger: Ledger) -> None:
    """Each call was answered as it was decided, and none was made twice."""
    seen = run.succeeded()
    assert done(ledger, run) == {"look": 1, "send one": 1, "send other": 1}
    attempts = node_of(seen, "a")["attempts"]
    assert [each["reason"] for each in attempts] == ["AwaitingApproval", "Succeeded"]
    assert node_of(seen, "a").get("retries") is None
    states = {each["status"]["state"] for each in run.approvals()}
    assert states == {"Approved", "Denied"}


def test_s540_s543_calls_are_approved_edited_and_denied(
    space: Space, models: str, ledger: Ledger
) -> None:
    run = space.start(asking("asked", models, ledger))
    asked = questions(run)
    assert not any(container_state(pod, "running") for pod in run.pods()), "no pod waits"
    assert done(ledger, run) == {"look": 1}, "what needs no approval was done"
    decide(run, asked)
    judge(run, ledger)


def test_s546_a_cancel_withdraws_the_questions(space: Space, models: str, ledger: Ledger) -> None:
    run = space.start(asking("cancelled", models, ledger))
    questions(run)
    run.set(cancel=True)
    assert run.finished()["status"]["phase"] == "Cancelled"
    assert {each["status"]["state"] for each in run.approvals()} == {"Withdrawn"}
    assert done(ledger, run) == {"look": 1}


@pytest.mark.alone
def test_s544_operator_and_gateway_are_killed_while_it_waits(
    space: Space, models: str, ledger: Ledger, operator: Operator
) -> None:
    if operator.machine is None:
        pytest.skip("needs the machine the pods run on: CLUSTER=kind or CLUSTER=embedded")
    run = space.start(asking("killed", models, ledger))
    asked = questions(run)
    gateways = path_of("pods", NAMESPACE)
    for pod in space.kube.request("GET", gateways, labelSelector=SELECTOR)["items"]:
        path = f"{gateways}/{pod['metadata']['name']}"
        space.kube.request("DELETE", path, {"gracePeriodSeconds": 0})
    operator.crash(operator.ready())
    decide(run, asked)
    operator.ready()
    judge(run, ledger)
