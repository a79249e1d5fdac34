"""What one seed of a saga stands for: nodes that are undone, and what goes wrong. Data."""

import random
from dataclasses import dataclass, replace
from typing import Any, Final, Literal

from waypost.ports.cluster import Obj

from tests.simulation.focused.troubles import Trouble, draw_trouble

RUN: Final = "saga"
MANY: Final = 9  # attempts of a compensation that fail: more than its retries allow
TROUBLES: Final = ("kill", "freeze", "lost", "suspend", "cancel", "cancel_late", "skip")
_OPERATORS: Final = ("kill", "freeze", "lost")
_AMPLE: Final = 3600
NUMBER: Final[Obj] = {
    "type": "object",
    "required": ["n"],
    "properties": {"n": {"type": "integer"}},
}


@dataclass(frozen=True)
class Step:
    """A node, and its compensation."""

    name: str
    needs: tuple[str, ...] = ()
    follows: tuple[str, ...] = ()  # after
    n: int = 0  # what its program adds to the sum of its inputs
    fails: int = 0  # attempts that fail first
    vanishes: bool = False  # its first attempt leaves no record
    seconds: float = 1.0
    once: bool = False
    tolerated: bool = False
    undoable: bool = True
    container: bool = False  # the compensation is a container
    undo_fails: int = 0  # attempts of the compensation that fail first
    undo_seconds: float = 1.0
    undo_once: bool = False
    undo_child: bool = False  # the compensation is a child run
    values: tuple[int, ...] | None = None  # the items of a map
    item_fails: tuple[int, ...] = ()  # attempts that fail first, by item
    tolerate: int = 0
    loops: int = 0  # iterations of a loop
    loop_fails: int = 0  # its attempt that fails
    keyed: bool = True  # the compensation gets the key of the program that it undoes

    @property
    def undo(self) -> str:
        """The path of the compensation."""
        return f"{self.name}/compensate"

    @property
    def undo_program(self) -> str:
        """The path of its program; of a child run, that of its only node."""
        return f"undo_{self.name}" if self.undo_child else self.undo


@dataclass(frozen=True)
class Saga:
    """All that follows from a seed."""

    seed: int
    steps: tuple[Step, ...]  # in topological order
    cleans: bool = False  # there is a node of finally
    deadline: int | None = None  # of the run
    clean_up: int = _AMPLE  # finallyDeadline
    troubles: tuple[Trouble, ...] = ()
    delivery: Literal["immediate", "rough"] = "immediate"

    @property
    def kinds(self) -> set[str]:
        return {trouble.kind for trouble in self.troubles}

    @property
    def is_hurried(self) -> bool:
        """Whether the deadline of compensations may pass."""
        return self.clean_up < _AMPLE

    @property
    def is_undisturbed(self) -> bool:
        """Whether nothing but operators and the network is disturbed."""
        return self.kinds <= {*_OPERATORS, "suspend"} and self.deadline is None


def saga(seed: int) -> Saga:
    """The saga of a seed."""
    draw = random.Random(f"saga {seed}")
    steps: list[Step] = []
    for at in range(draw.choice((1, 2, 3, 3, 4, 5, 6))):
        steps.append(_step(draw, f"n{at}", [step.name for step in steps]))
    if draw.random() < 0.8:  # a late failure
        names = tuple(step.name for step in steps)
        needs = tuple(name for name in names if draw.random() < 0.7)
        steps.append(Step("last", needs=needs, fails=draw.choice((1, 1, 2)), undoable=False))
    # Drawn apart, so that what a seed stands for otherwise does not change.
    more = random.Random(f"saga {seed}, children")
    steps = [replace(one, undo_child=one.undoable and more.random() < 0.2) for one in steps]
    more = random.Random(f"saga {seed}, maps")
    read = {name for one in steps for name in one.needs}
    steps = [_as_map(more, one) if _may_be_map(one, read) else one for one in steps]
    more = random.Random(f"saga {seed}, loops")
    steps = [_as_loop(more, one) if _may_be_loop(one) else one for one in steps]
    troubles = tuple(_trouble(draw) for _ in range(draw.choice((0, 0, 1, 1, 2, 3))))
    return Saga(
        seed,
        tuple(steps),
        cleans=draw.random() < 0.4,
        deadline=draw.choice((None,) * 8 + (4, 15)),
        clean_up=draw.choice((_AMPLE,) * 7 + (5, 20)),
        troubles=troubles,
        delivery=draw.choice(("immediate", "immediate", "rough")),
    )


