"""How an attempt is asked to end; it is judged once its pod is over."""

from datetime import timedelta

from waypost.api.changes import changed_attempt
from waypost.engine.attempts.reads import STOP_AGAIN
from waypost.engine.state.decision import StopAttempt
from waypost.engine.state.transition import Transition
from waypost.protocol.reasons import Reason


def stop(transition: Transition, path: str, reason: Reason) -> None:
    """Ask the cluster to end the current attempt; it is judged once its pod is over."""
    attempt = transition.statuses[path].open_attempt
    if attempt is None:
        return
    if attempt.stopping is None:
        attempt = changed_attempt(attempt, stopping=str(reason))
        transition.record_attempt(path, attempt)
    live_pods = tuple(p for p in transition.observed.pods_of(path, attempt) if not p.over)
    if not live_pods or not all(p.deleting for p in live_pods):
        transition.after.append(StopAttempt(job=attempt.job, pods=live_pods))
    transition.requeue_at(transition.now + timedelta(seconds=STOP_AGAIN))
