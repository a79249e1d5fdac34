"""Validation rules for an AgentWorkflow as a whole and for its changes."""

from typing import Final

from waypost.api.base import OBJECT_NAME_PATTERN
from waypost.api.crd.cel_rule import (
    REQUIRED,
    Cel,
    Rule,
    any_of,
    changes_of,
    first_broken,
    unchanged,
    wire_names,
)
from waypost.api.crd.rules.durations import not_zero
from waypost.api.template.parent import Parent
from waypost.api.template.spec import BESIDE, TEMPLATE_ONLY
from waypost.api.workflow import MAX_NODES, AgentWorkflowSpec

# Fields that can change after a run was accepted. All others, also future ones, are frozen.
EDITABLE: Final = frozenset({"suspend", "cancel", "skipFinally", "ttlSecondsAfterFinished"})

_ACCEPTED = (
    "has(oldSelf.status) && has(oldSelf.status.conditions) && "
    "oldSelf.status.conditions.exists(c, c.type == 'Accepted' && c.status == 'True')"
)
# A run that has started is in a round, even while its next round is rejected.
_BEGUN = "has(oldSelf.status) && has(oldSelf.status.nodes) && oldSelf.status.nodes.size() > 0"
_ROUND = "(has(oldSelf.status) && has(oldSelf.status.round) ? oldSelf.status.round : 1)"
_RAISED = f"has(self.spec.rerun) && self.spec.rerun.round > {_ROUND}"
# The API server evaluates the rules of the spec also at a write of the status, which cannot change
# the spec. A write of the spec cannot change the status. Nearly all writes of the status change one
# of these fields, and to compare the definitions of 200 nodes is a fifth of their cost (ADR 0077).
_STATUS_IS_WRITTEN = (
    "has(self.status) && has(oldSelf.status) && ("
    + " || ".join(
        f"has(self.status.{field}) && has(oldSelf.status.{field})"
        f" && self.status.{field} != oldSelf.status.{field}"
        for field in ("progress", "isolation", "phase")
    )
    + ")"
)
# The operator changes `parent` of a child run.
_DEFINITION = wire_names(AgentWorkflowSpec, without=EDITABLE | {"parent"})


# What stays as the operator created a child run.
CHANGED_BY_PARENT = frozenset(
    {"cancel", "skipFinally", "suspend", "budget", "requesters", "artifacts", "concurrency"}
)
_LINEAGE = wire_names(Parent, without=CHANGED_BY_PARENT)


def _stands_in_the_template(field: str) -> Rule:
    other = "templateRef" if field == "nodes" else f"{field}, or write the nodes into this run"
    return Rule(
        f"!has(self.templateRef) || !has(self.{field})",
        [
            f"{field} stands in the template; a run of a template has only {BESIDE}. "
            f"Remove {'nodes or ' if field == 'nodes' else ''}{other}"
        ],
        field_path=f".{field}",
    )


DEFINED = (
    Rule(
        any_of(["nodes", "templateRef"]),
        [
            "neither nodes nor templateRef is set; write the nodes of the run, or name an "
            "AgentWorkflowTemplate in templateRef"
        ],
        reason=REQUIRED,
    ),
    *(_stands_in_the_template(field) for field in TEMPLATE_ONLY),
    Rule(
        "has(self.templateRef) || !has(self.rerun) || !has(self.rerun.template)",
        ["rerun.template is only used with templateRef; remove it"],
        field_path=".rerun",
    ),
)

OBJECT_NAME_TEXT = (
    Rule(
        f"self.matches('{OBJECT_NAME_PATTERN}')",
        [
            Cel("self"),
            " is not the name of an object; use lower case letters, digits, hyphens and dots",
            Cel(
                """(self.contains("${") ? ". The name is fixed before the run starts: ${...} is """
                """not evaluated in this field" : "")"""
            ),
        ],
    ),
)

