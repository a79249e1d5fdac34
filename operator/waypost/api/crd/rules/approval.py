"""Validation rules for an Approval: who can write what, and until when."""

from typing import Final

from waypost.api.approval import ApprovalSpec
from waypost.api.crd.cel_rule import (
    REQUIRED,
    Cel,
    Rule,
    any_of,
    changes_of,
    names_of,
    unchanged,
    wire_names,
)

# Every other field of the spec, also a future one, belongs to the question.
ANSWER: Final = ("decision", "answer", "reason", "decidedBy", "decidedDigest", "votes")

_QUESTION = wire_names(ApprovalSpec, without=frozenset(ANSWER))
_DENIAL_WITHOUT_ANSWER = (
    "answer is only allowed with Approved; remove answer, and give the cause in reason"
)

APPROVAL_SPEC = (
    # Otherwise a person could create an answered Approval with that name in advance.
    Rule(
        f"oldSelf.hasValue() || !{any_of(ANSWER)}",
        [
            "found ",
            names_of(ANSWER),
            " in a new Approval; create it without an answer, then answer it with a patch",
        ],
        on_create=True,
    ),
    Rule(
        unchanged(_QUESTION),
        [
            "the question cannot be changed; found a change of ",
            changes_of(_QUESTION),
            f"; only {', '.join(ANSWER)} can change",
        ],
    ),
    Rule(
        "!has(dyn(self).answer) || !has(self.decision) || self.decision != 'Denied'",
        [_DENIAL_WITHOUT_ANSWER],
    ),
    Rule(
        "!has(self.decidedDigest) || self.decidedDigest == self.requestDigest",
        [
            "decidedDigest is that of another question; read this question, and answer with "
            "decidedDigest: ",
            Cel("self.requestDigest"),
        ],
        field_path=".decidedDigest",
    ),
    Rule(
        "!has(self.decision) || !has(self.approvers.required) || self.approvers.required <= 1",
        [
            "approvers.required is greater than 1, so decision is not used; "
            "add your vote instead: votes: {<your user name>: {decision: Approved}}"
        ],
        field_path=".decision",
    ),
    Rule(
        "!has(oldSelf.votes) || has(self.votes) && oldSelf.votes.all(user, "
        "user in self.votes && self.votes[user] == oldSelf.votes[user])",
        ["votes cannot be changed or withdrawn; keep the existing votes and add your own"],
        field_path=".votes",
    ),
    Rule(
        "!has(self.votes) || self.votes.all(user, !has(self.votes[user].decidedDigest) || "
        "self.votes[user].decidedDigest == self.requestDigest)",
        [
            "a vote has the decidedDigest of another question; read this question, and vote with "
            "decidedDigest: ",
            Cel("self.requestDigest"),
        ],
        field_path=".votes",
    ),
)

APPROVERS = (
    Rule(
        "has(self.users) && self.users.size() > 0 || has(self.groups) && self.groups.size() > 0",
        ["no approver is named; add at least one user to users or one group to groups"],
        reason=REQUIRED,
    ),
    Rule(
        "!has(self.required) || has(self.groups) && self.groups.size() > 0"
        " || !has(self.users) || self.users.size() == 0 || self.required <= self.users.size()",
        [
            "required is greater than the number of users, and there are no groups; "
            "lower required, or add users or groups"
        ],
        field_path=".required",
    ),
    Rule(
        # Everyone is in some of them, or every account of a namespace, or every administrator.
        "!has(self.groups) || self.groups.all(group, !group.startsWith('system:'))",
        [
            "groups of the domain system: cannot approve: their members are not chosen for this; "
            "name a group of people, or users"
        ],
        field_path=".groups",
    ),
)

VOTE = (
    Rule(
        "!has(dyn(self).answer) || self.decision != 'Denied'",
        [_DENIAL_WITHOUT_ANSWER],
    ),
)

_RECORDED = "has(oldSelf.status) && has(oldSelf.status.state) && oldSelf.status.state != 'Open'"
_WHICH = ("approval ", Cel("self.metadata.name"), " is recorded as ", Cel("oldSelf.status.state"))

APPROVAL = (
    Rule(
        f"!({_RECORDED}) || self.spec == oldSelf.spec",
        [*_WHICH, "; its spec can no longer change"],
        field_path=".spec",
    ),
    Rule(
        f"!({_RECORDED}) || has(self.status) && has(self.status.state)"
        " && self.status.state == oldSelf.status.state",
        [*_WHICH, "; its state can no longer change"],
    ),
)
