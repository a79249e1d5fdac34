"""What one seed stands for: nodes that make and take folders, and what goes wrong. Data only.

The content of a folder follows from its node, its attempt and what the attempt took, so a mix-up of
any of them gives another digest.
"""

import hashlib
import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal

from waypost.ports.cluster import Obj
from waypost.protocol.artifacts.request import Content

from tests.simulation.focused.troubles import Trouble, draw_trouble
from tests.support.builders import agent, gate, python

RUN: Final = "folders"
ASK: Final = "ask"
LIMIT: Final = 5  # retries of each node
LINGERS: Final = 4000.0  # seconds, longer than two visits of the sweep
# What an attempt does: it fails before it stores anything, dies after it, commits what was never
# recorded, or hangs after it has stored everything.
Act = Literal["good", "fails", "dies", "unrecorded", "hangs"]
TROUBLES: Final = ("kill", "freeze", "lost", "suspend", "evict", "unread")


@dataclass(frozen=True)
class Step:
    """A node. `acts` by attempt; every later attempt is good."""

    name: str
    takes: tuple[str, ...] = ()
    acts: tuple[Act, ...] = ()
    seconds: float = 1.0
    listed: bool = False  # takes all in one entry, as a list with a null in it
    called: bool = False  # runs in a child run, which has its inputs and outputs through values
    attached: bool = False  # an agent, which takes all as attachments
    lingers: bool = False  # its first good attempt lasts long after it has stored its folder
    times: int = 0  # iterations of a loop, each of which takes what the one before has made

    def act(self, attempt: int) -> Act:
        """What an attempt does."""
        return self.acts[attempt - 1] if attempt <= len(self.acts) else "good"


@dataclass(frozen=True)
class Plan:
    """All that follows from a seed. `again`: the nodes that a second round repeats. `swept`: the
    play lasts until the sweep has removed what nothing names. `asked`: the nodes whose folders a
    question is about."""

    seed: int
    steps: tuple[Step, ...]
    troubles: tuple[Trouble, ...] = ()
    again: tuple[str, ...] = ()
    delivery: Literal["immediate", "rough"] = "immediate"
    swept: bool = False
    asked: tuple[str, ...] = ()

    @property
    def by_name(self) -> dict[str, Step]:
        """The nodes."""
        return {step.name: step for step in self.steps}


def plan(seed: int) -> Plan:
    """The plan of a seed."""
    draw = random.Random(seed)
    steps: list[Step] = []
    for at in range(draw.randint(2, 6)):
        before = [step.name for step in steps]
        count = min(len(before), draw.choice((0, 1, 1, 2)))
        acts: list[Act] = ["fails", "dies", "unrecorded", "hangs"]
        steps.append(
            Step(
                f"n{at}",
                takes=tuple(draw.sample(before, count)),
                acts=tuple(draw.choices(acts, k=draw.choice((0, 0, 0, 1, 2)))),
                seconds=draw.choice((0.5, 2.0, 6.0)),
                listed=draw.random() < 0.3,
            )
        )
    troubles = tuple(draw_trouble(draw, TROUBLES) for _ in range(draw.choice((0, 1, 1, 2, 3))))
    again = tuple(draw.sample([step.name for step in steps], 1)) if draw.random() < 0.4 else ()
    delivery: Literal["immediate", "rough"] = draw.choice(("immediate", "immediate", "rough"))
    planned = _with_child_runs(Plan(seed, tuple(steps), troubles, again, delivery))
    return _with_a_question(_with_a_sweep(_with_loops(_with_agents(planned))))


def _with_a_question(planned: Plan) -> Plan:
    """The plan with a question about some folders. A separate source of random numbers."""
    draw = random.Random(f"question of {planned.seed}")
    names = [step.name for step in planned.steps]
    asked = draw.sample(names, draw.choice((0, 1, 2)))
    return replace(planned, asked=tuple(asked))


def _with_a_sweep(planned: Plan) -> Plan:
    """The plan with a step that lingers, and with time for the sweep. A separate source of random
    numbers."""
    draw = random.Random(f"sweep of {planned.seed}")
    slow = draw.choice(planned.steps).name if draw.random() < 0.25 else ""
    steps = tuple(
        replace(step, lingers=True, acts=()) if step.name == slow else step
        for step in planned.steps
    )
    return replace(planned, steps=steps, swept=draw.random() < 0.4)


def _with_loops(planned: Plan) -> Plan:
    """The plan with some steps as loops. A separate source of random numbers."""
    draw = random.Random(f"loops of {planned.seed}")
    share = draw.choice((0.0, 0.0, 0.3, 0.7))
    steps = tuple(
        replace(step, times=draw.choice((1, 2, 3)) if draw.random() < share else 0)
        for step in planned.steps
    )
    return replace(planned, steps=steps)