def _step(draw: random.Random, name: str, before: list[str]) -> Step:
    near = [other for other in before if draw.random() < 0.45]
    once = draw.random() < 0.2
    return Step(
        name,
        needs=tuple(near[:2]),
        follows=tuple(near[2:]),
        n=draw.randint(1, 9),
        fails=draw.choice((0, 0, 0, 0, 0, 0, 1, 2)),
        vanishes=once and draw.random() < 0.3,
        seconds=draw.choice((0.5, 1.0, 3.0)),
        once=once,
        tolerated=draw.random() < 0.1,
        undoable=draw.random() < 0.8,
        container=draw.random() < 0.25,
        undo_fails=draw.choice((0, 0, 0, 0, 1, 2, MANY)),
        undo_seconds=draw.choice((0.5, 1.0, 4.0)),
        undo_once=draw.random() < 0.1,
        keyed=draw.random() < 0.5,
    )


def _may_be_map(step: Step, read: set[str]) -> bool:
    """Whether a step can be a map: no other one reads its output, which is a list then."""
    plain = not step.once and not step.undo_child and step.name != "last"
    return plain and step.name not in read


def _as_map(draw: random.Random, step: Step) -> Step:
    if draw.random() < 0.5:
        return step
    values = tuple(draw.randint(1, 4) for _ in range(draw.choice((0, 1, 2, 3, 4))))
    fails = tuple(draw.choice((0, 0, 0, 1)) for _ in values)
    return replace(
        step, values=values, item_fails=fails, tolerate=draw.choice((0, 0, 1, 2)), fails=0
    )


def _may_be_loop(step: Step) -> bool:
    return step.values is None and not step.undo_child and step.name != "last"


def _as_loop(draw: random.Random, step: Step) -> Step:
    if draw.random() < 0.75:
        return step
    loops = draw.choice((1, 2, 2, 3))
    return replace(step, loops=loops, loop_fails=draw.choice((0, 0, 0, loops)))


def _trouble(draw: random.Random) -> Trouble:
    drawn = draw_trouble(draw, (*TROUBLES, *_OPERATORS))
    return replace(drawn, at=round(drawn.at, 2))


def body(plan: Saga) -> Obj:
    """The spec of the run."""
    spec: Obj = {"nodes": [_node(step) for step in plan.steps]}
    if templates := [_template(step) for step in plan.steps if step.undo_child]:
        spec["templates"] = templates
    if plan.cleans:
        spec["finally"] = [_program("clean", {"why": "${run.phase}"})]
    if plan.cleans or any(step.undoable for step in plan.steps):
        spec["finallyDeadline"] = f"{plan.clean_up}s"
    if plan.deadline is not None:
        spec["deadline"] = f"{plan.deadline}s"
    return spec


def _program(name: str, inputs: Obj) -> Obj:
    source = "def run(**inputs):\n    return inputs\n"
    return {"name": name, "python": {"source": source}, "inputs": inputs}


def _node(step: Step) -> Obj:
    node = _program(step.name, {name: f"${{nodes.{name}.output.n}}" for name in step.needs})
    node["outputSchema"] = NUMBER
    if step.values is not None:
        node["forEach"] = {
            "items": f"${{{list(step.values)}}}",
            "maxParallel": 2,
            "tolerate": step.tolerate,
        }
        node["inputs"] = {**node["inputs"], "own": "${item}"}
    if step.loops:
        node["repeat"] = {"until": f"${{index >= {step.loops - 1}}}", "max": 5, "pause": "1s"}
        more = {"at": "${index}", "before": "${previous.?output.?n.orValue(0)}"}
        node["inputs"] = {**node["inputs"], **more}
    if step.follows:
        node["after"] = list(step.follows)
    if step.once:
        node["effect"] = "once"
    if step.tolerated:
        node["onFailure"] = "Continue"
    if step.undoable:
        node["compensate"] = _compensation(step)
    return node


def _template(step: Step) -> Obj:
    """The local template with the only node of a compensation that is a child run."""
    program = {"source": "def run(was, gave, key):\n    return None\n"}
    node: Obj = {
        "name": step.undo_program,
        "python": program,
        "inputs": {name: f"${{inputs.{name}}}" for name in ("was", "gave", "key")},
        "retry": {"limit": 5, "backoff": {"initial": "1s", "max": "4s"}},
    }
    if step.undo_once:
        node["effect"] = "once"
    schema = {
        "type": "object",
        "required": ["was", "gave", "key"],
        "properties": {"was": {"type": "object"}, "gave": {"type": "integer"}, "key": {}},
    }
    return {"name": f"undo-{step.name}", "inputSchema": schema, "nodes": [node]}


def _compensation(step: Step) -> Obj:
    program: Any = {"source": "def run(was, gave, key):\n    return None\n"}
    made: Obj = {
        "container" if step.container else "python": {"image": "undo:1"}
        if step.container
        else program,
        "inputs": {
            "was": "${self.inputs}",
            "gave": "${self.?output.?n.orValue(0)}",
            "key": "${self.idempotencyKey}" if step.keyed else "none",
        },
        "retry": {"backoff": {"initial": "1s", "max": "4s"}},
    }
    if step.undo_child:
        called = {"template": f"undo-{step.name}"}
        return {"workflow": called, "inputs": made["inputs"]}
    if step.undo_once:
        made["effect"] = "once"
    return made
