"""What the API server refuses about a node by itself."""

from typing import Final

from waypost.api.base import NODE_NAME_PATTERN
from waypost.api.crd.cel_rule import REQUIRED, Cel, Rule, any_of, at_most_one_of, names_of
from waypost.api.crd.rules.durations import not_zero
from waypost.api.workflow import KINDS, POD_KINDS

POD_FIELDS: Final = ("timeout", "queueTimeout", "deadline", "retry", "effect", "isolation")

_NAME = Cel("self.name")


def _not_itself(field: str) -> Rule:
    return Rule(
        f"!has(self.{field}) || !(self.name in self.{field})",
        ["node ", _NAME, " waits for itself; remove ", _NAME, f" from {field}"],
        field_path=f".{field}",
    )


NODE = (
    Rule(
        any_of(KINDS),
        [
            "node ",
            _NAME,
            f" has no kind; expected exactly one of {', '.join(KINDS)}: add one",
        ],
        reason=REQUIRED,
    ),
    Rule(
        at_most_one_of(KINDS),
        [
            "node ",
            _NAME,
            " has the kinds ",
            names_of(KINDS),
            f"; expected exactly one of {', '.join(KINDS)}: "
            "keep one and move the others to nodes of their own",
        ],
    ),
    Rule(
        "!(self.name in ['in', 'true', 'false', 'null'])",
        [
            "node name ",
            _NAME,
            " is a word of the expression language, so nodes.",
            _NAME,
            ".output cannot be written; choose another, such as ",
            _NAME,
            "_node",
        ],
        field_path=".name",
    ),
    Rule(
        f"!has(self.approval) && !has(self.wait) || !{any_of(POD_FIELDS)}",
        [
            "node ",
            _NAME,
            " starts no pod but sets ",
            names_of(POD_FIELDS),
            f", which only {', '.join(POD_KINDS)} nodes have; remove it "
            "(clocks of its own: approval.timeout, wait.duration)",
        ],
    ),
    Rule(
        "!has(dyn(self).fallbackOutput) || has(self.onFailure) && self.onFailure == 'Continue'",
        [
            "node ",
            _NAME,
            " is none that the run goes on without, so nothing could use its fallbackOutput; "
            "set onFailure: Continue or remove fallbackOutput",
        ],
        field_path=".fallbackOutput",
    ),
    not_zero("timeout"),
    not_zero("queueTimeout"),
    not_zero("deadline"),
    _not_itself("dependsOn"),
    _not_itself("after"),
)

PYTHON = (
    Rule(
        any_of(["source", "function"]),
        ["neither source nor function is set; give the code, or name module:function"],
        reason=REQUIRED,
    ),
    Rule(
        at_most_one_of(["source", "function"]),
        ["both source and function are set; keep one of them"],
    ),
)

TOOLS = (
    Rule(
        any_of(["server", "module"]),
        ["no source of tools is named; set server (a ToolServer) or module (Python)"],
        reason=REQUIRED,
    ),
    Rule(
        at_most_one_of(["server", "module"]),
        ["both server and module are set; make two entries of them"],
    ),
    Rule(
        "!has(self.server) || has(self.allow)",
        ["server ", Cel("self.server"), ": which of its tools? List them in allow"],
        reason=REQUIRED,
        field_path=".allow",
    ),
    Rule(
        "!has(self.module) || has(self.functions)",
        ["module ", Cel("self.module"), ": which of its functions? List them in functions"],
        reason=REQUIRED,
        field_path=".functions",
    ),
    Rule(
        "has(self.server) || !has(self.allow)",
        ["allow is for tools of a server; those of a module are listed in functions"],
        field_path=".allow",
    ),
    Rule(
        "has(self.module) || !has(self.functions)",
        ["functions is for a module; tools of a server are listed in allow"],
        field_path=".functions",
    ),
)

HTTP_AUTH = (
    Rule(
        any_of(["bearer", "basic"]),
        ["neither bearer nor basic is set; set one of them, or remove auth"],
        reason=REQUIRED,
    ),
    Rule(at_most_one_of(["bearer", "basic"]), ["both bearer and basic are set; keep one"]),
)

WAIT = (
    Rule(
        any_of(["duration", "until"]),
        ["neither duration nor until is set; set one, such as duration: 10m"],
        reason=REQUIRED,
    ),
    Rule(
        at_most_one_of(["duration", "until"]),
        ["both duration and until are set; keep one of them"],
    ),
)

VALUE_OR_SOURCE = (
    Rule(
        any_of(["value", "valueFrom"]),
        [_NAME, " has neither value nor valueFrom; set one of them"],
        reason=REQUIRED,
    ),
    Rule(
        at_most_one_of(["value", "valueFrom"]),
        [_NAME, " has both value and valueFrom; keep one of them"],
    ),
)

ENV_VAR = (
    *VALUE_OR_SOURCE,
    Rule(
        "!self.name.startsWith('WAYPOST_')",
        ["variable ", _NAME, ": names that start with WAYPOST_ are set by Waypost; rename it"],
        field_path=".name",
    ),
)

ENV_SOURCE = (
    Rule(
        any_of(["secretKeyRef", "configMapKeyRef"]),
        ["no source is named; set one of secretKeyRef, configMapKeyRef"],
        reason=REQUIRED,
    ),
    Rule(
        at_most_one_of(["secretKeyRef", "configMapKeyRef"]),
        ["both secretKeyRef and configMapKeyRef are set; keep one of them"],
    ),
)

RETRY = (
    Rule(
        "!has(self.never) || !self.never || !has(self.limit)",
        ["never: true and limit are both set, but never means no second attempt; remove one"],
        field_path=".limit",
    ),
    Rule(
        "!has(self.never) || !self.never || !has(self.reasons)",
        ["never: true and reasons are both set, but never means no second attempt; remove one"],
        field_path=".reasons",
    ),
)

APPROVERS = (
    Rule(
        "has(self.users) && self.users.size() > 0 || has(self.groups) && self.groups.size() > 0",
        ["nobody is named, so nobody could answer; add at least one of users, groups"],
        reason=REQUIRED,
    ),
    Rule(
        "!has(self.required) || has(self.groups) && self.groups.size() > 0"
        " || !has(self.users) || self.users.size() == 0 || self.required <= self.users.size()",
        [
            "more people must approve than users names, and there are no groups; "
            "lower required, or add users or groups"
        ],
        field_path=".required",
    ),
)

# A pattern says what is right for programs (editors, kubeconform); these say it for people.
NODE_NAME_TEXT = (
    Rule(
        f"self.matches('{NODE_NAME_PATTERN}')",
        [
            "node name ",
            Cel("self"),
            " could not be used in expressions (nodes.<name>.output); use lower case letters, "
            "digits and _, begin with a letter, do not end with _",
            Cel(
                """(self.contains("-") ? ". Use _ instead of -: " + self.replace("-", "_") : "")"""
            ),
        ],
    ),
)
