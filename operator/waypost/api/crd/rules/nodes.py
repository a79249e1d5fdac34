"""Validation rules for a node and its parts."""

from typing import Final

from waypost.api.base import DURATION_PATTERN, NODE_NAME_PATTERN, NODE_OR_ITEM_PATTERN
from waypost.api.crd.cel_rule import (
    REQUIRED,
    Cel,
    Rule,
    any_of,
    at_most_one_of,
    first_broken,
    names_of,
)
from waypost.api.crd.rules.compensations import OF_COMPENSATED
from waypost.api.crd.rules.durations import not_zero
from waypost.api.kinds.table import KINDS, kinds_with_pod
from waypost.api.template.local import LOCAL_NAME_PATTERN
from waypost.api.workflow import NOT_IN_FINALLY

POD_FIELDS: Final = ("timeout", "queueTimeout", "deadline", "retry", "effect", "isolation")

# Fields about attempts, which a node with a child run does not have.
OF_ATTEMPTS: Final = ("timeout", "retry", "effect", "isolation")

REPEATED: Final = ("python", "container", "agent", "http", "workflow")
MAPPED: Final = ("python", "container", "agent", "http", "approval", "workflow")


_NAME = Cel("self.name")
_WITHOUT_POD = ("approval", "wait", "event", "first")  # workflow nodes have a rule for these fields
_FINALLY_KINDS = tuple(name for name in KINDS if name not in NOT_IN_FINALLY)


def _not_itself(field: str) -> Rule:
    return Rule(
        f"!has(self.{field}) || !(self.name in self.{field})",
        ["node ", _NAME, f" lists itself in {field}; remove it from {field}"],
        field_path=f".{field}",
    )


def _no_kind(kinds: tuple[str, ...]) -> Rule:
    return Rule(
        any_of(kinds),
        ["node ", _NAME, f" has no kind; set exactly one of {', '.join(kinds)}"],
        reason=REQUIRED,
    )


def _fits_its_kind(kinds: tuple[str, ...], *others: Rule) -> Rule:
    """One kind, and no field that it cannot have. Of a node of the first kind, which is the most
    frequent one, it asks only whether there is another kind."""
    one_kind = Rule(
        at_most_one_of(kinds),
        [
            "node ",
            _NAME,
            " has the kinds ",
            names_of(kinds),
            "; keep one of them and move the others to new nodes",
        ],
    )
    return first_broken(one_kind, *others, unless=f"!{any_of(kinds[1:])}")


def _mapped(kinds: tuple[str, ...]) -> Rule:
    return Rule(
        f"!has(self.forEach) || {any_of(kinds)}",
        [
            "node ",
            _NAME,
            f" has forEach, which only {', '.join(kinds)} nodes can have; put this node into a "
            "template, and call it in a workflow node with forEach",
        ],
        field_path=".forEach",
    )


_NO_POD = Rule(
    f"!{any_of(_WITHOUT_POD)} || !{any_of(POD_FIELDS)}",
    [
        "node ",
        _NAME,
        " has no pod, but sets ",
        names_of(POD_FIELDS),
        f"; only {', '.join(kinds_with_pod())} nodes can set these fields. Remove them; "
        "to limit the time, use approval.timeout, event.timeout or wait.duration, or a wait "
        "node among the candidates of first",
    ],
)
_CHILD = Rule(
    f"!has(self.workflow) || !{any_of(OF_ATTEMPTS)}",
    [
        "node ",
        _NAME,
        " is a workflow node, but sets ",
        names_of(OF_ATTEMPTS),
        "; set these fields on the nodes of the template. To limit the time, use deadline",
    ],
)
_ANY_NODE = (
    Rule(
        "!(self in ['in', 'true', 'false', 'null'])",
        [
            "node name ",
            Cel("self"),
            " is a reserved word of CEL, so nodes.",
            Cel("self"),
            ".output is not a valid expression; choose another name, such as ",
            Cel("self"),
            "_node",
        ],
        place="name",
    ),
    Rule(
        "!has(dyn(self).fallbackOutput) || has(self.onFailure) && self.onFailure == 'Continue'",
        [
            "fallbackOutput is only used with onFailure: Continue; "
            "set onFailure: Continue or remove fallbackOutput",
        ],
        field_path=".fallbackOutput",
    ),
    Rule(
        "!has(self.retry) || !has(self.retry.exitCodes) || has(self.container)",
        [
            "node ",
            _NAME,
            " sets retry.exitCodes, which is only used with container; use retry.reasons",
        ],
        field_path=".retry",
    ),
    Rule(
        f"!has(self.repeat) || {any_of(REPEATED)}",
        [
            "node ",
            _NAME,
            f" has repeat, which only {', '.join(REPEATED)} nodes can have; to wait between "
            "iterations, set repeat.pause",
        ],
        field_path=".repeat",
    ),
    not_zero("timeout"),
    not_zero("queueTimeout"),
    not_zero("deadline"),
    _not_itself("dependsOn"),
    _not_itself("after"),
)
NODE = (
    _no_kind(tuple(KINDS)),
    _fits_its_kind(tuple(KINDS), _NO_POD, _CHILD),
    *_ANY_NODE,
    _mapped(MAPPED),
    OF_COMPENSATED,
)
FINALLY_NODE = (
    _no_kind(_FINALLY_KINDS),
    _fits_its_kind(_FINALLY_KINDS, _CHILD),
    Rule(
        "!has(self.onFailure) || self.onFailure != 'Pause'",
        [
            "node ",
            _NAME,
            " in finally sets onFailure: Pause, but a clean-up waits for nobody; "
            "use Continue, or remove it",
        ],
        field_path=".onFailure",
    ),
    *_ANY_NODE,
    # The API server refuses a rule that reads a field which these nodes do not have.
    _mapped(tuple(kind for kind in MAPPED if kind not in NOT_IN_FINALLY)),
)