_UPDATES = (
    Rule(
        # An unchanged rerun is allowed: its round may be one that was rejected.
        f"!({_RAISED}) || !has(self.spec.cancel) || !self.spec.cancel"
        " || has(oldSelf.spec.rerun) && self.spec.rerun == oldSelf.spec.rerun",
        [
            "run ",
            Cel("self.metadata.name"),
            " is cancelled, so no new round can start; create a new run",
        ],
        field_path=".spec",
    ),
    Rule(
        "!has(oldSelf.spec.cancel) || !oldSelf.spec.cancel"
        " || has(self.spec.cancel) && self.spec.cancel"
        f" || !({_ACCEPTED}) && !({_BEGUN})",
        [
            "run ",
            Cel("self.metadata.name"),
            " is cancelled, and cancel cannot be undone; keep cancel: true and create a new run",
        ],
        field_path=".spec",
    ),
    Rule(
        "!has(oldSelf.spec.skipFinally) || !oldSelf.spec.skipFinally"
        " || has(self.spec.skipFinally) && self.spec.skipFinally"
        f" || !({_ACCEPTED}) && !({_BEGUN})",
        [
            "run ",
            Cel("self.metadata.name"),
            " skips finally, and skipFinally cannot be undone; keep skipFinally: true",
        ],
        field_path=".spec",
    ),
    Rule(
        "has(self.spec.parent) == has(oldSelf.spec.parent) && (!has(self.spec.parent) || "
        f"{unchanged(_LINEAGE, at='.spec.parent')})",
        [
            "run ",
            Cel("self.metadata.name"),
            " is, or is not, the child of another run, and this cannot change: only the operator "
            "writes spec.parent",
        ],
        field_path=".spec",
    ),
    Rule(
        unchanged(["requestedBy"], at=".spec"),
        [
            "requestedBy of run ",
            Cel("self.metadata.name"),
            " is set when the run is created, and cannot be added, changed or removed; found ",
            Cel("(has(self.spec.requestedBy) ? self.spec.requestedBy : 'none')"),
            ", expected ",
            Cel("(has(oldSelf.spec.requestedBy) ? oldSelf.spec.requestedBy : 'none')"),
        ],
        field_path=".spec",
    ),
    Rule(
        # Also before the round has begun: who raised it must not be able to hide that.
        "!has(self.spec.rerun) || !has(oldSelf.spec.rerun) || self.spec.rerun.round != "
        f"oldSelf.spec.rerun.round || {unchanged(['requestedBy'], at='.spec.rerun')}",
        [
            "rerun.requestedBy of run ",
            Cel("self.metadata.name"),
            " is set when the round is raised, and cannot be added, changed or removed",
        ],
        field_path=".spec",
    ),
    Rule(
        unchanged(["origin"], at=".spec"),
        [
            "spec.origin of run ",
            Cel("self.metadata.name"),
            " cannot be added, changed or removed: only the operator writes it, when it creates "
            "the run",
        ],
        field_path=".spec",
    ),
    Rule(
        # Without the times: the API server has no bound for the size of string(time).
        unchanged(["scheduledAt"], at=".spec"),
        [
            "scheduledAt of run ",
            Cel("self.metadata.name"),
            " is set when the run is created, and cannot be added, changed or removed; create "
            "another run for another time",
        ],
        field_path=".spec",
    ),
    # A run can be edited until it is accepted, so that a typo does not need a new name.
    Rule(
        f"!({_ACCEPTED}) && !({_BEGUN}) || {_RAISED} || {unchanged(_DEFINITION, at='.spec')}",
        [
            "run ",
            Cel("self.metadata.name"),
            " was accepted, so its definition cannot change; found a change of ",
            changes_of(_DEFINITION, at=".spec"),
            f"; only {', '.join(sorted(EDITABLE))} can change. Create a new run, or rerun this one "
            "with the change: raise rerun.round above status.round in the same update",
        ],
        field_path=".spec",
    ),
)
WORKFLOW = (
    first_broken(*_UPDATES, unless=_STATUS_IS_WRITTEN),
    Rule(
        "!has(oldSelf.status) || !has(oldSelf.status.nodes) || oldSelf.status.nodes.size() == 0"
        " || has(self.status)",
        ["status cannot be removed, because it holds the checkpoints of the run"],
    ),
)

LOCAL_TEMPLATE = (
    not_zero("finallyDeadline"),
    Rule(
        "!has(self.finallyDeadline) || has(self.finally)",
        ["finallyDeadline is only used with finally; add finally or remove finallyDeadline"],
        field_path=".finallyDeadline",
    ),
)

# Of a run and of a template.
BODY = (
    not_zero("deadline"),
    not_zero("finallyDeadline"),
    Rule(
        "!has(self.finally) || !has(self.nodes)"
        f" || self.nodes.size() + self.finally.size() <= {MAX_NODES}",
        [
            # Not the counts: the API server has no bound for the size of string(x.size()).
            f"a run has at most {MAX_NODES} nodes, those in finally included; remove some, or "
            "split the workflow",
        ],
        field_path=".finally",
    ),
    Rule(
        "!has(self.finallyDeadline) || has(self.finally)"
        " || has(self.nodes) && self.nodes.exists(n, has(n.compensate))",
        [
            "finallyDeadline is only used with finally and compensate; add one of them or remove "
            "finallyDeadline"
        ],
        field_path=".finallyDeadline",
    ),
)

SPEC = (
    *BODY,
    *DEFINED,
    Rule(
        "!has(self.skipFinally) || !self.skipFinally || has(self.cancel) && self.cancel",
        ["skipFinally: true is only used with cancel: true; set both, or remove skipFinally"],
        field_path=".skipFinally",
    ),
    Rule(
        "!has(self.skipFinally) || has(self.finally) || has(self.templateRef)"
        " || has(self.nodes) && self.nodes.exists(n, has(n.compensate))",
        ["skipFinally is only used with finally and compensate; remove skipFinally"],
        field_path=".skipFinally",
    ),
)

STATUS = (
    Rule(
        "!has(oldSelf.nodes) || has(self.nodes) && self.nodes.size() >= oldSelf.nodes.size()"
        " || has(self.round) && self.round > (has(oldSelf.round) ? oldSelf.round : 1)",
        ["a checkpoint would be lost; nodes can be removed from status only in a new round"],
    ),
    Rule(
        "!has(oldSelf.template) || has(self.template) && self.template == oldSelf.template"
        " || has(self.round) && self.round > (has(oldSelf.round) ? oldSelf.round : 1)",
        ["the run is pinned to a version of its template; this can change only in a new round"],
    ),
)

NODE_STATUS = (
    Rule(
        # For each node at each write of the status, so it asks for few fields. If only the old one
        # has no digest, the condition is an error, which refuses the write like false.
        "oldSelf.phase != 'Succeeded' || self.phase == 'Succeeded'"
        " && (has(self.outputDigest) && self.outputDigest == oldSelf.outputDigest"
        " || !has(self.outputDigest) && !has(oldSelf.outputDigest))"
        " || has(self.round) && self.round > (has(oldSelf.round) ? oldSelf.round : 1)",
        [
            "node ",
            Cel("self.path"),
            " has Succeeded, so its phase and outputDigest cannot change in this round",
        ],
    ),
)
