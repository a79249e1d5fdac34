"""A short conversation of an agent that can be disturbed: it looks, sends a letter and says so.

The scripted model's own log and the ledger tell what happened, not Waypost.
"""

from collections import Counter

from e2e.suite import outside
from e2e.suite.build import Workflow, schema, workflow
from e2e.suite.kube import Obj
from e2e.suite.ledger import Ledger
from e2e.suite.space import Run, Space

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
LONG = 40  # seconds that what is disturbed takes, undisturbed
ANSWERS = 3  # of the undisturbed conversation
_HANG = {"hang": f"{LONG}s"}


def script(*, hang: int = -1, slow: int = -1, look: int = 0, send: int = 0) -> Obj:
    """Look, send, say. `hang`: no answer comes to that call; `slow`: it is on its way for long."""
    answers: list[Obj] = [
        {"call": [{"tool": "look", "arguments": {"where": "here", "seconds": look}}]},
        {"call": [{"tool": "send", "arguments": {"text": "hello", "seconds": send}}]},
        {"output": {"sent": "${results.send}"}},
    ]
    turns: list[Obj] = []
    for number, answer in enumerate(answers):
        turns += [_HANG] if number == hang else []
        tokens = {"input": 100, "output": LONG if number == slow else 10}
        speed: Obj = {"slow": {"tokensPerSecond": 1}} if number == slow else {}
        turns.append({**answer, "tokens": tokens, **speed})
    return {"byAnswers": True, "turns": turns}


def conversation(name: str, models: str, ledger: Ledger) -> Workflow:
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
