"""What one seed stands for: an agent whose calls people decide on, and what goes wrong. Data."""

import random
from dataclasses import dataclass
from typing import Final, Literal

from waypost.ports.cluster import Obj

from tests.simulation.focused.troubles import Trouble, draw_trouble

RUN: Final = "letters"
OPERATORS: Final = ("kill", "freeze", "lost", "lost_answer")
TROUBLES: Final = (
    *OPERATORS,
    *("suspend", "cancel", "delete", "contradict", "again", "change", "evict", "replace"),
)
_SOURCE: Final = "def run(**inputs):\n    return inputs\n"
PROVIDER: Final[Obj] = {
    "apiVersion": "waypost.dev/v1alpha1",
    "kind": "ModelProvider",
    "metadata": {"name": "main"},
    "spec": {
        "type": "OpenAI",
        "baseURL": "http://models.example/v1",
        "apiKey": {"name": "keys", "key": "openai"},
    },
}

Act = Literal["yes", "no", "edit", "never"]


@dataclass(frozen=True)
class Person:
    """What is done about one call."""

    act: Act
    after: float  # seconds after the Approval exists


@dataclass(frozen=True)
class Turn:
    """The calls of one answer of the model, by their texts."""

    gated: tuple[str, ...]
    free: tuple[str, ...]


@dataclass(frozen=True)
class Plan:
    """All that follows from a seed."""

    seed: int
    turns: tuple[Turn, ...]
    people: dict[str, Person]  # by text of the call
    timeout: int | None = None
    fails: bool = False  # onTimeout
    lost: frozenset[int] = frozenset()  # attempts that die before they make an approved call
    breaks: float | None = None  # another node fails then, and with it the run
    deadline: int | None = None
    node_deadline: int | None = None
    troubles: tuple[Trouble, ...] = ()
    delivery: Literal["immediate", "rough"] = "immediate"
    items: int | None = None  # the agent is a map over so many items

    @property
    def paths(self) -> list[str]:
        """The paths of the agents."""
        return ["write"] if self.items is None else [f"write/{at}" for at in range(self.items)]

    @property
    def may_miss(self) -> bool:
        """Whether an operator may see an answer long after it was given."""
        return self.delivery == "rough" or bool(self.kinds & {*OPERATORS, "lost_answer"})

    @property
    def kinds(self) -> set[str]:
        return {trouble.kind for trouble in self.troubles}

    @property
    def gated(self) -> list[str]:
        """The texts of all gated calls."""
        return [text for turn in self.turns for text in turn.gated]

    @property
    def is_undisturbed(self) -> bool:
        """Whether nothing but the answers of people can end the agent without an output."""
        limits = (self.breaks, self.deadline, self.node_deadline)
        calm = all(limit is None for limit in limits) and not self.lost
        fails = self.fails and self.timeout is not None
        return calm and not fails and self.kinds <= {*OPERATORS, "suspend", "delete", "contradict"}


def plan(seed: int) -> Plan:
    """The plan of a seed."""
    draw = random.Random(f"calls {seed}")
    turns = tuple(_turn(draw, number) for number in range(draw.choice((1, 1, 2, 3))))
    timeout = draw.choice((None, 25, 25, 60))
    wary = draw.random() < 0.6
    texts = [text for turn in turns for text in turn.gated]
    troubles = tuple(
        draw_trouble(draw, (*TROUBLES, *OPERATORS)) for _ in range(draw.choice((0, 0, 1, 1, 2, 3)))
    )
    return Plan(
        seed,
        turns,
        {text: _person(draw, timeout, wary=wary) for text in texts},
        timeout=timeout,
        fails=draw.random() < 0.3,
        lost=frozenset(draw.sample(range(1, 6), draw.choice((0, 0, 1, 2)))),
        breaks=draw.choice((None,) * 6 + (3.0, 15.0)),
        deadline=draw.choice((None,) * 8 + (10, 40)),
        node_deadline=draw.choice((None,) * 8 + (10, 40)),
        troubles=troubles,
        delivery=draw.choice(("immediate", "immediate", "rough")),
        items=draw.choice((None, None, None, 2, 3)),
    )


def _turn(draw: random.Random, number: int) -> Turn:
    gated = tuple(f"g{number}{at}" for at in range(draw.choice((0, 1, 1, 2, 3))))
    free = tuple(f"f{number}{at}" for at in range(draw.choice((0, 0, 1, 2))))
    return Turn(gated, free)


def _person(draw: random.Random, timeout: int | None, *, wary: bool) -> Person:
    acts: tuple[Act, ...] = ("yes", "yes", "edit", "no") if wary else ("yes", "edit")
    if timeout is not None and wary:
        acts = (*acts, "never")
    late = (timeout - 0.5, timeout + 0.5) if timeout is not None else ()
    return Person(draw.choice(acts), draw.choice((0.5, 2.0, 6.0, 15.0, *late)))


def body(planned: Plan, version: int = 1) -> Obj:
    """The spec of the run. Another `version` of its agent has another conversation."""
    approval: Obj = {"approvers": {"users": ["ann"]}}
    if planned.timeout is not None:
        how = "Fail" if planned.fails else "Deny"
        approval |= {"timeout": f"{planned.timeout}s", "onTimeout": how}
    agent: Obj = {
        "model": {"provider": "main", "name": "m"},
        "prompt": "Write.",
        "tools": [
            {"module": "post", "functions": ["look", "send"], "requireApproval": ["send"]},
        ],
        "toolApproval": approval,
    }
    first: Obj = {"name": "write", "agent": agent, "inputs": {"version": version}}
    if planned.items is not None:
        first["forEach"] = {"items": f"${{{list(range(planned.items))}}}"}
        first["inputs"]["n"] = "${item}"
    if planned.node_deadline is not None:
        first["deadline"] = f"{planned.node_deadline}s"
    nodes: list[Obj] = [
        first,
        {
            "name": "after",
            "python": {"source": _SOURCE},
            "inputs": {"said": "${nodes.write.output}"},
        },
    ]
    if planned.breaks is not None:
        nodes.append({"name": "other", "python": {"source": _SOURCE}})
    spec: Obj = {"modules": {"post": "def look(): ...\ndef send(text): ...\n"}, "nodes": nodes}
    if planned.deadline is not None:
        spec["deadline"] = f"{planned.deadline}s"
    return spec
