"""What must be undone, and how, by a second implementation that shares no code with the engine.

It is written from docs/compensation.md and S270 to S285. It starts from how the nodes ended.
"""

from collections.abc import Mapping
from typing import Any, Final

from tests.simulation.sagas.plan import Saga, Step

RETRIES: Final = 5


def must_be_undone(step: Step, phase: str, reason: str) -> bool:
    """Whether a node is undone when the run has failed or was cancelled (S270)."""
    return step.undoable and (
        phase == "Succeeded" or (phase == "Failed" and reason == "UnknownEffect")
    )


def after(plan: Saga, name: str) -> set[str]:
    """All nodes that wait for this one, directly or through others."""
    found: set[str] = set()
    for step in plan.steps:
        before = {*step.needs, *step.follows}
        if name in before or found & before:
            found.add(step.name)
    return found


def may_begin(plan: Saga, name: str, open_: Mapping[str, str]) -> bool:
    """Whether the compensation of a node may begin now (S272).

    Args:
        plan: The saga.
        name: The node.
        open_: By node, when it ended, of all nodes that are to be undone and are not yet.
    """
    free = [other for other in open_ if not after(plan, other) & open_.keys()]
    latest = max(open_[other] for other in free)
    return name == min(other for other in free if open_[other] == latest)


def output(plan: Saga, name: str) -> int:
    """The number that the program of a node gives."""
    step = next(one for one in plan.steps if one.name == name)
    return step.n + sum(output(plan, other) for other in step.needs)


def item_output(plan: Saga, name: str, value: int) -> int:
    """The number that the program of an item gives."""
    return output(plan, name) + value


def undone_items(states: str) -> list[int]:
    """The items of a map that must be undone, in that order, from their stored states (S504)."""
    letters: list[str] = []
    for token in states.split():
        letter, _, times = token.partition("*")
        letters += [letter[0]] * int(times or 1)
    return [at for at in reversed(range(len(letters))) if letters[at] in "SU"]


def inputs_of_item(plan: Saga, step: Step, at: int, key: str) -> dict[str, object]:
    """What the compensation of an item gets (S505)."""
    assert step.values is not None
    was = {other: output(plan, other) for other in step.needs}
    gave = item_output(plan, step.name, step.values[at])
    return {
        "was": {**was, "own": step.values[at]},
        "gave": gave,
        "key": key if step.keyed else "none",
    }


def iteration_output(plan: Saga, step: Step, at: int) -> int:
    """The number that the program of an iteration gives; 0 before the first one."""
    return output(plan, step.name) + at - (step.loops - 1) if at >= 0 else 0


def undone_iterations(entry: Mapping[str, Any]) -> list[int]:
    """The iterations of a loop that must be undone, in that order, as its entry has them (S616)."""
    count = len((entry.get("loop") or {}).get("done", "").split())
    unknown = entry["phase"] == "Failed" and entry.get("reason") == "UnknownEffect"
    return [*([count] if unknown else []), *reversed(range(count))]


def inputs_of_iteration(
    plan: Saga, step: Step, at: int, key: str, *, known: bool
) -> dict[str, object]:
    """What the compensation of an iteration gets (S617); `known`: the iteration succeeded."""
    was = {other: output(plan, other) for other in step.needs}
    before = iteration_output(plan, step, at - 1)
    return {
        "was": {**was, "at": at, "before": before},
        "gave": iteration_output(plan, step, at) if known else 0,
        "key": key if step.keyed else "none",
    }


def inputs_of_undo(plan: Saga, step: Step, phase: str, key: str) -> dict[str, object]:
    """What the compensation of a node gets (S273)."""
    was = {other: output(plan, other) for other in step.needs}
    gave = output(plan, step.name) if phase == "Succeeded" else 0
    return {"was": was, "gave": gave, "key": key if step.keyed else "none"}


def end_of_undo(step: Step, before: int) -> tuple[str, int]:
    """How a compensation ends that nothing stops, and after how many attempts (S275).

    `before` is the number of its attempts in earlier rounds.
    """
    left = max(step.undo_fails - before, 0)
    allowed = 0 if step.undo_once else RETRIES
    return ("Succeeded", left + 1) if left <= allowed else ("Failed", allowed + 1)
