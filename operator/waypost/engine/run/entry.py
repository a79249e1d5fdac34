"""How a pass enters a run: once, before anything is read or decided.

What a pass reads later never changes the run's status or spec (a live read that finds another
version of the run ends the pass), so the result is valid for the whole pass.
"""

from dataclasses import dataclass
from datetime import datetime

from waypost.engine.rounds.begin import begin_round
from waypost.engine.run import cancel_rejected, deferred_round, rejection
from waypost.engine.state.observed import Observed


@dataclass(frozen=True)
class Deleting:
    """The run is being deleted: it only releases its pods."""

    observed: Observed


@dataclass(frozen=True)
class Rejected:
    """The spec, or the round that it requests, cannot be run; `problems` says why."""

    observed: Observed
    problems: str


@dataclass(frozen=True)
class Active:
    """The run can continue.

    `observed` has the requested round begun; `round_begun` says whether this pass begins it.
    """

    observed: Observed
    round_begun: bool = False


Entry = Deleting | Rejected | Active


def enter(observed: Observed, now: datetime) -> Entry:
    """Which case the run is in. Pure: the same facts give the same case."""
    if observed.deleting:
        return Deleting(observed)
    if deferred_round.is_deferred(observed):
        return Active(deferred_round.with_recorded_nodes(observed, now))
    problems = rejection.problems_of(observed)
    if not problems:
        begun = begin_round(observed, now)
        return Active(begun, round_begun=begun is not observed)
    text = rejection.problems_text(observed, problems)
    if cancel_rejected.is_cancelled(observed):
        return Active(cancel_rejected.with_stand_in_nodes(observed, rejected=text))
    return Rejected(observed, text)
