"""What seeded bugs of compensations break, where the main simulation plants them too. Each
simulation declares which plans show a bug and which checks have to notice it."""

from typing import Any

import pytest
from waypost.engine.run import compensating
from waypost.engine.scheduling import undo_order
from waypost.engine.state.transition import Transition


def the_oldest_node_is_undone_first(patch: pytest.MonkeyPatch) -> None:
    """The order of compensations is that of the nodes, and not the reverse."""

    def oldest(transition: Transition) -> str | None:
        open_ = [path for path in transition.of_stage() if not transition.ended(path)]
        return open_[0] if open_ else None

    patch.setattr(undo_order, "next_path", oldest)


def compensations_run_beside_each_other(patch: pytest.MonkeyPatch) -> None:
    """Every compensation is the next one."""

    class Any_:
        def __eq__(self, other: object) -> bool:
            return True

    following: Any = Any_()
    patch.setattr(undo_order, "next_path", lambda transition: following)


def a_failed_compensation_is_overlooked(patch: pytest.MonkeyPatch) -> None:
    """A compensation that fails counts as done."""
    patch.setattr(compensating, "_has_failed", lambda status: False)
    patch.setattr(compensating, "not_undone", lambda transition: [])


def nothing_is_undone_after_a_cancel(patch: pytest.MonkeyPatch) -> None:
    """Only a failure needs compensations."""
    needed = compensating.needed

    def failed_only(transition: Transition) -> list[str]:
        return [] if transition.spec.cancel else needed(transition)

    patch.setattr(compensating, "needed", failed_only)
