"""Seeded bugs of artifacts of items: each breaks the operator on purpose and must be caught."""

from typing import Any, Final

import pytest
from waypost.engine.items import matching
from waypost.kube.items import artifacts as item_artifacts
from waypost.runtime.sweeps.artifacts import ArtifactSweep

from tests.simulation.focused.hunting import Bugs
from tests.simulation.item_folders.plan import Plan, plan
from tests.simulation.item_folders.play import play

bug: Final = Bugs("item_folders", plan, lambda planned: play(planned)[0], limit=30)
BUGS: Final = bug.all


def _has_gaps(planned: Plan) -> bool:
    """Whether an item fails that is not the last one."""
    return any(value in planned.failing for value in planned.values[:-1])


@bug("T11", "I11", focus=_has_gaps)
def _failed_items_leave_no_gap(patch: pytest.MonkeyPatch) -> None:
    plain = item_artifacts.content

    def compact(node: Any, results: Any, total: int) -> Any:
        found = plain(node, results, total)["artifacts"]
        return {"artifacts": {name: [t for t in texts if t] for name, texts in found.items()}}

    patch.setattr(item_artifacts, "content", compact)


@bug("T11", "I11", focus=lambda planned: planned.again == "reordered" and len(planned.values) > 1)
def _a_round_keeps_results_without_their_folders(patch: pytest.MonkeyPatch) -> None:
    plain = matching.results_by_identity

    def without(*known: Any, **how: Any) -> Any:
        found = plain(*known, **how)
        return {one: {k: v for k, v in end.items() if k != "a"} for one, end in found.items()}

    patch.setattr(matching, "results_by_identity", without)


@bug("VA2", focus=lambda planned: planned.swept)
def _the_sweep_reads_no_results_of_items(patch: pytest.MonkeyPatch) -> None:
    async def none(self: ArtifactSweep, run: Any) -> set[str]:
        return set()

    patch.setattr(ArtifactSweep, "_named_in_items", none)


@bug("VA2", focus=lambda planned: planned.swept and planned.again in ("item", "all"))
def _folders_of_items_are_never_swept(patch: pytest.MonkeyPatch) -> None:
    async def unknown(self: ArtifactSweep, run: Any) -> None:
        return None

    patch.setattr(ArtifactSweep, "_named_in_items", unknown)


@bug("T11", "I11", focus=lambda planned: bool({"all", "child", "look"} & set(planned.takers)))
def _nothing_of_an_item_is_known(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(item_artifacts, "all_in", lambda payload: iter(()))
