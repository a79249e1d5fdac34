"""Approval gates: nodes without a pod that wait for a person.

Only the recorded state of its Approval determines a gate's checkpoint. The Approval's status is
written first, under its own resourceVersion, and the run's status in a later pass. So of a late
patch, an expiry and a withdrawal only one can win (B5). No answer never means approval.
"""

from datetime import datetime, timedelta
from typing import Final

from waypost.api.approval import ApprovalSpec, ApprovalStatus
from waypost.api.base import JsonObject
from waypost.api.kinds.approval import asked_at
from waypost.api.meta import EventReason
from waypost.api.status import NodeStatus
from waypost.engine.nodes.gates import closing, escalation, identity, policy, request
from waypost.engine.nodes.gates.status import write_status
from waypost.engine.nodes.gates.votes import Tally
from waypost.engine.nodes.kind import EngineKind
from waypost.engine.scheduling import remembering
from waypost.engine.scheduling.inputs import invalid_reason, resolve
from waypost.engine.scheduling.unread import unread_by
from waypost.engine.state.decision import OpenApproval
from waypost.engine.state.inputs import Inputs, Invalid
from waypost.engine.state.observed import Observed
from waypost.engine.state.outcome import checkpoint
from waypost.engine.state.transition import Transition
from waypost.kube import timestamps
from waypost.kube.facts.approvals import ApprovalFact
from waypost.kube.facts.jobs import WriteProblem, lasts_long
from waypost.kube.facts.read_problems import APPROVALS, ReadProblem
from waypost.protocol.reasons import Reason

_LOOK_AFTER: Final = 2.0
_ASK_AGAIN: Final = 10.0  # seconds until an Approval that could not be created is tried again
_CUT_SHORT: Final = "the run ended before it was answered"


def start(transition: Transition, path: str, inputs: Inputs) -> None:
    """Record that the node waits for a person, and create its Approval."""
    expires = escalation.expiry(transition, path)
    manifest = request.manifest(transition, path, inputs, expires)
    if isinstance(manifest, Invalid):
        reason = invalid_reason(transition, manifest.message)
        transition.end(path, "Failed", reason, manifest.message)
        return
    name = manifest["metadata"]["name"]
    transition.update(
        path,
        phase="Waiting",
        approval=name,
        wake_at=expires,
        input_digest=inputs.digest,
        started_at=timestamps.timestamp(transition.now),
    )
    if not identity.hold_question(transition, path):
        transition.after.append(OpenApproval(manifest=manifest))
    transition.event("Normal", EventReason.AWAITING_APPROVAL, f"{path} waits for approval {name}")
    # The API server may refuse the Approval.
    transition.requeue_at(transition.now + timedelta(seconds=_LOOK_AFTER))
    _wake_at_expiry(transition, path)


def advance(transition: Transition, path: str, *, withdraw: bool) -> None:
    """Apply a recorded decision, record a new one, or keep waiting."""
    fact = transition.observed.approvals.get(transition.statuses[path].approval or "")
    if fact is None:
        _missing(transition, path, withdraw=withdraw)
        return
    refused = (Reason.LAUNCH_REJECTED, Reason.RECORD_REJECTED, Reason.IDENTITY_UNVERIFIED)
    if (
        transition.statuses[path].reason in refused
        and fact.name not in transition.observed.write_problems
    ):
        transition.update(path, reason=None, message=None)
    if fact.owner_uid != transition.observed.uid or fact.spec is None:
        text = f"an Approval {fact.name} exists that this run did not create; {_advice(fact)}"
        transition.end(path, "Failed", Reason.LAUNCH_REJECTED, text)
    elif not withdraw and _was_withdrawn_before(transition, path, fact):
        _ask_again(transition, path)
    elif escalation.was_escalated(fact) and not withdraw and escalation.can(transition, path):
        _escalate(transition, path)
    elif fact.status.state != "Open":
        _follow(transition, path, fact.status)
        if withdraw and not transition.ended(path):  # its answer cannot be stored
            transition.end(path, "Cancelled", Reason.CANCELLED, _CUT_SHORT)
    elif not withdraw and (unread := unread_by(transition, path)):
        _unverified(transition, path, fact, fact.spec, unread)
    elif withdraw or (same := request.matches_request(transition, path, fact.spec)) is True:
        _record_answer(transition, path, fact, fact.spec, withdraw=withdraw)
    elif isinstance(same, Invalid):
        text = f"Approval {fact.name} cannot be compared with the question: {same.message}"
        transition.end(path, "Failed", invalid_reason(transition, same.message), text)
    else:
        text = f"the Approval {fact.name} differs from the question of this node; delete it"
        transition.end(path, "Failed", Reason.LAUNCH_REJECTED, text)


