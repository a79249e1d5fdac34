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
    draft = Transition(begun, now=now, settings=settings)
    if begun is not observed:
        draft.note("Normal", "RoundBegun", begin.round_message(begun.status))
    if not is_finished(begun.status):
        _advance(draft)
    draft.after += cleanup.seal_closed(draft)
    draft.after += cleanup.release_closed(draft)
    draft.after += leftovers.stop(draft)
    return ending.build_decision(draft)


def _advance(draft: Transition) -> None:
    for path in draft.in_phase(*watch.IN_POD):
        watch.advance(draft, path)
    overrides.apply_overrides(draft)
    approval.withdraw_superseded(draft)
    ending.enforce_deadlines(draft)
    closing = ending.closing_reason(draft)
    for path in draft.in_phase("Waiting"):
        if draft.node(path).approval:
            approval.advance(draft, path, withdraw=closing is not None)
        elif closing is None:
            wait.advance(draft, path)
    # Settling a gate may itself have failed the run.
    closing = ending.closing_reason(draft)
    if closing is not None:
        ending.wind_down(draft, closing)
        return
    start.start_ready(draft)
