"""Validation rules for `compensate` of a node."""

from typing import Final

from waypost.api.crd.cel_rule import REQUIRED, Cel, Rule, any_of, at_most_one_of, names_of
from waypost.api.crd.rules.durations import not_zero

COMPENSATED: Final = ("python", "container", "agent", "http", "workflow")
COMPENSATIONS: Final = ("python", "container", "http", "workflow")
OF_ATTEMPTS: Final = ("timeout", "retry", "effect")

OF_COMPENSATED: Final = Rule(
    f"!has(self.compensate) || {any_of(COMPENSATED)}",
    [
        "node ",
        Cel("self.name"),
        f" has compensate, which only {', '.join(COMPENSATED)} nodes can have; "
        "undo what others do in a node of finally",
    ],
    field_path=".compensate",
)

COMPENSATE = (
    Rule(
        any_of(COMPENSATIONS),
        [f"compensate has no kind; set exactly one of {', '.join(COMPENSATIONS)}"],
        reason=REQUIRED,
    ),
    Rule(
        at_most_one_of(COMPENSATIONS),
        ["compensate has the kinds ", names_of(COMPENSATIONS), "; keep one of them"],
    ),
    Rule(
        f"!has(self.workflow) || !{any_of(OF_ATTEMPTS)}",
        [
            "compensate is a workflow, but sets ",
            names_of(OF_ATTEMPTS),
            "; set these fields on the nodes of the template. finallyDeadline limits the time",
        ],
    ),
    not_zero("timeout"),
)
