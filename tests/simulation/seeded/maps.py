"""Seeded bugs of maps."""

from dataclasses import replace
from typing import Any

import pytest
from waypost.api import checkpoints
from waypost.api.changes import changed_items
from waypost.api.items.states import FAILED
from waypost.api.items.status import ItemsStatus
from waypost.engine.budget import shares
from waypost.engine.items import advance, begin, finish
from waypost.engine.rounds import replaced
from waypost.engine.run import losers
from waypost.engine.scheduling import inputs
from waypost.engine.state import visible
from waypost.engine.state.decision import PutRecord
from waypost.kube.items.open_map import OpenMap
from waypost.runtime.writes.actions import ActionExecutor

from tests.simulation.scenario.plan import Scenario
from tests.simulation.seeded.hunting import both, bug


def _maps(plan: Scenario) -> bool:
    return any(node.is_map and len(node.values or ()) > 2 for node in plan.nodes)


def _failing_maps(plan: Scenario) -> bool:
    broken = {"fails", "oom", "huge", "silent", "garbage"}
    return any(
        node.is_map and broken & {act.name for acts in node.item_acts for act in acts}
        for node in plan.nodes
    )


def _new_lists(plan: Scenario) -> bool:
    return any(each.lists for each in plan.rounds)


@bug("I4", "I3", "I11", "VM1", "VM9", focus=_maps)
def _items_have_no_checkpoint(patch: pytest.MonkeyPatch) -> None:
    """Bug 1: paths are compared with those of nodes."""
    of_node = checkpoints.checkpoint_of

    def by_equality(nodes: Any, path: str) -> Any:
        return None if "/" in path else of_node(nodes, path)

    for module in (
        "waypost.engine.state.transition",
        "waypost.runtime.sweeps.jobs",
        "waypost.engine.run.ending",
    ):
        patch.setattr(f"{module}.checkpoint_of", by_equality)


@bug("VM1", "I2", "I3", "I4", "T11", "I11", "VM2", focus=_new_lists)
def _attempts_of_a_new_list_begin_at_one(patch: pytest.MonkeyPatch) -> None:
    """Bug 2."""
    made = ItemsStatus

    def from_one(**fields: Any) -> Any:
        return made(**{**fields, "before": None})

    patch.setattr(begin, "ItemsStatus", from_one)


@bug("VM4", "VM7", focus=_new_lists)
def _items_matched_by_index(patch: pytest.MonkeyPatch) -> None:
    """Bug 3."""
    patch.setattr(begin, "identities", lambda contents: [str(at) for at, _ in enumerate(contents)])


@bug("VM7", focus=both(_new_lists, _failing_maps))
def _key_of_an_item_from_its_path(patch: pytest.MonkeyPatch) -> None:
    """Bug 4."""
    item_of = inputs._item_of

    def with_path(transition: Any, path: str) -> Any:
        found = item_of(transition, path)
        return replace(found, key_path=path) if isinstance(found, inputs._Item) else found

    patch.setattr(inputs, "_item_of", with_path)


@bug("VM7", focus=lambda plan: any(r.again_items and r.moment == "ended" for r in plan.rounds))
def _a_repeated_item_keeps_its_key(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(inputs, "mark_of", lambda content, index: content["identities"][index])


@bug("VM6", "VM4", "T11", focus=_failing_maps)
def _tolerance_from_the_listed_failures(patch: pytest.MonkeyPatch) -> None:
    """Bug 5: only one failure is listed, so the tolerance is never exceeded by a second one."""
    patch.setattr(OpenMap, "failed", property(lambda self: len(self.failures[:1])))


@bug("VM9", "I5", "T11", focus=_maps)
def _status_before_the_records_of_its_items(patch: pytest.MonkeyPatch) -> None:
    """Bug 6."""
    prepare = ActionExecutor.prepare

    async def later(self: ActionExecutor, key: Any, actions: Any, done: Any) -> Any:
        kept = [
            action
            for action in actions
            if not (isinstance(action, PutRecord) and action.manifest["spec"]["type"] == "Items")
        ]
        return await prepare(self, key, kept, done)

    patch.setattr(ActionExecutor, "prepare", later)


def _agents_in_maps(plan: Scenario) -> bool:
    return plan.tokens is not None and any(n.is_map and n.kind == "agent" for n in plan.nodes)


@bug("I13", focus=_agents_in_maps)
def _shares_of_items_not_reserved(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(shares, "_open_items", lambda transition: iter(()))


@bug("VM3", focus=_maps)
def _max_parallel_ignored(patch: pytest.MonkeyPatch) -> None:
    """Bug 8: places are not counted."""
    patch.setattr(OpenMap, "running", property(lambda self: 0))


@bug("VM6", "T11", focus=_failing_maps)
def _a_failed_map_starts_more_items(patch: pytest.MonkeyPatch) -> None:
    judged = advance.judge

    def forgetful(transition: Any, opened: OpenMap) -> None:
        if opened.count(FAILED) and not opened.has_ended:
            return
        judged(transition, opened)

    patch.setattr(advance, "judge", forgetful)


@bug("VM4", focus=_failing_maps)
def _outputs_of_failed_items_left_out(patch: pytest.MonkeyPatch) -> None:
    """The indexes of all later outputs shift."""
    made = finish._output

    def shifted(transition: Any, opened: OpenMap) -> Any:
        output = made(transition, opened)
        if not isinstance(output, list):
            return output
        pairs = zip(opened.states, output, strict=True)
        return [value for state, value in pairs if state.letter not in FAILED]

    patch.setattr(finish, "_output", shifted)


def _counts(plan: Scenario) -> bool:
    return any(read.form == "counts" for node in plan.nodes for read in node.reads)


@bug("I6", "T11", focus=both(_counts, _failing_maps))
def _failed_items_not_counted(patch: pytest.MonkeyPatch) -> None:
    """`nodes.x.items.failed` is 0."""
    view = visible.items_view
    patch.setattr(visible, "items_view", lambda *given: {**view(*given), "failed": 0})


def _maps_in_finally(plan: Scenario) -> bool:
    return bool(plan.rounds) and any(node.is_map and node.last for node in plan.nodes)


@bug("VF1", focus=_maps_in_finally)
def _items_of_finally_are_kept(patch: pytest.MonkeyPatch) -> None:
    """A round keeps the results of a map in finally."""
    listed = replaced.next_list

    def keeping(definition: Any, status: Any, rerun: Any) -> Any:
        items = listed(definition, status, rerun)
        return items and changed_items(items, reusable=True)

    patch.setattr(replaced, "next_list", keeping)


def _map_candidates(plan: Scenario) -> bool:
    return any(node.is_map and node.candidate for node in plan.nodes)


@bug("VC1", "VM6", "T11", focus=_map_candidates)
def _a_map_that_lost_continues(patch: pytest.MonkeyPatch) -> None:
    """Items of a map run although another candidate was chosen."""
    patch.setattr(losers, "_stop_map", lambda transition, path: None)
