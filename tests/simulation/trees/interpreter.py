"""How a tree ends, by a second implementation that shares no code with the engine.

`evaluate` plays one round of one run. Programs count their attempts over all rounds of the run; a
child run is a new one when it is first called, and the same one in later rounds.
"""

from dataclasses import dataclass, field

from tests.simulation.trees.plan import FALLBACK, Step, Tree


@dataclass
class RunState:
    """What a run has done so far."""

    template: int
    done: dict[str, int] = field(default_factory=dict)  # outputs of nodes that ended well
    attempts: dict[str, int] = field(default_factory=dict)
    children: dict[str, "RunState"] = field(default_factory=dict)
    tolerated: set[str] = field(default_factory=set)
    iterations: dict[str, int] = field(default_factory=dict)  # of loops, that ended well
    result: int | None = None  # of the child run of an item that has ended well


def evaluate(tree: Tree, state: RunState) -> int | None:
    """The output of a run after one more round; None if it fails."""
    failed: set[str] = set()
    values: dict[str, int] = {}
    for step in tree.templates[state.template]:
        if failed.intersection(step.needs):
            failed.add(step.name)
            continue
        value = _step(tree, state, step, values)
        if value is None:
            failed.add(step.name)
        else:
            values[step.name] = value
    return None if failed else sum(values.values())


def _step(tree: Tree, state: RunState, step: Step, values: dict[str, int]) -> int | None:
    if step.name in state.done:
        return state.done[step.name]
    if step.loop is not None:
        value = _loop(tree, state, step)
    elif step.items is not None:
        value = _items(tree, state, step)
    elif step.calls is not None:
        child = state.children.setdefault(step.name, RunState(step.calls))
        value = evaluate(tree, child)
    else:
        number = state.attempts[step.name] = state.attempts.get(step.name, 0) + 1
        total = step.n + sum(values[name] for name in step.needs)
        value = None if number <= step.fails else total
    if value is not None:
        state.done[step.name] = value
    elif step.tolerated:
        return FALLBACK
    return value


def _loop(tree: Tree, state: RunState, step: Step) -> int | None:
    """A loop over a template: each iteration is another run of it."""
    assert step.loop is not None, "called for loops"
    assert step.calls is not None, "only calls are repeated here"
    for _ in range(step.loop.most):
        child = state.children.setdefault(step.name, RunState(step.calls))
        value = evaluate(tree, child)
        if value is None:
            return None
        del state.children[step.name]
        state.iterations[step.name] = state.iterations.get(step.name, 0) + 1
        if state.iterations[step.name] >= step.loop.needed:
            return value
    return None


def _items(tree: Tree, state: RunState, step: Step) -> int | None:
    """The number of items of a map and the sum of their outputs; None if one fails that must not.
    What is tolerated is not repeated, because the map has succeeded."""
    assert step.calls is not None, "items are child runs"
    values: list[int | None] = []
    for index in range(step.items or 0):
        child = state.children.setdefault(f"{step.name}/{index}", RunState(step.calls))
        values.append(evaluate(tree, child) if child.result is None else child.result)
        child.result = values[-1]
    if None in values and not step.tolerated:
        return None
    return len(values) + sum(FALLBACK if value is None else value for value in values)


def first_result(tree: Tree) -> int | None:
    """The output of the root after its first round; None if it fails."""
    return evaluate(tree, RunState(0))


def most_failures(tree: Tree, template: int = 0) -> int:
    """In how many rounds a run of a template can fail, if its nodes run one after another."""
    return sum(_failures(tree, step) for step in tree.templates[template])


def _failures(tree: Tree, step: Step) -> int:
    if step.calls is None:
        return step.fails
    inner = most_failures(tree, step.calls)
    if step.items is not None:
        return inner * step.items
    if step.loop is None:
        return inner
    return (inner + 1) * step.loop.needed  # each iteration, and a limit after each


def most_attempts(tree: Tree) -> dict[str, int]:
    """How often the program of each node may start in one run, over all rounds: until it succeeds,
    and once more for each round that repeats a tolerated failure before it (S84)."""
    most: dict[str, int] = {}
    for steps in tree.templates:
        repeats: dict[str, int] = {}  # how often a node may run again after others have used it
        for step in steps:
            fails = _failures(tree, step)
            before = sum(repeats[name] for name in step.needs)
            repeats[step.name] = before + (fails if step.tolerated else 0)
            if step.calls is None:
                most[step.name] = fails + 1 + before
    return most
