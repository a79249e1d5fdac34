"""Rounds on a real cluster: a person edits a run that failed hours ago, and it continues there."""

from typing import Any

import pytest

from e2e.cluster import api
from e2e.suite import outside
from e2e.suite.build import Workflow, workflow
from e2e.suite.kube import ApiError, Obj
from e2e.suite.ledger import Ledger
from e2e.suite.operators import Operator
from e2e.suite.space import Run, Space, condition, node_of, phases
from e2e.suite.test_providers import provider, secret

LONG = 150.0
KEY = "the-right-key"
SCRIPTS: dict[str, Any] = {
    "apiKey": KEY,
    "scripts": {
        "refuse": {"turns": [{"refuse": "I must not help with that.", "repeat": "forever"}]},
        "answer": {"turns": [{"output": {"text": "done"}, "repeat": "forever"}]},
    },
}


def twelve(name: str, ledger: Ledger, nine: Obj) -> Workflow:
    """Twelve nodes; n9 is `nine`. n2, n3 and n4 stand beside each other, the rest in a row."""
    flow = workflow(name)
    source = ledger.counted("def run(**inputs):\n    return sum(inputs.values()) + 1\n")
    after = {1: [], 2: [1], 3: [1], 4: [1], 5: [2, 4]}
    for number in range(1, 13):
        before = after.get(number, [number - 1])
        if number == 6:
            before = [5, 3]
        if number == 9:
            flow.node("n9", **nine)
            continue
        takes = {f"v{n}": f"${{nodes.n{n}.output}}" for n in before if n != 9}
        extra: Obj = {"dependsOn": ["n9"]} if 9 in before else {}
        flow.python(f"n{number}", source, inputs=takes, **extra)
    return flow


def asks(models: str, model: str, prompt: str) -> Obj:
    """An agent node after n8."""
    kind = {"model": {"provider": models, "name": model}, "prompt": prompt}
    return {"agent": kind, "dependsOn": ["n8"]}


@pytest.fixture(scope="module")
def models(space: Space, cluster: api.Cluster, operator: Operator) -> str:
    """Name of a ModelProvider with the right key."""
    url = outside.start_models(space, cluster.images["operator"], SCRIPTS)
    secret(space, "right", key=KEY)
    secret(space, "dead", key="revoked")
    provider(space, "scripted", baseURL=url, apiKey={"name": "right", "key": "key"})
    provider(space, "locked", baseURL=url, apiKey={"name": "dead", "key": "key"})
    return "scripted"


def checkpoints(run: Obj) -> dict[str, tuple[int, str, Any]]:
    """By node: attempts so far, digest, and when each attempt was launched."""
    return {
        node["path"]: (
            node.get("attempt", 0),
            node.get("outputDigest", ""),
            [a["launchedAt"] for a in node.get("attempts", [])],
        )
        for node in run["status"]["nodes"]
    }


def after_python(attempts: dict[str, int]) -> set[str]:
    """The nodes whose programs note their starts: all but the agent."""
    return attempts.keys() - {"n9"}


def edited(run: Run, path: str, **fields: Any) -> list[Obj]:
    """The nodes of a run with one of them changed."""
    nodes: list[Obj] = run.read()["spec"]["nodes"]
    return [{**node, **fields} if node["name"] == path else node for node in nodes]


def began(run: Run, round_: int) -> Obj:
    return run.until(
        lambda seen: seen.get("status", {}).get("round") == round_, what=f"round {round_}"
    )


def test_the_prompt_of_node_9_of_12_is_edited(space: Space, ledger: Ledger, models: str) -> None:
    run = space.start(twelve("prompt", ledger, asks(models, "refuse", "Do harm.")))
    failed = run.finished(within=LONG)
    assert phases(failed)["n9"] == "Failed"
    assert node_of(failed, "n9")["reason"] == "Refused"
    before = checkpoints(failed)
    with pytest.raises(ApiError, match=r"raise rerun\.round above status\.round"):
        run.set(nodes=edited(run, "n9", **asks(models, "answer", "Do good.")))
    run.set(rerun={"round": 2}, nodes=edited(run, "n9", **asks(models, "answer", "Do good.")))
    began(run, 2)
    after = run.succeeded(within=LONG)
    kept = [f"n{n}" for n in range(1, 9)]
    assert {path: checkpoints(after)[path] for path in kept} == {p: before[p] for p in kept}
    reported = {node["path"]: node["disposition"] for node in after["status"]["nodes"]}
    rerun = ("n9", "n10", "n11", "n12")
    assert reported == dict.fromkeys(kept, "Reused") | dict.fromkeys(rerun, "Rerun")
    starts = ledger.starts(run.uid)
    assert {path: starts[path] for path in kept} == dict.fromkeys(kept, 1)