PYTHON = (
    Rule(
        any_of(["source", "function"]),
        [
            "neither source nor function is set; "
            "set source to Python code, or function to module:name"
        ],
        reason=REQUIRED,
    ),
    Rule(
        at_most_one_of(["source", "function"]),
        ["both source and function are set; keep one of them"],
    ),
)

ONE_MODEL = (
    Rule(
        at_most_one_of(["model", "models"]),
        ["both model and models are set; keep one of them: models lists the models to try"],
    ),
)
TOOLS = (
    Rule(
        any_of(["server", "module"]),
        [
            "neither server nor module is set; "
            "set server to a ToolServer, or module to a Python module"
        ],
        reason=REQUIRED,
    ),
    Rule(
        at_most_one_of(["server", "module"]),
        ["both server and module are set; write one entry for each"],
    ),
    Rule(
        "!has(self.server) || has(self.allow)",
        ["allow is missing; list the tools of server ", Cel("self.server"), " that may be called"],
        reason=REQUIRED,
        field_path=".allow",
    ),
    Rule(
        "!has(self.module) || has(self.functions)",
        [
            "functions is missing; list the functions of module ",
            Cel("self.module"),
            " that may be called",
        ],
        reason=REQUIRED,
        field_path=".functions",
    ),
    Rule(
        "has(self.server) || !has(self.allow)",
        ["allow is only used with server; list the functions of a module in functions"],
        field_path=".allow",
    ),
    Rule(
        "has(self.module) || !has(self.functions)",
        ["functions is only used with module; list the tools of a server in allow"],
        field_path=".functions",
    ),
)

HTTP_AUTH = (
    Rule(
        any_of(["bearer", "basic"]),
        ["neither bearer nor basic is set; set one of them or remove auth"],
        reason=REQUIRED,
    ),
    Rule(at_most_one_of(["bearer", "basic"]), ["both bearer and basic are set; keep one of them"]),
)

WAIT = (
    Rule(
        any_of(["duration", "until"]),
        ["neither duration nor until is set; set one of them, such as duration: 10m"],
        reason=REQUIRED,
    ),
    Rule(
        at_most_one_of(["duration", "until"]),
        ["both duration and until are set; keep one of them"],
    ),
    Rule(
        "!has(self.duration) || self.duration.contains('${')"
        f" || self.duration.matches('{DURATION_PATTERN}')",
        [
            Cel("self.duration"),
            " is not a duration; use whole numbers of h, m, s and ms, such as 90s, 10m or 1h30m "
            '(a day is 24h), or an expression such as "${inputs.seconds}s"',
        ],
        field_path=".duration",
    ),
)

WORKFLOW_KIND = (
    Rule(
        any_of(["template", "templateRef"]),
        [
            "neither template nor templateRef is set; set template to a name in spec.templates, or "
            "templateRef to an AgentWorkflowTemplate"
        ],
        reason=REQUIRED,
    ),
    Rule(
        at_most_one_of(["template", "templateRef"]),
        ["both template and templateRef are set; keep one of them"],
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
        ["the name ", _NAME, " is reserved: Waypost sets WAYPOST_ variables; choose another name"],
        field_path=".name",
    ),
)

ENV_SOURCE = (
    Rule(
        any_of(["secretKeyRef", "configMapKeyRef"]),
        ["neither secretKeyRef nor configMapKeyRef is set; set one of them"],
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
        [
            "both never: true and limit are set, but never allows no second attempt; "
            "remove one of them"
        ],
        field_path=".limit",
    ),
    Rule(
        "!has(self.never) || !self.never || !has(self.reasons)",
        [
            "both never: true and reasons are set, but never allows no second attempt; "
            "remove one of them"
        ],
        field_path=".reasons",
    ),
    Rule(
        "!has(self.never) || !self.never || !has(self.exitCodes)",
        [
            "both never: true and exitCodes are set, but never allows no second attempt; "
            "remove one of them"
        ],
        field_path=".exitCodes",
    ),
)

EXIT_CODES = (
    Rule(
        any_of(["retry", "fail"]),
        [
            "neither retry nor fail is set; list the exit codes to retry in retry, or the "
            "exit codes not to retry in fail"
        ],
        reason=REQUIRED,
    ),
    Rule(
        at_most_one_of(["retry", "fail"]),
        [
            "both retry and fail are set, but with retry every other exit code fails; "
            "remove one of them"
        ],
    ),
)

# Patterns are for programs (editors, kubeconform); these rules have messages for people.
NODE_NAME_TEXT = (
    Rule(
        f"self.matches('{NODE_NAME_PATTERN}')",
        [
            "node name ",
            Cel("self"),
            " cannot be used in expressions (nodes.<name>.output); use lower case letters, "
            "digits and _, start with a letter, and do not end with _",
            Cel(
                """(self.contains("-") ? ". Use _ instead of -: " + self.replace("-", "_") : "")"""
            ),
        ],
    ),
)

LOCAL_NAME_TEXT = (
    Rule(
        f"self.matches('{LOCAL_NAME_PATTERN}')",
        [
            Cel("self"),
            " is not the name of a local template; use lower case letters, digits and hyphens, and "
            "start with a letter",
        ],
    ),
)

NODE_OR_ITEM_TEXT = (
    Rule(
        f"self.matches('{NODE_OR_ITEM_PATTERN}')",
        [
            Cel("self"),
            " is neither the name of a node, such as scan, nor an item of a node with forEach, "
            "such as scan/3; items are counted from 0; to repeat a node of a child run, rerun that "
            "run",
        ],
    ),
)
