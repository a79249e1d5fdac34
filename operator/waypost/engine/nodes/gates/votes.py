"""Count the votes on an Approval. Time limits and the status are in `approval`."""

from dataclasses import dataclass
from typing import Final, Literal

from waypost.api.approval import ApprovalSpec, Vote
from waypost.api.base import JsonValue
from waypost.protocol import ijson, schema

MAX_ANSWER_BYTES: Final = 64 * 1024  # it is stored three times: in the Approval and in the run


@dataclass(frozen=True)
class Tally:
    """The result of a count."""

    decision: Literal["Approved", "Denied"] | None = None  # None while the question is open
    answer: JsonValue | None = None
    reason: str | None = None
    decided_by: str | None = None
    problem: str = ""  # why an answer cannot count
    unverified: str = ""  # in strict mode: why an answer does not count
    tally: str | None = None  # approvals and required approvals, like "1/2"


def count(spec: ApprovalSpec) -> Tally:
    """The result of `spec.decision`, or of the votes if several approvers are required.

    The first denial decides; an approval needs `required` different approvers (S72).
    """
    required = spec.approvers.required or 1
    if spec.votes or required > 1:
        voted = _count_votes(spec, required)
        # An invalid vote must not block a decision that needs one approver only.
        if voted.decision or required > 1 or spec.decision is None:
            return voted
    if spec.decision is None:
        return Tally()
    problem = (
        _voter_problem(spec, spec.decided_by, "decidedBy") if spec.decided_by is not None else ""
    ) or _answer_problem(spec, spec.decision, spec.answer, "answer")
    if problem:
        return Tally(problem=problem)
    return Tally(
        decision=spec.decision,
        answer=spec.answer if spec.decision == "Approved" else None,
        reason=spec.reason,
        decided_by=spec.decided_by,
    )


def _count_votes(spec: ApprovalSpec, required: int) -> Tally:
    votes = spec.votes or {}
    problems = []
    valid: dict[str, Vote] = {}
    for user, vote in votes.items():
        problem = _voter_problem(spec, user, f"votes.{user}") or _answer_problem(
            spec, vote.decision, vote.answer, f"votes.{user}.answer"
        )
        if problem:
            problems.append(problem)
        else:
            valid[user] = vote
    approvals = [user for user, vote in valid.items() if vote.decision == "Approved"]
    tally = f"{len(approvals)}/{required}"
    problem = "; ".join(problems)
    for user, vote in valid.items():
        if vote.decision == "Denied":
            return Tally("Denied", None, vote.reason, user, problem, tally=tally)
    if len(approvals) < required:
        return Tally(problem=problem, tally=tally)
    last = valid[approvals[-1]]
    by = ", ".join(approvals)
    return Tally("Approved", last.answer, last.reason, by, problem, tally=tally)


def _voter_problem(spec: ApprovalSpec, user: str, place: str) -> str:
    """Why an answer in the name of `user` cannot count; also where no admission policy is."""
    users = spec.approvers.users or []
    # Only the API server knows the groups of a user.
    if users and not spec.approvers.groups and user not in users:
        return f"{place}: expected one of the approvers {', '.join(users)}; found {user}"
    if user in (spec.requesters or ()):
        return f"{place}: {user} started this run or its round, so another approver must answer"
    return ""


def _answer_problem(spec: ApprovalSpec, decision: str, answer: JsonValue | None, place: str) -> str:
    if decision == "Denied":
        return f"{place}: a denial takes no answer; remove it" if answer is not None else ""
    try:
        size = len(ijson.canonical(ijson.check(answer)))
    except ijson.IJsonError as error:
        return f"{place}{error.path.removeprefix('$')}: {error.problem}"
    if size > MAX_ANSWER_BYTES:
        return f"{place}: {size} bytes of JSON, the limit is {MAX_ANSWER_BYTES}; shorten it"
    if answer is None and spec.subject == "toolCall":
        return ""  # the call is made as it was shown
    if spec.answer_schema is None:
        return ""
    if answer is None:
        return f"{place}: required by answerSchema when approving; add it"
    violations = schema.validate(spec.answer_schema, answer)
    return "; ".join(
        f"{place}{v.path.removeprefix('$')}: expected {v.expected}, found {v.found}"
        for v in violations
    )
