"""Seeded bugs of compensations: each breaks the operator on purpose and must be caught."""

from dataclasses import replace
from typing import Any, Final

import pytest
from waypost.api import workflow
from waypost.api.changes import changed_node
from waypost.engine.items import advance, finish
from waypost.engine.nodes.children import result
from waypost.engine.rounds import begin, undone
from waypost.engine.run import compensating, summary
from waypost.engine.scheduling import inputs
from waypost.engine.state.outcome import checkpoint
from waypost.engine.state.transition import Transition
from waypost.kube.facts import children
from waypost.kube.facts.children import ChildFact
from waypost.kube.items import undone as undone_items
from waypost.kube.items import undone_iterations
from waypost.kube.items.stored import ends_of
from waypost.kube.loops import iterations

from tests.simulation.focused.hunting import Bugs
from tests.simulation.sagas import plants
from tests.simulation.sagas.interpreter import after
from tests.simulation.sagas.plan import MANY, Saga, saga
from tests.simulation.sagas.play import play
from tests.simulation.watching.evidence import FINAL

bug: Final = Bugs("sagas", saga, play, limit=30)
BUGS: Final = bug.all


def _undoes(planned: Saga) -> bool:
    """Whether something is undone: a late failure, and nodes before it that succeed."""
    late = planned.steps[-1].name == "last"
    good = any(s.undoable and not s.fails and not s.vanishes for s in planned.steps[:-1])
    return late and good and planned.is_undisturbed and not planned.is_hurried


def _undoes_several(planned: Saga) -> bool:
    chained = any(
        step.undoable
        and any(
            other.undoable and other.name in after(planned, step.name) for other in planned.steps
        )
        for step in planned.steps
    )
    return _undoes(planned) and chained


def _undoes_twice(planned: Saga) -> bool:
    return _undoes(planned) and planned.steps[-1].fails > 1


