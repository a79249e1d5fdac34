"""What one seed of slots stands for: runs whose nodes share keys, and what goes wrong. Data."""

import random
from dataclasses import dataclass, replace
from typing import Final, Literal

from waypost.ports.cluster import Obj

from tests.simulation.focused.troubles import Trouble, draw_trouble
from tests.support.builders import python

TROUBLES: Final = (
    "kill",
    "freeze",
    "freeze_acting",
    "lost",
    "delete_slot",
    "delete_run",
    "cancel",
    "suspend",
    "refused",
)
NUMBER: Final[Obj] = {
    "type": "object",
    "required": ["n"],
    "properties": {"n": {"type": "integer"}},
}
MOST_ITEMS: Final = 4
_RETRY: Final[Obj] = {"retry": {"limit": 1, "backoff": {"initial": "2s"}}}


@dataclass(frozen=True)
class Step:
    """A node whose attempts hold a key, unless `key` is empty."""

    name: str
    key: str = ""
    limit: int = 1
    skips: bool = False
    fails: int = 0  # attempts that fail first
    seconds: float = 1.0
    needs: str = ""
    items: int = 0  # of a map
    repeats: int = 0  # iterations of a loop
    calls: bool = False  # a workflow node, whose child run holds the key


@dataclass(frozen=True)
class Run:
    """A run and when it is created."""

    name: str
    at: float
    steps: tuple[Step, ...]
    key: str = ""  # that the run itself holds
    limit: int = 1
    skips: bool = False
    replaces: bool = False


@dataclass(frozen=True)
class Plan:
    """All that follows from a seed."""

    seed: int
    runs: tuple[Run, ...]
    troubles: tuple[Trouble, ...] = ()
    delivery: Literal["immediate", "rough"] = "immediate"

    @property
    def is_undisturbed(self) -> bool:
        """Whether every run can end well: only operators and the network are disturbed."""
        return all(t.kind not in ("delete_run", "cancel", "refused") for t in self.troubles)


def plan(seed: int) -> Plan:
    """The plan of a seed."""
    draw = random.Random(seed)
    limits = {key: draw.choice((1, 1, 2, 3)) for key in ("a", "b")}
    differ = draw.random() < 0.15
    of_runs, most = random.Random(f"runs of {seed}"), draw.choice((1, 2))
    runs = []
    for number in range(draw.randint(2, 7)):
        steps: list[Step] = []
        for index in range(draw.choice((1, 1, 2, 3))):
            step = _step(draw, index, limits, [s.name for s in steps], differ=differ)
            steps.append(step)
        at = draw.choice((0.0, 0.0, draw.uniform(0, 15)))
        key, skips = of_runs.choice(("env", "", "")), of_runs.random() < 0.2
        runs.append(Run(f"r{number}", at, tuple(steps), key, most, bool(key) and skips))
    troubles = tuple(
        draw_trouble(draw, TROUBLES, latest=25.0, seconds=(0.5, 5.0, 9.0, 14.0))
        for _ in range(draw.choice((0, 1, 1, 2, 3)))
    )
    delivery: Literal["immediate", "rough"] = draw.choice(("immediate", "immediate", "rough"))
    return Plan(seed, _with_calls(seed, _with_replace(seed, runs)), troubles, delivery)


def _with_calls(seed: int, runs: tuple[Run, ...]) -> tuple[Run, ...]:
    """The runs, some of whose nodes are child runs. A separate source of random numbers."""
    draw = random.Random(f"called nodes of {seed}")
    share = draw.choice((0.0, 0.0, 0.3, 0.8))

    def drawn(step: Step) -> bool:
        return draw.random() < share and not step.skips and not step.repeats

    return tuple(
        replace(run, steps=tuple(replace(step, calls=drawn(step)) for step in run.steps))
        for run in runs
    )


def _with_replace(seed: int, runs: list[Run]) -> tuple[Run, ...]:
    """The runs, some of which replace older ones. A separate source of random numbers: it changes
    nothing else that a seed decides."""
    draw = random.Random(f"replaced runs of {seed}")
    share = draw.choice((0.0, 0.0, 0.6, 1.0))
    changed = []
    for run in runs:
        drawn = draw.random() < share and bool(run.key) and not run.skips and run.limit == 1
        changed.append(replace(run, replaces=drawn))
    return tuple(changed)


def _step(
    draw: random.Random, index: int, limits: dict[str, int], before: list[str], *, differ: bool
) -> Step:
    key = draw.choice(("a", "a", "a", "b", ""))
    many = draw.random()
    items = draw.randint(2, MOST_ITEMS) if many < 0.15 else 0
    return Step(
        f"s{index}",
        key=key,
        limit=draw.randint(1, 3) if differ else limits.get(key, 1),
        skips=not items and draw.random() < 0.12,
        fails=draw.choice((0, 0, 0, 0, 1)),
        seconds=draw.choice((0.5, 2.0, 2.0, 8.0)),
        needs=draw.choice((*before, "", "")),
        items=items,
        repeats=draw.randint(2, 3) if 0.15 <= many < 0.25 else 0,
    )


def body(run: Run) -> Obj:
    """The spec of a run. The key of each node is an expression over its inputs."""
    fields: Obj = {"inputs": {"prefix": "key"}, "nodes": [_node(step) for step in run.steps]}
    called = [step for step in run.steps if step.calls]
    if called:
        fields["templates"] = [_template(step) for step in called]
    if run.key:
        own = {"key": f"${{inputs.prefix}}-{run.key}", "limit": run.limit}
        how = "Skip" if run.skips else "Replace" if run.replaces else ""
        fields["concurrency"] = {**own, "whenFull": how} if how else own
    return fields


def _template(step: Step) -> Obj:
    """The template of a node that is a child run: it has the program of the node."""
    shape = {"type": "object", "properties": {"key": {"type": "string"}}}
    program = python(step.name, outputSchema=NUMBER, **_RETRY)
    return {"name": f"t{step.name}", "inputSchema": shape, "nodes": [program]}


def _node(step: Step) -> Obj:
    fields: Obj = {} if step.calls else dict(_RETRY)
    if step.needs:
        fields["after"] = [step.needs]
    if step.key:
        fields["inputs"] = {"key": step.key}
        fields["concurrency"] = {"key": "${inputs.prefix}-${self.inputs.key}", "limit": step.limit}
        if step.skips:
            fields["concurrency"]["whenFull"] = "Skip"
    if step.items:
        fields["forEach"] = {"items": f"${{range({step.items})}}", "maxParallel": 3}
    if step.repeats:
        fields["repeat"] = {"until": f"${{index == {step.repeats - 1}}}", "max": step.repeats}
    if step.calls:
        return {"name": step.name, "workflow": {"template": f"t{step.name}"}, **fields}
    return python(step.name, outputSchema=NUMBER, **fields)