def _was_withdrawn_before(transition: Transition, path: str, fact: ApprovalFact) -> bool:
    """Whether an earlier round has withdrawn the question, and did not escalate it."""
    earlier = (transition.statuses[path].round or 1) < transition.observed.status.round
    return earlier and fact.status.state == "Withdrawn" and not escalation.was_escalated(fact)


def _ask_again(transition: Transition, path: str) -> None:
    """Begin the round like a gate that runs again: the last round withdrew the question because it
    was about to end, and this round has adopted the gate before a status said so (S460)."""
    status = transition.statuses[path]
    transition.update(
        path,
        phase="Pending",
        round=transition.observed.status.round,
        disposition="Rerun",
        disposition_message=f"its question was withdrawn in round {status.round or 1}",
        approval=None,
        level=None,
        wake_at=None,
        input_digest=None,
        started_at=None,
        reason=None,
        message=None,
    )


def _unverified(
    transition: Transition, path: str, fact: ApprovalFact, spec: ApprovalSpec, unread: ReadProblem
) -> None:
    """A gate whose question cannot be compared with that of its Approval: an answer waits, and
    without one in time it still expires."""
    if identity.judged(transition, fact).decision is None:
        _record_answer(transition, path, fact, spec, withdraw=False)
    else:
        transition.wait_to_read(path, unread)


def _advice(fact: ApprovalFact) -> str:
    if not fact.owner_uid:
        return "delete it"
    whose = f" run {fact.spec.run}" if fact.spec is not None else " another object"
    return f"it belongs to{whose}: keep it, and begin a round that names this node"


def _wake_at_expiry(transition: Transition, path: str) -> None:
    expires = timestamps.parse_timestamp(transition.statuses[path].wake_at)
    if expires:
        transition.requeue_at(expires)


def _missing(transition: Transition, path: str, *, withdraw: bool) -> None:
    problem = transition.observed.child_problems.get(transition.statuses[path].approval or "")
    held = policy.cannot_ask(transition.observed)
    if problem is not None and problem.permanent:
        transition.end(path, "Failed", Reason.LAUNCH_REJECTED, problem.message)
    elif unread := transition.observed.unread.get(APPROVALS):
        if withdraw and unread.lasts_long(transition.now):
            transition.end(path, "Cancelled", Reason.CANCELLED, f"{_CUT_SHORT}: {unread.text}")
        else:
            transition.wait_to_read(path, unread)
    elif transition.observed.approvals_read_at is None:
        transition.requeue_at(transition.now + timedelta(seconds=_LOOK_AFTER))
    elif withdraw:
        transition.end(path, "Cancelled", Reason.CANCELLED, _CUT_SHORT)
    elif (problem is not None or held) and _is_expired(transition, path):
        why = problem.message if problem is not None else held
        _expire(transition, path, f"the Approval could not be created: {why}")
    elif not identity.hold_question(transition, path):
        if problem is not None:
            transition.name_trouble(path, Reason.LAUNCH_REJECTED, problem.message)
            transition.requeue_at(transition.now + timedelta(seconds=_ASK_AGAIN))
        if unread := unread_by(transition, path):
            transition.wait_to_read(path, unread)
        elif not isinstance(inputs := resolve(transition, path), Invalid):
            manifest = request.manifest(transition, path, inputs, transition.statuses[path].wake_at)
            if not isinstance(manifest, Invalid):
                transition.after.append(OpenApproval(manifest=manifest))
        _wake_at_expiry(transition, path)


def _record_answer(
    transition: Transition, path: str, fact: ApprovalFact, spec: ApprovalSpec, *, withdraw: bool
) -> None:
    expires = timestamps.parse_timestamp(spec.expires_at)
    expired = expires is not None and transition.now >= expires
    # A decision that this operator saw before the expiry counts (S70).
    in_time = not expired or (
        expires is not None and fact.answered_at is not None and fact.answered_at < expires
    )
    tally = identity.judged(transition, fact)
    refused = transition.observed.write_problems.get(fact.name)
    if refused is not None:
        answered = tally.decision is not None and in_time
        silent = expires if expired and not answered else None
        _unwritten(transition, path, refused, withdraw=withdraw, silent_until=silent)
    elif withdraw:
        write_status(transition, fact, ApprovalStatus(state="Withdrawn"), tally)
    elif tally.decision and in_time:
        write_status(transition, fact, _answered(tally), tally)
    elif expired and escalation.can(transition, path):
        level = transition.statuses[path].level or 0
        write_status(transition, fact, escalation.withdrawn(transition, path, level), tally)
    elif expired:
        write_status(transition, fact, ApprovalStatus(state="Denied", expired=True), tally)
    else:
        write_status(transition, fact, fact.status, tally)
        _wake_at_expiry(transition, path)