@bug("VF2", focus=_undoes)
def _an_undone_checkpoint_is_reused(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(undone, "why", lambda known, name: "")


@bug("VF1", focus=lambda planned: _with(planned, "cancel_late"))
def _the_verdict_is_taken_again(patch: pytest.MonkeyPatch) -> None:
    """A cancel during compensation makes a cancelled run of one that has failed."""
    final_state = summary.final_state

    def again(transition: Transition, result: Any) -> Any:
        if transition.spec.cancel:
            return "Cancelled", "Cancelled", "the run was cancelled"
        return final_state(transition, result)

    patch.setattr(summary, "final_state", again)


bug("VF2", focus=_undoes_several)(plants.the_oldest_node_is_undone_first)


bug("VF1", "VF2", focus=_undoes_several)(plants.compensations_run_beside_each_other)


@bug("VF2", focus=_undoes_twice)
def _the_key_of_a_compensation_lacks_the_round(patch: pytest.MonkeyPatch) -> None:
    entry = compensating._entry
    patch.setattr(compensating, "_entry", lambda *how: changed_node(entry(*how), repeats=None))


@bug("VF2", focus=_undoes)
def _an_undone_node_keeps_its_key(patch: pytest.MonkeyPatch) -> None:
    repeats = begin._repeats
    patch.setattr(begin, "_repeats", lambda *a, **how: repeats(*a, **{**how, "undone": False}))


@bug("VF2", "T11", "I2", focus=_undoes_twice)
def _attempts_of_compensations_begin_again(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(begin, "_with_undo_attempts", lambda status, known: status)


@bug("VF2", "VF1", focus=lambda planned: any(s.vanishes and s.undoable for s in planned.steps))
def _an_unknown_effect_is_not_undone(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(
        compensating,
        "_took_effect",
        lambda transition, name: transition.statuses[name].phase == "Succeeded",
    )


bug(
    "T11",
    focus=lambda planned: _undoes(planned) and any(s.undo_fails == MANY for s in planned.steps),
)(plants.a_failed_compensation_is_overlooked)


bug("VF1", "VF2", focus=lambda planned: _with(planned, "cancel"))(
    plants.nothing_is_undone_after_a_cancel
)


def _undoes_by_a_child_run(planned: Saga) -> bool:
    good = any(s.undo_child and not s.fails and not s.vanishes for s in planned.steps[:-1])
    return _undoes_several(planned) and good


@bug("T11", "VF1", focus=_undoes_by_a_child_run)
def _a_parent_expects_no_child_run_of_a_compensation(patch: pytest.MonkeyPatch) -> None:
    """Any path with a part is taken for that of an item."""
    expects = children.expects

    def of_items(body: Any, *, path: str, name: str, uid: str) -> bool:
        return "/" not in path and expects(body, path=path, name=name, uid=uid)

    patch.setattr(children, "expects", of_items)


@bug("T11", "VF1", "VW1", focus=_undoes_by_a_child_run)
def _a_child_run_that_runs_has_ended(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(ChildFact, "has_ended", lambda self, round_: self.phase in ("Running", *FINAL))
    patch.setattr(result, "take", lambda transition, path, child, fact: checkpoint({}))


def _undoes_items(planned: Saga) -> bool:
    """Whether a map with different items is undone in the first round."""
    full = any(
        len(set(s.values or ())) > 1 and s.undoable and not any(s.item_fails) for s in planned.steps
    )
    return _undoes(planned) and full and not any(s.fails for s in planned.steps[:-1])


def _undoes_items_twice(planned: Saga) -> bool:
    return _undoes_items(planned) and planned.steps[-1].fails > 1


@bug("VF2", "I6", focus=_undoes_items)
def _items_are_undone_from_the_first_to_the_last(patch: pytest.MonkeyPatch) -> None:
    effective = undone_items._effective
    patch.setattr(undone_items, "_effective", lambda found: effective(found)[::-1])


@bug("VF1", focus=_undoes_items)
def _items_are_undone_beside_each_other(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(workflow, "_undoing", lambda node: node.for_each)
    patch.setattr(advance, "_startable", _startable_as_in_other_maps)


@bug("VF2", focus=_undoes_items_twice)
def _items_that_were_undone_are_kept(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(begin, "changed_items", lambda items, **fields: items)


@bug("VF1", "VF2", focus=lambda planned: _undoes(planned) and _has_failing_map(planned))
def _a_map_that_failed_is_not_undone(patch: pytest.MonkeyPatch) -> None:
    took_effect = undone_items.took_effect

    def succeeded(status: Any) -> bool:
        return status.phase == "Succeeded" and took_effect(status)

    patch.setattr(undone_items, "took_effect", succeeded)


@bug("T11", focus=lambda planned: _undoes_items(planned) and _fails_to_undo_items(planned))
def _an_item_that_is_not_undone_is_overlooked(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(finish, "_undoes", lambda transition, path: False)


@bug("I6", focus=_undoes_items)
def _an_item_is_undone_with_the_output_of_another(patch: pytest.MonkeyPatch) -> None:
    def shifted(found: Any, payloads: Any) -> Any:
        ends = ends_of(found, payloads)
        return {str(int(at) + 1): end for at, end in ends.items()} | {"0": ends.get("1")}

    patch.setattr(undone_items, "ends_of", shifted)


def _undoes_iterations(planned: Saga) -> bool:
    several = any(s.loops > 1 and s.undoable and not s.fails for s in planned.steps)
    return _undoes(planned) and several and not any(s.loop_fails for s in planned.steps)


@bug("VF2", "I6", focus=_undoes_iterations)
def _iterations_are_undone_from_the_first_to_the_last(patch: pytest.MonkeyPatch) -> None:
    effective = undone_iterations._effective
    patch.setattr(
        undone_iterations, "_effective", lambda status, **run: effective(status, **run)[::-1]
    )


@bug("I6", "T11", focus=_undoes_iterations)
def _iterations_are_undone_with_the_output_of_the_last(patch: pytest.MonkeyPatch) -> None:
    def of_last(status: Any, **run: str) -> Any:
        found = iterations(status, **run)
        return tuple(replace(one, record=found[-1].record) for one in found)

    patch.setattr(inputs, "iterations", of_last)


@bug("VF1", "VF2", focus=lambda planned: _undoes(planned) and _has_failing_loop(planned))
def _a_loop_that_failed_is_not_undone(patch: pytest.MonkeyPatch) -> None:
    took_effect = undone_iterations.took_effect
    patch.setattr(
        undone_iterations,
        "took_effect",
        lambda status: status.phase == "Succeeded" and took_effect(status),
    )


@bug("VF2", "T11", focus=lambda planned: _undoes(planned) and _has_failing_loop(planned))
def _a_loop_that_was_undone_continues(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(undone, "why", lambda known, name: "")


def _has_failing_loop(planned: Saga) -> bool:
    return any(
        s.undoable and s.loop_fails > 1 and not (s.fails or s.vanishes) for s in planned.steps
    )


def _has_failing_map(planned: Saga) -> bool:
    return any(
        s.undoable and sum(map(bool, s.item_fails)) > s.tolerate and 0 in s.item_fails
        for s in planned.steps
    )


def _fails_to_undo_items(planned: Saga) -> bool:
    return any(
        len(s.values or ()) > 1 and s.undoable and s.undo_fails == MANY for s in planned.steps
    )


def _startable_as_in_other_maps(transition: Transition, opened: Any, due: list[int]) -> Any:
    while advance._busy(opened) < 3:
        new = opened.next_not_started()
        if due:
            yield due.pop(0)
        elif new is not None:
            yield new
        else:
            return


def _with(planned: Saga, kind: str) -> bool:
    return kind in planned.kinds and planned.steps[-1].name == "last"
