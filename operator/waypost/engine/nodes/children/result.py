"""The end of a child run becomes the end of its node."""

from dataclasses import replace
from typing import Final

from waypost.api.changes import changed_child
from waypost.api.nodes.artifacts import MOST
from waypost.api.paths import is_item
from waypost.api.state.child import ChildStatus
from waypost.engine.nodes.children import patches
from waypost.engine.scheduling import deadlines
from waypost.engine.state.outcome import Succeeded, checkpoint, reason_of
from waypost.engine.state.transition import Transition
from waypost.kube.facts.children import ChildFact
from waypost.protocol import schema
from waypost.protocol.reasons import Reason

_ADVICE: Final = "put several folders into one"


def never_began(fact: ChildFact, child: ChildStatus) -> bool:
    """Whether a cancel reached the child before the round that its parent had recorded: the request
    for that round fails now."""
    late = fact.finished and fact.requested_round < child.round
    return late and (fact.cancelled or (child.stopping is not None and fact.requests.cancel))


def take(
    transition: Transition, path: str, child: ChildStatus, fact: ChildFact
) -> Succeeded | None:
    """The output of a child run that has ended; None if it gives none, which ends its node."""
    counts = fact.has_ended(child.round) and child.stopping != Reason.CHILD_CHANGED
    if fact.phase == "Succeeded" and counts and transition.statuses[path].phase == "Running":
        return _output(transition, path, child, fact)
    if child.stopping is not None:
        fail(transition, path, child, Reason.CANCELLED, f"run {fact.name} was stopped")
    elif fact.phase == "Cancelled" or not counts:
        text = f"run {fact.name} was cancelled"
        fail(transition, path, child, Reason.CHILD_CANCELLED, text)
    else:
        why = fact.not_accepted if fact.phase == "Rejected" else fact.result
        text = f"run {fact.name} {fact.phase.lower()}: {why}"
        fail(transition, path, child, Reason.CHILD_FAILED, text)
    return None


def _output(
    transition: Transition, path: str, child: ChildStatus, fact: ChildFact
) -> Succeeded | None:
    declared = transition.node(path).output_schema
    violations = schema.validate(declared, fact.outputs) if declared is not None else ()
    if violations:
        listed = "; ".join(str(violation) for violation in violations)
        text = f"the outputs of run {fact.name} do not meet outputSchema: {listed}"
        fail(transition, path, child, Reason.OUTPUT_INVALID, text)
        return None
    if len(fact.artifacts) > MOST:
        text = f"the outputs of run {fact.name} name {len(fact.artifacts)} artifacts, the limit is"
        fail(transition, path, child, Reason.OUTPUT_INVALID, f"{text} {MOST}; {_ADVICE}")
        return None
    return replace(checkpoint(fact.outputs), artifacts=fact.artifacts)


def fail(transition: Transition, path: str, child: ChildStatus, reason: Reason, text: str) -> None:
    """End a node whose child run gives no result, for the reason of the stop if it was stopped."""
    status = transition.statuses[path]
    if status.phase == "Superseding":
        following = None
        if not is_item(path):
            following = patches.after_stop(transition.observed, status, child)
        transition.update(
            path, phase="Pending", reason=None, message=None, child=following, wake_at=None
        )
        return
    transition.update(path, child=changed_child(child, stopping=None))
    stopping = reason_of(child.stopping) if child.stopping is not None else reason
    if stopping in (Reason.CANCELLED, Reason.NOT_CHOSEN):
        transition.end(path, "Cancelled", stopping, text)
    elif stopping is Reason.DEADLINE_EXCEEDED:
        deadlines.end(transition, path, detail=text)
    else:
        known = status.message if status.reason == stopping else None
        transition.end(path, "Failed", stopping, known or text)
