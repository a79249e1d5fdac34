"""Which scenarios have nodes in finally, and what they do. Drawn by itself, so that it changes
nothing of the rest."""

import random
from dataclasses import replace
from typing import Any, Final

from tests.simulation.scenario.plan import AMPLE, Act, Node, NodeKind, Read, Scenario, Trouble

_SHARE: Final = 0.14
_KINDS: Final[tuple[NodeKind, ...]] = ("python", "python", "container", "http")
_ACTS: Final = ("gives", "gives", "gives", "gives", "fails", "fails", "hangs", "big", "oom")
# "has" and "phase" never fail; "maybe" and "reason" do where there is nothing to read.
_FORMS: Final = ("has", "has", "phase", "phase", "maybe", "reason")
_DEADLINES: Final = (*[AMPLE] * 7, 4.0, 20.0, 60.0)


def with_finally(made: Scenario) -> Scenario:
    """In every seventh scenario: one to three nodes that clean up, of which some fail, hang or run
    out of time. In every third of these a person cancels the run meanwhile, now and then with
    skipFinally."""
    rng = random.Random(f"finally of {made.seed}")
    if rng.random() > _SHARE:
        return made
    nodes: list[Node] = []
    main = [node for node in made.nodes if not node.comes]
    dropped = {each.drop for each in made.rounds}
    main = [node for node in main if node.name not in dropped]
    for at in range(rng.choice([1, 1, 2, 3])):
        nodes.append(_node(rng, f"f{at}", main, nodes))
    troubles = list(made.troubles)
    if rng.random() < 0.33:
        choice = rng.choice(["", "", "skip"])
        pause = rng.choice([0.0, 0.3, 2.0, 8.0])
        troubles.append(Trouble("cancel_finally", at=pause, choice=choice))
    return replace(
        made,
        nodes=(*made.nodes, *nodes),
        troubles=tuple(troubles),
        finally_deadline=rng.choice(_DEADLINES),
    )


def _node(rng: random.Random, name: str, main: list[Node], earlier: list[Node]) -> Node:
    kind = rng.choice(_KINDS)
    names = [rng.choice(_ACTS) for _ in range(rng.choice([1, 1, 2]))]
    if kind == "http":
        names = ["gives" if each == "big" else each for each in names]
    seconds = [rng.choice([0.1, 1.0, 4.0, 15.0]) for _ in names]
    return Node(
        name=name,
        kind=kind,
        last=True,
        **_links(rng, main, earlier),
        tolerated=rng.random() < 0.4,
        limit=rng.choice([0, 0, 1, 2]),
        backoff=1.0,
        once=kind != "http" and rng.random() < 0.2,
        timeout=20.0 if "hangs" in names else 600.0,
        acts=tuple(
            Act(name=each, n=rng.randrange(1000), seconds=length)
            for each, length in zip(names, seconds, strict=True)
        ),
    )


def _links(rng: random.Random, main: list[Node], earlier: list[Node]) -> dict[str, Any]:
    reads = [Read("verdict", "")] if rng.random() < 0.6 else []
    for node in rng.sample(main, min(len(main), rng.choice([0, 1, 1, 2]))):
        reads.append(Read(rng.choice(_FORMS), node.name))
    depends_on, after = [], []
    for node in earlier:
        role = rng.choice(["dependsOn", "after", "read", "", ""])
        if role == "dependsOn":
            depends_on.append(node.name)
        elif role == "after":
            after.append(node.name)
        elif role == "read":
            reads.append(Read(rng.choice(["whole", "phase"]), node.name))
    return {"reads": tuple(reads), "depends_on": tuple(depends_on), "after": tuple(after)}