def _unwritten(
    transition: Transition,
    path: str,
    problem: WriteProblem,
    *,
    withdraw: bool,
    silent_until: datetime | None,
) -> None:
    """Handle an Approval whose status cannot be written.

    `silent_until` is its expiry if that has passed without an answer. Then the gate ends all the
    same, once a live read after the expiry has shown no answer: no later one can be in time.
    """
    looked = transition.observed.approvals_read_at
    lasts = problem.permanent or lasts_long(problem, transition.now)
    if withdraw and lasts:
        transition.end(path, "Cancelled", Reason.CANCELLED, f"{_CUT_SHORT}: {problem.message}")
    elif silent_until is not None and not withdraw:
        if looked is not None and looked >= silent_until:
            text = f"no answer in time; its Approval cannot show this: {problem.message}"
            _expire(transition, path, text)
        else:
            transition.hold(path, problem)
            transition.requeue_at(transition.now + timedelta(seconds=_LOOK_AFTER))
    elif problem.permanent:
        text = f"the status of its Approval cannot be written: {problem.message}"
        transition.end(path, "Failed", Reason.RECORD_REJECTED, text)
    else:
        transition.hold(path, problem)


def _expire(transition: Transition, path: str, text: str) -> None:
    """Ask the next level, or end a gate, at an expiry that no Approval records."""
    if escalation.can(transition, path):
        _escalate(transition, path)
        return
    _follow(transition, path, ApprovalStatus(state="Denied", expired=True, reason=text[:2048]))


def _escalate(transition: Transition, path: str) -> None:
    """Ask the next level: record it and when it expires, then create its Approval."""
    if unread := unread_by(transition, path):
        transition.wait_to_read(path, unread)
        return
    inputs = resolve(transition, path)
    if isinstance(inputs, Invalid):
        transition.end(path, "Failed", invalid_reason(transition, inputs.message), inputs.message)
        return
    level = (transition.statuses[path].level or 0) + 1
    before = transition.statuses[path]
    name = escalation.name_of(transition, path, level)
    transition.update(path, level=level, approval=name, reason=None, message=None)
    expires = escalation.expiry(transition, path)
    transition.update(path, wake_at=expires)
    manifest = request.manifest(transition, path, inputs, expires)
    if isinstance(manifest, Invalid):
        text = manifest.message
        transition.end(path, "Failed", invalid_reason(transition, text), text)
        return
    transition.escalated.append(before)
    if not identity.hold_question(transition, path):
        transition.after.append(OpenApproval(manifest=manifest))
    text = f"{path}: nobody answered {before.approval} in time; level {level} is asked: {name}"
    transition.event("Normal", EventReason.APPROVAL_ESCALATED, text)
    if at := timestamps.parse_timestamp(expires):
        transition.requeue_at(at)


def _is_expired(transition: Transition, path: str) -> bool:
    expires = timestamps.parse_timestamp(transition.statuses[path].wake_at)
    return expires is not None and transition.now >= expires


def _answered(tally: Tally) -> ApprovalStatus:
    assert tally.decision is not None, "called only after a decision"
    return ApprovalStatus(
        state=tally.decision,
        answer=tally.answer,
        reason=tally.reason,
        decided_by=tally.decided_by,
    )


def _follow(transition: Transition, path: str, recorded: ApprovalStatus) -> None:
    gate = transition.node(path).approval
    assert gate is not None, "only approval nodes are gates"
    if recorded.state == "Withdrawn":
        transition.end(path, "Cancelled", Reason.CANCELLED, _CUT_SHORT)
        return
    if recorded.state == "Denied":
        reason = Reason.APPROVAL_EXPIRED if recorded.expired else Reason.APPROVAL_DENIED
        continues = gate.on_denied == "Continue"
        if recorded.expired and _on_timeout(transition, path) == "Fail":
            continues = False
        if not continues:
            text = recorded.reason or ("no answer in time" if recorded.expired else "denied")
            transition.end(path, "Failed", reason, text)
            return
    output: JsonObject = {"decision": recorded.state, "expired": bool(recorded.expired)}
    optional = {
        "answer": recorded.answer,
        "reason": recorded.reason,
        "decidedBy": recorded.decided_by,
        "decidedAt": recorded.decided_at,
    }
    output |= {key: value for key, value in optional.items() if value is not None}
    remembering.succeed(transition, path, checkpoint(output))


def _on_timeout(transition: Transition, path: str) -> str:
    gate = transition.node(path).approval
    assert gate is not None, "only approval nodes are gates"
    return asked_at(gate, transition.statuses[path].level or 0).on_timeout


def _needs_live_read(observed: Observed, status: NodeStatus, now: datetime) -> bool:
    """Also for an expiry that an earlier pass could not write: an answer may not be cached yet."""
    if (status.approval or "") not in observed.approvals:
        return True
    expires = timestamps.parse_timestamp(status.wake_at)
    return status.reason == Reason.RECORD_REJECTED and expires is not None and now >= expires


KIND: Final = EngineKind(
    "approval",
    start=start,
    advance=advance,
    needs_live_read=_needs_live_read,
    clean_up=closing.close_left_open,
    shown=request.shown,
)
