"""The first accepted result of several nodes, on a real cluster: pods of the others are stopped,
their cost is counted, and an operator that dies meanwhile changes no choice."""

from typing import Any

import pytest

from e2e.cluster import api
from e2e.suite import outside
from e2e.suite.build import Workflow, schema, workflow
from e2e.suite.ledger import Ledger
from e2e.suite.operators import Operator
from e2e.suite.space import Run, Space, condition, container_state, node_of, phases
from e2e.suite.test_children import begin, below, calls, nothing_is_left
from e2e.suite.test_providers import provider
from e2e.suite.test_templates import body, node, template
from e2e.suite.waiting import until

SCORED = schema(score="number")
SCORE = """
def run():
    time.sleep({seconds})
    return {{"score": {score}}}
"""
GOOD = "${candidate.output.score >= 0.8}"
LONG = 100  # seconds; more than the test waits


def scored(made: Workflow, ledger: Ledger, name: str, score: float, *, seconds: float) -> Workflow:
    """With a candidate that gives a score after some seconds."""
    source = ledger.counted(SCORE.format(seconds=seconds, score=score))
    return made.python(name, source, outputSchema=SCORED, timeout="180s")


def best(made: Workflow, *of: str, **fields: Any) -> Workflow:
    """With the choice between them, and a node that reads its output."""
    made.node("best", first={"of": list(of), **fields})
    return made.having(outputs={"score": "${nodes.best.output.score}"})


def test_s222_the_first_good_result_is_chosen_and_the_pods_of_others_stop(
    space: Space, ledger: Ledger
) -> None:
    made = workflow("good")
    scored(made, ledger, "weak", 0.1, seconds=0)
    scored(made, ledger, "quick", 0.9, seconds=4)
    scored(made, ledger, "deep", 1.0, seconds=LONG)
    run = space.start(best(made, "deep", "quick", "weak", accept=GOOD))
    deep = run.running_pod("deep")["metadata"]["uid"]
    seen = run.succeeded(within=60)
    assert seen["status"]["outputs"] == {"score": 0.9}
    assert node_of(seen, "best")["first"] == {"chosen": "quick", "rejected": ["weak"]}
    assert node_of(seen, "best")["outputDigest"] == node_of(seen, "quick")["outputDigest"]
    loser = node_of(seen, "deep")
    assert (loser["phase"], loser["reason"]) == ("Cancelled", "NotChosen")
    assert loser["attempts"][0]["podUid"] == deep, "its pod was read before it was let go"
    assert not [pod for pod in run.pods("deep") if container_state(pod, "running")]
    assert ledger.starts(run.uid) == {"weak": 1, "quick": 1, "deep": 1}


def test_s224_none_is_accepted_and_a_round_judges_the_results_again(
    space: Space, ledger: Ledger
) -> None:
    made = workflow("none")
    scored(made, ledger, "a", 0.1, seconds=0)
    scored(made, ledger, "b", 0.2, seconds=0)
    run = space.start(best(made, "a", "b", accept=GOOD))
    seen = run.finished()
    assert node_of(seen, "best")["reason"] == "NoneAccepted"
    assert "a: accept was false; b: accept was false" in node_of(seen, "best")["message"]
    nodes = [dict(node) for node in made.manifest()["spec"]["nodes"]]
    nodes[-1]["first"] = {"of": ["a", "b"], "accept": "${candidate.name == 'b'}"}
    run.set(nodes=nodes, rerun={"round": 2})
    seen = run.until(
        lambda found: found["status"]["round"] == 2 and found["status"]["phase"] == "Succeeded",
        what="round 2 has succeeded",
    )
    assert seen["status"]["outputs"] == {"score": 0.2}
    assert ledger.starts(run.uid) == {"a": 1, "b": 1}, "nothing ran again"


def test_s227_approved_or_expired(space: Space) -> None:
    made = workflow("expired").approval("ask").wait("limit", "3s")
    run = space.start(made.node("best", first={"of": ["ask", "limit"]}))
    name = run.opened("ask")
    seen = run.succeeded()
    assert node_of(seen, "best")["first"] == {"chosen": "limit"}
    assert node_of(seen, "ask")["reason"] == "NotChosen"
    asked = space.get("approvals", name)
    assert asked is not None
    assert asked["status"]["state"] == "Withdrawn"
    made = workflow("approved").approval("ask").wait("limit", "1h")
    run = space.start(made.node("best", first={"of": ["ask", "limit"]}))
    run.opened("ask")
    run.answer("ask", decision="Approved")
    seen = run.succeeded()
    assert node_of(seen, "best")["output"]["decision"] == "Approved"
    assert phases(seen) == {"ask": "Succeeded", "limit": "Cancelled", "best": "Succeeded"}


def test_s230_what_a_stopped_agent_has_paid_is_counted(
    space: Space, cluster: api.Cluster, operator: Operator
) -> None:
    turns = [
        {
            "call": [{"tool": "count", "arguments": {"words": "again"}}],
            "tokens": {"input": 30, "output": 10},
        },
        {"hang": f"{LONG}s"},
    ]
    url = outside.start_models(space, cluster.images["operator"], {"slow": {"turns": turns}})
    provider(space, "scripted", baseURL=url)
    module = 'def count(words: str) -> int:\n    """Count."""\n    return len(words)\n'
    kind = {
        "model": {"provider": "scripted", "name": "slow"},
        "prompt": "Think.",
        "tools": [{"module": "desk", "functions": ["count"]}],
    }
    made = workflow("paid").having(modules={"desk": module}).node("deep", agent=kind)
    made.python("quick", "import time\n\ndef run():\n    time.sleep(20)\n    return 1\n")
    run = space.start(made.node("best", first={"of": ["deep", "quick"]}))
    seen = run.succeeded(within=120)
    assert node_of(seen, "deep")["reason"] == "NotChosen"
    assert node_of(seen, "deep")["usage"]["totalTokens"] == 40
    assert seen["status"]["usage"]["totalTokens"] == 40


