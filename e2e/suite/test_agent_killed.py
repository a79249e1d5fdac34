"""The process of an agent is killed at the boundaries of its work, on a real cluster: what was paid
is not paid again, what was done is not done again.

The scripted model's own log and the ledger tell what happened, not Waypost.
"""

import signal
import sys
from collections import Counter
from dataclasses import dataclass
from typing import Any

import pytest

from e2e.cluster import api
from e2e.suite import outside
from e2e.suite.build import schema, workflow
from e2e.suite.kube import Obj
from e2e.suite.ledger import Ledger
from e2e.suite.operators import Machine, Operator
from e2e.suite.space import Run, Space
from e2e.suite.test_providers import provider
from e2e.suite.waiting import until

MODULE = '''
import json, time

FIRST = json.load(open("/waypost/in/request.json"))["attempt"] == 1

def look(where: str, seconds: int) -> str:
    """Look, as often as you like; the first time it takes a while."""
    note("look")
    time.sleep(seconds if FIRST else 0)
    return where

def send(text: str, seconds: int) -> str:
    """Send a letter."""
    note("send")
    time.sleep(seconds if FIRST else 0)
    return text
'''
LONG = 40  # seconds; the kill comes within the first of them
ANSWERS = 3  # of the undisturbed conversation
HANG = {"hang": f"{LONG}s"}


def script(*, hang: int = -1, slow: int = -1, look: int = 0, send: int = 0) -> Obj:
    """Look, send, say. `hang`: no answer comes to that call; `slow`: it is on its way for long."""
    answers: list[Obj] = [
        {"call": [{"tool": "look", "arguments": {"where": "here", "seconds": look}}]},
        {"call": [{"tool": "send", "arguments": {"text": "hello", "seconds": send}}]},
        {"output": {"sent": "${results.send}"}},
    ]
    turns: list[Obj] = []
    for number, answer in enumerate(answers):
        turns += [HANG] if number == hang else []
        tokens = {"input": 100, "output": LONG if number == slow else 10}
        speed: Obj = {"slow": {"tokensPerSecond": 1}} if number == slow else {}
        turns.append({**answer, "tokens": tokens, **speed})
    return {"byAnswers": True, "turns": turns}


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


@pytest.mark.parametrize("name", KILLS)
def test_the_next_attempt_goes_on(
    name: str, space: Space, models: str, ledger: Ledger, machine: Machine
) -> None:
    kill = KILLS[name]
    run = space.start(killed(name, models, ledger))
    pod = run.running_pod("a")

    def there() -> bool:
        return asked(space, run) >= kill.asked and kill.begun in ("", *done(ledger, run))

    until(there, within=60, what=f"{name}: the place to kill it", seen=run.shown)
    machine.signal(pod["metadata"]["uid"], signal.SIGKILL)
    if kill.begun == "send":
        _stops_for_a_person(run)
    else:
        run.succeeded(within=90)
        assert run.node("a")["output"] == {"sent": "hello"}
        assert answers(space, run) == ANSWERS + kill.lost
        _adds_up(run, kill)
    told = done(ledger, run)
    assert told["send"] == 1, "the letter is sent once, whatever happens"
    assert told["look"] == (2 if kill.begun == "look" else 1)


def killed(name: str, models: str, ledger: Ledger) -> Any:
    """A workflow with one agent node `a` that plays a script."""
    tools = [{"module": "post", "functions": ["look", "send"], "effects": {"send": "once"}}]
    kind = {
        "model": {"provider": models, "name": name},
        "prompt": f"Play {name}.",
        "tools": tools,
    }
    return (
        workflow(name)
        .having(modules={"post": ledger.counted(MODULE)})
        .node(
            "a",
            agent=kind,
            outputSchema=schema(sent="string"),
            retry={"limit": 2, "backoff": {"initial": "1s"}},
            timeout="120s",
        )
    )


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


def asked(space: Space, run: Run) -> int:
    """How many requests of this conversation the model has seen."""
    return len(_log(space, run))


def answers(space: Space, run: Run) -> int:
    """How many of them it has answered."""
    return sum(entry["status"] == 200 for entry in _log(space, run))


def _log(space: Space, run: Run) -> list[Obj]:
    path = f"/api/v1/namespaces/{space.name}/pods/models:{outside.PORT}/proxy/_log"
    found: Obj = space.kube.request("GET", path, script=run.name)
    entries: list[Obj] = found["entries"]
    return entries


def done(ledger: Ledger, run: Run) -> Counter[str]:
    """What the tools did, how often."""
    return Counter(entry["what"] for entry in ledger.entries(run.uid))


def test_the_trace_tells_replayed_from_live(space: Space, models: str) -> None:
    name = "after-a-once-tool"
    run = Run(space, name, (space.get("agentworkflows", name) or {})["metadata"]["uid"])
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
