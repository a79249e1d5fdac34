"""What the stages of compensations and finally share: the verdict, the clock, the words."""

from datetime import timedelta
from typing import Final

from waypost.api.base import parse_duration
from waypost.api.status import RunPhase, Verdict
from waypost.engine.scheduling import deadlines
from waypost.engine.state.transition import Transition
from waypost.kube import timestamps
from waypost.protocol.text import shorten

_MESSAGE: Final = 512


def verdict_of(transition: Transition, *, phase: RunPhase, reason: str, message: str) -> Verdict:
    """The result of the main nodes, which have all ended."""
    return Verdict(
        phase=phase,
        reason=reason,
        message=shorten(message, _MESSAGE),
        at=timestamps.timestamp(transition.now),
    )


def end_of_stage(transition: Transition) -> str:
    """When a stage that begins now must have ended."""
    transition.requeue_at(transition.now)
    seconds = parse_duration(deadlines.finally_deadline(transition.spec))
    return timestamps.timestamp(transition.now + timedelta(seconds=seconds))


def explain_progress(transition: Transition) -> str:
    """What the stage follows, and what a person may not expect, for the conditions of the run."""
    verdict = transition.observed.status.verdict
    assert verdict is not None, "recorded when finally begins"
    compensating = transition.stage == "Compensating"
    what = "compensation" if compensating else "finally"
    parts = [f"{what} runs; the nodes ended with {verdict.phase} ({verdict.reason})"]
    if transition.spec.cancel and not transition.spec.skip_finally:
        status = transition.observed.status
        until = status.compensate_deadline_at if compensating else status.finally_deadline_at
        parts.append(
            f"cancel does not stop {what}, which has time until {until}; "
            "to stop it too, set spec.skipFinally to true"
        )
    rerun = transition.spec.rerun
    if rerun is not None and rerun.round > transition.observed.status.round:
        parts.append(f"round {rerun.round} begins when {what} has ended")
    return "; ".join(parts)
