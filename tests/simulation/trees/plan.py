"""What one seed of a tree stands for: templates that call each other, and what goes wrong. Data."""

import random
from dataclasses import dataclass, replace
from typing import Final, Literal

from waypost.ports.cluster import Obj

from tests.simulation.focused.troubles import Trouble, draw_trouble
from tests.support.builders import agent, python

ROOT: Final = "tree"
TROUBLES: Final = (
    "kill",
    "freeze",
    "lost",
    "cancel",
    "suspend",
    "delete",
    "cancel_child",
    "delete_child",
    "cancel_frozen",
)
_HARMLESS: Final = ("kill", "freeze", "lost", "suspend", "refuse", "away", "refuse_long")
REFUSED_ONCE: Final = (Trouble("refuse", at=0.3, seconds=20.0), Trouble("away", 8.0, 650.0))
REFUSED_BELOW: Final = ("jobs", "records", "runs")  # by the number of the trouble
FALLBACK: Final = 1000
QUICK, SLOW, BEST = "quick", "slow", "best"
AMPLE: Final = 100_000  # tokens: no share of it is ever used up
NUMBER: Final[Obj] = {
    "type": "object",
    "required": ["n"],
    "properties": {"n": {"type": "integer"}},
}


@dataclass(frozen=True)
class Loop:
    """`repeat` of a call: how many iterations it needs, how many a round has, and the pause."""

    needed: int
    most: int
    pause: float = 0.0


@dataclass(frozen=True)
class Step:
    """A node: a program, or the call of another template."""

    name: str
    calls: int | None = None  # number of the template
    n: int = 0  # what a program adds to the sum of its inputs
    fails: int = 0  # attempts of a program that fail first
    seconds: float = 1.0
    needs: tuple[str, ...] = ()
    tolerated: bool = False  # onFailure: Continue, with a fallback
    local: bool = False  # the template that it calls is a local one of the body around it
    loop: Loop | None = None  # of a call
    items: int | None = None  # it calls the template once for each of so many items
    parallel: int = 1  # how many of them at the same time


@dataclass(frozen=True)
class Tree:
    """All that follows from a seed. Template 0 is the root; each calls only later ones."""

    seed: int
    templates: tuple[tuple[Step, ...], ...]
    troubles: tuple[Trouble, ...] = ()
    delivery: Literal["immediate", "rough"] = "immediate"
    budget: int | None = None  # tokens of the root; its programs are agents then
    race: float | None = None  # seconds of a program that races with a child run of the root

    @property
    def is_tight(self) -> bool:
        """Whether the budget may be used up."""
        return self.budget is not None and self.budget < AMPLE

    @property
    def turns(self) -> bool:
        """Whether lists of maps of the root have another order in each round. Nothing follows the
        maps then: it would run again in each round too."""
        maps = {step.name for step in self.templates[0] if step.items}
        return bool(maps) and not any(maps.intersection(s.needs) for s in self.templates[0])

    @property
    def is_undisturbed(self) -> bool:
        """Whether only operators and the network disturb the runs, and the budget stops none."""
        return not self.is_tight and all(t.kind in _HARMLESS for t in self.troubles)


def tree(seed: int) -> Tree:
    """The tree of a seed."""
    draw = random.Random(seed)
    levels = draw.choice((2, 3, 3, 4))
    templates = []
    for level in range(levels):
        steps: list[Step] = []
        for index in range(draw.randint(1, 3)):
            steps.append(_step(draw, level, index, levels, [s.name for s in steps]))
        if level + 1 < levels and all(step.calls is None for step in steps):
            steps.append(Step(f"c{level}x", calls=level + 1, needs=()))
        templates.append(tuple(steps))
    troubles = tuple(draw_trouble(draw, TROUBLES) for _ in range(draw.choice((0, 1, 1, 2, 3))))
    troubles = troubles or _refused_once(seed)
    delivery: Literal["immediate", "rough"] = draw.choice(("immediate", "immediate", "rough"))
    drawn = _with_maps(seed, _with_loops(seed, _with_local(seed, tuple(templates))))
    return Tree(seed, drawn, troubles, delivery, _budget(seed), _race(seed))


