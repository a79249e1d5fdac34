"""What one seed stands for: nodes that make and take folders, and what goes wrong. Data only.

The content of a folder follows from its node, its attempt and what the attempt took, so a mix-up of
any of them gives another digest.
"""

import hashlib
import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

from waypost.ports.cluster import Obj
from waypost.protocol.artifacts.request import Content

from tests.simulation.focused.troubles import Trouble, draw_trouble
from tests.support.builders import python

RUN: Final = "folders"
LIMIT: Final = 5  # retries of each node
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

    def act(self, attempt: int) -> Act:
        """What an attempt does."""
        return self.acts[attempt - 1] if attempt <= len(self.acts) else "good"


@dataclass(frozen=True)
class Plan:
    """All that follows from a seed. `again`: the nodes that a second round repeats."""

    seed: int
    steps: tuple[Step, ...]
    troubles: tuple[Trouble, ...] = ()
    again: tuple[str, ...] = ()
    delivery: Literal["immediate", "rough"] = "immediate"

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
    return Plan(seed, tuple(steps), troubles, again, delivery)


def content(name: str, attempt: int, taken: Sequence[str]) -> Content:
    """What an attempt makes; `taken` has the digests of what it took, in order."""
    text = " ".join((name, str(attempt), *taken))
    digest = hashlib.sha256(text.encode()).hexdigest()
    return Content(f"sha256:{digest}", 1024 + len(text), attempt)


def spec_of(planned: Plan) -> Obj:
    """The manifest's spec."""
    last = planned.steps[-1].name
    nodes = [_node(step) for step in planned.steps]
    return {"nodes": nodes, "outputs": {"last": f"${{nodes.{last}.artifacts.repo.digest}}"}}


def _node(step: Step) -> Obj:
    artifacts: Obj = {"out": [{"name": "repo", "path": "/data/out"}]}
    values = [f"nodes.{name}.artifacts.repo" for name in step.takes]
    if values and step.listed:
        listed = f"${{[null, {', '.join(values)}]}}"
        artifacts["in"] = [{"from": listed, "path": "/data/in"}]
    elif values:
        artifacts["in"] = [
            {"from": f"${{{value}}}", "path": f"/data/in{at}"} for at, value in enumerate(values)
        ]
    return python(
        step.name,
        inputs={name: f"${{nodes.{name}.artifacts.repo.digest}}" for name in step.takes},
        artifacts=artifacts,
        timeout="30s",
        retry={"limit": LIMIT, "backoff": {"initial": "1s"}},
    )
