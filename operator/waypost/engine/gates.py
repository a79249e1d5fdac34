"""Approval gates: nodes that wait for a human, without a pod.

A gate's checkpoint follows from the recorded state of its Approval alone. The Approval's status
is written first, under its own resourceVersion; the run's follows in a later pass, so a late
patch, an expiry and a withdrawal can never both win (B5). Silence never means yes.
"""

from datetime import timedelta
from typing import Final

from waypost.api import meta
from waypost.api.approval import ApprovalSpec, ApprovalStatus
from waypost.api.base import JsonObject, StatusCondition, parse_duration
from waypost.engine import names, questions
from waypost.engine.ballots import Verdict, count
from waypost.engine.conditions import set_condition
from waypost.engine.draft import Draft
from waypost.engine.inputs import Inputs, Invalid, resolve
from waypost.engine.model import ApprovalFact, OpenApproval, SettleApproval
from waypost.engine.outcomes import checkpoint
from waypost.protocol.reasons import Reason

_LOOK_AFTER: Final = 2.0


def open_gate(draft: Draft, path: str, inputs: Inputs) -> None:
    """Record that the node waits for a human and ask for its Approval."""
    gate = draft.node(path).approval
    assert gate is not None, "only approval nodes are gates"
    expires = None
    if gate.timeout:
        expires = names.timestamp(draft.now + timedelta(seconds=parse_duration(gate.timeout)))
    manifest = questions.manifest(draft, path, inputs, expires)
    if isinstance(manifest, Invalid):
        draft.end(path, "Failed", Reason.INPUT_INVALID, manifest.message)
        return
    name = manifest["metadata"]["name"]
    draft.change(
        path,
        phase="Waiting",
        approval=name,
        wake_at=expires,
        input_digest=inputs.digest,
        started_at=names.timestamp(draft.now),
    )
    draft.after.append(OpenApproval(manifest=manifest))
    draft.note("Normal", "AwaitingApproval", f"{path} waits for approval {name}")
    draft.wake(draft.now + timedelta(seconds=_LOOK_AFTER))  # was it refused?
    _wake_at_expiry(draft, path)


def settle_gate(draft: Draft, path: str, *, withdraw: bool) -> None:
    """Follow a recorded decision, record a new one, or go on waiting."""
    fact = draft.observed.approvals.get(draft.statuses[path].approval or "")
    if fact is None:
        _missing(draft, path, withdraw=withdraw)
    elif fact.owner_uid != draft.observed.uid or fact.spec is None:
        text = f"an Approval {fact.name} exists that this run did not create; delete it"
        draft.end(path, "Failed", Reason.LAUNCH_REJECTED, text)
    elif fact.status.state != "Open":
        _follow(draft, path, fact.status)
    elif not withdraw and not questions.is_asked_by(draft, path, fact.spec):
        text = f"the Approval {fact.name} does not ask what this node asks; delete it"
        draft.end(path, "Failed", Reason.LAUNCH_REJECTED, text)
    else:
        _decide(draft, path, fact, fact.spec, withdraw=withdraw)


def withdraw_superseded(draft: Draft) -> None:
    """Questions of earlier rounds that no gate waits for any more must not stay answerable."""
    named = {draft.statuses[path].approval for path in draft.graph.order}
    for fact in draft.observed.approvals.values():
        # One of this round may be newer than this copy of the status.
        old = fact.round < draft.observed.status.round and fact.name not in named
        ours = fact.owner_uid == draft.observed.uid and not fact.deleting
        if old and ours and fact.status.state == "Open" and fact.spec is not None:
            _settle(draft, fact, ApprovalStatus(state="Withdrawn"), count(fact.spec))


def _wake_at_expiry(draft: Draft, path: str) -> None:
    expires = names.parse_timestamp(draft.statuses[path].wake_at)
    if expires:
        draft.wake(expires)


def _missing(draft: Draft, path: str, *, withdraw: bool) -> None:
    problem = draft.observed.launches.get(draft.statuses[path].approval or "")
    if problem is not None and problem.permanent:
        draft.end(path, "Failed", Reason.LAUNCH_REJECTED, problem.message)
    elif not draft.observed.live:
        draft.wake(draft.now + timedelta(seconds=_LOOK_AFTER))
    elif withdraw:
        draft.end(path, "Cancelled", Reason.CANCELLED, "the run ended before it was answered")
    else:
        inputs = resolve(draft, path)
        if not isinstance(inputs, Invalid):
            manifest = questions.manifest(draft, path, inputs, draft.statuses[path].wake_at)
            if not isinstance(manifest, Invalid):
                draft.after.append(OpenApproval(manifest=manifest))
        _wake_at_expiry(draft, path)


