"""The process of an agent is killed at the boundaries of its work, on a real cluster: what was paid
is not paid again, what was done is not done again.
"""

import signal
import sys
from dataclasses import dataclass

import pytest

from e2e.cluster import api
from e2e.suite import outside
from e2e.suite.conversation import ANSWERS, LONG, answers, asked, conversation, done, script
from e2e.suite.kube import Obj
from e2e.suite.ledger import Ledger
from e2e.suite.operators import Operator
from e2e.suite.space import Run, Space
from e2e.suite.test_providers import provider
from e2e.suite.waiting import until


@dataclass(frozen=True)
class Kill:
    """Where the process is killed: once the model was `asked` so often, or a tool was `begun`.
    `lost`: answers that the pod never got; `kept`: answers that are replayed."""

    script: Obj
    asked: int = 0
    begun: str = ""
    lost: int = 0
    kept: int = 0


KILLS = {
    "inside-the-first-call": Kill(script(hang=0), asked=1),
    "first-answer-on-its-way": Kill(script(slow=0), asked=1, lost=1),
    "inside-a-tool": Kill(script(look=LONG), begun="look", kept=1),
    "after-a-tool": Kill(script(hang=1), asked=2, kept=1),
    "inside-a-once-tool": Kill(script(send=LONG), begun="send", kept=2),
    "after-a-once-tool": Kill(script(hang=2), asked=3, kept=2),
    "last-answer-on-its-way": Kill(script(slow=2), asked=3, lost=1, kept=2),
}


@pytest.fixture(scope="module")
def models(space: Space, cluster: api.Cluster, operator: Operator) -> str:
    """Name of a ModelProvider that the scripted server stands behind."""
    scripts = {name: kill.script for name, kill in KILLS.items()}
    provider(
        space, "scripted", baseURL=outside.start_models(space, cluster.images["operator"], scripts)
    )
    return "scripted"


@pytest.fixture(scope="module")
def killed(space: Space, models: str, ledger: Ledger, operator: Operator) -> dict[str, Run]:
    """All of them at the same time: each run continues until its process can be killed."""
    machine = operator.machine
    if machine is None:
        pytest.skip("needs the machine the pods run on: CLUSTER=kind or CLUSTER=embedded")
    runs = {name: space.start(conversation(name, models, ledger)) for name in KILLS}
    left = dict(runs)

    def all_killed() -> bool:
        for name, run in list(left.items()):
            if _is_there(run, KILLS[name], ledger):
                pod = run.running_pod("a")
                machine.signal(pod["metadata"]["uid"], signal.SIGKILL)
                del left[name]
        return not left

    until(all_killed, within=120, what="each is at the place to kill it", seen=lambda: list(left))
    return runs


def _is_there(run: Run, kill: Kill, ledger: Ledger) -> bool:
    return asked(run.space, run) >= kill.asked and kill.begun in ("", *done(ledger, run))


@pytest.mark.parametrize("name", KILLS)
def test_the_next_attempt_goes_on(
    name: str, space: Space, killed: dict[str, Run], ledger: Ledger
) -> None:
    kill, run = KILLS[name], killed[name]
    if kill.begun == "send":
        _stops_for_a_person(run)
    else:
        run.succeeded(within=90)
        assert run.node("a")["output"] == {"sent": "hello"}
        assert answers(space, run) == ANSWERS + kill.lost
        _adds_up(run, kill)
    reported = done(ledger, run)
    assert reported["send"] == 1, "the letter is sent once, whatever happens"
    assert reported["look"] == (2 if kill.begun == "look" else 1)


def _stops_for_a_person(run: Run) -> None:
    run.finished(within=90)
    node = run.node("a")
    assert (node["phase"], node["reason"]) == ("Failed", "UnknownEffect")
    assert "tool send" in node["message"]
    assert "hello" not in node["message"]
    assert node["usage"]["modelCalls"] == 2, "what the killed attempt used is carried"


def _adds_up(run: Run, kill: Kill) -> None:
    node = run.node("a")
    usage = node["usage"]
    assert usage["modelCalls"] == ANSWERS
    assert usage.get("replayedModelCalls", 0) == kill.kept
    assert usage["toolCalls"] == 2
    first, *_, last = node["attempts"]
    assert "usage" not in first, "a killed attempt says nothing"
    assert last.get("carried", {}).get("modelCalls", 0) == kill.kept


def test_the_trace_tells_replayed_from_live(space: Space, killed: dict[str, Run]) -> None:
    name = "after-a-once-tool"
    run = killed[name]
    run.finished(within=90)
    last = run.node("a")["attempts"][-1]
    text = space.kube.must(
        sys.executable,
        *("-m", "waypost", "trace", name, "-n", space.name),
        *("--kubeconfig", str(space.kube.kubeconfig)),
    )
    assert text.count("replayed") >= 4
    found = space.get("noderecords", last["trace"])
    assert found is not None
    entries = found["spec"]["data"]["entries"]
    marked = [(e["type"], e.get("replayed", False)) for e in entries]
    assert marked.count(("model", True)) == 2
    assert marked.count(("tool", True)) == 2
    assert ("model", False) in marked