def _refused_once(seed: int) -> tuple[Trouble, ...]:
    """For every second tree without other troubles: child runs are refused for a while, and the
    only operator is frozen meanwhile, for longer than queueTimeout (S520). For most of the rest:
    Jobs, NodeRecords or child runs are refused for so long that the root must say it.
    """
    draw = random.Random(f"absence of {seed}")
    if draw.random() < 0.5:
        return REFUSED_ONCE
    refused = Trouble("refuse_long", 0.3, seconds=90.0, number=draw.randint(0, 2))
    return (refused,) if draw.random() < 0.75 else ()


def _budget(seed: int) -> int | None:
    """The budget of the root, for two of five trees. A separate source of random numbers."""
    draw = random.Random(f"budget of {seed}")
    return draw.choice((None, None, None, AMPLE, draw.choice((25, 60, 120))))


def _race(seed: int) -> float | None:
    """How long the program runs that races with a child run, for every third tree. A separate
    source of random numbers."""
    draw = random.Random(f"race of {seed}")
    return draw.choice((None, None, draw.choice((0.5, 3.0, 8.0, 25.0))))


def _with_local(seed: int, templates: tuple[tuple[Step, ...], ...]) -> tuple[tuple[Step, ...], ...]:
    """The templates, with some calls of local ones. A separate source of random numbers: it changes
    nothing else that a seed decides."""
    draw = random.Random(f"local templates of {seed}")
    share = draw.choice((0.0, 0.3, 0.6, 1.0))
    return tuple(
        tuple(replace(s, local=s.calls is not None and draw.random() < share) for s in steps)
        for steps in templates
    )


def _with_loops(seed: int, templates: tuple[tuple[Step, ...], ...]) -> tuple[tuple[Step, ...], ...]:
    """The templates, with at most two calls that are repeated. A separate source of random numbers,
    as for local ones."""
    draw = random.Random(f"loops of {seed}")
    left = draw.choice((0, 0, 1, 2))
    drawn = []
    for steps in templates:
        changed = []
        for step in steps:
            if step.calls is not None and left and draw.random() < 0.7:
                left -= 1
                pause = draw.choice((0.0, 0.0, 3.0))
                loop = Loop(needed=draw.randint(1, 3), most=draw.randint(1, 3), pause=pause)
                step = replace(step, loop=loop)
            changed.append(step)
        drawn.append(tuple(changed))
    return tuple(drawn)


def _with_maps(seed: int, templates: tuple[tuple[Step, ...], ...]) -> tuple[tuple[Step, ...], ...]:
    """The templates, with some calls for each item of a list. A separate source of random
    numbers."""
    draw = random.Random(f"maps of {seed}")
    share = draw.choice((0.0, 0.0, 0.4, 0.8))

    def mapped(step: Step) -> Step:
        items, parallel = draw.randint(0, 3), draw.randint(1, 3)
        chosen = step.calls is not None and step.loop is None and draw.random() < share
        return replace(step, items=items, parallel=parallel) if chosen else step

    return tuple(tuple(mapped(step) for step in steps) for steps in templates)


def _step(draw: random.Random, level: int, index: int, levels: int, before: list[str]) -> Step:
    needs = tuple(name for name in before if draw.random() < 0.4)
    tolerated = draw.random() < 0.15
    if level + 1 < levels and draw.random() < 0.5:
        target = draw.randint(level + 1, levels - 1)
        return Step(f"c{level}_{index}", calls=target, needs=needs, tolerated=tolerated)
    return Step(
        f"p{level}_{index}",
        n=draw.randint(1, 9),
        fails=draw.choice((0, 0, 0, 1, 2)),
        seconds=draw.choice((0.5, 2.0, 6.0)),
        needs=needs,
        tolerated=tolerated,
    )