@pytest.mark.alone
@pytest.mark.parametrize("moment", ["killed", "gone"])
def test_s223_an_operator_that_dies_between_the_end_and_the_choice(
    space: Space, ledger: Ledger, operator: Operator, moment: str
) -> None:
    """`killed`: the other replica decides. `gone`: no operator sees the end until later."""
    made = workflow(f"operator-{moment}")
    scored(made, ledger, "quick", 0.9, seconds=6)
    scored(made, ledger, "deep", 1.0, seconds=LONG)
    run = space.start(best(made, "deep", "quick", accept=GOOD))
    run.running_pod("quick")
    run.running_pod("deep")
    if moment == "killed":
        operator.crash(operator.ready())
    else:
        operator.scale(0)

    def over() -> bool:
        return any(container_state(pod, "terminated") for pod in run.pods("quick"))

    until(over, within=60, what="the program of quick has ended")
    if moment == "gone":
        assert run.node("best")["phase"] == "Waiting"
        operator.scale()
    else:
        operator.ready()
    seen = run.succeeded(within=90)
    assert node_of(seen, "best")["first"] == {"chosen": "quick"}
    assert node_of(seen, "deep")["reason"] == "NotChosen"
    assert ledger.starts(run.uid) == {"quick": 1, "deep": 1}
    at = node_of(seen, "quick")["finishedAt"]
    assert node_of(seen, "best")["finishedAt"] == at, "one write"


def raced(space: Space, ledger: Ledger, name: str, *, ask: bool = False) -> Run:
    """A race between a child run that ends in some seconds, and one that takes longer than the test
    waits or, with `ask`, asks a person after its program."""
    for part, seconds in (("quick", 6), ("deep", 0 if ask else LONG)):
        source = ledger.counted(SCORE.format(seconds=seconds, score=0.9))
        nodes = [{**node("work", source), "outputSchema": SCORED, "timeout": "180s"}]
        if ask:
            question = {"message": "Good?", "approvers": {"users": ["ann"]}}
            nodes.append({"name": "ok", "approval": question, "dependsOn": ["work"]})
        outputs = {"score": "${nodes.work.output.score}"}
        template(space, f"{name}-{part}", body(*nodes, outputs=outputs, outputSchema=SCORED))
    best_of = {"name": "best", "first": {"of": ["deep", "quick"], "accept": GOOD}}
    parts = [calls(part, f"{name}-{part}") for part in ("quick", "deep")]
    return begin(space, name, *parts, best_of, outputs={"score": "${nodes.best.output.score}"})


def called(space: Space, run: Run, path: str) -> Run:
    """The child run of a node, once it exists."""

    def look() -> Run | None:
        name = run.node(path).get("child", {}).get("name")
        return next((one for one in below(space, run) if one.name == name), None)

    return until(look, within=30, what=f"{run.name} has a child run for {path}")


def nothing_runs(run: Run) -> bool:
    return not [pod for pod in run.pods() if container_state(pod, "running")]


def test_s483_a_child_run_is_chosen_and_the_other_one_is_cancelled(
    space: Space, ledger: Ledger
) -> None:
    run = raced(space, ledger, "race")
    deep = called(space, run, "deep")
    deep.running_pod("work")
    seen = run.succeeded(within=90)
    assert seen["status"]["outputs"] == {"score": 0.9}
    assert node_of(seen, "best")["first"] == {"chosen": "quick"}
    loser = node_of(seen, "deep")
    assert (loser["phase"], loser["reason"]) == ("Cancelled", "NotChosen")
    ended = deep.read()
    assert ended["status"]["phase"] == "Cancelled"
    assert "cancel" not in ended["spec"], "the field of the person is left alone"
    assert nothing_runs(deep)
    assert ledger.starts(deep.uid) == {"work": 1}
    nothing_is_left(space, run)


@pytest.mark.alone
def test_s483_s485_an_operator_that_dies_while_child_runs_wait_for_a_person(
    space: Space, ledger: Ledger, operator: Operator
) -> None:
    run = raced(space, ledger, "asked", ask=True)
    quick, deep = called(space, run, "quick"), called(space, run, "deep")
    opened, other = quick.opened("ok"), deep.opened("ok")
    operator.crash(operator.ready())
    space.answer(opened, decision="Approved")
    operator.ready()
    seen = run.succeeded(within=90)
    assert node_of(seen, "best")["first"] == {"chosen": "quick"}
    withdrawn = space.get("approvals", other)
    assert withdrawn is not None
    assert withdrawn["status"]["state"] == "Withdrawn"
    assert [ledger.starts(one.uid) for one in (quick, deep)] == [{"work": 1}] * 2
    run.set(rerun={"round": 2, "from": ["quick"]})
    again = until(
        lambda: next((o for o in below(space, run) if o.uid not in (quick.uid, deep.uid)), None),
        within=60,
        what="a new child run",
    )
    assert again.name != quick.name
    space.answer(again.opened("ok"), decision="Approved")
    seen = run.until(
        lambda found: (
            found["status"]["round"] == 2 and condition(found, "Finished").get("status") == "True"
        ),
        what="round 2 has finished",
        within=90,
    )
    assert seen["status"]["outputs"] == {"score": 0.9}
    nothing_is_left(space, run)
