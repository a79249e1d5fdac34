"""The items of a map that wait for the answer of a person (S475 to S482)."""

from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import Final

from waypost.engine.items import working
from waypost.engine.items.advance import judge
from waypost.engine.state.decision import SettleApproval
from waypost.engine.state.transition import Transition
from waypost.kube.items.open_map import OpenMap
from waypost.protocol.reasons import Reason

SETTLED_PER_PASS: Final = 20  # Approvals, so that a pass is shorter than the fence
_LOOK_AGAIN: Final = timedelta(seconds=1)

AdvanceOf = Callable[[str], Callable[..., None]]  # `EngineKind.advance` of the node at a path


def advance(transition: Transition, advance_of: AdvanceOf, closing: Reason | None) -> None:
    """Apply the recorded answers of the items that ask people, record new ones, or keep waiting.

    Args:
        transition: The next status of the run.
        advance_of: What a pass does for a waiting item of the map at a path.
        closing: Why the run winds down: all questions are withdrawn. None if it does not; those of
            a map that starts no other item are withdrawn all the same.
    """
    for path in transition.graph.order:
        opened = transition.maps.get(path)
        if opened is None or not opened.asking:
            continue
        if closing is not None:  # first: no withdrawal may look like an answer
            late = closing is Reason.DEADLINE_EXCEEDED
            opened.doomed = opened.doomed or str(closing if late else Reason.CANCELLED)
        ends = opened.doomed is not None
        _advance_map(transition, opened, partial(advance_of(path), withdraw=ends))
        judge(transition, opened)
        if opened.asking and opened.doomed is not None:
            transition.requeue_at(transition.now + _LOOK_AGAIN)


def _advance_map(
    transition: Transition, opened: OpenMap, step: Callable[[Transition, str], None]
) -> None:
    for index in opened.asking:
        if sum(isinstance(one, SettleApproval) for one in transition.before) >= SETTLED_PER_PASS:
            transition.requeue_at(transition.now)
            return
        working.change(transition, opened, index, step)