def _decide(
    draft: Draft, path: str, fact: ApprovalFact, spec: ApprovalSpec, *, withdraw: bool
) -> None:
    expires = names.parse_timestamp(spec.expires_at)
    expired = expires is not None and draft.now >= expires
    # A decision the API server took before the expiry counts, even if the operator was away.
    in_time = not expired or (
        expires is not None and fact.answered_at is not None and fact.answered_at < expires
    )
    verdict = count(spec)
    if withdraw:
        _settle(draft, fact, ApprovalStatus(state="Withdrawn"), verdict)
    elif verdict.decision and in_time:
        _settle(draft, fact, _decided(verdict), verdict)
    elif expired:
        _settle(draft, fact, ApprovalStatus(state="Denied", expired=True), verdict)
    else:
        _settle(draft, fact, fact.status, verdict)
        _wake_at_expiry(draft, path)


def _decided(verdict: Verdict) -> ApprovalStatus:
    assert verdict.decision is not None, "called for a verdict only"
    return ApprovalStatus(
        state=verdict.decision,
        answer=verdict.answer,
        reason=verdict.reason,
        decided_by=verdict.decided_by,
    )


def _settle(draft: Draft, fact: ApprovalFact, status: ApprovalStatus, verdict: Verdict) -> None:
    """Write the Approval's status if it says something new."""
    conditions: list[StatusCondition] = list(fact.status.conditions)

    def judge(type_: str, status: bool, reason: str, message: str) -> None:
        set_condition(
            conditions,
            type_=type_,
            status="True" if status else "False",
            reason=reason,
            message=message,
            generation=fact.generation,
            now=draft.now,
        )

    if verdict.problem:
        judge(meta.Condition.ANSWER_VALID, False, "AnswerInvalid", verdict.problem)
    elif any(c.type == meta.Condition.ANSWER_VALID for c in conditions):
        judge(meta.Condition.ANSWER_VALID, True, "AnswerValid", "the answer meets answerSchema")
    if status.state in ("Approved", "Denied") and not status.expired:
        known = status.decided_by
        text = (
            f"declared by the approver: {known}"
            if known
            else ("authorized by the API server, identity not recorded")
        )
        # Nobody but the API server can attest who patched, and it does not write it down.
        judge(meta.Condition.IDENTITY_VERIFIED, False, "Declared" if known else "Absent", text)
    if status.expired:
        judge(meta.Condition.EXPIRED, True, "Expired", "nobody answered in time")
    changes = {"conditions": conditions, "votes": verdict.tally}
    if status.state != "Open":
        changes["decided_at"] = names.timestamp(draft.now)
    settled = status.model_copy(update=changes)
    if settled != fact.status:
        draft.before.append(
            SettleApproval(name=fact.name, resource_version=fact.resource_version, status=settled)
        )


def _follow(draft: Draft, path: str, recorded: ApprovalStatus) -> None:
    gate = draft.node(path).approval
    assert gate is not None, "only approval nodes are gates"
    if recorded.state == "Withdrawn":
        draft.end(path, "Cancelled", Reason.CANCELLED, "the run ended before it was answered")
        return
    if recorded.state == "Denied":
        reason = Reason.APPROVAL_EXPIRED if recorded.expired else Reason.APPROVAL_DENIED
        continues = gate.on_denied == "Continue"
        if recorded.expired and gate.on_timeout == "Fail":
            continues = False
        if not continues:
            text = recorded.reason or ("no answer in time" if recorded.expired else "denied")
            draft.end(path, "Failed", reason, text)
            return
    output: JsonObject = {"decision": recorded.state, "expired": bool(recorded.expired)}
    optional = {
        "answer": recorded.answer,
        "reason": recorded.reason,
        "decidedBy": recorded.decided_by,
        "decidedAt": recorded.decided_at,
    }
    output |= {key: value for key, value in optional.items() if value is not None}
    draft.succeed(path, checkpoint(output))
