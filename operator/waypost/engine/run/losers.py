"""What happens to the other candidates once a first node has ended (S226 to S229)."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Final

from waypost.api.paths import parse_path
from waypost.api.status import FINAL_PHASES
from waypost.engine.attempts import stop
from waypost.engine.items import advance as items
from waypost.engine.nodes.table import engine_kind
from waypost.engine.state.decision import Launch, StartChild
from waypost.engine.state.parked import asks_people
from waypost.engine.state.transition import Transition
from waypost.protocol.reasons import Reason

_LOOK_AGAIN: Final = timedelta(seconds=1)


def losers(transition: Transition) -> dict[str, str]:
    """The candidates that were not chosen and have not ended, with the first node that has ended
    without them."""
    return {
        name: chooser
        for chooser in _choosers(transition)
        for name in transition.graph.dependencies[chooser].candidates
        if not transition.ended(name)
    }


def _choosers(transition: Transition) -> Iterator[str]:
    """The first nodes that have chosen or failed, and stop their other candidates."""
    for path in transition.graph.choosers:
        work, status = transition.node(path).first, transition.statuses[path]
        # Without `first` in the status a person gave its output: nothing was chosen.
        decided = status.phase in ("Succeeded", "Failed") and status.first is not None
        if decided and work is not None and work.others != "Finish":
            yield path


def drop(transition: Transition) -> None:
    """End the losers that run nothing, and stop the attempts of the others.

    The result of a loser that was recorded before its pod ended stays (S228).
    """
    for path, chooser in losers(transition).items():
        phase = transition.statuses[path].phase
        if phase == "Running":
            _stop(transition, path, _why(transition, chooser))
        elif asks_people(transition, path):
            # In the next pass: this one may have recorded an answer.
            if not _had_ended(transition, chooser):
                transition.requeue_at(transition.now)
        elif phase in ("Pending", "Backoff", "Waiting"):
            transition.end(path, "Cancelled", Reason.NOT_CHOSEN, _why(transition, chooser))


def _had_ended(transition: Transition, path: str) -> bool:
    """Whether a node had ended before this pass, so that `withdraw_gates` has seen it."""
    return any(
        status.path == path and status.phase in FINAL_PHASES
        for status in transition.observed.status.nodes
    )


def withdraw_gates(transition: Transition) -> None:
    """Withdraw the open questions of losers, each Approval before its node."""
    for path, chooser in losers(transition).items():
        node = transition.node(path)
        if not asks_people(transition, path):
            continue
        engine_kind(node).advance(transition, path, withdraw=True)
        if transition.statuses[path].phase == "Cancelled":
            transition.end(path, "Cancelled", Reason.NOT_CHOSEN, _why(transition, chooser))
        elif not transition.ended(path):
            transition.requeue_at(transition.now + _LOOK_AGAIN)


def _stop(transition: Transition, path: str, why: str) -> None:
    if path in transition.maps:
        _stop_map(transition, path)
        return
    stop_child = engine_kind(transition.node(path)).stop
    if stop_child is not None:
        _take_back_launches(transition, path)
        stop_child(transition, path, Reason.NOT_CHOSEN)
        return
    attempt = transition.statuses[path].open_attempt
    if attempt is None or attempt.stopping is not None:
        return
    _take_back_launches(transition, path)
    transition.update(path, reason=str(Reason.NOT_CHOSEN), message=why)
    stop.stop(transition, path, Reason.NOT_CHOSEN)


def _stop_map(transition: Transition, path: str) -> None:
    """Stop the running items of a map; the others never start. If all have succeeded, it stays."""
    if transition.maps[path].doomed is not None:
        return
    _take_back_launches(transition, path)
    items.stop_all(transition, path, Reason.NOT_CHOSEN)


def _take_back_launches(transition: Transition, path: str) -> None:
    """What this pass would launch of a node, its iterations or its items has no Job and no child
    run yet, and gets none."""
    transition.after = [
        action
        for action in transition.after
        if not (isinstance(action, Launch | StartChild) and parse_path(action.path).entry == path)
    ]


def _why(transition: Transition, chooser: str) -> str:
    status = transition.statuses[chooser]
    chosen = status.first.chosen if status.first is not None else None
    return f"{chooser} chose {chosen}" if chosen else f"{chooser} failed: {status.reason}"