def test_node_3_is_edited(space: Space, ledger: Ledger, models: str) -> None:
    run = space.start(twelve("third", ledger, asks(models, "answer", "Do good.")))
    before = checkpoints(run.succeeded(within=LONG))
    source = ledger.counted("def run(**inputs):\n    return 100\n")
    run.set(rerun={"round": 2}, nodes=edited(run, "n3", python={"source": source}))
    began(run, 2)
    after = run.succeeded(within=LONG)
    attempts = {path: number for path, (number, _, _) in checkpoints(after).items()}
    rerun = {"n3", *(f"n{n}" for n in range(6, 13))}
    assert {path for path, number in attempts.items() if number == 2} == rerun
    kept = attempts.keys() - rerun
    assert {p: checkpoints(after)[p] for p in kept} == {p: before[p] for p in kept}
    starts = ledger.starts(run.uid)
    python = after_python(attempts)
    assert starts == {path: attempts[path] for path in python}


def test_a_run_paused_by_a_dead_key_goes_on_when_it_is_replaced(
    space: Space, ledger: Ledger, models: str
) -> None:
    agent = {"model": {"provider": "locked", "name": "answer"}, "prompt": "Do good."}
    run = space.start(
        workflow("locked")
        .python("first", ledger.counted("def run():\n    return 1\n"))
        .node("ask", agent=agent, dependsOn=["first"], onFailure="Pause")
        .python("last", "return 1", dependsOn=["ask"])
    )
    seen = run.until(
        lambda s: s.get("status", {}).get("phase") == "Paused", what="it waits for a person"
    )
    stalled = condition(seen, "Stalled")
    assert stalled["status"] == "True"
    space.patch("secrets", "dead", {"stringData": {"key": KEY}})
    command = stalled["message"].partition("kubectl ")[2]
    patch = command.partition("-p '")[2].rstrip("'")
    space.kubectl("patch", "aw", "locked", "--type", "merge", "-p", patch)
    began(run, 2)
    after = run.succeeded(within=LONG)
    assert ledger.starts(run.uid) == {"first": 1}
    assert node_of(after, "ask")["attempt"] == 2


def test_a_person_gives_a_result_and_a_typo_costs_nothing(space: Space) -> None:
    run = space.start(
        workflow("given")
        .python("draft", "raise RuntimeError('no')", outputSchema={"type": "string"})
        .python("use", "return draft + '!'", inputs={"draft": "${nodes.draft.output}"})
    )
    run.finished()
    run.set(rerun={"round": 2, "outputs": {"drafd": "text"}})
    seen = run.until(
        lambda s: condition(s, "Accepted").get("status") == "False", what="the typo is reported"
    )
    assert "did you mean 'draft'" in condition(seen, "Accepted")["message"]
    run.set(rerun={"round": 2, "outputs": {"drafd": None, "draft": "text"}})
    began(run, 2)
    after = run.succeeded()
    assert node_of(after, "draft")["disposition"] == "Given"
    assert node_of(after, "use")["output"] == "text!"


def test_an_edit_after_an_approval_asks_again(space: Space) -> None:
    run = space.start(
        workflow("again")
        .approval("ok")
        .python("publish", "raise RuntimeError('no')", dependsOn=["ok"])
    )
    first = run.opened("ok")
    run.answer("ok", decision="Approved")
    run.finished()
    run.set(rerun={"round": 2}, nodes=edited(run, "publish", python={"source": "def run(): ..."}))
    began(run, 2)
    second = run.opened("ok")
    assert first != second
    assert node_of(run.read(), "publish")["attempt"] == 1, "nothing runs without the new yes"
    run.answer("ok", decision="Approved")
    run.succeeded()


def test_a_run_is_cancelled_while_its_next_round_is_refused(
    space: Space, operator: Operator
) -> None:
    run = space.start(
        workflow("stuck")
        .python("works", "import time; time.sleep(600)")
        .approval("asks")
        .wait("waits", "1h")
    )
    run.running_pod("works")
    gate = run.opened("asks")
    run.set(rerun={"round": 2, "from": ["wroks"]})
    run.until(
        lambda seen: condition(seen, "Accepted").get("status") == "False", what="round 2 is refused"
    )
    run.set(cancel=True)
    ended = run.finished(within=LONG)
    assert ended["status"]["phase"] == "Cancelled"
    assert phases(ended) == dict.fromkeys(("works", "asks", "waits"), "Cancelled")
    assert "did you mean 'works'" in condition(ended, "Accepted")["message"]
    asked = space.get("approvals", gate)
    assert asked is not None
    assert asked["status"]["state"] == "Withdrawn"
    with pytest.raises(ApiError, match="cancel cannot be undone"):
        run.set(cancel=None)