def template_name(number: int) -> str:
    """The name of a template."""
    return f"t{number}"


def body(planned: Tree, number: int) -> Obj:
    """The spec of a template: its nodes, and the local templates that they call."""
    steps, agents = planned.templates[number], planned.budget is not None
    last = " + ".join(_value(step) for step in steps)
    turns = number == 0 and planned.turns
    own: Obj = {
        "nodes": [_node(step, steps, agents=agents, turns=turns) for step in steps],
        "outputs": {"n": f"${{{last}}}"},
    }
    if number == 0 and planned.race is not None:
        own["nodes"] = [*own["nodes"], *_racing(planned)]
    called = sorted(_local_below(planned, number))
    inner = [{"name": template_name(n), **_without_local(planned, n)} for n in called]
    if turns:
        own["inputs"] = {"turn": 0}
    return {**own, "templates": inner} if inner else own


def _racing(planned: Tree) -> list[Obj]:
    """A program and a child run as the candidates of a first node. No other node reads it."""
    last = template_name(len(planned.templates) - 1)
    slow = {"name": SLOW, "workflow": {"templateRef": {"name": last}}, "outputSchema": NUMBER}
    best = {"name": BEST, "first": {"of": [QUICK, SLOW]}}
    return [python(QUICK, outputSchema=NUMBER), slow, best]


def _without_local(planned: Tree, number: int) -> Obj:
    return {key: value for key, value in body(planned, number).items() if key != "templates"}


def _local_below(planned: Tree, number: int) -> set[int]:
    """The local templates that a body calls, directly or through others."""
    found: set[int] = set()
    for step in planned.templates[number]:
        if step.calls is not None and step.local:
            found |= {step.calls, *_local_below(planned, step.calls)}
    return found


def _value(step: Step) -> str:
    """The value of a node in an expression: of a map the sum over its items."""
    output = f"nodes.{step.name}.output"
    if step.items is None:
        return f"{output}.n"
    if not step.tolerated:
        parts = [f"{output}[{index}].n" for index in range(step.items)]
    else:
        parts = [
            f"({output}[{index}] == null ? {FALLBACK} : {output}[{index}].n)"
            for index in range(step.items)
        ]
    return " + ".join([f"size({output})", *parts])


def _node(step: Step, steps: tuple[Step, ...], *, agents: bool, turns: bool) -> Obj:
    known = {other.name: other for other in steps}
    inputs = {name: f"${{{_value(known[name])}}}" for name in step.needs}
    fields: Obj = {"inputs": inputs} if inputs else {}
    if step.items is not None:
        for_each: Obj = {"items": f"${{range({step.items})}}", "maxParallel": step.parallel}
        if turns:  # an item has another place in each round
            moved = f"range({step.items}).map(i, (i + inputs.turn) % {step.items})"
            for_each["items"] = f"${{{moved}}}"
            fields["inputs"] = {**inputs, "k": "${item}"}
        fields["forEach"] = for_each | ({"tolerate": step.items} if step.tolerated else {})
    elif step.tolerated:
        fields |= {"onFailure": "Continue", "fallbackOutput": {"n": FALLBACK}}
    if step.calls is None:
        program = agent if agents else python
        return program(step.name, outputSchema=NUMBER, **fields)
    name = template_name(step.calls)
    call = {"template": name} if step.local else {"templateRef": {"name": name}}
    if step.loop is not None:
        until = f"${{index >= {step.loop.needed - 1} && self.output.n >= 0}}"
        fields["repeat"] = {"until": until, "max": step.loop.most}
        if step.loop.pause:
            fields["repeat"]["pause"] = f"{step.loop.pause:.0f}s"
        # Each iteration has other inputs, so a child run that is used twice is noticed.
        fields["inputs"] = {
            **inputs,
            "last": "${previous.?output.?n.orValue(index)}",
            "at": "${index}",
        }
    return {"name": step.name, "workflow": call, "outputSchema": NUMBER, **fields}
