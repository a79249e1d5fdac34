"""Seeded bugs of trees: each breaks the operator on purpose and must be caught."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final

import pytest
from waypost.compiler import calls
from waypost.engine.budget import shares, usage
from waypost.engine.items import begin, working
from waypost.engine.nodes import table, workflow
from waypost.engine.nodes.children import leftovers, patches, requests, result
from waypost.engine.rounds import dispositions
from waypost.engine.run import children, ending, losers
from waypost.engine.state.decision import ReleasePod
from waypost.engine.state.usage import total
from waypost.kube.facts.children import ChildFact
from waypost.kube.items import child_items, open_items, open_map
from waypost.runtime.reads import definitions, template_sources

from tests.simulation.focused.hunting import Bugs
from tests.simulation.trees.interpreter import most_failures
from tests.simulation.trees.plan import REFUSED_ONCE, Step, Tree, tree
from tests.simulation.trees.play import play

bug: Final = Bugs("trees", tree, play, limit=40)
BUGS: Final = bug.all


def _fails(planned: Tree) -> bool:
    """Whether a program below the root fails at first, and nothing else disturbs the tree."""
    deep = any(
        step.fails and not step.tolerated for steps in planned.templates[1:] for step in steps
    )
    return deep and planned.is_undisturbed


def _fails_within_a_tight_budget(planned: Tree) -> bool:
    """Whether a program below the root fails at first, and the budget may be used up."""
    return planned.is_tight and any(s.fails for steps in planned.templates[1:] for s in steps)


def _with(*kinds: str) -> Callable[[Tree], bool]:
    return lambda planned: {trouble.kind for trouble in planned.troubles} >= set(kinds)


@bug("VW3", "T11", "I7", focus=_fails)
def _the_end_of_an_earlier_round_counts(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(ChildFact, "has_ended", lambda self, round_: self.finished)


@bug("I7", "T11", focus=_fails)
def _a_round_starts_another_child(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(dispositions, "_continues", lambda *how: False)
    patch.setattr(workflow, "_can_continue", lambda *how: False)


@bug("S206", focus=_with("cancel"))
def _cancel_does_not_go_down(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(requests, "repeat", lambda *how: None)


@bug("VW1", focus=_with("cancel"))
def _a_node_ends_before_its_child(patch: pytest.MonkeyPatch) -> None:
    stop = requests.stop

    def at_once(transition: Any, path: str, reason: Any) -> None:
        stop(transition, path, reason)
        transition.end(path, "Cancelled", reason, "stopped")

    kind = workflow.KIND
    patch.setitem(table.KINDS, "workflow", replace(kind, stop=at_once))


@bug("VW2", focus=_fails)
def _usage_is_added_again(patch: pytest.MonkeyPatch) -> None:
    def watch(transition: Any, path: str) -> None:
        known = transition.statuses[path].usage
        workflow.watch(transition, path)
        status = transition.statuses[path]
        if known is not None and transition.ended(path):
            transition.update(path, usage=total((known, status.usage)))

    patch.setitem(table.KINDS, "workflow", replace(workflow.KIND, watch=watch))


def _has_local(planned: Tree) -> bool:
    """Whether a local template calls another local one, and nothing disturbs the tree."""
    calls = {s.calls for steps in planned.templates for s in steps if s.local}
    nested = any(s.local for n in calls if n is not None for s in planned.templates[n])
    return nested and planned.is_undisturbed


@bug("VW4", focus=_has_local)
def _a_local_template_is_read_as_another_object(patch: pytest.MonkeyPatch) -> None:
    read = template_sources.read_source

    async def never_local(*where: Any, local: bool, **how: Any) -> Any:
        return await read(*where, local=False, **how)

    patch.setattr(definitions, "read_source", never_local)


@bug("T11", "VW4", focus=_has_local)
def _a_child_misses_the_local_templates_that_it_calls(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(calls, "reached_from", lambda *how: set())


@bug("VW4", "T11", focus=_has_local)
def _the_definition_of_a_child_is_that_of_its_parent(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(template_sources, "body_of_local", lambda fields, name: fields)


def _has_budget(planned: Tree) -> bool:
    """Whether the root has a budget and calls others, and nothing disturbs the tree."""
    calls = sum(step.calls is not None for step in planned.templates[0])
    return planned.budget is not None and bool(calls) and not planned.troubles


@bug("VW5", focus=_has_budget)
def _what_is_lent_is_not_reserved(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(usage, "reserved", lambda node: None)


@bug("VW5", focus=_has_budget)
def _a_child_run_ignores_what_is_lent(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(shares, "budget_of", lambda transition: transition.spec.budget)


@bug("VW5", focus=_fails_within_a_tight_budget)
def _a_round_forgets_what_a_child_run_has_used(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(workflow, "in_total", lambda share, node, continues: share)


@bug("I12", focus=_with("delete"))
def _a_child_of_a_deleted_parent_is_held(patch: pytest.MonkeyPatch) -> None:
    release = ending.release_all

    def pods_only(observed: Any) -> Any:
        return tuple(one for one in release(observed) if isinstance(one, ReleasePod))

    patch.setattr(ending, "release_all", pods_only)


@bug("I11", "T11", "VW1", "I12", focus=_with("delete_child"))
def _a_deleted_child_is_waited_for(patch: pytest.MonkeyPatch) -> None:
    fail = result.fail

    def patient(transition: Any, path: str, child: Any, reason: Any, text: str) -> None:
        if reason != "ChildDeleted":
            fail(transition, path, child, reason, text)

    patch.setattr(result, "fail", patient)


def _reaches_a_limit(planned: Tree) -> bool:
    """Whether a loop needs more iterations than a round has, and nothing disturbs the tree."""
    steps = [step for listed in planned.templates for step in listed]
    loops = [step.loop for step in steps if step.loop is not None]
    limited = any(loop.needed > loop.most for loop in loops)
    return limited and planned.is_undisturbed and not any(step.tolerated for step in steps)


@bug("VL2", "T11", focus=_reaches_a_limit)
def _a_round_repeats_the_last_iteration(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(patches, "has_given_iteration", lambda status: False)


@bug("VL2", "T11", "I11", focus=_reaches_a_limit)
def _every_iteration_runs_in_the_same_child_run(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(patches, "following", lambda observed, status, child: child)
    patch.setattr(workflow, "_can_continue", lambda *how: True)


def _maps(planned: Tree) -> list[Step]:
    """The maps of a tree of which several items run, if nothing disturbs it."""
    steps = [s for steps in planned.templates for s in steps if (s.items or 0) > 1]
    return steps if planned.is_undisturbed else []


def _has_maps(planned: Tree) -> bool:
    """Whether the root has a map, and nothing disturbs the tree."""
    return any(step in _maps(planned) for step in planned.templates[0])


def _fails_in_maps(planned: Tree) -> bool:
    """Whether child runs of items fail at first in a map of the root, in more than one program."""
    return any(
        not step.tolerated and step.calls is not None and most_failures(planned, step.calls)
        for step in planned.templates[0]
        if step in _maps(planned)
    )


def _lends_to_items(planned: Tree) -> bool:
    """Whether items of a map of the root share its budget."""
    parallel = any(s.parallel > 1 and (s.items or 0) > 1 for s in planned.templates[0])
    return parallel and planned.budget is not None and not planned.troubles


@bug("VW2", focus=_has_maps)
def _usage_of_an_item_is_added_in_each_pass(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(working, "grown", lambda now, before: now)


@bug("VW5", focus=_lends_to_items)
def _what_is_lent_to_items_is_not_reserved(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(shares, "_open_items", lambda transition: iter(()))


@bug("I7", "T11", focus=_fails_in_maps)
def _an_item_that_failed_starts_another_child(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(begin, "_continued", lambda *how: {})


@bug("VW1", "VW2", "VW3", "T11", focus=_fails_in_maps)
def _the_text_of_an_item_forgets_the_round(patch: pytest.MonkeyPatch) -> None:
    shown = child_items.child_text

    def first(given: Any) -> str:
        return shown(replace(given, child=given.child.model_copy(update={"round": 1})))

    patch.setattr(open_items, "child_text", first)


@bug("I7", "T11", "I11", focus=_fails_in_maps)
def _the_child_run_of_an_ended_item_is_left_over(patch: pytest.MonkeyPatch) -> None:
    known = leftovers._is_left_over

    def any_unnamed(transition: Any, fact: ChildFact) -> bool:
        unnamed = "/" in fact.path and leftovers._waiting(transition, fact) is None
        return unnamed or known(transition, fact)

    patch.setattr(leftovers, "_is_left_over", any_unnamed)


@bug("VM3", focus=_has_maps)
def _a_map_ignores_max_parallel_of_child_runs(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(open_map.OpenMap, "running", property(lambda self: 0))


def _fails_in_moving_maps(planned: Tree) -> bool:
    """Whether child runs fail in maps of the root whose lists have another order in each round."""
    return planned.turns and _fails_in_maps(planned)


@bug("I7", "T11", focus=_fails_in_moving_maps)
def _an_item_takes_the_child_of_its_index(patch: pytest.MonkeyPatch) -> None:
    known = begin._continued

    def by_index(*how: Any) -> Any:
        return {str(child["i"]): child for child in known(*how).values()}

    patch.setattr(begin, "_continued", by_index)


@bug("VC1", focus=lambda planned: planned.race is not None and planned.is_undisturbed)
def _a_child_run_that_lost_is_not_stopped(patch: pytest.MonkeyPatch) -> None:
    stop = losers._stop

    def programs_only(transition: Any, path: str, why: str) -> None:
        if transition.statuses[path].child is None:
            stop(transition, path, why)

    patch.setattr(losers, "_stop", programs_only)


@bug("VC1", "T11", focus=lambda planned: planned.race is not None and planned.is_undisturbed)
def _a_child_run_that_lost_has_failed(patch: pytest.MonkeyPatch) -> None:
    fail = result.fail

    def failed(transition: Any, path: str, child: Any, reason: Any, text: str) -> None:
        fail(transition, path, child, reason, text)
        if child.stopping == "NotChosen":
            transition.update(path, phase="Failed")

    patch.setattr(result, "fail", failed)


@bug("T11", focus=lambda planned: planned.troubles == REFUSED_ONCE and planned.is_undisturbed)
def _an_old_refusal_of_a_child_run_counts(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(workflow, "is_recent", lambda problem, now: True)


@bug("said", focus=_with("refuse_long"))
def _a_parent_does_not_say_what_its_child_run_lacks(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(children, "message", lambda transition: "")
