"""Attempts that a round kept for `effect: once` although it changed what they depend on.

A round cannot see from the status whether such an attempt was launched, so it keeps it. If the
attempt turns out never to have started, the node is decided on again: it may wait, be skipped, or
start with other inputs.
"""

from waypost.api.status import AttemptStatus
from waypost.compiler import node_settings
from waypost.engine.scheduling import joins
from waypost.engine.scheduling.inputs import invalid_reason, resolve
from waypost.engine.scheduling.unread import unread_by
from waypost.engine.state.inputs import Invalid
from waypost.engine.state.outcome import Failed
from waypost.engine.state.transition import Transition
from waypost.protocol.reasons import Reason

WHY = "a new round changed what it depends on before it started"


def is_outdated(transition: Transition, path: str, attempt: AttemptStatus) -> bool:
    """Whether an attempt of an earlier round would not be launched as it was recorded.

    Args:
        transition: The next status of the run.
        path: The node.
        attempt: An attempt that has certainly not started.
    """
    status, observed = transition.statuses[path], transition.observed
    if path not in transition.graph.nodes:
        return False  # an item, whose list is stored and does not change
    if (attempt.round or 1) >= observed.status.round or transition.cleans_up:
        return False
    if not node_settings.retries_of(transition.spec, transition.node(path)).once:
        return False  # a round adopts it only if nothing before it has changed
    if status.fingerprint != observed.definition.fingerprints[path]:
        return True
    if joins.judge(transition, path) is not joins.READY:
        return True
    if unread_by(transition, path) is not None:
        return False  # it is not launched before its data can be read
    if joins.condition(transition, path) is not True:
        return True
    inputs = resolve(transition, path)
    if isinstance(inputs, Invalid):
        return invalid_reason(transition, inputs.message) is not Reason.RESULT_LOST
    return inputs.digest != status.input_digest


def follow(transition: Transition, path: str, attempt: AttemptStatus, failure: Failed) -> bool:
    """Continue after an attempt that a round had kept only for `effect: once`.

    Returns:
        Whether it was such an attempt. Its node then begins the current round like one that runs
        again, unless the program may have started: then a person must decide.
    """
    superseded = failure.reason == Reason.SUPERSEDED
    if superseded and failure.started:  # an operator that was slow has launched it
        text = f"{failure.message}; it may have taken effect, and {WHY}"
        transition.end(path, "Failed", Reason.UNKNOWN_EFFECT, text, tail=failure.tail)
    elif superseded or (not failure.started and is_outdated(transition, path, attempt)):
        _decide_again(transition, path)
    else:
        return False
    return True


def _decide_again(transition: Transition, path: str) -> None:
    status = transition.statuses[path]
    text = f"{status.disposition_message or ''}; its attempt had not started".removeprefix("; ")
    transition.update(
        path,
        phase="Pending",
        round=transition.observed.status.round,
        fingerprint=status.fingerprint if status.items is not None else None,
        input_digest=None,
        started_at=None,
        deadline_at=None,
        wake_at=None,
        retries=None,
        disruptions=None,
        provider_retries=None,
        launch_retries=None,
        disposition="Rerun",
        disposition_message=text,
        reason=None,
        message=None,
        tail=None,
    )