def _with_agents(planned: Plan) -> Plan:
    """The plan with some steps as agents. A separate source of random numbers."""
    draw = random.Random(f"agents of {planned.seed}")
    share = draw.choice((0.0, 0.0, 0.4, 0.8))
    steps = tuple(replace(step, attached=draw.random() < share) for step in planned.steps)
    return replace(planned, steps=steps)


def _with_child_runs(planned: Plan) -> Plan:
    """The plan with some steps in child runs, and a person who deletes some that have ended. A
    separate source of random numbers: it changes nothing else that a seed decides."""
    draw = random.Random(f"child runs of {planned.seed}")
    share = draw.choice((0.0, 0.3, 0.6, 1.0))
    steps = tuple(replace(step, called=draw.random() < share) for step in planned.steps)
    deleted = [draw_trouble(draw, ("delete_ended",)) for _ in range(draw.choice((0, 0, 1, 2)))]
    troubles = (*planned.troubles, *(deleted if share else ()))
    return replace(planned, steps=steps, troubles=troubles)


def content(name: str, attempt: int, taken: Sequence[str]) -> Content:
    """What an attempt makes; `taken` has the digests of what it took, in order."""
    text = " ".join((name, str(attempt), *taken))
    digest = hashlib.sha256(text.encode()).hexdigest()
    return Content(f"sha256:{digest}", 1024 + len(text), attempt)


def spec_of(planned: Plan) -> Obj:
    """The manifest's spec."""
    called = {step.name for step in planned.steps if step.called}
    nodes = [
        _call(step, called) if step.called else _node(step, step.takes, _values(step, called))
        for step in planned.steps
    ]
    if planned.asked:
        shown = [{"from": f"${{{_value(name, called)}}}"} for name in planned.asked]
        nodes.append(gate(ASK, attachments=shown, approvers={"users": ["ann"]}))
    last = _value(planned.steps[-1].name, called)
    spec: Obj = {"nodes": nodes, "outputs": {"last": f"${{{last}.digest}}"}}
    templates = [_template(step) for step in planned.steps if step.called]
    return {**spec, "templates": templates} if templates else spec


def _value(name: str, called: set[str]) -> str:
    return f"nodes.{name}.{'output' if name in called else 'artifacts'}.repo"


def _values(step: Step, called: set[str]) -> list[str]:
    return [_value(name, called) for name in step.takes]


def _call(step: Step, called: set[str]) -> Obj:
    """A node that runs a step in a child run."""
    values = zip(step.takes, _values(step, called), strict=True)
    inputs = {name: f"${{{value}}}" for name, value in values}
    return {"name": step.name, "workflow": {"template": f"t-{step.name}"}, "inputs": inputs}


def _template(step: Step) -> Obj:
    """The local template with one step. Its inputs have the names of those that made them."""
    artifact = {"$ref": "#/schemas/Artifact"}
    given = dict.fromkeys(step.takes, artifact)
    return {
        "name": f"t-{step.name}",
        "inputSchema": {"type": "object", "required": list(step.takes), "properties": given},
        "nodes": [_node(step, step.takes, [f"inputs.{name}" for name in step.takes])],
        "outputs": {"repo": f"${{nodes.{step.name}.artifacts.repo}}"},
        "outputSchema": {"type": "object", "required": ["repo"], "properties": {"repo": artifact}},
    }


def _node(step: Step, names: Sequence[str], values: Sequence[str]) -> Obj:
    artifacts: Obj = {"out": [{"name": "repo", "path": "/data/out"}]}
    taken = [f"${{{value}}}" for value in values]
    if values and step.listed:
        taken = [f"${{[null, {', '.join(values)}]}}"]
    fields: Obj = {
        "inputs": {name: f"${{{value}.digest}}" for name, value in zip(names, values, strict=True)},
        "artifacts": artifacts,
        "timeout": "2h" if step.lingers else "30s",
        "retry": {"limit": LIMIT, "backoff": {"initial": "1s"}},
    }
    if step.times:
        before = "previous.?artifacts.?repo"
        fields["repeat"] = {"until": f"${{index >= {step.times - 1}}}", "max": 3}
        fields["inputs"]["previous"] = f"${{{before}.?digest.orValue('')}}"
        entry: Obj = {"from": f"${{[{before}.orValue(null)]}}", "path": "/data/previous"}
        artifacts["in"] = [entry]
    if step.attached:
        attached: Obj = {"attachments": [{"from": one} for one in taken]} if taken else {}
        return agent(step.name, **attached, **fields)
    if taken:
        listed = [{"from": one, "path": f"/data/in{at}"} for at, one in enumerate(taken)]
        artifacts["in"] = [*artifacts.get("in", ()), *listed]
    return python(step.name, **fields)
