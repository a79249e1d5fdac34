"""What happens next: a total, pure function from what was observed and the time to a decision.

Read it as the product's specification. No clock, no I/O, no randomness; user errors are
outcomes, never exceptions.
"""

from datetime import datetime

from waypost.engine import start
from waypost.engine.attempts import cleanup, watch
from waypost.engine.nodes import approval, wait
from waypost.engine.rounds import begin, leftovers, overrides
from waypost.engine.run import cancel_rejected, ending, rejection
from waypost.engine.state.decision import Decision
from waypost.engine.state.observed import Observed
from waypost.engine.state.transition import Transition, is_finished
from waypost.kube.manifests.pod import PodSettings


def decide(observed: Observed, now: datetime, settings: PodSettings) -> Decision:
    """The next status of a run and the actions that follow from it.

    Whatever `plan` wanted must have been loaded. Calling it again with the status it returned
    and the same facts gives the same status: a crash at any point is repaired by the next pass.
    """
    if observed.deleting:
        return Decision(status=observed.status, after=ending.release_all(observed))
    observed = cancel_rejected.with_stand_in_nodes(observed)
    if rejection.is_rejected(observed):
        known = observed.status.observed_generation == observed.generation
        # Under the rules of an earlier release.
        if is_finished(observed.status) and known:
            return Decision(status=observed.status, after=ending.release_closed(observed))
        return rejection.reject(observed, now)
    begun = begin.begin_round(observed, now)
    transition = Transition(begun, now=now, settings=settings)
    if begun is not observed:
        transition.event("Normal", "RoundBegun", begin.round_message(begun.status))
    if not is_finished(begun.status):
        _advance(transition)
    transition.after += cleanup.seal_closed(transition)
    transition.after += cleanup.stop_sidecars(transition)
    transition.after += cleanup.release_closed(transition)
    transition.after += leftovers.stop(transition)
    return ending.build_decision(transition)


def _advance(transition: Transition) -> None:
    for path in transition.in_phase(*watch.IN_POD):
        watch.advance(transition, path)
    overrides.apply_overrides(transition)
    approval.withdraw_superseded(transition)
    ending.enforce_deadlines(transition)
    closing = ending.closing_reason(transition)
    for path in transition.in_phase("Waiting"):
        if transition.node(path).approval:
            approval.advance(transition, path, withdraw=closing is not None)
        elif closing is None:
            wait.advance(transition, path)
    # Settling a gate may itself have failed the run.
    closing = ending.closing_reason(transition)
    if closing is not None:
        ending.wind_down(transition, closing)
        return
    start.start_ready(transition)
